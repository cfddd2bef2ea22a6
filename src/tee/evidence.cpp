#include "tee/evidence.hpp"

#include "base/hex.hpp"
#include "tee/tapp.hpp"

namespace ffe::tee {
namespace {

constexpr const char* kWhat = "evidence";

Bytes base64_member(const Json& json, const char* key) {
  try {
    return from_base64(json_string(json, key, kWhat));
  } catch (const Error& error) {
    throw Error(ErrorCode::kBadInput, std::string(kWhat) + "." + key + ": " + error.what(),
                "fetch the evidence again");
  }
}

EventLogFormat format_of(const std::string& name) {
  if (name == "ccel") return EventLogFormat::kCcel;
  if (name == "dstack") return EventLogFormat::kDstack;
  throw Error(ErrorCode::kBadInput,
              "evidence: unknown event log format \"" + name.substr(0, 20) + "\"",
              "known: ccel, dstack");
}

Evidence dstack_answer(const Json& json) {
  Evidence out;
  out.provider = "dstack";
  out.quote = from_hex(json_string(json, "quote", kWhat));
  std::string log = json_string(json, "event_log", kWhat);
  out.event_log.assign(log.begin(), log.end());
  out.event_log_format = EventLogFormat::kDstack;
  return out;
}

}  // namespace

Json to_json(const Evidence& evidence) {
  Json out = {{"quote", to_hex0x(evidence.quote)}};
  if (evidence.event_log_format != EventLogFormat::kNone) {
    bool ccel = evidence.event_log_format == EventLogFormat::kCcel;
    out["eventLogFormat"] = ccel ? "ccel" : "dstack";
    out["eventLog"] = to_base64(evidence.event_log);
  }
  if (!evidence.runtime_data.empty()) out["runtimeData"] = to_base64(evidence.runtime_data);
  return out;
}

Evidence evidence_from_json(const Json& json) {
  Evidence out;
  out.quote = from_hex(json_string(json, "quote", kWhat));
  if (json.contains("eventLog")) {
    out.event_log_format = format_of(json_string(json, "eventLogFormat", kWhat));
    out.event_log = base64_member(json, "eventLog");
  }
  if (json.contains("runtimeData")) out.runtime_data = base64_member(json, "runtimeData");
  return out;
}

Evidence read_evidence(ByteView file) {
  std::string_view text = as_text(file);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.starts_with('{')) {
    Json json = parse_json(text, kWhat, {.max_bytes = 32u << 20});
    if (json.contains("cc_eventlog") || json.contains("runtime_data")) {
      return parse_tapp_evidence(text);
    }
    return json.contains("event_log") ? dstack_answer(json) : evidence_from_json(json);
  }
  Evidence out;
  bool hex = text.starts_with("0x") ||
             text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  if (hex) {
    out.quote = from_hex(text);
  } else {
    out.quote.assign(file.begin(), file.end());
  }
  return out;
}

}  // namespace ffe::tee
