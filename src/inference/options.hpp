// What an operator grants to sealed inference: [inference] of ffe-aggregator's configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ffe::inference {

struct ServeOptions {
  bool enabled = false;
  std::string numeric = "auto";  // numeric path of the serving engine
  int threads = 0;               // of it; 0: half of the cores, so that sessions go on beside it
  size_t max_streams = 8;        // answers under way at once, of all owners
  size_t max_context = 2048;     // tokens of a prompt and its answer
  size_t max_tokens = 1024;      // of one answer
  // Beside the weights: the caches of all streams, and the adapters with what is left.
  uint64_t memory_bytes = uint64_t{2} << 30;

  // Per owner; those whom the owner authorised count as the owner.
  size_t owner_streams = 4;
  uint64_t owner_tokens_per_minute = 30'000;  // prompts and answers

  uint32_t idle_seconds = 900;       // without a request, then an adapter is wiped
  uint32_t chain_cache_seconds = 5;  // how old the chain's word on a token may be
  uint32_t window_seconds = 120;     // how old a request may be, and as long it is remembered
};

}  // namespace ffe::inference
