// The amx-bf16 path: its products on emulated tiles against plain loops everywhere, and the
// processor's own tiles against the emulation where there are any.
#include "lm/amx.hpp"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <iostream>
#include <limits>
#include <random>
#include <vector>

#include "base/error.hpp"
#include "lm/amx_tiles.hpp"
#include "lm/bf16.hpp"
#include "lm/numeric.hpp"
#include "lm/numeric_matrix.hpp"

namespace ffe::lm {
namespace {

constexpr float kGuard = -12345;

std::vector<float> random_values(size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(engine()) / 2147483648.0f - 1.0f;
  return values;
}

// A [m, k] and B [k, n] in bf16, B also in panels; both have more room than the product needs,
// which holds NaN: reading it would show.
struct Problem {
  Problem(size_t rows, size_t columns, size_t depth, unsigned seed)
      : m(rows), n(columns), k(depth), a(m * (k + 5), kNan), start(random_values(m * n, seed)) {
    const std::vector<float> left = random_values(m * k, seed + 1);
    const std::vector<float> right = random_values(n * k, seed + 2);
    for (size_t i = 0; i < m; ++i) {
      for (size_t l = 0; l < k; ++l) a[i * (k + 5) + l] = to_bf16(left[i * k + l]);
    }
    b.assign(round_up_lanes(n) * k, 0);
    for (size_t j = 0; j < n; ++j) {
      for (size_t l = 0; l < k; ++l) at(l, j) = to_bf16(right[j * k + l]);
    }
  }
  uint16_t& at(size_t l, size_t j) {
    return b[j / kLanes * kLanes * k + l / 2 * 2 * kLanes + j % kLanes * 2 + l % 2];
  }
  uint16_t& at_a(size_t i, size_t l) { return a[i * (k + 5) + l]; }

  // C with a border on the right that must stay as it was.
  std::vector<float> run(Bf16ProductFunction product, size_t cut = 0) const {
    std::vector<float> c(m * (n + 3), kGuard);
    Bf16Product p{a.data(), k + 5, b.data(), kLanes * k, start.data(), n, c.data(), n + 3, m, n, k};
    if (cut > 0) {
      p.k = cut;
      product(p);
      p.a += cut;
      p.b += cut * kLanes;
      p.c0 = c.data();
      p.c0_row = n + 3;
      p.k = k - cut;
    }
    product(p);
    return c;
  }

