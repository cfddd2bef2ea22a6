// Every kernel against plain loops in double, and every instruction set against the scalar twin.
#include "lm/kernels.hpp"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <vector>

#include "lm/bf16.hpp"

namespace ffe::lm {
namespace {

std::vector<float> random_values(size_t n, unsigned seed, float scale = 1) {
  std::mt19937 engine(seed);
  std::vector<float> values(n);
  for (float& v : values) {
    v = scale * (static_cast<float>(engine()) / 2147483648.0f - 1.0f);
  }
  return values;
}

std::vector<const Kernels*> fast_kernels() {
  std::vector<const Kernels*> all;
  if (avx2_kernels()) all.push_back(avx2_kernels());
  if (avx512_kernels()) all.push_back(avx512_kernels());
  if (avx512_vnni_kernels()) all.push_back(avx512_vnni_kernels());
  return all;
}

// Runs `compute` with the scalar twin and with every other; equal bits are asked for.
template <class Compute>
std::vector<float> same_on_all(Compute compute) {
  const std::vector<float> twin = compute(scalar_kernels());
  for (const Kernels* k : fast_kernels()) EXPECT_EQ(compute(*k), twin) << k->name;
  return twin;
}

void expect_near(const std::vector<float>& got, const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance * (1 + std::abs(want[i]))) << i;
  }
}

// Values are tests/lm/quantised_test.cpp's matter.
TEST(Kernels, PackedProductHasTheSameBitsEverywhere) {
  constexpr size_t kBlocks = 3;
  constexpr size_t kOutputs = 40;
  const struct {
    PackedFormat format;
    size_t integers, halves;
  } formats[] = {{PackedFormat::kQ4_0, 256, 16},
                 {PackedFormat::kQ4_1, 256, 32},
                 {PackedFormat::kQ8_0, 512, 16}};
  for (const auto& f : formats) {
    std::mt19937 random(7);
    std::vector<uint8_t> w;
    for (size_t block = 0; block < 3 * kBlocks; ++block) {
      for (size_t i = 0; i < f.integers; ++i) w.push_back(static_cast<uint8_t>(random()));
      for (size_t i = 0; i < f.halves; ++i) {  // finite ones, denormals among them
        const auto half = static_cast<uint16_t>(random() & 0xbfff);
        w.push_back(static_cast<uint8_t>(half));
        w.push_back(static_cast<uint8_t>(half >> 8));
      }
    }
    for (size_t m = 1; m <= 18; ++m) {
      std::vector<float> x = random_values(m * kBlocks * kPackedBlock, 1, 3);
      if (m > 3) std::fill_n(x.begin() + 3 * kPackedBlock, kPackedBlock, 1e-35f);
      const std::vector<float> start = random_values(m * kOutputs, 2);
      same_on_all([&](const Kernels& k) {
        std::vector<int16_t> values(x.size());
        std::vector<float> scales(m * kBlocks);
        std::vector<float> sums(m * kBlocks);
        k.fixed_point(x.data(), m * kBlocks, values.data(), scales.data(), sums.data());
        std::vector<float> c(m * kOutputs);
        k.packed_product({f.format,
                          w.data(),
                          w.size() / 3,
                          {values.data(), scales.data(), sums.data()},
                          start.data(),
                          kOutputs,
                          c.data(),
                          kOutputs,
                          m,
                          kOutputs,
                          kBlocks});
        c.insert(c.end(), sums.begin(), sums.end());
        return c;
      });
    }
  }
}

