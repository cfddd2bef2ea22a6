// A natural logarithm that no libm has a say in: the gate's figures must come out equal everywhere.
#pragma once

#include <cmath>

namespace ffe::lm {

// Of a positive, finite x; relative error below 1e-15.
inline double natural_logarithm(double x) {
  int exponent;
  double m = std::frexp(x, &exponent);  // [0.5, 1): exact
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  // ln m = 2 artanh((m - 1) / (m + 1)), |z| <= 0.172
  const double z = (m - 1) / (m + 1);
  const double square = z * z;
  double term = 2 * z;
  double sum = 0;
  for (int k = 1; k < 27; k += 2) {
    sum += term / k;
    term *= square;
  }
  return sum + exponent * 0.69314718055994531;
}

}  // namespace ffe::lm
