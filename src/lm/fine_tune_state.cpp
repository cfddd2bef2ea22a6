#include "lm/fine_tune_state.hpp"

#include <cmath>

#include "base/error.hpp"
#include "lm/framed_file.hpp"

namespace ffe::lm {
namespace {

constexpr std::string_view kMagic = "FFETUNE1";

// JSON keeps a finite binary64 exactly: it is written with as many digits as reading needs.
double number(const Json& object, std::string_view key, const std::string& what) {
  const Json& value = json_member(object, key, what);
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    throw Error(ErrorCode::kBadInput, what + "." + std::string(key) + ": not a number");
  }
  return value.get<double>();
}

Json step_json(const StepResult& r) {
  return {{"loss", r.loss},
          {"gradient_norm", r.gradient_norm},
          {"learning_rate", r.learning_rate},
          {"tokens", r.tokens},
          {"targets", r.targets}};
}

StepResult step_of(const Json& json, uint64_t step, const std::string& what) {
  return {0,
          step,
          number(json, "loss", what),
          number(json, "gradient_norm", what),
          number(json, "learning_rate", what),
          json_uint(json, "tokens", what),
          json_uint(json, "targets", what)};
}

// "a.b": where two documents differ first; empty if nowhere.
std::string difference(const Json& a, const Json& b, const std::string& at) {
  if (!a.is_object() || !b.is_object()) return a == b ? "" : at;
  const auto below = [&](const std::string& key) { return at.empty() ? key : at + "." + key; };
  for (const auto& [key, value] : a.items()) {
    if (!b.contains(key)) return below(key);
    if (std::string found = difference(value, b[key], below(key)); !found.empty()) return found;
  }
  for (const auto& [key, value] : b.items()) {
    if (!a.contains(key)) return below(key);
  }
  return {};
}

const Json* at_path(const Json& json, std::string_view path) {
  const Json* value = &json;
  while (value != nullptr && !path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    const auto it = value->find(path.substr(0, dot));
    value = it == value->end() ? nullptr : &*it;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return value;
}

std::string shown(const Json* value) {
  if (value == nullptr) return "nothing";
  return value->is_string() ? value->get<std::string>() : value->dump();
}

}  // namespace

Bytes write_fine_tune_checkpoint(const FineTuneState& state) {
  Json header = {
      {"identity", state.identity}, {"history", Json::array()}, {"evaluations", Json::array()}};
  for (const StepResult& r : state.history) header["history"].push_back(step_json(r));
  for (const Evaluation& e : state.evaluations) {
    header["evaluations"].push_back({{"step", e.step}, {"loss", e.loss}});
  }
  return write_frame(kMagic, header, state.trainer);
}

FineTuneState read_fine_tune_checkpoint(ByteView bytes) {
  const Frame frame = read_frame(kMagic, bytes);
  FineTuneState state;
  state.identity = json_member(frame.header, "identity", "checkpoint");
  for (const Json& entry : json_member(frame.header, "history", "checkpoint")) {
    const uint64_t step = state.history.size();
    state.history.push_back(
        step_of(entry, step, "checkpoint.history[" + std::to_string(step) + "]"));
  }
  for (const Json& entry : json_member(frame.header, "evaluations", "checkpoint")) {
    const std::string what =
        "checkpoint.evaluations[" + std::to_string(state.evaluations.size()) + "]";
    state.evaluations.push_back({json_uint(entry, "step", what), number(entry, "loss", what)});
  }
  state.trainer.assign(frame.body.begin(), frame.body.end());
  return state;
}

void require_same_identity(const Json& before, const Json& now) {
  const std::string where = difference(before, now, "");
  if (where.empty()) return;
  throw Error(ErrorCode::kUsage,
              "the checkpoint is of another training: " + where + " was " +
                  shown(at_path(before, where)) + " and is now " + shown(at_path(now, where)),
              "resume with the model, rows and options that it began with, or begin again");
}

}  // namespace ffe::lm