TEST(Kernels, BlockProduct) {
  for (size_t m : {1u, 2u, 5u, 6u, 7u, 12u, 13u, 25u}) {
    for (size_t n : {1u, 15u, 16u, 17u, 32u, 50u}) {
      for (size_t k : {1u, 3u, 64u, 385u}) {
        SCOPED_TRACE(std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k));
        const std::vector<float> a = random_values(m * k, 1);
        const std::vector<float> b = random_values(k * n, 2);
        const std::vector<float> start = random_values(m * n, 3);
        std::vector<double> want(m * n);
        for (size_t i = 0; i < m; ++i) {
          for (size_t j = 0; j < n; ++j) {
            want[i * n + j] = start[i * n + j];
            for (size_t l = 0; l < k; ++l) want[i * n + j] += double{a[i * k + l]} * b[l * n + j];
          }
        }
        const auto rows = same_on_all([&](const Kernels& kernel) {
          std::vector<float> c(m * n);
          kernel.block_product(
              {a.data(), k, 1, b.data(), n, kLanes, start.data(), n, c.data(), n, m, n, k});
          return c;
        });
        expect_near(rows, want, 1e-5);
        // A transposed, B in panels, and the chain cut in two: the same bits.
        std::vector<float> at(m * k);
        for (size_t i = 0; i < m; ++i) {
          for (size_t l = 0; l < k; ++l) at[l * m + i] = a[i * k + l];
        }
        std::vector<float> panels(round_up_lanes(n) * k);
        for (size_t j = 0; j < n; ++j) {
          for (size_t l = 0; l < k; ++l) {
            panels[j / kLanes * kLanes * k + l * kLanes + j % kLanes] = b[l * n + j];
          }
        }
        const auto cut = same_on_all([&](const Kernels& kernel) {
          std::vector<float> c(m * n);
          const size_t half = k / 2;
          BlockProduct p{
              at.data(), 1, m, panels.data(), kLanes, k * kLanes, start.data(), n, c.data(),
              n,         m, n, half};
          kernel.block_product(p);
          p.a += half * m;
          p.b += half * kLanes;
          p.c0 = c.data();
          p.k = k - half;
          kernel.block_product(p);
          return c;
        });
        EXPECT_EQ(cut, rows);
      }
    }
  }
}

TEST(Kernels, Transpose) {
  for (size_t rows : {1u, 16u, 19u, 48u}) {
    for (size_t columns : {1u, 7u, 16u, 37u}) {
      const std::vector<float> src = random_values(rows * columns, 4);
      const size_t wide = round_up_lanes(rows);
      const auto got = same_on_all([&](const Kernels& kernel) {
        std::vector<float> dst(columns * wide, -1);
        kernel.transpose(src.data(), columns, rows, columns, dst.data(), wide, wide);
        return dst;
      });
      for (size_t i = 0; i < wide; ++i) {
        for (size_t j = 0; j < columns; ++j) {
          EXPECT_EQ(got[j * wide + i], i < rows ? src[i * columns + j] : 0.0f);
        }
      }
    }
  }
}

TEST(Kernels, RmsNormAndItsGradient) {
  for (size_t n : {1u, 16u, 64u, 77u, 576u}) {
    const std::vector<float> x = random_values(n, 5);
    const std::vector<float> w = random_values(n, 6);
    const std::vector<float> dy = random_values(n, 7);
    const double eps = 1e-5;
    double squares = 0;
    double pull = 0;
    for (size_t i = 0; i < n; ++i) {
      squares += double{x[i]} * x[i];
      pull += double{dy[i]} * w[i] * x[i];
    }
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
    std::vector<double> y(n);
    std::vector<double> dx(n);
    for (size_t i = 0; i < n; ++i) {
      y[i] = x[i] * inverse * w[i];
      dx[i] = dy[i] * w[i] * inverse -
              x[i] * inverse * inverse * inverse * pull / static_cast<double>(n);
    }
    expect_near(same_on_all([&](const Kernels& k) {
                  std::vector<float> out(n);
                  k.rms_norm(x.data(), w.data(), n, 1e-5f, out.data());
                  return out;
                }),
                y, 1e-5);
    expect_near(same_on_all([&](const Kernels& k) {
                  std::vector<float> out(n);
                  const float r = k.rms_norm(x.data(), w.data(), n, 1e-5f, out.data());
                  k.rms_norm_backward(x.data(), w.data(), n, r, dy.data(), false, out.data());
                  return out;
                }),
                dx, 1e-5);
  }
}

