#include "aggregator/status.hpp"

#include <ctime>

#include "base/log.hpp"

namespace ffe::aggregator {
namespace {

Json to_json(const SessionStatus& s) {
  Json out = {{"stage", s.stage}, {"done", s.done}, {"total", s.total}, {"updated", s.updated}};
  if (!s.error.empty()) out["error"] = s.error;
  return out;
}

}  // namespace

void StatusBoard::stage(const std::string& session, std::string stage, uint64_t done,
                        uint64_t total) {
  std::lock_guard lock(mutex_);
  SessionStatus& s = sessions_[session];
  if (s.stage != stage) log::info("session {}: {}", session, stage);
  s = {std::move(stage), done, total, "", std::time(nullptr), std::move(s.losses)};
}

void StatusBoard::losses(const std::string& session, std::span<const int64_t> so_far) {
  std::lock_guard lock(mutex_);
  sessions_[session].losses.assign(so_far.begin(), so_far.end());
}

void StatusBoard::over(const std::string& session, std::string stage, std::string why) {
  std::lock_guard lock(mutex_);
  SessionStatus& s = sessions_[session];
  if (s.stage != stage) log::info("session {}: {}", session, stage);
  s = {std::move(stage),   0, 0, why.empty() ? s.error : std::move(why), std::time(nullptr),
       std::move(s.losses)};
}

void StatusBoard::error(const std::string& session, std::string message) {
  std::lock_guard lock(mutex_);
  log::warn("session {}: {}", session, message);
  ++failures_;
  sessions_[session].error = std::move(message);
  sessions_[session].updated = std::time(nullptr);
}

Json StatusBoard::session(const std::string& session) const {
  std::lock_guard lock(mutex_);
  auto it = sessions_.find(session);
  if (it == sessions_.end()) return Json();
  Json out = to_json(it->second);
  if (!it->second.losses.empty()) out["lossCurve"] = it->second.losses;
  return out;
}

uint64_t StatusBoard::failures() const {
  std::lock_guard lock(mutex_);
  return failures_;
}

Json StatusBoard::all() const {
  std::lock_guard lock(mutex_);
  Json out = Json::object();
  for (const auto& [id, status] : sessions_) out[id] = to_json(status);
  return out;
}

}  // namespace ffe::aggregator
