#include "aggregator/metrics.hpp"

#include <fstream>
#include <map>
#include <unistd.h>

namespace ffe::aggregator {
namespace {

// A label's value: backslashes, quotes and line feeds are written out.
std::string label(const std::string& value) {
  std::string out;
  for (char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

void head(std::string& out, const char* name, const char* type, const char* help) {
  out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

template <class Number>
void single(std::string& out, const char* name, const char* type, const char* help, Number value) {
  head(out, name, type, help);
  out += std::string(name) + " " + std::to_string(value) + "\n";
}

// "publishing gate.json" and "bringing the certificate: result" count as their first word.
std::string kind(const std::string& stage) {
  for (const char* word : {"publishing", "bringing"}) {
    if (stage.starts_with(word)) return word;
  }
  return stage;
}

void inference_text(std::string& out, const inference::SealedService::Counts& c) {
  single(out, "ffe_inference_models", "gauge", "Models whose owners' keys are here.", c.models);
  single(out, "ffe_inference_streams", "gauge", "Answers under way.", c.streams);
  single(out, "ffe_inference_tokens_total", "counter", "Tokens read and drawn.", c.tokens);
  single(out, "ffe_inference_refused_total", "counter", "Requests that were refused.", c.refused);
}

}  // namespace

uint64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  uint64_t size = 0, resident = 0;
  in >> size >> resident;
  return in ? resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

std::string to_text(const Metrics& m) {
  std::string out;
  head(out, "ffe_build_info", "gauge", "Version and platform of this service.");
  out += "ffe_build_info{version=\"" + label(m.version) + "\",provider=\"" + label(m.provider) +
         "\",simulated=\"" + (m.simulated ? "true" : "false") + "\"} 1\n";

  std::map<std::string, int> stages;
  int failing = 0;
  int64_t latest = 0;
  for (const auto& [id, s] : m.sessions.items()) {
    ++stages[kind(s.value("stage", ""))];
    if (s.contains("error")) ++failing;
    latest = std::max(latest, s.value("updated", int64_t{0}));
  }
  head(out, "ffe_sessions", "gauge", "Sessions known to this service, by stage.");
  for (const auto& [stage, n] : stages) {
    out += "ffe_sessions{stage=\"" + label(stage) + "\"} " + std::to_string(n) + "\n";
  }
  single(out, "ffe_sessions_failing", "gauge", "Sessions whose last attempt failed.", failing);
  single(out, "ffe_failed_attempts_total", "counter", "Attempts that failed since the start.",
         m.failed_attempts);
  single(out, "ffe_last_progress_seconds", "gauge", "When a session last moved, unix time.",
         latest);
  single(out, "ffe_registration_valid_until_seconds", "gauge",
         "When the enclave's registration ends, unix time.", m.registration_valid_until);
  single(out, "process_resident_memory_bytes", "gauge", "Resident memory.", m.resident_bytes);
  single(out, "process_start_time_seconds", "gauge", "When the service started, unix time.",
         m.started);
  if (m.inference) inference_text(out, *m.inference);
  return out;
}

}  // namespace ffe::aggregator
