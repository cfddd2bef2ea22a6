#include "lm/dataset.hpp"

#include <algorithm>
#include <fstream>
#include <map>

#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace ffe::lm {
namespace {

namespace fs = std::filesystem;

// Those of `data` at `indices`, which ascend.
Dataset select(const Dataset& data, const std::vector<size_t>& indices) {
  Dataset out;
  for (size_t i : indices) {
    out.examples.push_back(data.examples[i]);
    out.lines.push_back(data.lines[i]);
    out.truncated.push_back(data.truncated[i]);
  }
  return out;
}

// Indices of equal examples, in order of the first of each.
std::vector<std::vector<size_t>> groups_of(const Dataset& data) {
  std::vector<std::vector<size_t>> groups;
  std::map<H256, size_t> known;
  for (size_t i = 0; i < data.examples.size(); ++i) {
    const auto [it, fresh] = known.try_emplace(hash_of({&data.examples[i], 1}), groups.size());
    if (fresh) groups.emplace_back();
    groups[it->second].push_back(i);
  }
  return groups;
}

}  // namespace

uint64_t Dataset::tokens() const {
  uint64_t n = 0;
  for (const Example& e : examples) n += e.tokens.size();
  return n;
}

uint64_t Dataset::targets() const {
  uint64_t n = 0;
  for (const Example& e : examples) n += e.target_count();
  return n;
}

size_t Dataset::truncated_count() const {
  return static_cast<size_t>(std::count(truncated.begin(), truncated.end(), 1));
}

Dataset read_dataset(const fs::path& path, const Tokenizer& tokenizer, const ChatTemplate* chat,
                     const ExampleOptions& options, const Progress& progress) {
  std::ifstream in(path, std::ios::binary);
  if (!in || fs::is_directory(path)) {
    throw Error(ErrorCode::kIo, "cannot open " + path.string(), "check the path");
  }
  RowReader reader(in, path.string());
  Dataset out;
  for (Row row; reader.next(row);) {
    bool truncated = false;
    Example example;
    try {
      example = to_example(row, tokenizer, chat, options, &truncated);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kBadInput) throw;
      throw Error(ErrorCode::kBadInput,
                  path.string() + ":" + std::to_string(reader.line()) + ":1: " + e.what(),
                  e.hint());
    }
    if (example.target_count() == 0) {
      ++out.without_target;
    } else {
      out.examples.push_back(std::move(example));
      out.lines.push_back(reader.line());
      out.truncated.push_back(truncated ? 1 : 0);
    }
    report(progress, out.rows(), 0);
  }
  if (out.rows() == 0) {
    throw Error(ErrorCode::kBadInput, path.string() + ": no rows", "one JSON object a line");
  }
  if (out.examples.empty()) {
    throw Error(ErrorCode::kBadInput,
                path.string() + ": no row has an answer within its first " +
                    std::to_string(options.max_tokens) + " tokens",
                "raise --max-tokens, or shorten what stands before the answers");
  }
  return out;
}

Dataset hold_out(Dataset& data, double share, crypto::ChaChaRng rng) {
  if (!(share > 0 && share < 1)) {
    throw Error(ErrorCode::kUsage, "the share of rows to hold out is not between 0 and 1");
  }
  std::vector<std::vector<size_t>> groups = groups_of(data);
  if (groups.size() < 2) {
    throw Error(ErrorCode::kBadInput, "there are too few different rows to hold some out",
                "give a file of its own to evaluate on");
  }
  rng.shuffle(groups);
  const auto wanted = static_cast<size_t>(share * static_cast<double>(data.examples.size()) + 0.5);
  std::vector<size_t> held, kept;
  for (size_t g = 0; g < groups.size(); ++g) {
    // The first group always goes, the last one never.
    const bool out = g == 0 || (held.size() < wanted && g + 1 < groups.size());
    std::vector<size_t>& side = out ? held : kept;
    side.insert(side.end(), groups[g].begin(), groups[g].end());
  }
  std::sort(held.begin(), held.end());
  std::sort(kept.begin(), kept.end());
  Dataset taken = select(data, held);
  Dataset rest = select(data, kept);
  rest.without_target = data.without_target;
  data = std::move(rest);
  return taken;
}

H256 hash_of(std::span<const Example> examples) {
  crypto::Sha256 hasher;
  Bytes bytes;
  for (const Example& e : examples) {
    bytes.resize(8 + 4 * e.tokens.size());
    put_le64(bytes.data(), e.tokens.size());
    for (size_t i = 0; i < e.tokens.size(); ++i) {
      const auto id = static_cast<uint32_t>(e.tokens[i]);
      for (size_t b = 0; b < 4; ++b) bytes[8 + 4 * i + b] = static_cast<uint8_t>(id >> (8 * b));
    }
    hasher.update(bytes);
    hasher.update(e.target);
  }
  return hasher.finish();
}

}  // namespace ffe::lm
