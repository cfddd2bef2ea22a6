#include "lm/lora_runtime.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "lm/dropout.hpp"
#include "lm/parallel.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kRowTile = 48;  // a multiple of every kernel's tile of rows
constexpr size_t kColumnTile = 192;

[[noreturn]] void misfit(const std::string& message) {
  throw Error(ErrorCode::kBadInput, "adapter does not fit the base model: " + message,
              "use an adapter that was trained on this model");
}

void scale_by(float* values, size_t n, float factor) {
  for (size_t i = 0; i < n; ++i) values[i] *= factor;
}

}  // namespace

LoraLayout::LoraLayout(const ModelConfig& config, const LoraAdapter& adapter)
    : rank(adapter.rank), scale(static_cast<float>(adapter.scale())) {
  if (rank == 0 || rank > 1024) misfit("rank " + std::to_string(rank));
  modules.resize(size_t{config.layers} * kProjections);
  size_t found = 0;
  for (uint32_t layer = 0; layer < config.layers; ++layer) {
    for (Projection p : adapter.targets) {
      const std::string name = projection_module(layer, p);
      const auto it = adapter.modules.find(name);
      if (it == adapter.modules.end()) misfit(name + " is missing");
      LoraModule& m = modules[layer * kProjections + static_cast<size_t>(p)];
      m.rows = projection_rows(config, p);
      m.columns = projection_columns(config, p);
      if (it->second.a.size() != rank * m.columns || it->second.b.size() != rank * m.rows) {
        misfit(name + " has another shape");
      }
      m.present = true;
      m.a = parameters;
      m.b = parameters + rank * m.columns;
      parameters = m.b + rank * m.rows;
      ++found;
    }
  }
  if (found != adapter.modules.size()) misfit("it has modules that the model has not");
}

std::vector<float> flatten(const LoraLayout& layout, const LoraAdapter& adapter) {
  std::vector<float> values(layout.parameters);
  for (size_t i = 0; i < layout.modules.size(); ++i) {
    const LoraModule& m = layout.modules[i];
    if (!m.present) continue;
    const LoraMatrices& from = adapter.modules.at(projection_module(
        static_cast<uint32_t>(i / kProjections), static_cast<Projection>(i % kProjections)));
    std::copy(from.a.begin(), from.a.end(), values.begin() + m.a);
    std::copy(from.b.begin(), from.b.end(), values.begin() + m.b);
  }
  return values;
}

void unflatten(const LoraLayout& layout, std::span<const float> values, LoraAdapter& adapter) {
  for (size_t i = 0; i < layout.modules.size(); ++i) {
    const LoraModule& m = layout.modules[i];
    if (!m.present) continue;
    LoraMatrices& to = adapter.modules.at(projection_module(
        static_cast<uint32_t>(i / kProjections), static_cast<Projection>(i % kProjections)));
    std::copy_n(values.begin() + m.a, to.a.size(), to.a.begin());
    std::copy_n(values.begin() + m.b, to.b.size(), to.b.begin());
  }
}

LoraRuntime::LoraRuntime(const LoraLayout& layout, std::span<const float> values, bool for_training,
                         int threads)
    : layout_(layout), for_training_(for_training) {
  size_t size = 0;
  const size_t wide_rank = round_up_lanes(layout_.rank);
  for (const LoraModule& m : layout_.modules) {
    Offsets o{size, 0, 0, 0};
    if (m.present) {
      o.up = o.down + wide_rank * m.columns;
      o.up_back = o.up + layout_.rank * round_up_lanes(m.rows);
      o.down_back = o.up_back + (for_training ? wide_rank * m.rows : 0);
      size = o.down_back + (for_training ? layout_.rank * round_up_lanes(m.columns) : 0);
    }
    offsets_.push_back(o);
  }
  storage_.resize(size);
  refresh(values, threads);
}