  static constexpr uint16_t kNan = 0x7fc0;
  size_t m, n, k;
  std::vector<uint16_t> a, b;
  std::vector<float> start;
};

// The chain as amx.hpp states it, value by value.
std::vector<float> plain(Problem& p) {
  std::vector<float> c(p.m * (p.n + 3), kGuard);
  for (size_t i = 0; i < p.m; ++i) {
    for (size_t j = 0; j < p.n; ++j) {
      float value = p.start[i * p.n + j];
      for (size_t block = 0; block < p.k; block += kAmxDepth) {
        float sums[2] = {0, 0};
        for (size_t l = block; l < block + kAmxDepth; ++l) {
          sums[l % 2] = std::fma(from_bf16(p.at_a(i, l)), from_bf16(p.at(l, j)), sums[l % 2]);
        }
        value += sums[0] + sums[1];
      }
      c[i * (p.n + 3) + j] = value;
    }
  }
  return c;
}

// Every tail: less than a tile, a tile, between, two tiles and more.
void for_shapes(const std::function<void(Problem&)>& check) {
  for (size_t m : {1u, 7u, 16u, 17u, 32u, 33u, 49u}) {
    for (size_t n : {1u, 15u, 16u, 31u, 32u, 50u}) {
      for (size_t k : {32u, 96u}) {
        SCOPED_TRACE(std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k));
        Problem p(m, n, k, static_cast<unsigned>(m * 100 + n));
        check(p);
      }
    }
  }
}

TEST(Amx, EmulatedProductIsTheStatedChain) {
  for_shapes([](Problem& p) {
    EXPECT_EQ(p.run(emulated_amx_product), plain(p));
    if (p.k == kAmxDepth) return;
    EXPECT_EQ(p.run(emulated_amx_product, kAmxDepth), plain(p)) << "cut in two";
  });
}

TEST(Amx, StartMayBeZeroOrOneRowForAll) {
  Problem p(21, 40, 64, 9);
  const std::vector<float> whole = p.run(emulated_amx_product);
  std::vector<float> c(p.m * p.n);
  Bf16Product b{p.a.data(), p.k + 5, p.b.data(), kLanes * p.k, nullptr, 0,
                c.data(),   p.n,     p.m,        p.n,          p.k};
  emulated_amx_product(b);
  std::fill(p.start.begin(), p.start.end(), 0.0f);
  std::vector<float> zero = plain(p);
  for (size_t i = 0; i < p.m; ++i) {
    for (size_t j = 0; j < p.n; ++j) EXPECT_EQ(c[i * p.n + j], zero[i * (p.n + 3) + j]);
  }
  const std::vector<float> bias = random_values(p.n, 3);
  b.c0 = bias.data();
  emulated_amx_product(b);
  for (size_t i = 0; i < p.m; ++i) std::copy(bias.begin(), bias.end(), &p.start[i * p.n]);
  zero = plain(p);
  for (size_t i = 0; i < p.m; ++i) {
    for (size_t j = 0; j < p.n; ++j) EXPECT_EQ(c[i * p.n + j], zero[i * (p.n + 3) + j]);
  }
}

// One pair of terms through the emulation.
float one_dot(float a0, float b0, float a1, float b1, float start) {
  EmulatedTiles tiles;
  TileConfig config;
  config.shape(0, 1, 4);
  config.shape(1, 1, 4);
  config.shape(2, 1, 4);
  tiles.configure(config);
  const uint16_t a[2] = {to_bf16(a0), to_bf16(a1)};
  const uint16_t b[2] = {to_bf16(b0), to_bf16(b1)};
  tiles.load<0>(&start, 4);
  tiles.load<1>(a, 4);
  tiles.load<2>(b, 4);
  tiles.dot<0, 1, 2>();
  float out;
  tiles.store<0>(&out, 4);
  return out;
}

TEST(Amx, EmulationTreatsDenormalsAsZero) {
  EXPECT_EQ(one_dot(2, 3, 4, 5, 6), 32);
  EXPECT_EQ(one_dot(0x1p-130f, 0x1p100f, 0, 0, 0), 0);  // operand
  EXPECT_EQ(one_dot(0, 0, 0, 0, 0x1p-130f), 0);         // accumulator
  EXPECT_EQ(one_dot(0x1p-70f, 0x1p-70f, 0, 0, 0), 0);   // result
  EXPECT_EQ(one_dot(0x1p-63f, 0x1p-63f, 0, 0, 0), 0x1p-126f);
  EXPECT_EQ(one_dot(0x1p-63f, 0x1p-63f, 0x1p-63f, 0x1p-63f, 0), 0x1p-125f);
  // 2^-127 is flushed in both sums before they are added.
  EXPECT_EQ(one_dot(0x1p-63f, 0x1p-64f, 0x1p-63f, 0x1p-64f, 1), 1);
  EXPECT_TRUE(std::signbit(one_dot(-0x1p-70f, 0x1p-70f, -0x1p-70f, 0x1p-70f, -0.0f)));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(one_dot(infinity, 1, 0, 0, 0), infinity);
  EXPECT_TRUE(std::isnan(one_dot(infinity, 1, -infinity, 1, 0)));
  EXPECT_TRUE(std::isnan(one_dot(infinity, 0, 0, 0, 0)));
}

TEST(Amx, EmulationRefusesWhatTheProcessorRefuses) {
  EmulatedTiles tiles;
  TileConfig config;
  config.shape(0, 17, 64);
  EXPECT_THROW(tiles.configure(config), Error);
  config.shape(0, 16, 65);
  EXPECT_THROW(tiles.configure(config), Error);
  config.shape(0, 0, 4);
  EXPECT_THROW(tiles.configure(config), Error);
  config.shape(0, 16, 64);
  config.shape(8, 1, 4);
  EXPECT_THROW(tiles.configure(config), Error);
  config.shape(8, 0, 0);
  tiles.configure(config);
  EXPECT_THROW(tiles.zero<1>(), Error);
  config.shape(1, 16, 64);
  config.shape(2, 8, 64);  // B has half the lines that A's depth asks for
  tiles.configure(config);
  EXPECT_THROW((tiles.dot<0, 1, 2>()), Error);
  tiles.release();
  EXPECT_THROW(tiles.zero<0>(), Error);
}

TEST(Amx, AWrongProductIsFound) {
  EXPECT_TRUE(amx_product_is_right(emulated_amx_product));
  EXPECT_FALSE(amx_product_is_right([](const Bf16Product& p) {
    Bf16Product q = p;
    q.k -= kAmxDepth;  // as if the last step were lost
    emulated_amx_product(q);
  }));
  EXPECT_FALSE(amx_product_is_right([](const Bf16Product& p) {
    emulated_amx_product(p);
    p.c[(p.m - 1) * p.c_row + p.n - 1] = std::nanf("");
  }));
}

TEST(Amx, NativeTilesComputeWhatTheEmulationComputes) {
  if (!amx_product()) GTEST_SKIP() << "NO AMX, NOT TESTED HERE: " << amx_obstacle();
  bool equal = true;
  for_shapes([&](Problem& p) {
    const std::vector<float> got = p.run(amx_product());
    const std::vector<float> want = p.run(emulated_amx_product);
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 2e-5) << i;
    equal = equal && got == want;
    if (p.k == kAmxDepth) return;
    EXPECT_EQ(p.run(amx_product(), kAmxDepth), got) << "cut in two";
  });
  std::cout << "bits of native and emulated tiles are " << (equal ? "equal" : "NOT EQUAL") << '\n';
}

