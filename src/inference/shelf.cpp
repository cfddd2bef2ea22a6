#include "inference/shelf.hpp"

#include <algorithm>

#include "base/secret.hpp"
#include "inference/refusal.hpp"

namespace ffe::inference {
namespace {

constexpr std::chrono::seconds kLeastRest{60};
// The batch lays an adapter's matrices out once more.
constexpr uint64_t kCopies = 2;

}  // namespace

std::shared_ptr<const lm::LoraAdapter> wiped_at_end(lm::LoraAdapter adapter) {
  return {new lm::LoraAdapter(std::move(adapter)), [](lm::LoraAdapter* a) {
            for (auto& [name, m] : a->modules) {
              wipe(m.a.data(), m.a.size() * sizeof(float));
              wipe(m.b.data(), m.b.size() * sizeof(float));
            }
            delete a;
          }};
}

uint64_t adapter_bytes(const lm::LoraAdapter& adapter) {
  uint64_t floats = 0;
  for (const auto& [name, m] : adapter.modules) floats += m.a.size() + m.b.size();
  return kCopies * floats * sizeof(float);
}

uint64_t Shelf::bytes_locked() const {
  std::set<const lm::LoraAdapter*> seen;
  uint64_t sum = 0;
  for (const auto& [token, place] : places_) {
    if (seen.insert(place.model.adapter.get()).second) sum += adapter_bytes(*place.model.adapter);
  }
  return sum;
}

// Somebody else who holds the matrices is an answer under way, unless it is another token's place.
bool Shelf::rests(const Place& place, Clock::time_point now, std::chrono::seconds least) const {
  const long shelved = std::ranges::count_if(places_, [&](const auto& other) {
    return other.second.model.adapter == place.model.adapter;
  });
  return now - place.used >= least && place.model.adapter.use_count() <= shelved;
}

void Shelf::make_room(uint64_t bytes, Clock::time_point now) {
  if (bytes > max_bytes_) {
    throw Refusal(413, "too_large",
                  "this adapter takes " + std::to_string(bytes >> 20) +
                      " MiB in memory, more than this enclave gives to all",
                  "ask the operator for more inference.memory_mb");
  }
  while (bytes_locked() + bytes > max_bytes_) {
    auto oldest = places_.end();
    for (auto it = places_.begin(); it != places_.end(); ++it) {
      if (!rests(it->second, now, kLeastRest)) continue;
      if (oldest == places_.end() || it->second.used < oldest->second.used) oldest = it;
    }
    if (oldest == places_.end()) {
      throw Refusal(503, "busy", "there is no room for another adapter now", "try again in 60 s",
                    60);
    }
    places_.erase(oldest);
  }
}

void Shelf::put(LoadedModel model, Clock::time_point now) {
  std::lock_guard lock(mutex_);
  places_.erase(model.token);
  for (const auto& [token, place] : places_) {
    if (place.model.artifact_root == model.artifact_root) model.adapter = place.model.adapter;
  }
  const bool held = std::ranges::any_of(
      places_, [&](const auto& p) { return p.second.model.adapter == model.adapter; });
  if (!held) make_room(adapter_bytes(*model.adapter), now);
  const evm::U256 token = model.token;
  places_.emplace(token, Place{std::move(model), now});
}

std::optional<LoadedModel> Shelf::use(const evm::U256& token, Clock::time_point now) {
  std::lock_guard lock(mutex_);
  const auto it = places_.find(token);
  if (it == places_.end()) return std::nullopt;
  it->second.used = now;
  return it->second.model;
}

bool Shelf::has(const evm::U256& token) const {
  std::lock_guard lock(mutex_);
  return places_.contains(token);
}

bool Shelf::drop(const evm::U256& token) {
  std::lock_guard lock(mutex_);
  return places_.erase(token) > 0;
}

size_t Shelf::wipe_idle(Clock::time_point now) {
  std::lock_guard lock(mutex_);
  size_t gone = 0;
  for (auto it = places_.begin(); it != places_.end();) {
    const bool idle = rests(it->second, now, idle_);
    it = idle ? places_.erase(it) : std::next(it);
    gone += idle ? 1 : 0;
  }
  return gone;
}

size_t Shelf::size() const {
  std::lock_guard lock(mutex_);
  return places_.size();
}

uint64_t Shelf::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_locked();
}

}  // namespace ffe::inference
