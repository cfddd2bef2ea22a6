// Randomness: the system's, and the reproducible stream of the protocol (docs/spec/crypto.md).
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace ffe::crypto {

// From the operating system. Throws Error{kFailed} if it has none to give.
void random_bytes(std::span<uint8_t> out);

// The ChaCha20 (RFC 8439) keystream with a zero nonce and the block counter from 0, read as
// little-endian words. Equal keys give equal draws on every machine and in every language.
class ChaChaRng {
 public:
  // Throws Error{kBadInput} unless `key` has 32 bytes.
  explicit ChaChaRng(ByteView key);

  uint32_t next_u32();
  // Two words, the low one first.
  uint64_t next_u64();
  // Uniform in [0, n): draws next_u64() until it is below floor(2^64 / n) * n, then takes it
  // modulo n. n = 1 draws once as well. Throws Error{kBadInput} for n = 0.
  uint64_t below(uint64_t n);
  // Uniform in [0, 1): the top 53 bits of next_u64() times 2^-53; exact in IEEE 754.
  double uniform01() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

  // Fisher–Yates from the end: for i = size-1 … 1, swap i with below(i + 1).
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i-- > 1;) std::swap(values[i], values[below(i + 1)]);
  }

 private:
  void refill();

  SecretBytes key_;
  std::array<uint32_t, 16> block_{};
  uint32_t counter_ = 0;
  bool exhausted_ = false;
  size_t used_ = 16;
};

}  // namespace ffe::crypto
