// Text generation for several owners at once on one base model (continuous batching).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lm/engine.hpp"
#include "lm/sampler.hpp"

namespace ffe::lm {

using StreamId = uint64_t;

struct StreamRequest {
  std::shared_ptr<const LoraAdapter> adapter;  // null: the bare base model
  std::vector<int32_t> prompt;
  SamplingOptions sampling;
};

// A token that was drawn, or why the stream has ended: one of the two.
struct StreamEvent {
  StreamId id = 0;
  std::optional<int32_t> token;
  std::optional<StopReason> end;  // never kCallback

  bool operator==(const StreamEvent&) const = default;
};

// Streams join and leave between steps. Those of all adapters go through the base's weights
// together; a stream's tokens are those that Generator gives it alone, whoever its neighbours are.
// Not thread-safe, and the engine computes for nobody else meanwhile: one thread drives it.
//
// Memory: a stream has room for kv_bytes() of keys and values, of which the system takes pages as
// tokens come; they are wiped and given back with the stream. An adapter's matrices are laid out
// once and kept as long as somebody holds the shared pointer, be it a stream or the caller.
class BatchGenerator {
 public:
  // The engine must outlive the generator.
  explicit BatchGenerator(const Engine& engine);
  BatchGenerator(BatchGenerator&&) noexcept;
  ~BatchGenerator();

  // Throws Error: kBadInput for an empty prompt, one longer than the model's positions, foreign ids
  // or an adapter of another model; kUsage for sampling settings out of range. Ids count from 1.
  StreamId add(StreamRequest request);

  // One token for every stream whose prompt has been read. Prompts are read in pieces, in the order
  // in which the streams came: beside streams that draw, few tokens a step, so that nobody waits
  // long. After its last token a stream's end follows in the same step; it is then gone.
  std::vector<StreamEvent> step();

  // Ends a stream without an event. Does nothing if it is gone already.
  void remove(StreamId id);

  size_t active() const;
  // Room of all streams' keys and values.
  size_t kv_bytes() const;

  // What one token of one stream costs, and the most that a stream can.
  static size_t kv_bytes_per_token(const ModelConfig& config);
  static size_t kv_bytes(const ModelConfig& config, const StreamRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::lm