TEST(Kernels, SwigluAndItsGradient) {
  for (size_t n : {3u, 16u, 100u}) {
    const std::vector<float> g = random_values(n, 8, 12);
    const std::vector<float> u = random_values(n, 9, 3);
    const std::vector<float> d = random_values(n, 10);
    std::vector<double> out(n);
    std::vector<double> grads(2 * n);
    for (size_t i = 0; i < n; ++i) {
      const double s = 1 / (1 + std::exp(-double{g[i]}));
      out[i] = g[i] * s * u[i];
      grads[i] = double{d[i]} * u[i] * (s + g[i] * s * (1 - s));
      grads[n + i] = double{d[i]} * g[i] * s;
    }
    expect_near(same_on_all([&](const Kernels& k) {
                  std::vector<float> y(n);
                  k.swiglu(g.data(), u.data(), n, y.data());
                  return y;
                }),
                out, 1e-6);
    expect_near(same_on_all([&](const Kernels& k) {
                  std::vector<float> y(2 * n);
                  k.swiglu_backward(g.data(), u.data(), d.data(), n, y.data(), y.data() + n);
                  return y;
                }),
                grads, 2e-6);
  }
}

TEST(Kernels, SoftmaxOverAWindow) {
  for (size_t end : {1u, 16u, 23u, 64u}) {
    for (size_t begin : {0u, 5u, 17u}) {
      if (begin >= end) continue;
      const size_t n = end + 3;
      const std::vector<float> x = random_values(n, 11, 20);
      const float scale = 0.25f;
      double top = -1e30;
      for (size_t i = begin; i < end; ++i) top = std::max(top, double{x[i]});
      double sum = 0;
      for (size_t i = begin; i < end; ++i) sum += std::exp((x[i] - top) * scale);
      std::vector<double> want(n);
      for (size_t i = begin; i < end; ++i) want[i] = std::exp((x[i] - top) * scale) / sum;
      expect_near(same_on_all([&](const Kernels& k) {
                    std::vector<float> y = x;
                    float max;
                    float inverse;
                    k.softmax(y.data(), begin, end, n, scale, &max, &inverse);
                    std::vector<float> again = x;
                    k.softmax_again(again.data(), begin, end, n, scale, max, inverse);
                    EXPECT_EQ(again, y);
                    return y;
                  }),
                  want, 1e-6);
    }
  }
}

TEST(Kernels, LogSumExp) {
  for (size_t n : {1u, 16u, 31u, 320u}) {
    for (float scale : {1.0f, 60.0f}) {
      const std::vector<float> x = random_values(n, 12, scale);
      double top = -1e30;
      for (float v : x) top = std::max(top, double{v});
      double sum = 0;
      std::vector<double> scaled(n);
      for (size_t i = 0; i < n; ++i) {
        sum += std::exp(x[i] - top);
        scaled[i] = std::exp(x[i] - top) * 0.5;
      }
      expect_near(same_on_all([&](const Kernels& k) {
                    std::vector<float> y(2);
                    k.log_sum_exp(x.data(), n, &y[0], &y[1]);
                    return y;
                  }),
                  {top, sum}, 1e-6);
      expect_near(same_on_all([&](const Kernels& k) {
                    std::vector<float> y = x;
                    k.exp_scale(y.data(), n, static_cast<float>(top), 0.5f);
                    return y;
                  }),
                  scaled, 1e-6);
    }
  }
}

