#include "gate/duplicates.hpp"

#include <algorithm>
#include <limits>

namespace ffe::gate {
namespace {

constexpr size_t kHashes = 128;  // one byte of each is kept
constexpr size_t kBandRows = 4;
constexpr size_t kBands = kHashes / kBandRows;  // at similarity 0.7 a pair is missed once in 6 000
constexpr size_t kBucket = 256;
constexpr double kTemplateShare = 0.25;
constexpr size_t kTemplateRows = 16;

uint64_t mix(uint64_t x) {  // the finaliser of SplitMix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t hash_text(std::string_view text) {  // FNV-1a, finalised
  uint64_t h = 0xcbf29ce484222325;
  for (char c : text) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return mix(h);
}

bool word_byte(uint8_t c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

std::vector<std::string_view> words_of(std::string_view normalised) {
  std::vector<std::string_view> words;
  for (size_t begin = 0; begin < normalised.size();) {
    const size_t end = std::min(normalised.find(' ', begin), normalised.size());
    words.push_back(normalised.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

void add_shingles(std::string_view text, Shingles& out) {
  const std::string plain = normalise(text);
  const auto words = words_of(plain);
  if (words.size() == 1) out.push_back(hash_text(words[0]));
  for (size_t i = 1; i < words.size(); ++i) {
    out.push_back(hash_text({words[i - 1].data(), words[i - 1].size() + 1 + words[i].size()}));
  }
}

// The low byte of each of kHashes minima.
std::array<uint8_t, kHashes> signature(const Shingles& row) {
  std::array<uint8_t, kHashes> out{};
  for (size_t k = 0; k < kHashes; ++k) {
    const uint64_t salt = mix(k);
    uint64_t smallest = std::numeric_limits<uint64_t>::max();
    for (uint64_t shingle : row) smallest = std::min(smallest, mix(shingle ^ salt));
    out[k] = static_cast<uint8_t>(smallest);
  }
  return out;
}

// Keys of the buckets that a row falls into, one per band.
std::array<uint64_t, kBands> bands(const Shingles& row) {
  const auto bytes = signature(row);
  std::array<uint64_t, kBands> out{};
  for (size_t b = 0; b < kBands; ++b) {
    out[b] = uint64_t{b} << 32 | get_le32(bytes.data() + b * kBandRows);
  }
  return out;
}

}  // namespace

RowText row_text(const lm::Row& row) {
  RowText out;
  if (row.kind == lm::Row::Kind::kText) {
    const std::string plain = normalise(row.text);
    const auto words = words_of(plain);
    for (size_t i = 0; i < words.size(); ++i) {
      std::string& part = i < words.size() / 2 ? out.question : out.answer;
      if (!part.empty()) part += ' ';
      part += words[i];
    }
    return out;
  }
  for (size_t i = 0; i + 1 < row.messages.size(); ++i) {
    if (row.messages[i].role == "system") continue;
    if (!out.question.empty()) out.question += '\n';
    out.question += row.messages[i].content;
  }
  if (!row.messages.empty()) out.answer = row.messages.back().content;
  return out;
}

std::string normalise(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool gap = false;
  for (char raw : text) {
    auto c = static_cast<uint8_t>(raw);
    if (c >= 'A' && c <= 'Z') c = static_cast<uint8_t>(c + ('a' - 'A'));
    if (!word_byte(c)) {
      gap = true;
      continue;
    }
    if (gap && !out.empty()) out += ' ';
    gap = false;
    out += static_cast<char>(c);
  }
  return out;
}

Fingerprint fingerprint(const RowText& text) {
  Fingerprint out;
  add_shingles(text.question, out.shingles);
  add_shingles(text.answer, out.shingles);
  std::sort(out.shingles.begin(), out.shingles.end());
  out.shingles.erase(std::unique(out.shingles.begin(), out.shingles.end()), out.shingles.end());
  out.whole =
      hash_text(out.shingles.empty() ? text.question + '\x1f' + text.answer
                                     : normalise(text.question) + '\x1f' + normalise(text.answer));
  return out;
}

std::vector<Fingerprint> fingerprints(const std::vector<RowText>& rows) {
  std::vector<Fingerprint> out;
  out.reserve(rows.size());
  for (const RowText& row : rows) out.push_back(fingerprint(row));
  return out;
}

double jaccard(const Shingles& a, const Shingles& b) {
  size_t common = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) ++common;
    const bool step_a = a[i] <= b[j];
    const bool step_b = b[j] <= a[i];
    i += step_a;
    j += step_b;
  }
  const size_t all = a.size() + b.size() - common;
  return all == 0 ? 0 : static_cast<double>(common) / static_cast<double>(all);
}

ShingleSet template_of(const std::vector<Fingerprint>& rows) {
  ShingleSet out;
  if (rows.size() < kTemplateRows) return out;
  std::unordered_map<uint64_t, size_t> count;
  for (const Fingerprint& row : rows) {
    for (uint64_t s : row.shingles) ++count[s];
  }
  for (const auto& [shingle, n] : count) {
    if (static_cast<double>(n) > kTemplateShare * static_cast<double>(rows.size())) {
      out.insert(shingle);
    }
  }
  return out;
}

ShingleSet shared_template(const std::vector<ShingleSet>& templates) {
  ShingleSet once;
  ShingleSet shared;
  for (const ShingleSet& set : templates) {
    for (uint64_t shingle : set) {
      if (!once.insert(shingle).second) shared.insert(shingle);
    }
  }
  return shared;
}

Shingles content(const Fingerprint& row, const ShingleSet& ignored) {
  Shingles out;
  for (uint64_t s : row.shingles) {
    if (!ignored.contains(s)) out.push_back(s);
  }
  if (out.empty()) out.push_back(row.whole);
  return out;
}

std::vector<size_t> distinct_rows(const std::vector<Fingerprint>& rows) {
  const ShingleSet ignored = template_of(rows);
  NearCopyIndex index;
  std::vector<size_t> out;
  for (size_t i = 0; i < rows.size(); ++i) {
    Shingles row = content(rows[i], ignored);
    if (index.find(row)) continue;
    index.add(std::move(row));
    out.push_back(i);
  }
  return out;
}

std::vector<size_t> NearCopyIndex::candidates(const Shingles& row) const {
  std::vector<size_t> out;
  for (uint64_t band : bands(row)) {
    if (auto it = buckets_.find(band); it != buckets_.end()) {
      out.insert(out.end(), it->second.begin(), it->second.end());
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::optional<size_t> NearCopyIndex::find(const Shingles& row) const {
  for (size_t i : candidates(row)) {
    if (jaccard(row, rows_[i]) >= kNearCopy) return i;
  }
  return std::nullopt;
}

std::vector<size_t> NearCopyIndex::find_all(const Shingles& row) const {
  std::vector<size_t> out;
  for (size_t i : candidates(row)) {
    if (jaccard(row, rows_[i]) >= kNearCopy) out.push_back(i);
  }
  return out;
}

size_t NearCopyIndex::add(Shingles row) {
  const auto index = static_cast<uint32_t>(rows_.size());
  for (uint64_t band : bands(row)) {
    auto& bucket = buckets_[band];
    if (bucket.size() < kBucket) bucket.push_back(index);
  }
  rows_.push_back(std::move(row));
  return index;
}

}  // namespace ffe::gate
