#include "inference/token_book.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "inference/refusal.hpp"

namespace ffe::inference {
namespace {

constexpr size_t kMostEntries = 10'000;

}  // namespace

TokenFacts TokenBook::at(const evm::U256& token, Clock::time_point now) {
  {
    std::lock_guard lock(mutex_);
    const auto it = entries_.find(token);
    if (it != entries_.end() && now - it->second.at < cache_) return it->second.facts;
  }
  return fresh(token, now);
}

void TokenBook::spend_look_up(Clock::time_point now) {
  constexpr double kPerSecond = kLookUpsPerMinute / 60.0;
  const double passed = std::max(std::chrono::duration<double>(now - counted_at_).count(), 0.0);
  look_ups_left_ = std::min<double>(kLookUpsPerMinute, look_ups_left_ + passed * kPerSecond);
  counted_at_ = std::max(counted_at_, now);
  if (look_ups_left_ < 1) {
    throw Refusal(429, "rate_limit_exceeded", "too many unknown tokens are asked about",
                  "try again in 10 s", 10);
  }
  look_ups_left_ -= 1;
}

TokenFacts TokenBook::fresh(const evm::U256& token, Clock::time_point now) {
  {
    std::lock_guard lock(mutex_);
    if (!entries_.contains(token)) spend_look_up(now);
  }
  TokenFacts facts;
  try {
    facts = look_up_(token);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kChain) {
      throw Refusal(404, "model_not_found", "there is no token " + token.to_string());
    }
    log::warn("sealed inference: the chain does not answer: {}", e.what());
    throw Refusal(503, "busy", "the enclave cannot ask the chain who owns the token", {}, 10);
  }
  std::lock_guard lock(mutex_);
  if (entries_.size() >= kMostEntries) entries_.clear();
  entries_[token] = {facts, now};
  return facts;
}

TokenBook::LookUp chain_look_up(const session::Inft& inft) {
  return [&inft](const evm::U256& token) {
    TokenFacts out;
    out.owner = inft.token(token).owner;
    for (const Address& user : inft.authorized(token)) out.users.insert(user);
    out.artifact_root = inft.artifact_root(inft.session_of(token));
    return out;
  };
}

}  // namespace ffe::inference
