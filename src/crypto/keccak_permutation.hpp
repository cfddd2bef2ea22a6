// Keccak-f[1600] written once over any lane type: one 64-bit word, or a vector of words of several
// independent states. FIPS 202 §3.2; the lane order is x + 5y.
#pragma once

#include <cstdint>

namespace ffe::crypto::keccak {

inline constexpr int kRounds = 24;
inline constexpr uint64_t kRoundConstants[kRounds] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

}  // namespace ffe::crypto::keccak

// A macro, not a template: a template's body would be compiled for the baseline instruction set and
// could not be inlined into functions with a wider `target`. `LANE` needs these macros in scope:
// K_XOR(a,b)  K_ROL(a,n)  K_CHI(a,b,c) = a ^ (~b & c)  K_XOR5(a,b,c,d,e)  K_CONST(u64)
//
// One round from state A to state B (25 lanes each): theta into D, then rho and pi on the fly, row
// by row, so that five lanes are live beside the states.
#define FFE_KECCAK_ROW(LANE, B, y, p0, r0, p1, r1, p2, r2, p3, r3, p4, r4, A) \
  {                                                                           \
    const LANE b0 = K_ROL(K_XOR((A)[p0], d[(p0) % 5]), r0);                   \
    const LANE b1 = K_ROL(K_XOR((A)[p1], d[(p1) % 5]), r1);                   \
    const LANE b2 = K_ROL(K_XOR((A)[p2], d[(p2) % 5]), r2);                   \
    const LANE b3 = K_ROL(K_XOR((A)[p3], d[(p3) % 5]), r3);                   \
    const LANE b4 = K_ROL(K_XOR((A)[p4], d[(p4) % 5]), r4);                   \
    (B)[5 * (y) + 0] = K_CHI(b0, b1, b2);                                     \
    (B)[5 * (y) + 1] = K_CHI(b1, b2, b3);                                     \
    (B)[5 * (y) + 2] = K_CHI(b2, b3, b4);                                     \
    (B)[5 * (y) + 3] = K_CHI(b3, b4, b0);                                     \
    (B)[5 * (y) + 4] = K_CHI(b4, b0, b1);                                     \
  }

#define FFE_KECCAK_ROUND(LANE, A, B, round)                                                       \
  {                                                                                               \
    const LANE c0 = K_XOR5((A)[0], (A)[5], (A)[10], (A)[15], (A)[20]);                            \
    const LANE c1 = K_XOR5((A)[1], (A)[6], (A)[11], (A)[16], (A)[21]);                            \
    const LANE c2 = K_XOR5((A)[2], (A)[7], (A)[12], (A)[17], (A)[22]);                            \
    const LANE c3 = K_XOR5((A)[3], (A)[8], (A)[13], (A)[18], (A)[23]);                            \
    const LANE c4 = K_XOR5((A)[4], (A)[9], (A)[14], (A)[19], (A)[24]);                            \
    const LANE d[5] = {K_XOR(c4, K_ROL(c1, 1)), K_XOR(c0, K_ROL(c2, 1)), K_XOR(c1, K_ROL(c3, 1)), \
                       K_XOR(c2, K_ROL(c4, 1)), K_XOR(c3, K_ROL(c0, 1))};                         \
    FFE_KECCAK_ROW(LANE, B, 0, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14, A)                            \
    FFE_KECCAK_ROW(LANE, B, 1, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61, A)                            \
    FFE_KECCAK_ROW(LANE, B, 2, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18, A)                              \
    FFE_KECCAK_ROW(LANE, B, 3, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56, A)                           \
    FFE_KECCAK_ROW(LANE, B, 4, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2, A)                            \
    (B)[0] = K_XOR((B)[0], K_CONST(::ffe::crypto::keccak::kRoundConstants[round]));               \
  }

#define FFE_KECCAK_PERMUTE(LANE, A)                                           \
  {                                                                           \
    LANE other[25];                                                           \
    for (int round = 0; round < ::ffe::crypto::keccak::kRounds; round += 2) { \
      FFE_KECCAK_ROUND(LANE, A, other, round)                                 \
      FFE_KECCAK_ROUND(LANE, other, A, round + 1)                             \
    }                                                                         \
  }