void LoraRuntime::refresh(std::span<const float> values, int threads) {
  const size_t r = layout_.rank;
  const Kernels& kernel = kernels();
  parallel_for(threads, layout_.modules.size(), [&](size_t index) {
    const LoraModule& m = layout_.modules[index];
    if (!m.present) return;
    const Offsets& o = offsets_[index];
    const float* a = values.data() + m.a;
    const float* b = values.data() + m.b;
    float* down = storage_.data() + o.down;
    for (size_t i = 0; i < r; i += kLanes) {
      kernel.transpose(a + i * m.columns, m.columns, std::min(kLanes, r - i), m.columns,
                       down + i * m.columns, kLanes, kLanes);
    }
    scale_by(down, round_up_lanes(r) * m.columns, layout_.scale);
    for (size_t i = 0; i < m.rows; i += kLanes) {
      kernel.transpose(b + i * r, r, std::min(kLanes, m.rows - i), r,
                       storage_.data() + o.up + i * r, kLanes, kLanes);
    }
    if (!for_training_) return;
    float* up_back = storage_.data() + o.up_back;
    for (size_t i = 0; i < r; i += kLanes) {
      for (size_t n = 0; n < m.rows; ++n) {
        for (size_t l = 0; l < kLanes; ++l) {
          up_back[i * m.rows + n * kLanes + l] = i + l < r ? layout_.scale * b[n * r + i + l] : 0;
        }
      }
    }
    float* down_back = storage_.data() + o.down_back;
    for (size_t c = 0; c < m.columns; c += kLanes) {
      for (size_t i = 0; i < r; ++i) {
        for (size_t l = 0; l < kLanes; ++l) {
          down_back[c * r + i * kLanes + l] = c + l < m.columns ? a[i * m.columns + c + l] : 0;
        }
      }
    }
  });
}

LoraPanels LoraRuntime::panels(size_t layer, Projection p) const {
  LoraPanels result;
  if (!layout_.module(layer, p).present) return result;
  const Offsets& o = offsets_[layer * kProjections + static_cast<size_t>(p)];
  result.down = storage_.data() + o.down;
  result.up = storage_.data() + o.up;
  if (for_training_) {
    result.up_back = storage_.data() + o.up_back;
    result.down_back = storage_.data() + o.down_back;
  }
  return result;
}

LoraRuntime inference_runtime(const BaseModel& base, const LoraAdapter& adapter) {
  const LoraLayout layout(base.config, adapter);
  return {layout, flatten(layout, adapter), false, base.threads};
}

// --- Linear ----------------------------------------------------------------------------------

struct Linear::RowTile {
  const SlotSpan* span;
  size_t begin, end;
};

std::vector<Linear::RowTile> Linear::row_tiles(std::span<const SlotSpan> spans) {
  std::vector<RowTile> tiles;
  for (const SlotSpan& span : spans) {
    for (size_t i = span.begin; i < span.end; i += kRowTile) {
      tiles.push_back({&span, i, std::min<size_t>(i + kRowTile, span.end)});
    }
  }
  return tiles;
}

namespace {

// out[i, :rank] = x[i] · panels for rows [begin, end).
void narrow_product(size_t begin, size_t end, const float* x, size_t depth, const float* panels,
                    size_t rank, float* out, size_t out_row) {
  BlockProduct b;
  b.a = x + begin * depth;
  b.a_row = depth;
  b.a_col = 1;
  b.b = panels;
  b.b_row = kLanes;
  b.b_panel = depth * kLanes;
  b.c0 = nullptr;
  b.c0_row = 0;
  b.c = out + begin * out_row;
  b.c_row = out_row;
  b.m = end - begin;
  b.n = rank;
  b.k = depth;
  kernels().block_product(b);
}

// gradient[rank, columns from first] += h[span]ᵀ · rows[span]
void outer_product(const SlotSpan& span, const float* h, size_t h_row, size_t rank,
                   const float* rows, size_t width, size_t first, size_t count, float* gradient) {
  BlockProduct b;
  b.a = h + span.begin * h_row;
  b.a_row = 1;
  b.a_col = h_row;
  b.b = rows + span.begin * width + first;
  b.b_row = width;
  b.b_panel = kLanes;
  b.c = gradient + first;
  b.c_row = width;
  b.c0 = b.c;
  b.c0_row = width;
  b.m = rank;
  b.n = count;
  b.k = span.end - span.begin;
  kernels().block_product(b);
}

}  // namespace

