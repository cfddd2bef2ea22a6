#include "session/tar.hpp"

#include <cstdio>

namespace ffe::session {
namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kMaxFile = (uint64_t{1} << 33) - 1;  // eleven octal digits

bool good_name(std::string_view name) {
  if (name.empty() || name.size() > 100) return false;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    for (char c : part) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
      if (!plain) return false;
    }
    begin = end + 1;
  }
  return true;
}

void put_text(uint8_t* block, size_t offset, std::string_view text) {
  std::memcpy(block + offset, text.data(), text.size());
}

void put_octal(uint8_t* block, size_t offset, int digits, uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  put_text(block, offset, text);
}

std::array<uint8_t, kBlock> header(std::string_view name, uint64_t size) {
  std::array<uint8_t, kBlock> block{};
  uint8_t* b = block.data();
  put_text(b, 0, name);
  put_octal(b, 100, 7, 0644);
  put_octal(b, 108, 7, 0);  // uid
  put_octal(b, 116, 7, 0);  // gid
  put_octal(b, 124, 11, size);
  put_octal(b, 136, 11, 0);  // mtime
  put_text(b, 148, "        ");
  b[156] = '0';
  put_text(b, 257, std::string_view("ustar\00000", 8));
  put_octal(b, 329, 7, 0);  // device numbers
  put_octal(b, 337, 7, 0);
  uint32_t sum = 0;
  for (uint8_t byte : block) sum += byte;
  put_octal(b, 148, 6, sum);
  b[154] = 0;
  return block;
}

size_t padded(uint64_t size) {
  return static_cast<size_t>((size + kBlock - 1) / kBlock * kBlock);
}

[[noreturn]] void bad(size_t offset, const std::string& why) {
  throw Error(ErrorCode::kBadInput, "tar: " + why + " at byte " + std::to_string(offset));
}

uint64_t read_size(ByteView block, size_t offset) {
  uint64_t size = 0;
  for (size_t i = 124; i < 135; ++i) {
    if (block[i] < '0' || block[i] > '7') bad(offset + i, "size is not octal");
    size = size * 8 + (block[i] - '0');
  }
  return size;
}

}  // namespace

Bytes write_tar(const std::map<std::string, Bytes>& files) {
  size_t total = 2 * kBlock;
  for (const auto& [name, content] : files) total += kBlock + padded(content.size());
  Bytes out;
  out.reserve(total);
  for (const auto& [name, content] : files) {
    if (!good_name(name)) {
      throw Error(ErrorCode::kBadInput, "tar: \"" + name + "\" is not a plain relative name");
    }
    if (content.size() > kMaxFile) {
      throw Error(ErrorCode::kBadInput, "tar: " + name + " is larger than 8 GiB");
    }
    append(out, header(name, content.size()));
    append(out, content);
    out.resize(out.size() + padded(content.size()) - content.size());
  }
  out.resize(out.size() + 2 * kBlock);
  return out;
}

std::map<std::string, Bytes> read_tar(ByteView tar) {
  std::map<std::string, Bytes> files;
  size_t offset = 0;
  std::string last;
  while (true) {
    if (tar.size() - offset < kBlock) bad(offset, "the archive ends early");
    const ByteView block = tar.subspan(offset, kBlock);
    if (block[0] == 0) break;
    const size_t name_size = static_cast<size_t>(
        std::find(block.begin(), block.begin() + 100, uint8_t{0}) - block.begin());
    std::string name(as_text(block.first(name_size)));
    if (!good_name(name)) bad(offset, "not a plain relative name");
    if (name <= last) bad(offset, "names are not in order");
    const uint64_t size = read_size(block, offset);
    if (!std::equal(block.begin(), block.end(), header(name, size).begin())) {
      bad(offset, "not a header of this format");
    }
    offset += kBlock;
    if (tar.size() - offset < padded(size)) bad(offset, "the archive ends within " + name);
    const ByteView content = tar.subspan(offset, static_cast<size_t>(size));
    for (size_t i = content.size(); i < padded(size); ++i) {
      if (tar[offset + i] != 0) bad(offset + i, "padding is not zero");
    }
    files.emplace(name, Bytes(content.begin(), content.end()));
    offset += padded(size);
    last = std::move(name);
  }
  if (tar.size() - offset != 2 * kBlock) bad(offset, "not exactly two end blocks");
  for (size_t i = offset; i < tar.size(); ++i) {
    if (tar[i] != 0) bad(i, "an end block is not zero");
  }
  return files;
}

}  // namespace ffe::session
