#include "gate/evidence.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace ffe::gate {
namespace {

constexpr int64_t kMicro = 1'000'000;
constexpr int64_t kBetScale = 10'000;

// 1 + λ_k (z - δ) as a quotient of whole numbers below 2^53, so that one correctly rounded division
// makes it: λ_k = u_k / (0.5 + δ).
double factor(int64_t bet, int64_t value, int64_t tolerance) {
  const int64_t denominator = kBetScale * (-kClipLow + tolerance);
  const int64_t numerator = denominator + bet * (value - tolerance);
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

void check_values(std::span<const int64_t> ascending, int64_t tolerance) {
  if (tolerance < 0 || tolerance >= -kClipLow) {
    throw Error(ErrorCode::kBadInput, "tolerance is not from 0 to 499999 micro-nats");
  }
  for (size_t i = 0; i < ascending.size(); ++i) {
    if (ascending[i] < kClipLow || ascending[i] > kClipHigh) {
      throw Error(ErrorCode::kBadInput,
                  "value " + std::to_string(i) + " is outside -500000 to 1000000 micro-nats");
    }
    if (i != 0 && ascending[i] < ascending[i - 1]) {
      throw Error(ErrorCode::kBadInput, "value " + std::to_string(i) + " is out of order");
    }
  }
}

}  // namespace

int64_t to_micro(double nats) {
  if (!(std::fabs(nats) < 1e6)) throw Error(ErrorCode::kFailed, "a loss is not a number");
  return static_cast<int64_t>(std::floor(nats * static_cast<double>(kMicro)));
}

int64_t clip_micro(double nats) {
  if (std::isnan(nats)) throw Error(ErrorCode::kFailed, "a loss is not a number");
  if (nats >= 1.0) return kClipHigh;
  if (nats <= -0.5) return kClipLow;
  return to_micro(nats);
}

int64_t mean_micro(std::span<const int64_t> values) {
  if (values.empty()) return 0;
  int64_t sum = 0;
  for (int64_t v : values) sum += v;
  const auto n = static_cast<int64_t>(values.size());
  return sum / n - (sum % n < 0 ? 1 : 0);
}

EValue::EValue(double value) {
  int exponent = 0;
  mantissa_ = std::frexp(value, &exponent);
  exponent_ = mantissa_ == 0 ? 0 : exponent;
}

EValue EValue::times(double factor) const {
  EValue out(mantissa_ * factor);
  if (out.mantissa_ != 0) out.exponent_ += exponent_;
  return out;
}

EValue EValue::plus(const EValue& other) const {
  if (other.mantissa_ == 0) return *this;
  if (mantissa_ == 0) return other;
  if (other.exponent_ > exponent_) return other.plus(*this);
  const int64_t shift = other.exponent_ - exponent_;
  if (shift < -60) return *this;  // below half a unit in the last place
  EValue out(mantissa_ + std::ldexp(other.mantissa_, static_cast<int>(shift)));
  out.exponent_ += exponent_;
  return out;
}

EValue EValue::divided_by(double divisor) const {
  EValue out(mantissa_ / divisor);
  if (out.mantissa_ != 0) out.exponent_ += exponent_;
  return out;
}

Uint128 EValue::floor() const {
  if (exponent_ <= 0) return 0;  // below one
  if (exponent_ > 128) return ~Uint128{0};
  const auto digits = static_cast<Uint128>(static_cast<uint64_t>(std::ldexp(mantissa_, 53)));
  return exponent_ >= 53 ? digits << (exponent_ - 53) : digits >> (53 - exponent_);
}

double EValue::natural_log() const {
  return std::log(mantissa_) + static_cast<double>(exponent_) * 0.693147180559945309;
}

EValue one_sided(std::span<const int64_t> ascending, int64_t tolerance) {
  check_values(ascending, tolerance);
  EValue sum;
  for (int64_t bet : kBets) {
    EValue product(1.0);
    for (int64_t value : ascending) product = product.times(factor(bet, value, tolerance));
    sum = sum.plus(product);
  }
  return sum.divided_by(static_cast<double>(kBets.size()));
}

int64_t suspicion_tolerance(int64_t tolerance) {
  return std::min(tolerance, std::max(kLeastTolerance, tolerance * 2 / 3));
}

EValue combined(std::span<const int64_t> harm, int64_t harm_tolerance,
                std::span<const int64_t> relevance_lost, int64_t relevance_tolerance) {
  return one_sided(harm, harm_tolerance)
      .plus(one_sided(relevance_lost, relevance_tolerance))
      .divided_by(2);
}

Harm harm_of(std::span<const int64_t> harm, std::span<const int64_t> relevance_lost,
             const session::GatePolicy& policy) {
  const int64_t harmful = policy.harm_tolerance_micro, lossy = policy.relevance_tolerance_micro;
  return {combined(harm, harmful, relevance_lost, lossy).floor(),
          combined(harm, suspicion_tolerance(harmful), relevance_lost, suspicion_tolerance(lossy))
              .floor()};
}

Uint128 rejection_threshold(uint32_t sealed_count, uint32_t alpha_inverse) {
  return static_cast<Uint128>(sealed_count) * alpha_inverse;
}

}  // namespace ffe::gate