size_t Linear::rows() const {
  return base.layers[layer].w(which).rows();
}
size_t Linear::columns() const {
  return base.layers[layer].w(which).columns();
}

const float* Linear::bias() const {
  return base.layers[layer].b(which);
}

size_t Linear::rank() const {
  size_t widest = 0;
  for (const SlotSpan& span : spans) {
    const LoraRuntime* runtime = slots[span.slot].runtime;
    if (runtime && runtime->layout().module(layer, which).present) {
      widest = std::max(widest, runtime->layout().rank);
    }
  }
  return widest;
}

LoraPanels Linear::panels(const SlotSpan& span) const {
  const LoraRuntime* runtime = slots[span.slot].runtime;
  return runtime ? runtime->panels(layer, which) : LoraPanels{};
}

const float* Linear::dropped(const float* x, size_t m, Arena& arena) const {
  const bool any = std::any_of(spans.begin(), spans.end(), [&](const SlotSpan& span) {
    return slots[span.slot].dropout.probability > 0;
  });
  if (!any) return x;
  const size_t width = columns();
  float* copy = arena.take(m * width);
  const std::vector<RowTile> tiles = row_tiles(spans);
  parallel_for(base.threads, tiles.size(), [&](size_t i) {
    const RowTile& t = tiles[i];
    std::copy(x + t.begin * width, x + t.end * width, copy + t.begin * width);
    apply_dropout(slots[t.span->slot].dropout, layer, which, row_numbers, t.begin, t.end, width,
                  copy);
  });
  return copy;
}

void Linear::narrow(const RowTile& tile, const float* x, float* h) const {
  const LoraPanels p = panels(*tile.span);
  if (!p.down) return;
  narrow_product(tile.begin, tile.end, x, columns(), p.down,
                 slots[tile.span->slot].runtime->layout().rank, h, rank());
}

std::vector<SkinnyTerm> Linear::terms(const float* h) const {
  std::vector<SkinnyTerm> result;
  const size_t r = rank();
  for (const SlotSpan& span : spans) {
    const LoraPanels p = panels(span);
    if (!p.up) continue;
    result.push_back({span.begin, span.end, h, r, p.up, slots[span.slot].runtime->layout().rank});
  }
  return result;
}

void Linear::forward(const float* x, size_t m, const float* start, float* y, float* h,
                     Arena& arena) const {
  const Output one{*this, start, y, h};
  forward({&one, 1}, x, m, arena);
}

void Linear::forward(std::span<const Output> outputs, const float* x, size_t m, Arena& arena) {
  const int threads = outputs[0].linear.base.threads;
  const Arena::Mark mark = arena.mark();
  std::vector<const float*> inputs;
  std::vector<std::vector<SkinnyTerm>> terms;
  for (const Output& o : outputs) {
    terms.push_back(o.linear.terms(o.h));
    inputs.push_back(terms.back().empty() ? x : o.linear.dropped(x, m, arena));
  }
  if (std::any_of(terms.begin(), terms.end(), [](const auto& some) { return !some.empty(); })) {
    const std::vector<RowTile> tiles = row_tiles(outputs[0].linear.spans);
    parallel_for(threads, outputs.size() * tiles.size(), [&](size_t i) {
      const size_t which = i / tiles.size();
      outputs[which].linear.narrow(tiles[i % tiles.size()], inputs[which], outputs[which].h);
    });
  }
  std::vector<JointProduct> products;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Output& o = outputs[i];
    const Linear& l = o.linear;
    FrozenProduct product{x, l.columns(), m, l.bias(), 0, o.y, l.rows(), terms[i]};
    if (o.start) {
      product.start = o.start;
      product.start_row = l.rows();
    }
    products.push_back({&l.base.layers[l.layer].w(l.which), product});
  }
  forward_all(products, threads);
  for (const Output& o : outputs) {
    const float* bias = o.linear.bias();
    if (!o.start || !bias) continue;
    const size_t width = o.linear.rows();
    parallel_for(threads, m, [&](size_t i) { kernels().add(bias, width, o.y + i * width); });
  }
  arena.release(mark);
}

