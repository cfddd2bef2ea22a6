// The vector paths behind keccak256_many; each hashes exactly its number of messages.
#pragma once

#include "base/bytes.hpp"

namespace ffe::crypto::keccak {

inline constexpr size_t kRate = 136;

// 4 messages on AVX2, 8 on AVX-512 F; the caller has checked that this CPU has them.
void many4_avx2(const uint8_t* in, size_t stride, size_t len, H256* out);
void many8_avx512(const uint8_t* in, size_t stride, size_t len, H256* out);

}  // namespace ffe::crypto::keccak
