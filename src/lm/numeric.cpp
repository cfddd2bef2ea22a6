#include "lm/numeric.hpp"

#include "base/error.hpp"
#include "lm/kernels.hpp"
#include "lm/numeric_matrix.hpp"

namespace ffe::lm {

std::unique_ptr<FrozenMatrix> make_f32_matrix(size_t rows, size_t columns, const WeightReader& read,
                                              int threads);
std::unique_ptr<FrozenMatrix> make_bf16_matrix(NumericPath path, size_t rows, size_t columns,
                                               const WeightReader& read, int threads);

namespace {

constexpr NumericPath kAllPaths[] = {NumericPath::kF32, NumericPath::kBf16Emulated,
                                     NumericPath::kAvx512Bf16, NumericPath::kAmxBf16};

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
  }
  return "f32";
}

NumericPath numeric_from_name(std::string_view name) {
  if (name == "auto") return best_numeric_path();
  for (NumericPath path : kAllPaths) {
    if (numeric_name(path) == name) return path;
  }
  throw Error(ErrorCode::kUsage, "unknown numeric path \"" + std::string(name) + "\"",
              "use auto, f32, bf16-emulated, avx512-bf16 or amx-bf16");
}

bool numeric_supported(NumericPath path) {
  switch (path) {
    case NumericPath::kF32:
    case NumericPath::kBf16Emulated:
      return true;
    case NumericPath::kAvx512Bf16:
      return avx512_bf16_product() != nullptr;
    case NumericPath::kAmxBf16:
      return false;
  }
  return false;
}

std::vector<NumericPath> supported_numeric_paths() {
  std::vector<NumericPath> paths;
  for (NumericPath path : kAllPaths) {
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
  if (!numeric_supported(path)) {
    throw Error(ErrorCode::kUnsupported,
                "this processor cannot run the numeric path " + std::string(numeric_name(path)),
                "use --numeric auto");
  }
  return path == NumericPath::kF32 ? make_f32_matrix(rows, columns, read, threads)
                                   : make_bf16_matrix(path, rows, columns, read, threads);
}

}  // namespace ffe::lm
