// E-values from bounded differences (docs/spec/gate.md): bets against "no harm", the same bits on
// every machine.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "session/certificates.hpp"
#include "session/terms.hpp"

namespace ffe::gate {

using session::Uint128;

// All values are micro-nats.
inline constexpr int64_t kClipLow = -500'000;
inline constexpr int64_t kClipHigh = 1'000'000;
// u_k in ten-thousandths; the bet is λ_k = u_k / (0.5 + δ).
inline constexpr std::array<int64_t, 6> kBets = {9800, 6000, 3000, 1500, 750, 375};

inline constexpr Uint128 kSuspicion = 20;  // suspicion that excludes, gain that is one
inline constexpr int64_t kLeastTolerance = 50'000;

// Nats to micro-nats: clipped, rounded toward minus infinity. Throws Error{kFailed} for NaN.
int64_t clip_micro(double nats);
// Rounded toward minus infinity, not clipped.
int64_t to_micro(double nats);
// The mean of values, rounded toward minus infinity; 0 for none.
int64_t mean_micro(std::span<const int64_t> values);

// A positive number mantissa · 2^exponent with the mantissa in [0.5, 1), or zero.
class EValue {
 public:
  EValue() = default;
  explicit EValue(double value);

  EValue times(double factor) const;
  EValue plus(const EValue& other) const;
  EValue divided_by(double divisor) const;

  Uint128 floor() const;       // saturates at 2^128 - 1
  double natural_log() const;  // for people; not part of any rule
  double mantissa() const { return mantissa_; }
  int64_t exponent() const { return exponent_; }
  bool operator==(const EValue&) const = default;

 private:
  double mantissa_ = 0;
  int64_t exponent_ = 0;
};

// E^s = (1/6) Σ_k Π (1 + λ_k (z - δ)) over `values`, which must ascend within the clip; an empty
// product is 1. Throws Error{kBadInput} for values out of order or range, or δ outside 0..499 999.
EValue one_sided(std::span<const int64_t> ascending, int64_t tolerance);
// What excludes need not be as sure as what slashes, so it is measured against two thirds of a
// tolerance, but not below the least that terms may have.
int64_t suspicion_tolerance(int64_t tolerance);

// ½ (E¹ + E²)
EValue combined(std::span<const int64_t> harm, int64_t harm_tolerance,
                std::span<const int64_t> relevance_lost, int64_t relevance_tolerance);

// ⌊E⌋ of both values against the tolerances of `policy`, and against those for suspicion.
struct Harm {
  Uint128 evidence = 0;
  Uint128 suspicion = 0;
};
Harm harm_of(std::span<const int64_t> harm, std::span<const int64_t> relevance_lost,
             const session::GatePolicy& policy);

// Evidence that rejects: sealedCount · alphaInverse.
Uint128 rejection_threshold(uint32_t sealed_count, uint32_t alpha_inverse);

}  // namespace ffe::gate
