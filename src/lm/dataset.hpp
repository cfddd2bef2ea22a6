// A file of rows as the examples that training and evaluation use, with what was cut or left out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/progress.hpp"
#include "crypto/random.hpp"
#include "lm/example.hpp"
#include "lm/rows.hpp"

namespace ffe::lm {

struct Dataset {
  std::vector<Example> examples;  // every one has a target
  // One for each example:
  std::vector<size_t> lines;       // in the file, from 1
  std::vector<uint8_t> truncated;  // 1: its end did not fit
  size_t without_target = 0;       // rows left out because nothing of the answer fits

  size_t rows() const { return examples.size() + without_target; }
  uint64_t tokens() const;
  uint64_t targets() const;
  size_t truncated_count() const;
};

// Throws Error{kBadInput} "<path>:<line>:<column>: <reason>" for a broken row, and when there are
// no rows or none has a target; what RowReader and to_example throw besides. `progress` counts rows
// (the total is not known) and may throw.
Dataset read_dataset(const std::filesystem::path& path, const Tokenizer& tokenizer,
                     const ChatTemplate* chat, const ExampleOptions& options,
                     const Progress& progress = {});

// Takes about `share` of the examples out of `data`, at least one, and returns them in the order of
// the file. Equal examples go together, so that nothing held out is trained on. Throws
// Error{kUsage} for a share outside (0, 1), Error{kBadInput} if one side would be empty.
Dataset hold_out(Dataset& data, double share, crypto::ChaChaRng rng);

// SHA-256 over each example's length (64 bits), ids (32 bits each) and target marks (a byte each),
// little-endian: equal for equal training data whatever file they came from.
H256 hash_of(std::span<const Example> examples);

}  // namespace ffe::lm
