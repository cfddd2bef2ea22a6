// Zip archives byte by byte, also such as no library would write.
#pragma once

#include <string>

#include "base/bytes.hpp"

namespace ffe::test {

struct ZipEntry {
  std::string name;
  std::string content;
  uint16_t method = 0;
  uint16_t flags = 0;           // bit 0: encrypted, bit 3: sizes follow the data, as Go writes them
  uint32_t attributes = 0;      // Unix mode in the upper half
  int64_t claimed_size = -1;    // uncompressed; -1: the truth
  int64_t claimed_packed = -1;  // compressed
  bool wrong_crc = false;
};

class ZipBuilder {
 public:
  ZipBuilder& add(const ZipEntry& e) {
    uint32_t packed = static_cast<uint32_t>(
        e.claimed_packed < 0 ? static_cast<int64_t>(e.content.size()) : e.claimed_packed);
    uint32_t size = static_cast<uint32_t>(
        e.claimed_size < 0 ? static_cast<int64_t>(e.content.size()) : e.claimed_size);
    uint32_t crc = crc32(e.content) ^ (e.wrong_crc ? 1 : 0);
    bool descriptor = (e.flags & 8) != 0;
    uint32_t offset = static_cast<uint32_t>(out_.size());
    put(out_, 0x04034b50, 4);
    fields(out_, e, descriptor ? 0 : crc, descriptor ? 0 : packed, descriptor ? 0 : size);
    append(out_, as_bytes(e.name));
    append(out_, as_bytes(e.content));
    if (descriptor) {
      put(out_, 0x08074b50, 4);
      put(out_, crc, 4);
      put(out_, packed, 4);
      put(out_, size, 4);
    }
    put(central_, 0x02014b50, 4);
    put(central_, 0x0314, 2);  // made on Unix
    fields(central_, e, crc, packed, size);
    put(central_, 0, 6);  // no comment, first disk, binary
    put(central_, e.attributes, 4);
    put(central_, offset, 4);
    append(central_, as_bytes(e.name));
    ++count_;
    return *this;
  }
  ZipBuilder& add(const std::string& name, const std::string& content) {
    return add(ZipEntry{.name = name, .content = content});
  }

  Bytes bytes() const {
    Bytes all = out_;
    append(all, central_);
    put(all, 0x06054b50, 4);
    put(all, 0, 4);
    put(all, count_, 2);
    put(all, count_, 2);
    put(all, central_.size(), 4);
    put(all, out_.size(), 4);
    put(all, 0, 2);
    return all;
  }

 private:
  static void put(Bytes& out, uint64_t value, int size) {
    for (int i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  static void fields(Bytes& out, const ZipEntry& e, uint32_t crc, uint32_t packed, uint32_t size) {
    put(out, 20, 2);
    put(out, e.flags, 2);
    put(out, e.method, 2);
    put(out, 0x00210000, 4);  // 1980-01-01
    put(out, crc, 4);
    put(out, packed, 4);
    put(out, size, 4);
    put(out, e.name.size(), 2);
    put(out, 0, 2);
  }
  static uint32_t crc32(std::string_view text) {
    uint32_t crc = 0xffffffff;
    for (char c : text) {
      crc ^= static_cast<uint8_t>(c);
      for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
  }

  Bytes out_;
  Bytes central_;
  uint64_t count_ = 0;
};

}  // namespace ffe::test
