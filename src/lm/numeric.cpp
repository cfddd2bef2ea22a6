#include "lm/numeric.hpp"

#include <typeinfo>

#include "base/error.hpp"
#include "lm/amx.hpp"
#include "lm/kernels.hpp"
#include "lm/numeric_matrix.hpp"
#include "lm/product_tasks.hpp"

namespace ffe::lm {

std::unique_ptr<FrozenMatrix> make_f32_matrix(size_t rows, size_t columns, const WeightReader& read,
                                              int threads);
std::unique_ptr<FrozenMatrix> make_bf16_matrix(NumericPath path, size_t rows, size_t columns,
                                               const WeightReader& read, int threads);

namespace {

constexpr NumericPath kTrainingPaths[] = {NumericPath::kF32, NumericPath::kBf16Emulated,
                                          NumericPath::kAvx512Bf16, NumericPath::kAmxBf16};

// Why this machine cannot run the path; empty where it can.
std::string obstacle_to(NumericPath path) {
  switch (path) {
    case NumericPath::kF32:
    case NumericPath::kBf16Emulated:
    case NumericPath::kQuantised:
      return {};
    case NumericPath::kAvx512Bf16:
      return avx512_bf16_product() ? "" : "the processor has no AVX512_BF16";
    case NumericPath::kAmxBf16:
      return amx_obstacle();
  }
  return "unknown";
}

}  // namespace

std::string_view numeric_name(NumericPath path) {
  switch (path) {
    case NumericPath::kF32:
      return "f32";
    case NumericPath::kBf16Emulated:
      return "bf16-emulated";
    case NumericPath::kAvx512Bf16:
      return "avx512-bf16";
    case NumericPath::kAmxBf16:
      return "amx-bf16";
    case NumericPath::kQuantised:
      return "quantised";
  }
  return "f32";
}

NumericPath numeric_from_name(std::string_view name) {
  if (name == "auto") return best_numeric_path();
  for (NumericPath path : kTrainingPaths) {
    if (numeric_name(path) == name) return path;
  }
  throw Error(ErrorCode::kUsage, "unknown numeric path \"" + std::string(name) + "\"",
              "use auto, f32, bf16-emulated, avx512-bf16 or amx-bf16");
}

bool numeric_supported(NumericPath path) {
  return obstacle_to(path).empty();
}

void require_numeric(NumericPath path) {
  const std::string obstacle = obstacle_to(path);
  if (obstacle.empty()) return;
  throw Error(ErrorCode::kUnsupported,
              "this machine cannot run the numeric path " + std::string(numeric_name(path)) + ": " +
                  obstacle,
              "use --numeric auto");
}

std::vector<NumericPath> supported_numeric_paths() {
  std::vector<NumericPath> paths;
  for (NumericPath path : kTrainingPaths) {
    if (numeric_supported(path)) paths.push_back(path);
  }
  return paths;
}

NumericPath best_numeric_path() {
  NumericPath best = NumericPath::kF32;
  for (NumericPath path : {NumericPath::kAvx512Bf16, NumericPath::kAmxBf16}) {
    if (numeric_supported(path)) best = path;
  }
  return best;
}

std::unique_ptr<FrozenMatrix> make_frozen_matrix(NumericPath path, size_t rows, size_t columns,
                                                 const WeightReader& read, int threads) {
  require_numeric(path);
  // What the file does not hold quantised is fp32 on the quantised path.
  const bool f32 = path == NumericPath::kF32 || path == NumericPath::kQuantised;
  return f32 ? make_f32_matrix(rows, columns, read, threads)
             : make_bf16_matrix(path, rows, columns, read, threads);
}

void FrozenMatrix::forward(const FrozenProduct& product, int threads) const {
  const JointProduct one{this, product};
  forward_all({&one, 1}, threads);
}

namespace {

void forward_one_kind(std::span<const JointProduct> products, int threads) {
  const PreparedRows x = products[0].matrix->prepare(products[0].product, threads);
  std::vector<Tiling> tilings;
  size_t tasks = 0;
  for (const JointProduct& p : products) {
    tilings.emplace_back(p.product.m, p.matrix->rows());
    tasks += tilings.back().count;
  }
  parallel_for(threads, tasks, [&](size_t task) {
    size_t which = 0;
    while (task >= tilings[which].count) task -= tilings[which++].count;
    const Tile tile = tilings[which].at(task);
    if (tile.rows > 0) products[which].matrix->forward_tile(products[which].product, x, tile);
  });
}

}  // namespace

void forward_all(std::span<const JointProduct> products, int threads) {
  while (!products.empty()) {
    size_t same = 1;
    while (same < products.size() &&
           typeid(*products[same].matrix) == typeid(*products[0].matrix)) {
      ++same;
    }
    forward_one_kind(products.first(same), threads);
    products = products.subspan(same);
  }
}

}  // namespace ffe::lm
