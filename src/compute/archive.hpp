// The plaintext of a deliverable: a zip of the trainer's output folder, and the PEFT folder in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace ffe::compute {

struct UnzipLimits {
  uint64_t max_bytes = uint64_t{8} << 30;  // of everything that is written
  uint64_t max_entries = 10'000;
  // A deflated adapter does not shrink to a hundredth: what claims so is a bomb.
  uint64_t max_ratio = 100;
};

struct Unzipped {
  std::vector<std::string> files;    // written into the folder
  std::vector<std::string> skipped;  // of the archive: checkpoints, pickles and what is not known
};

// Writes the adapter and tokenizer files of "output_model/" into `folder`, which must not exist,
// or be empty. It appears whole or not at all. Only files with the names that PEFT and transformers
// give them are taken: nothing in the archive chooses a path. Throws Error{kBadInput} naming the
// entry for absolute or climbing paths, links, repeated names, encryption, methods other than
// stored and deflate, bombs, and when adapter_config.json or adapter_model.safetensors is missing.
Unzipped unzip_adapter(const std::filesystem::path& zip, const std::filesystem::path& folder,
                       const UnzipLimits& limits = {});

// The same from memory into memory, for rows and models that must not touch a disk: name → content.
std::map<std::string, Bytes> adapter_files(ByteView zip, const UnzipLimits& limits = {});

// The regular files of `folder`, stored, as "<prefix>/<relative path>".
void zip_folder(const std::filesystem::path& folder, const std::string& prefix,
                const std::filesystem::path& zip);

}  // namespace ffe::compute