TEST(Kernels, SmallOnes) {
  for (size_t n : {1u, 16u, 45u}) {
    const std::vector<float> x = random_values(n, 13);
    const std::vector<float> y = random_values(n, 14);
    std::vector<double> sum(n);
    double dot = 0;
    for (size_t i = 0; i < n; ++i) {
      sum[i] = double{x[i]} + y[i];
      dot += double{x[i]} * y[i];
    }
    const auto in_place = [&](auto run) {
      return same_on_all([&](const Kernels& k) {
        std::vector<float> out = y;
        run(k, out.data());
        return out;
      });
    };
    expect_near(in_place([&](const Kernels& k, float* p) { k.add(x.data(), n, p); }), sum, 1e-6);
    expect_near(same_on_all([&](const Kernels& k) {
                  return std::vector<float>{k.dot(x.data(), y.data(), n)};
                }),
                {dot}, 1e-6);
  }
}

TEST(Kernels, RotationTurnsBack) {
  for (size_t half : {5u, 16u, 32u}) {
    std::vector<float> cosine(half), sine(half);
    for (size_t i = 0; i < half; ++i) {
      cosine[i] = std::cos(0.1f * static_cast<float>(i));
      sine[i] = std::sin(0.1f * static_cast<float>(i));
    }
    const std::vector<float> x = random_values(2 * half, 15);
    std::vector<double> want(2 * half);
    for (size_t i = 0; i < half; ++i) {
      want[i] = double{x[i]} * cosine[i] - double{x[half + i]} * sine[i];
      want[half + i] = double{x[half + i]} * cosine[i] + double{x[i]} * sine[i];
    }
    const auto turned = same_on_all([&](const Kernels& k) {
      std::vector<float> y = x;
      k.rotate(y.data(), half, cosine.data(), sine.data(), 1);
      return y;
    });
    expect_near(turned, want, 1e-6);
    std::vector<float> back = turned;
    kernels().rotate(back.data(), half, cosine.data(), sine.data(), -1);
    expect_near(back, {x.begin(), x.end()}, 1e-6);
  }
}

