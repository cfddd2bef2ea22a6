#include "lm/batch_generator.hpp"

#include <algorithm>
#include <list>
#include <map>

#include "lm/check_example.hpp"
#include "lm/decoder.hpp"
#include "lm/parallel.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kPromptTokensAlone = 512;  // read in a step in which nobody draws
constexpr size_t kPromptTokensBeside = 32;  // beside streams that draw

size_t longest_text(const ModelConfig& config, const StreamRequest& request) {
  const size_t positions = config.max_position;
  if (request.prompt.size() >= positions) return positions;
  return request.prompt.size() +
         std::min<size_t>(request.sampling.max_new_tokens, positions - request.prompt.size());
}

struct Stream {
  StreamId id;
  std::shared_ptr<const LoraRuntime> runtime;
  std::shared_ptr<const LoraAdapter> adapter;  // held, so that its runtime stays
  Continuation text;
  KvCache cache;

  std::span<const int32_t> unread() const { return text.tokens().subspan(cache.tokens()); }
  bool draws() const { return unread().size() == 1; }
};

}  // namespace

struct BatchGenerator::Impl {
  explicit Impl(const Engine& engine) : base(engine.base()) {}

  std::shared_ptr<const LoraRuntime> runtime_of(const std::shared_ptr<const LoraAdapter>& adapter) {
    std::erase_if(runtimes, [](const auto& entry) { return entry.first.expired(); });
    if (!adapter) return nullptr;
    const auto found = runtimes.find(adapter);
    if (found != runtimes.end()) return found->second;
    auto made = std::make_shared<const LoraRuntime>(inference_runtime(base, *adapter));
    return runtimes.emplace(adapter, std::move(made)).first->second;
  }

  // Who reads what in this step.
  std::vector<DecodeItem> plan() {
    const bool any_draws = std::any_of(streams.begin(), streams.end(),
                                       [](const Stream& stream) { return stream.draws(); });
    size_t budget = any_draws ? kPromptTokensBeside : kPromptTokensAlone;
    std::vector<DecodeItem> items;
    readers.clear();
    for (Stream& stream : streams) {
      if (stream.text.end()) continue;  // asked for no token at all
      size_t count = 1;
      if (!stream.draws()) {
        count = std::min(budget, stream.unread().size());
        budget -= count;
      }
      if (count == 0) continue;
      readers.push_back(&stream);
      items.push_back({&stream.cache, stream.runtime.get(), stream.unread().first(count), nullptr});
    }
    return items;
  }

  void give_logits(std::vector<DecodeItem>& items) {
    const size_t vocab = base.config.vocab;
    logits.resize(items.size() * vocab);
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i].tokens.size() == readers[i]->unread().size()) {
        items[i].logits = logits.data() + i * vocab;
      }
    }
  }

  // Draws are independent: each stream has its own randomness.
  void draw(const std::vector<DecodeItem>& items, std::vector<StreamEvent>& events) {
    std::vector<std::optional<int32_t>> drawn(items.size());
    parallel_for(base.threads, items.size(), [&](size_t i) {
      if (items[i].logits) drawn[i] = readers[i]->text.draw({items[i].logits, base.config.vocab});
    });
    for (size_t i = 0; i < items.size(); ++i) {
      if (drawn[i]) events.push_back({readers[i]->id, drawn[i], std::nullopt});
    }
  }

  const BaseModel& base;
  std::list<Stream> streams;  // in order of arrival
  std::map<std::weak_ptr<const LoraAdapter>, std::shared_ptr<const LoraRuntime>, std::owner_less<>>
      runtimes;
  std::vector<Stream*> readers;  // of the step's items
  std::vector<float> logits;
  StreamId last_id = 0;
};

BatchGenerator::BatchGenerator(const Engine& engine) : impl_(new Impl(engine)) {}
BatchGenerator::BatchGenerator(BatchGenerator&&) noexcept = default;
BatchGenerator::~BatchGenerator() = default;

StreamId BatchGenerator::add(StreamRequest request) {
  const ModelConfig& config = impl_->base.config;
  check_tokens(config, request.prompt, "prompt");
  Continuation text(request.prompt, request.sampling, config.max_position);
  auto runtime = impl_->runtime_of(request.adapter);
  KvCache cache(config, longest_text(config, request));
  impl_->streams.push_back({++impl_->last_id, std::move(runtime), std::move(request.adapter),
                            std::move(text), std::move(cache)});
  return impl_->last_id;
}

std::vector<StreamEvent> BatchGenerator::step() {
  std::vector<DecodeItem> items = impl_->plan();
  impl_->give_logits(items);
  decode(impl_->base, items);
  std::vector<StreamEvent> events;
  impl_->draw(items, events);
  impl_->streams.remove_if([&](const Stream& stream) {
    if (!stream.text.end()) return false;
    events.push_back({stream.id, std::nullopt, stream.text.end()});
    return true;
  });
  impl_->runtime_of(nullptr);  // forgets what nobody holds any more
  return events;
}

void BatchGenerator::remove(StreamId id) {
  impl_->streams.remove_if([&](const Stream& stream) { return stream.id == id; });
  impl_->runtime_of(nullptr);
}

size_t BatchGenerator::active() const {
  return impl_->streams.size();
}

size_t BatchGenerator::kv_bytes() const {
  size_t sum = 0;
  for (const Stream& stream : impl_->streams) sum += stream.cache.capacity();
  return sum * kv_bytes_per_token(impl_->base.config);
}

size_t BatchGenerator::kv_bytes_per_token(const ModelConfig& config) {
  return KvCache::bytes_per_token(config);
}

size_t BatchGenerator::kv_bytes(const ModelConfig& config, const StreamRequest& request) {
  return round_up_lanes(longest_text(config, request)) * kv_bytes_per_token(config);
}

}  // namespace ffe::lm
