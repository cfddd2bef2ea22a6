// The adapters whose owners' keys are here: in memory only, wiped when nobody uses them.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "evm/u256.hpp"
#include "lm/adapter_file.hpp"

namespace ffe::inference {

struct LoadedModel {
  evm::U256 token;
  Address loader;           // the owner who sent the key
  std::set<Address> users;  // whom the owner named then; the chain must agree as well
  H256 artifact_root;
  bool default_system = false;  // the recipe's: begin with the template's own system prompt
  std::shared_ptr<const lm::LoraAdapter> adapter;
};

// An adapter that overwrites its matrices at its end.
std::shared_ptr<const lm::LoraAdapter> wiped_at_end(lm::LoraAdapter adapter);
uint64_t adapter_bytes(const lm::LoraAdapter& adapter);

// Thread-safe.
class Shelf {
 public:
  using Clock = std::chrono::steady_clock;

  // `max_bytes`: of all different adapters together.
  Shelf(uint64_t max_bytes, uint32_t idle_seconds) : max_bytes_(max_bytes), idle_(idle_seconds) {}

  // Replaces what the token had. Tokens of one artifact share its matrices. Where room is short the
  // models go that have rested longest, at least a minute; throws Refusal 503 if that is not
  // enough, 413 for an adapter larger than all the room.
  void put(LoadedModel model, Clock::time_point now = Clock::now());
  // Null: not here. Counts as use.
  std::optional<LoadedModel> use(const evm::U256& token, Clock::time_point now = Clock::now());
  bool has(const evm::U256& token) const;
  bool drop(const evm::U256& token);
  // Wipes what has rested for the idle time and is in nobody's hands; how many models went.
  size_t wipe_idle(Clock::time_point now = Clock::now());

  size_t size() const;
  uint64_t bytes() const;

 private:
  struct Place {
    LoadedModel model;
    Clock::time_point used;
  };
  uint64_t bytes_locked() const;
  bool rests(const Place& place, Clock::time_point now, std::chrono::seconds least) const;
  void make_room(uint64_t bytes, Clock::time_point now);

  const uint64_t max_bytes_;
  const std::chrono::seconds idle_;
  mutable std::mutex mutex_;
  std::map<evm::U256, Place> places_;
};

}  // namespace ffe::inference