TEST(Kernels, RoundingToBf16) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> x = {
      0,        -0.0f,     1,         1.00390625f,   1.01171875f,   3.3895314e38f,
      infinity, -infinity, 0x1p-140f, std::nanf(""), std::nanf("1")};
  const std::vector<float> more = random_values(100, 16, 1e3f);
  x.insert(x.end(), more.begin(), more.end());
  // A NaN whose upper half alone would be an infinity.
  x.push_back(std::bit_cast<float>(0x7f800001u));
  for (size_t n : {1u, 16u, 17u, 112u}) {
    std::vector<uint16_t> want(n);
    for (size_t i = 0; i < n; ++i) want[i] = to_bf16(x[i]);
    std::vector<const Kernels*> all = fast_kernels();
    all.push_back(&scalar_kernels());
    for (const Kernels* k : all) {
      std::vector<uint16_t> got(n + 1, 0x1234);
      k->to_bf16(x.data(), n, got.data());
      EXPECT_EQ(got.back(), 0x1234) << k->name;
      got.pop_back();
      EXPECT_EQ(got, want) << k->name;
    }
  }
  EXPECT_EQ(to_bf16(1.00390625f), 0x3f80);  // halfway: to even, down
  EXPECT_EQ(to_bf16(1.01171875f), 0x3f82);  // halfway: to even, up
  EXPECT_EQ(to_bf16(3.3895314e38f), 0x7f7f);
  EXPECT_TRUE(std::isnan(from_bf16(to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(Kernels, AdamW) {
  for (size_t n : {1u, 16u, 45u}) {
    const std::vector<float> g = random_values(n, 17);
    const std::vector<float> p = random_values(n, 18);
    const std::vector<float> m = random_values(n, 19, 0.1f);
    std::vector<float> v = random_values(n, 20, 0.01f);
    for (float& x : v) x = std::abs(x);
    const double clip = 0.5, beta1 = 0.9, beta2 = 0.999, decay = 0.99, rate = 0.01, correction = 3;
    const double epsilon = 1e-8;
    const float constants[9] = {
        static_cast<float>(clip),  static_cast<float>(beta1),      static_cast<float>(1 - beta1),
        static_cast<float>(beta2), static_cast<float>(1 - beta2),  static_cast<float>(decay),
        static_cast<float>(-rate), static_cast<float>(correction), static_cast<float>(epsilon)};
    std::vector<double> want(3 * n);
    for (size_t i = 0; i < n; ++i) {
      const double gradient = g[i] * clip;
      want[n + i] = m[i] * beta1 + gradient * (1 - beta1);
      want[2 * n + i] = v[i] * beta2 + gradient * gradient * (1 - beta2);
      want[i] =
          p[i] * decay - rate * want[n + i] / (std::sqrt(want[2 * n + i]) * correction + epsilon);
    }
    expect_near(same_on_all([&](const Kernels& k) {
                  std::vector<float> state = p;
                  state.insert(state.end(), m.begin(), m.end());
                  state.insert(state.end(), v.begin(), v.end());
                  k.adamw(&state[0], &state[n], &state[2 * n], g.data(), n, constants);
                  return state;
                }),
                want, 1e-5);
  }
}

TEST(Kernels, SoftmaxBackwardAndScaling) {
  for (size_t n : {1u, 16u, 45u}) {
    const std::vector<float> p = random_values(n, 21);
    const std::vector<float> dp = random_values(n, 22);
    const std::vector<float> w = random_values(n, 23);
    std::vector<double> slope(n), scaled(n);
    for (size_t i = 0; i < n; ++i) {
      slope[i] = double{p[i]} * (double{dp[i]} - 0.3) * 0.125;
      scaled[i] = double{p[i]} * 1.7 * w[i];
    }
    expect_near(same_on_all([&](const Kernels& k) {
                  std::vector<float> out = dp;
                  k.softmax_backward(p.data(), out.data(), 0.3f, 0.125f, n);
                  return out;
                }),
                slope, 1e-6);
    expect_near(same_on_all([&](const Kernels& k) {
                  std::vector<float> out(n);
                  k.rms_scale(p.data(), w.data(), n, 1.7f, out.data());
                  return out;
                }),
                scaled, 1e-6);
  }
}

// AVX512_BF16 against plain loops, and cut in two. Processors may round within a pair as they like.
TEST(Kernels, Avx512Bf16Product) {
  if (!avx512_bf16_product()) GTEST_SKIP() << "NO AVX512_BF16, NOT TESTED HERE";
  for (size_t m : {1u, 12u, 25u}) {
    for (size_t n : {1u, 16u, 50u}) {
      const size_t k = 34;
      std::vector<float> a = random_values(m * k, 24);
      std::vector<float> b = random_values(n * k, 25);
      for (float& x : a) x = from_bf16(to_bf16(x));
      for (float& x : b) x = from_bf16(to_bf16(x));
      std::vector<uint16_t> left(m * k), panels(round_up_lanes(n) * k);
      for (size_t i = 0; i < a.size(); ++i) left[i] = to_bf16(a[i]);
      for (size_t j = 0; j < n; ++j) {
        for (size_t l = 0; l < k; ++l) {
          panels[j / 16 * 16 * k + l / 2 * 32 + j % 16 * 2 + l % 2] = to_bf16(b[j * k + l]);
        }
      }
      std::vector<double> want(m * n);
      for (size_t i = 0; i < m * n; ++i) {
        for (size_t l = 0; l < k; ++l) want[i] += double{a[i / n * k + l]} * b[i % n * k + l];
      }
      std::vector<float> got(m * n), cut(m * n);
      Bf16Product p{left.data(), k, panels.data(), 16 * k, nullptr, 0, got.data(), n, m, n, k};
      avx512_bf16_product()(p);
      expect_near(got, want, 1e-5);
      p.c = cut.data();
      p.k = 12;
      avx512_bf16_product()(p);
      p.a += 12;
      p.b += 12 * kLanes;
      p.c0 = cut.data();
      p.c0_row = n;
      p.k = k - 12;
      avx512_bf16_product()(p);
      EXPECT_EQ(cut, got);
    }
  }
}

}  // namespace
}  // namespace ffe::lm
