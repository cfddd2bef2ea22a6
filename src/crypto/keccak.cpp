#include "crypto/keccak.hpp"

#include <bit>

#include "crypto/keccak_many.hpp"
#include "crypto/keccak_permutation.hpp"

namespace ffe::crypto {
namespace {

#define K_XOR(a, b) ((a) ^ (b))
#define K_ROL(a, n) std::rotl((a), (n))
#define K_CHI(a, b, c) ((a) ^ (~(b) & (c)))
#define K_XOR5(a, b, c, d, e) ((a) ^ (b) ^ (c) ^ (d) ^ (e))
#define K_CONST(v) (v)

void permute(uint64_t* state) {
  FFE_KECCAK_PERMUTE(uint64_t, state)
}

void absorb(uint64_t* state, const uint8_t* block) {
  for (size_t i = 0; i < keccak::kRate / 8; ++i) state[i] ^= get_le64(block + 8 * i);
  permute(state);
}

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}

bool has_avx512() {
  static const bool has = __builtin_cpu_supports("avx512f");
  return has;
}

}  // namespace

void Keccak256::update(ByteView data) {
  if (filled_ != 0) {
    size_t n = std::min(kRate - filled_, data.size());
    std::copy_n(data.begin(), n, block_.begin() + filled_);
    filled_ += n;
    data = data.subspan(n);
    if (filled_ < kRate) return;
    absorb(state_.data(), block_.data());
    filled_ = 0;
  }
  for (; data.size() >= kRate; data = data.subspan(kRate)) absorb(state_.data(), data.data());
  std::copy(data.begin(), data.end(), block_.begin());
  filled_ = data.size();
}

H256 Keccak256::finish() {
  std::fill(block_.begin() + filled_, block_.end(), uint8_t{0});
  block_[filled_] = 0x01;
  block_[kRate - 1] |= 0x80;
  absorb(state_.data(), block_.data());
  H256 out;
  for (size_t i = 0; i < 4; ++i) put_le64(out.data() + 8 * i, state_[i]);
  *this = Keccak256();
  return out;
}

H256 keccak256(ByteView message) {
  Keccak256 hash;
  hash.update(message);
  return hash.finish();
}

H256 keccak256(std::string_view message) {
  return keccak256(as_bytes(message));
}

bool keccak_path_available(KeccakPath path) {
  switch (path) {
    case KeccakPath::kScalar:
      return true;
    case KeccakPath::kAvx2:
      return has_avx2();
    case KeccakPath::kAvx512:
      return has_avx512();
  }
  return false;
}

void keccak256_many_on(KeccakPath path, const uint8_t* in, size_t stride, size_t len, H256* out,
                       size_t n) {
  if (!keccak_path_available(path)) {
    throw Error(ErrorCode::kUnsupported, "this processor lacks the requested Keccak path");
  }
  if (path == KeccakPath::kAvx512) {
    for (; n >= 8; n -= 8, in += 8 * stride, out += 8) {
      keccak::many8_avx512(in, stride, len, out);
    }
  }
  if (path != KeccakPath::kScalar && has_avx2()) {
    for (; n >= 4; n -= 4, in += 4 * stride, out += 4) keccak::many4_avx2(in, stride, len, out);
  }
  for (; n > 0; --n, in += stride, ++out) *out = keccak256(ByteView(in, len));
}

void keccak256_many(const uint8_t* in, size_t stride, size_t len, H256* out, size_t n) {
  KeccakPath path = has_avx512() ? KeccakPath::kAvx512
                    : has_avx2() ? KeccakPath::kAvx2
                                 : KeccakPath::kScalar;
  keccak256_many_on(path, in, stride, len, out, n);
}

}  // namespace ffe::crypto
