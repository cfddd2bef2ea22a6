#include "lm/trainer_state.hpp"

#include <bit>
#include <cstring>

#include "base/error.hpp"
#include "base/hex.hpp"
#include "base/json.hpp"
#include "lm/framed_file.hpp"

namespace ffe::lm {
namespace {

constexpr std::string_view kMagic = "FFECKPT1";
static_assert(std::endian::native == std::endian::little, "floats are written as they lie");

// Doubles travel as their bits: decimal text would have to be proven exact.
Json bits(double value) {
  uint8_t bytes[8];
  put_be64(bytes, std::bit_cast<uint64_t>(value));
  return to_hex(bytes);
}

double from_bits(const Json& object, std::string_view key, std::string_view what) {
  const Bytes bytes = from_hex(json_string(object, key, what));
  if (bytes.size() != 8) {
    throw Error(ErrorCode::kBadInput,
                std::string(what) + "." + std::string(key) + ": not eight bytes");
  }
  return std::bit_cast<double>(get_be64(bytes.data()));
}

uint32_t small(const Json& object, std::string_view key, std::string_view what) {
  const uint64_t value = json_uint(object, key, what);
  if (value > UINT32_MAX) {
    throw Error(ErrorCode::kBadInput, std::string(what) + "." + std::string(key) + ": too large");
  }
  return static_cast<uint32_t>(value);
}

Json describe(const TrainedAdapter& t) {
  const OptimizerConfig& c = t.optimizer.config();
  Json targets = Json::array();
  for (Projection p : t.adapter.targets) targets.push_back(projection_name(p));
  return {{"rank", t.adapter.rank},
          {"alpha", bits(t.adapter.alpha)},
          {"dropout", bits(t.adapter.dropout)},
          {"base_model", t.adapter.base_model},
          {"targets", targets},
          {"parameters", t.layout.parameters},
          {"steps", t.optimizer.steps()},
          {"dropout_seed", to_hex(t.dropout_seed.bytes)},
          {"learning_rate", bits(c.learning_rate)},
          {"beta1", bits(c.beta1)},
          {"beta2", bits(c.beta2)},
          {"epsilon", bits(c.epsilon)},
          {"weight_decay", bits(c.weight_decay)},
          {"clip", bits(c.clip)},
          {"schedule", schedule_name(c.schedule)},
          {"warmup_steps", c.warmup_steps},
          {"total_steps", c.total_steps}};
}

OptimizerConfig optimizer_of(const Json& json, std::string_view what) {
  OptimizerConfig c;
  c.learning_rate = from_bits(json, "learning_rate", what);
  c.beta1 = from_bits(json, "beta1", what);
  c.beta2 = from_bits(json, "beta2", what);
  c.epsilon = from_bits(json, "epsilon", what);
  c.weight_decay = from_bits(json, "weight_decay", what);
  c.clip = from_bits(json, "clip", what);
  c.schedule = schedule_from_name(json_string(json, "schedule", what));
  c.warmup_steps = small(json, "warmup_steps", what);
  c.total_steps = small(json, "total_steps", what);
  return c;
}

// An adapter of the described shape, its matrices zero. Sizes come from the model, so a hostile
// header cannot ask for more memory than an adapter of rank 256 takes.
LoraAdapter shell_of(const ModelConfig& model, const Json& json, std::string_view what) {
  LoraAdapter adapter;
  adapter.rank = small(json, "rank", what);
  adapter.alpha = from_bits(json, "alpha", what);
  adapter.dropout = from_bits(json, "dropout", what);
  adapter.base_model = json_string(json, "base_model", what);
  if (adapter.rank < 1 || adapter.rank > 256) {
    throw Error(ErrorCode::kBadInput, std::string(what) + ".rank: not in 1..256");
  }
  for (const Json& name : json_member(json, "targets", what)) {
    if (!name.is_string()) {
      throw Error(ErrorCode::kBadInput, std::string(what) + ".targets: not names");
    }
    adapter.targets.push_back(projection_from_name(name.get<std::string>()));
  }
  for (uint32_t layer = 0; layer < model.layers; ++layer) {
    for (Projection p : adapter.targets) {
      LoraMatrices& m = adapter.modules[projection_module(layer, p)];
      m.a.assign(size_t{adapter.rank} * projection_columns(model, p), 0.0f);
      m.b.assign(size_t{adapter.rank} * projection_rows(model, p), 0.0f);
    }
  }
  return adapter;
}

void append_floats(Bytes& out, std::span<const float> values) {
  append(out, {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()});
}

void take_floats(ByteView& rest, std::span<float> values) {
  if (rest.size() < values.size_bytes()) {
    throw Error(ErrorCode::kBadInput, "checkpoint: ends before its last array");
  }
  std::memcpy(values.data(), rest.data(), values.size_bytes());
  rest = rest.subspan(values.size_bytes());
}

}  // namespace

Bytes write_checkpoint(const TrainedAdapters& adapters) {
  Json header = {{"adapters", Json::array()}};
  Bytes arrays;
  for (const auto& t : adapters) {
    header["adapters"].push_back(describe(*t));
    append_floats(arrays, t->values);
    append_floats(arrays, t->optimizer.first_moment());
    append_floats(arrays, t->optimizer.second_moment());
  }
  return write_frame(kMagic, header, arrays);
}

TrainedAdapters read_checkpoint(const ModelConfig& model, ByteView bytes, int threads) {
  const Frame frame = read_frame(kMagic, bytes);
  ByteView rest = frame.body;
  TrainedAdapters adapters;
  const Json& list = json_member(frame.header, "adapters", "checkpoint");
  if (!list.is_array()) {
    throw Error(ErrorCode::kBadInput, "checkpoint.adapters: not a list");
  }
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string what = "checkpoint.adapters[" + std::to_string(i) + "]";
    auto t = std::make_unique<TrainedAdapter>(
        model, shell_of(model, list[i], what), optimizer_of(list[i], what),
        fixed_from_hex<32>(json_string(list[i], "dropout_seed", what)), threads);
    if (json_uint(list[i], "parameters", what) != t->layout.parameters) {
      throw Error(ErrorCode::kUsage, what + ": belongs to a model of another shape",
                  "resume with the model that the training began with");
    }
    take_floats(rest, t->values);
    take_floats(rest, t->optimizer.first_moment());
    take_floats(rest, t->optimizer.second_moment());
    t->optimizer.set_steps(json_uint(list[i], "steps", what));
    t->runtime.refresh(t->values, threads);
    adapters.push_back(std::move(t));
  }
  if (!rest.empty()) throw Error(ErrorCode::kBadInput, "checkpoint: bytes left over at its end");
  return adapters;
}

}  // namespace ffe::lm
