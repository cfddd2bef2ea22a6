#include "crypto/random.hpp"

#include <bit>
#include <cerrno>
#include <sys/random.h>

namespace ffe::crypto {
namespace {

void quarter_round(uint32_t& a, uint32_t& b, uint32_t& c, uint32_t& d) {
  a += b, d = std::rotl(d ^ a, 16);
  c += d, b = std::rotl(b ^ c, 12);
  a += b, d = std::rotl(d ^ a, 8);
  c += d, b = std::rotl(b ^ c, 7);
}

// RFC 8439 §2.3 with a zero nonce.
std::array<uint32_t, 16> chacha20_block(const uint8_t* key, uint32_t counter) {
  std::array<uint32_t, 16> start{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (size_t i = 0; i < 8; ++i) start[4 + i] = get_le32(key + 4 * i);
  start[12] = counter;
  std::array<uint32_t, 16> x = start;
  for (int i = 0; i < 10; ++i) {
    for (int j = 0; j < 4; ++j) quarter_round(x[j], x[4 + j], x[8 + j], x[12 + j]);
    for (int j = 0; j < 4; ++j) {
      quarter_round(x[j], x[4 + (j + 1) % 4], x[8 + (j + 2) % 4], x[12 + (j + 3) % 4]);
    }
  }
  for (size_t i = 0; i < 16; ++i) x[i] += start[i];
  return x;
}

}  // namespace

void random_bytes(std::span<uint8_t> out) {
  while (!out.empty()) {
    ssize_t n = getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      throw Error(ErrorCode::kFailed, "the operating system gave no random bytes");
    }
    out = out.subspan(static_cast<size_t>(n));
  }
}

ChaChaRng::ChaChaRng(ByteView key) : key_(key) {
  if (key.size() != 32) throw Error(ErrorCode::kBadInput, "a generator's key has 32 bytes");
}

void ChaChaRng::refill() {
  // 2^32 blocks are 256 GiB of draws; going around would repeat them.
  if (exhausted_) throw Error(ErrorCode::kFailed, "the random stream of one key came to its end");
  block_ = chacha20_block(key_.data(), counter_);
  exhausted_ = ++counter_ == 0;
  used_ = 0;
}

uint32_t ChaChaRng::next_u32() {
  if (used_ == block_.size()) refill();
  return block_[used_++];
}

uint64_t ChaChaRng::next_u64() {
  uint64_t low = next_u32();
  return low | uint64_t{next_u32()} << 32;
}

uint64_t ChaChaRng::below(uint64_t n) {
  if (n == 0) throw Error(ErrorCode::kBadInput, "there is no number below zero");
  // 2^64 mod n: so many values at the top make an incomplete group.
  const uint64_t incomplete = (0 - n) % n;
  while (true) {
    uint64_t v = next_u64();
    if (v <= ~uint64_t{0} - incomplete) return v % n;
  }
}

}  // namespace ffe::crypto
