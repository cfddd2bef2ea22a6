// What the operator and the public see of running sessions: stages and counts, never rows.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/json.hpp"

namespace ffe::aggregator {

struct SessionStatus {
  std::string stage;  // "waiting", "fetching", "checking", …, "done", "failed"
  uint64_t done = 0;
  uint64_t total = 0;
  std::string error;  // why it is being tried again, or was given up
  int64_t updated = 0;
  std::vector<int64_t> losses;  // of the joint training, micro-nats a step, as report.json has them
};

// Thread-safe.
class StatusBoard {
 public:
  void stage(const std::string& session, std::string stage, uint64_t done = 0, uint64_t total = 0);
  // The session is over; the last error stays, for whoever asks why. `why`: instead of it.
  void over(const std::string& session, std::string stage, std::string why = {});
  void losses(const std::string& session, std::span<const int64_t> so_far);
  void error(const std::string& session, std::string message);
  Json session(const std::string& session) const;  // null if unknown
  Json all() const;                                // without losses
  uint64_t failures() const;                       // attempts that failed, of all sessions

 private:
  mutable std::mutex mutex_;
  uint64_t failures_ = 0;
  std::map<std::string, SessionStatus> sessions_;
};

}  // namespace ffe::aggregator