void Linear::backward(const float* x, const float* h, const float* dy, size_t m, float* dx,
                      bool accumulate, Arena& arena) const {
  const FrozenMatrix& w = base.layers[layer].w(which);
  const size_t r = rank();
  const Arena::Mark mark = arena.mark();
  std::vector<SkinnyTerm> terms;
  float* g = nullptr;  // scale · dy B
  bool dropout = false;
  if (r > 0) {
    const float* input = dropped(x, m, arena);
    dropout = input != x;
    g = arena.take(m * r);
    const std::vector<RowTile> tiles = row_tiles(spans);
    parallel_for(base.threads, tiles.size(), [&](size_t i) {
      const LoraPanels p = panels(*tiles[i].span);
      if (!p.up_back) return;
      narrow_product(tiles[i].begin, tiles[i].end, dy, rows(), p.up_back,
                     slots[tiles[i].span->slot].runtime->layout().rank, g, r);
    });
    const size_t a_tasks = (columns() + kColumnTile - 1) / kColumnTile;
    const size_t b_tasks = (rows() + kColumnTile - 1) / kColumnTile;
    parallel_for(base.threads, a_tasks + b_tasks, [&](size_t task) {
      for (const SlotSpan& span : spans) {
        const PassSlot& slot = slots[span.slot];
        if (!slot.gradient || !panels(span).down) continue;
        const LoraModule& at = slot.runtime->layout().module(layer, which);
        const size_t rank_of = slot.runtime->layout().rank;
        if (task < a_tasks) {
          const size_t first = task * kColumnTile;
          outer_product(span, g, r, rank_of, input, columns(), first,
                        std::min(kColumnTile, columns() - first), slot.gradient + at.a);
        } else {
          const size_t first = (task - a_tasks) * kColumnTile;
          outer_product(span, h, r, rank_of, dy, rows(), first,
                        std::min(kColumnTile, rows() - first), slot.gradient + at.b);
        }
      }
    });
    for (const SlotSpan& span : spans) {
      const LoraPanels p = panels(span);
      if (!p.down_back || slots[span.slot].dropout.probability > 0) continue;
      terms.push_back(
          {span.begin, span.end, g, r, p.down_back, slots[span.slot].runtime->layout().rank});
    }
  }
  if (dx) {
    const FrozenProduct product{dy,        rows(), m,         accumulate ? dx : nullptr,
                                columns(), dx,     columns(), terms};
    w.backward(product, base.threads);
    if (dropout) add_dropped_gradient(g, r, m, dx, arena);
  }
  arena.release(mark);
}

// dx += mask ∘ (g A) for the slots with dropout.
void Linear::add_dropped_gradient(const float* g, size_t g_row, size_t m, float* dx,
                                  Arena& arena) const {
  const size_t width = columns();
  float* piece = arena.take(m * width);
  const std::vector<RowTile> tiles = row_tiles(spans);
  parallel_for(base.threads, tiles.size(), [&](size_t i) {
    const RowTile& t = tiles[i];
    const PassSlot& slot = slots[t.span->slot];
    const LoraPanels p = panels(*t.span);
    if (!p.down_back || slot.dropout.probability <= 0) return;
    BlockProduct b;
    b.a = g + t.begin * g_row;
    b.a_row = g_row;
    b.a_col = 1;
    b.b = p.down_back;
    b.b_row = kLanes;
    b.b_panel = slot.runtime->layout().rank * kLanes;
    b.c0 = nullptr;
    b.c0_row = 0;
    b.c = piece + t.begin * width;
    b.c_row = width;
    b.m = t.end - t.begin;
    b.n = width;
    b.k = slot.runtime->layout().rank;
    kernels().block_product(b);
    apply_dropout(slot.dropout, layer, which, row_numbers, t.begin, t.end, width, piece);
    kernels().add(piece + t.begin * width, (t.end - t.begin) * width, dx + t.begin * width);
  });
}

}  // namespace ffe::lm
