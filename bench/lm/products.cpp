// The products of one layer with its frozen weights, forward and backward: ours and oneDNN's on the
// same shapes, in turns. oneDNN may lay the weights out as it likes, for each direction its own
// way.
//
//   lm_products NUMERIC ROWS HIDDEN Q KV INTERMEDIATE     prints GFLOP/s of both as JSON
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "lm/engine.hpp"
#include "lm/kernels.hpp"
#include "lm/numeric_matrix.hpp"

namespace {

using namespace ffe::lm;
using dnnl::memory;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 12;

struct Shape {
  const char* name;
  size_t rows, columns;
};

std::vector<float> ramp(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i % 19) * 0.05f - 0.4f;
  return values;
}

// Y[m, width] = X[m, depth] · W, W as `tag` says of [depth, width].
class OneDnnProduct {
 public:
  OneDnnProduct(const dnnl::engine& engine, dnnl::stream& stream, size_t m, size_t depth,
                size_t width, std::vector<float>& weights, memory::format_tag tag, bool bf16)
      : stream_(stream) {
    using Type = memory::data_type;
    const auto d = [](size_t n) { return static_cast<memory::dim>(n); };
    const Type type = bf16 ? Type::bf16 : Type::f32;
    const memory::desc x({d(m), d(depth)}, type, memory::format_tag::ab);
    const memory::desc any({d(depth), d(width)}, type, memory::format_tag::any);
    const memory::desc y({d(m), d(width)}, Type::f32, memory::format_tag::ab);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc description(engine, x, any, y);
#else
    const dnnl::matmul::primitive_desc description({x, any, y}, engine);
#endif
    matmul_ = dnnl::matmul(description);
    x_ = memory(x, engine);
    y_ = memory(y, engine);
    weights_ = memory(description.weights_desc(), engine);
    memory plain({{d(depth), d(width)}, Type::f32, tag}, engine, weights.data());
    dnnl::reorder(plain, weights_).execute(stream_, plain, weights_);
    std::vector<float> values = ramp(m * depth);
    memory from({{d(m), d(depth)}, Type::f32, memory::format_tag::ab}, engine, values.data());
    dnnl::reorder(from, x_).execute(stream_, from, x_);
    stream_.wait();
  }
  void run() {
    matmul_.execute(stream_,
                    {{DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, weights_}, {DNNL_ARG_DST, y_}});
    stream_.wait();
  }

 private:
  dnnl::stream& stream_;
  dnnl::matmul matmul_;
  memory x_, weights_, y_;
};

template <class Work>
double seconds_of(Work work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

struct Times {
  std::vector<double> ours, theirs;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 7) {
    std::cerr << "usage: lm_products NUMERIC ROWS HIDDEN Q KV INTERMEDIATE\n";
    return 2;
  }
  const auto size = [&](int i) { return static_cast<size_t>(std::stoul(argv[i])); };
  const size_t m = size(2), hidden = size(3), q = size(4), kv = size(5), wide = size(6);
  const std::vector<Shape> shapes = {
      {"q", q, hidden},       {"k", kv, hidden},    {"v", kv, hidden},     {"o", hidden, q},
      {"gate", wide, hidden}, {"up", wide, hidden}, {"down", hidden, wide}};
  const NumericPath path = numeric_from_name(argv[1]);
  const bool bf16 = path != NumericPath::kF32;
  const auto threads = static_cast<int>(std::thread::hardware_concurrency());
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  double flops = 0, our_seconds = 0, their_seconds = 0;
  for (const Shape& s : shapes) {
    std::vector<float> weights = ramp(s.rows * s.columns);
    const auto read = [&](uint64_t first, std::span<float> out) {
      std::copy_n(&weights[first * s.columns], out.size(), out.begin());
    };
    const auto matrix = make_frozen_matrix(path, s.rows, s.columns, read, threads);
    const std::vector<float> x = ramp(m * std::max(s.rows, s.columns));
    std::vector<float> y(x.size());
    OneDnnProduct forward(engine, stream, m, s.columns, s.rows, weights, memory::format_tag::ba,
                          bf16);
    OneDnnProduct backward(engine, stream, m, s.rows, s.columns, weights, memory::format_tag::ab,
                           bf16);
    Times times;
    for (int round = 0; round <= kRounds; ++round) {
      const double ours = seconds_of([&] {
        matrix->forward({x.data(), s.columns, m, nullptr, 0, y.data(), s.rows, {}}, threads);
        matrix->backward({x.data(), s.rows, m, nullptr, 0, y.data(), s.columns, {}}, threads);
      });
      const double theirs = seconds_of([&] {
        forward.run();
        backward.run();
      });
      if (round == 0) continue;  // caches
      times.ours.push_back(ours);
      times.theirs.push_back(theirs);
    }
    flops += 4.0 * static_cast<double>(m * s.rows * s.columns);
    our_seconds += median(times.ours);
    their_seconds += median(times.theirs);
  }
  std::cout << ffe::Json{{"ours", flops / our_seconds / 1e9},
                         {"onednn", flops / their_seconds / 1e9},
                         {"numeric", numeric_name(path)},
                         {"kernels", kernels().name}}
                   .dump()
            << '\n';
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << '\n';
  return 1;
}
