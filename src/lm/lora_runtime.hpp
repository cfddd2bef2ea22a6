// Adapters in the form in which passes use them, and their products by segment.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lm/adapter_file.hpp"
#include "lm/arena.hpp"
#include "lm/base_model.hpp"
#include "lm/plan.hpp"

namespace ffe::lm {

// Where one module's matrices lie in an adapter's flat vector of parameters: A [rank, columns],
// then B [rows, rank].
struct LoraModule {
  size_t a = 0, b = 0;  // offsets
  size_t rows = 0, columns = 0;
  bool present = false;
};

// The parameters of one adapter, flat: modules in order of layer and projection.
struct LoraLayout {
  LoraLayout() = default;
  // Throws Error{kBadInput} if the adapter's modules or shapes are not those of the model.
  LoraLayout(const ModelConfig& config, const LoraAdapter& adapter);

  const LoraModule& module(size_t layer, Projection p) const {
    return modules[layer * kProjections + static_cast<size_t>(p)];
  }
  size_t rank = 0;
  float scale = 0;
  size_t parameters = 0;
  std::vector<LoraModule> modules;
};

std::vector<float> flatten(const LoraLayout& layout, const LoraAdapter& adapter);
// Puts the values back into the adapter's matrices.
void unflatten(const LoraLayout& layout, std::span<const float> values, LoraAdapter& adapter);

// The four panel forms of one module. Absent modules have null pointers.
struct LoraPanels {
  const float* down = nullptr;       // scale · Aᵀ  [rank / 16][columns][16]
  const float* up = nullptr;         // Bᵀ          [rows / 16][rank][16]
  const float* up_back = nullptr;    // scale · B   [rank / 16][rows][16]
  const float* down_back = nullptr;  // A           [columns / 16][rank][16]
};

class LoraRuntime {
 public:
  // `for_training` also lays out what the backward pass needs.
  LoraRuntime(const LoraLayout& layout, std::span<const float> values, bool for_training,
              int threads);
  // Again, after the values have changed.
  void refresh(std::span<const float> values, int threads);

  const LoraLayout& layout() const { return layout_; }
  LoraPanels panels(size_t layer, Projection p) const;

 private:
  struct Offsets {
    size_t down, up, up_back, down_back;
  };
  LoraLayout layout_;
  bool for_training_;
  std::vector<Offsets> offsets_;
  AlignedBuffer<float> storage_;
};

// For passes that train nothing. Throws as LoraLayout does.
LoraRuntime inference_runtime(const BaseModel& base, const LoraAdapter& adapter);

// What dropout needs to know of one adapter in one step; probability 0: none.
struct DropoutStream {
  float probability = 0;
  uint64_t key[4] = {0, 0, 0, 0};
};

// One slot of a pass: null runtime is the bare base model.
struct PassSlot {
  const LoraRuntime* runtime = nullptr;
  float* gradient = nullptr;  // training: A as in the layout, B transposed to [rank, rows]
  DropoutStream dropout;
};

// One projection of one layer over the rows of a pass.
struct Linear {
  const BaseModel& base;
  size_t layer;
  Projection which;
  std::span<const SlotSpan> spans;
  std::span<const PassSlot> slots;
  const uint64_t* row_numbers;  // of each row within its adapter's step; for dropout

  size_t rows() const;
  size_t columns() const;
  const float* bias() const;  // null: none
  // The widest adapter of this projection; 0: none.
  size_t rank() const;

  // y = start + x Wᵀ + LoRA; h receives scale · x Aᵀ, [m, rank()]. A null `start` is the bias.
  void forward(const float* x, size_t m, const float* start, float* y, float* h,
               Arena& arena) const;
  // The same for several projections of one layer with the same x and the same spans, together.
  struct Output;
  static void forward(std::span<const Output> outputs, const float* x, size_t m, Arena& arena);
  // Adds to the slots' gradients; dx (may be null) is written, or added to.
  void backward(const float* x, const float* h, const float* dy, size_t m, float* dx,
                bool accumulate, Arena& arena) const;

 private:
  // The rows of one tile of h.
  struct RowTile;
  static std::vector<RowTile> row_tiles(std::span<const SlotSpan> spans);
  void narrow(const RowTile& tile, const float* x, float* h) const;
  std::vector<SkinnyTerm> terms(const float* h) const;
  LoraPanels panels(const SlotSpan& span) const;
  const float* dropped(const float* x, size_t m, Arena& arena) const;
  void add_dropped_gradient(const float* g, size_t g_row, size_t m, float* dx, Arena& arena) const;
};

struct Linear::Output {
  Linear linear;
  const float* start;
  float* y;
  float* h;
};

}  // namespace ffe::lm
