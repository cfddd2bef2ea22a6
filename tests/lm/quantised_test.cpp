// The quantised path against the weights as fp32.
#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "lm/dtype.hpp"
#include "lm/engine.hpp"
#include "lm/engine_vectors.hpp"
#include "lm/generate.hpp"
#include "lm/lm_test_util.hpp"
#include "lm/numeric_matrix.hpp"

namespace ffe::lm {
namespace {

using testing::VectorCase;

// Random blocks of a format: any integers, small finite scales.
Bytes random_blocks(DType dtype, size_t count, unsigned seed) {
  std::mt19937 random(seed);
  Bytes out;
  for (size_t b = 0; b < count; ++b) {
    const size_t halves = dtype == DType::kQ4_1 ? 2 : 1;
    for (size_t i = 0; i < halves; ++i) {
      const uint32_t half = 0x2000u + (random() & 0x0fff) + (i == 1 ? 0x8000u : 0);
      out.push_back(static_cast<uint8_t>(half));
      out.push_back(static_cast<uint8_t>(half >> 8));
    }
    for (size_t i = 2 * halves; i < block_bytes(dtype); ++i) {
      out.push_back(static_cast<uint8_t>(random()));
    }
  }
  return out;
}

struct Sample {
  Sample(DType dtype, size_t rows, size_t columns)
      : rows(rows), columns(columns), bytes(random_blocks(dtype, rows * columns / 32, 5)) {
    weights.resize(rows * columns);
    dequantise(dtype, bytes.data(), weights.data(), weights.size());
    const size_t row_bytes = columns / 32 * block_bytes(dtype);
    matrix = make_quantised_matrix(
        dtype, rows, columns,
        [&](uint64_t row) { return ByteView(bytes).subspan(row * row_bytes, row_bytes); }, 2);
  }
  size_t rows, columns;
  Bytes bytes;
  std::vector<float> weights;
  std::unique_ptr<FrozenMatrix> matrix;
};

TEST(Quantised, ProductIsThatOfTheValuesWithinSixteenBits) {
  for (DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ8_0}) {
    const Sample s(dtype, 53, 96);
    constexpr size_t kRows = 11;
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> x(kRows * s.columns);
    for (float& value : x) value = normal(random);
    std::vector<float> start(s.rows);
    for (float& value : start) value = normal(random);
    std::vector<float> y(kRows * s.rows);
    s.matrix->forward({x.data(), s.columns, kRows, start.data(), 0, y.data(), s.rows, {}}, 2);
    for (size_t i = 0; i < kRows; ++i) {
      for (size_t n = 0; n < s.rows; ++n) {
        double want = start[n];
        double size = std::abs(want);
        for (size_t k = 0; k < s.columns; ++k) {
          const double term = double{x[i * s.columns + k]} * s.weights[n * s.columns + k];
          want += term;
          size += std::abs(term);
        }
        ASSERT_NEAR(y[i * s.rows + n], want, 1e-4 * size)
            << dtype_name(dtype) << " " << i << " " << n;
      }
      // A row alone has the same bits.
      std::vector<float> alone(s.rows);
      s.matrix->forward(
          {x.data() + i * s.columns, s.columns, 1, start.data(), 0, alone.data(), s.rows, {}}, 1);
      EXPECT_TRUE(
          std::equal(alone.begin(), alone.end(), y.begin() + static_cast<ptrdiff_t>(i * s.rows)));
    }
  }
}

TEST(Quantised, KeepsEveryWeight) {
  for (DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ8_0}) {
    const Sample s(dtype, 53, 96);
    std::vector<float> row(s.columns);
    for (size_t n = 0; n < s.rows; ++n) {
      s.matrix->copy_row(n, row.data());
      for (size_t k = 0; k < s.columns; ++k) EXPECT_EQ(row[k], s.weights[n * s.columns + k]);
    }
  }
}

// Logits of both paths, and the texts that they give.
TEST(Quantised, AgreesWithF32) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  size_t packed = 0;
  for (const auto& folder : cases) {
    SCOPED_TRACE(folder.filename().string());
    const VectorCase c(folder);
    packed += c.model.gguf() != nullptr;
    const Engine exact(c.model);
    const Engine quantised(c.model, {.numeric = NumericPath::kQuantised});
    for (const Example& example : c.examples) {
      const auto want = exact.logits(example.tokens, nullptr);
      const auto got = quantised.logits(example.tokens, nullptr);
      EXPECT_LE(testing::relative_distance(got, want), 2e-4);
    }
    const Json& greedy = c.json["greedy"];
    const LoraAdapter adapter = c.adapter("final");
    SamplingOptions options;
    const auto want = greedy["continuation"].get<std::vector<int32_t>>();
    options.max_new_tokens = want.size();
    EXPECT_EQ(Generator(quantised, &adapter)
                  .generate(greedy["prompt"].get<std::vector<int32_t>>(), options)
                  .tokens,
              want);
  }
  EXPECT_GT(packed, 0u);
}

TEST(Quantised, DoesNotTrain) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  const VectorCase c(cases.front());
  const Engine engine(c.model, {.numeric = NumericPath::kQuantised});
  const std::string message = testing::error_of([&] { MultiTrainer trainer(engine); });
  EXPECT_NE(message.find("does not train"), std::string::npos);
  EXPECT_THROW(numeric_from_name("quantised"), Error);
}

}  // namespace
}  // namespace ffe::lm
