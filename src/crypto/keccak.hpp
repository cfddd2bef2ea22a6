// Keccak-256 as Ethereum uses it: Keccak[c=512] with the original 0x01 padding, not SHA3-256.
#pragma once

#include <string_view>

#include "base/bytes.hpp"

namespace ffe::crypto {

H256 keccak256(ByteView message);
H256 keccak256(std::string_view message);

// Incremental form. After finish() the object is as new.
class Keccak256 {
 public:
  void update(ByteView data);
  H256 finish();

 private:
  static constexpr size_t kRate = 136;

  std::array<uint64_t, 25> state_{};
  std::array<uint8_t, kRate> block_{};
  size_t filled_ = 0;
};

// Hashes `n` messages of equal length `len`; message i lies at `in + i * stride` and its digest
// goes to out[i]. Vectorised over messages (AVX-512: 8 at once, AVX2: 4), chosen at run time; every
// path gives the same digests. `out` must not overlap the messages.
void keccak256_many(const uint8_t* in, size_t stride, size_t len, H256* out, size_t n);

// The instruction sets keccak256_many can use; for tests and benchmarks.
enum class KeccakPath { kScalar, kAvx2, kAvx512 };
bool keccak_path_available(KeccakPath path);
// As keccak256_many on one path. Throws Error{kUnsupported} where this CPU lacks it.
void keccak256_many_on(KeccakPath path, const uint8_t* in, size_t stride, size_t len, H256* out,
                       size_t n);

}  // namespace ffe::crypto