TEST(Amx, TheObstacleIsNamed) {
  if (amx_product()) GTEST_SKIP() << "this machine has AMX";
  EXPECT_FALSE(numeric_supported(NumericPath::kAmxBf16));
  try {
    require_numeric(NumericPath::kAmxBf16);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(amx_obstacle()), std::string::npos) << e.what();
  }
}

// --- The path as a matrix --------------------------------------------------------------------

struct Matrices {
  Matrices(size_t rows, size_t columns)
      : values(random_values(rows * columns, 5)),
        read([this, columns](uint64_t first, std::span<float> out) {
          std::copy_n(&values[first * columns], out.size(), out.begin());
        }),
        amx(make_emulated_amx_matrix(rows, columns, read, 2)),
        reference(make_frozen_matrix(NumericPath::kBf16Emulated, rows, columns, read, 2)) {}

  std::vector<float> values;
  WeightReader read;
  std::unique_ptr<FrozenMatrix> amx, reference;
};

std::vector<float> multiply(const FrozenMatrix& matrix, bool forward, const std::vector<float>& x,
                            size_t m, int threads) {
  const size_t depth = forward ? matrix.columns() : matrix.rows();
  const size_t width = forward ? matrix.rows() : matrix.columns();
  std::vector<float> y(m * width);
  const FrozenProduct p{x.data(), depth, m, nullptr, 0, y.data(), width, {}};
  forward ? matrix.forward(p, threads) : matrix.backward(p, threads);
  return y;
}

TEST(Amx, MatrixOfOddShapeAgreesWithEmulatedBf16) {
  for (const auto& [rows, columns] : {std::pair{33, 47}, {130, 545}, {16, 32}, {1, 1}}) {
    const Matrices pair(static_cast<size_t>(rows), static_cast<size_t>(columns));
    std::vector<float> row(static_cast<size_t>(columns)), same(row.size());
    pair.amx->copy_row(static_cast<size_t>(rows) - 1, row.data());
    pair.reference->copy_row(static_cast<size_t>(rows) - 1, same.data());
    EXPECT_EQ(row, same);
    for (bool forward : {true, false}) {
      const size_t m = 37;
      const auto depth = static_cast<size_t>(forward ? columns : rows);
      const std::vector<float> x = random_values(m * depth, 6);
      const std::vector<float> got = multiply(*pair.amx, forward, x, m, 2);
      const std::vector<float> want = multiply(*pair.reference, forward, x, m, 2);
      for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 2e-5) << i;
      EXPECT_EQ(multiply(*pair.amx, forward, x, m, 1), got) << "threads change bits";
      // A row alone: packing changes nothing.
      const std::vector<float> last(x.end() - static_cast<ptrdiff_t>(depth), x.end());
      const std::vector<float> alone = multiply(*pair.amx, forward, last, 1, 2);
      EXPECT_EQ(alone,
                std::vector<float>(got.end() - static_cast<ptrdiff_t>(alone.size()), got.end()));
    }
  }
}

}  // namespace
}  // namespace ffe::lm
