#include "tee/application.hpp"

#include <algorithm>
#include <optional>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "crypto/keccak.hpp"

namespace ffe::tee {
namespace {

constexpr std::string_view kTappDomain = "tapp.0g.com ";

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
  throw Error(ErrorCode::kAttestation, "application: " + message, hint);
}

std::map<std::string, std::string> string_map(const Json& content, const char* key) {
  std::map<std::string, std::string> out;
  auto at = content.find(key);
  if (at == content.end() || at->is_null()) return out;
  if (!at->is_object()) refuse(std::string(key) + " is not a map", "the log is of another version");
  for (const auto& [name, value] : at->items()) {
    bool plain = value.is_string() && name.find_first_of("=\n") == std::string::npos &&
                 value.get<std::string>().find('\n') == std::string::npos;
    if (!plain) refuse(std::string(key) + " holds an unusable entry", "rename the service or file");
    out[name] = value.get<std::string>();
  }
  return out;
}

bool succeeded(const Json& content) {
  auto at = content.find("result");
  if (at == content.end()) return false;
  if (at->is_boolean()) return at->get<bool>();
  return at->is_string() && *at == "success";
}

TappApplication started(const Json& content) {
  TappApplication out;
  out.app_id = json_string(content, "app_id", "start_app");
  out.compose_hash = fixed_from_hex<48>(json_string(content, "compose_hash", "start_app"));
  out.image_hashes = string_map(content, "image_hash");
  out.volume_hashes = string_map(content, "volumes_hash");
  for (const auto& [service, digest] : out.image_hashes) {
    if (!digest.starts_with("sha256:") || digest.size() != 71) {
      refuse("image of " + service + " is not named by its digest",
             "write image@sha256:… in the compose file");
    }
  }
  if (out.image_hashes.empty()) {
    refuse("no image digests were measured", "the Tapp service is too old");
  }
  return out;
}

H256 lines_hash(const std::map<std::string, std::string>& entries) {
  std::string text;
  for (const auto& [key, value] : entries) text += key + "=" + value + "\n";
  return crypto::keccak256(text);
}

}  // namespace

TappApplication tapp_application(const std::vector<LogEvent>& events, std::string_view app_id) {
  std::optional<TappApplication> running;
  for (const LogEvent& event : events) {
    if (event.rtmr != 3) continue;
    if (!event.bound) {
      refuse("RTMR3 holds an entry whose content is not proven", "do not trust this machine");
    }
    if (!event.name.starts_with(kTappDomain)) continue;
    std::string operation = event.name.substr(kTappDomain.size());
    if (operation != "start_app" && operation != "stop_app") continue;
    Json content = parse_json(as_text(event.data), operation);
    std::string id = json_string(content, "app_id", operation);
    if (id != app_id) {
      // A failed start counts too: parts of it may have run.
      refuse("\"" + id.substr(0, 60) + "\" was also started on this machine",
             "the operator must reboot it and start nothing else");
    }
    if (!succeeded(content)) continue;
    if (operation == "start_app") {
      running = started(content);
    } else {
      running.reset();
    }
  }
  if (!running) {
    refuse("\"" + std::string(app_id.substr(0, 60)) + "\" is not running",
           "the operator must start it");
  }
  return *running;
}

H256 app_hash(const TappApplication& application) {
  return crypto::keccak256(concat({crypto::keccak256(application.compose_hash.bytes).bytes,
                                   lines_hash(application.image_hashes).bytes,
                                   lines_hash(application.volume_hashes).bytes}));
}

H256 dstack_compose_hash(const std::vector<LogEvent>& events) {
  std::optional<H256> out;
  for (const LogEvent& event : events) {
    if (!event.bound || event.rtmr != 3) continue;
    if (event.name == "boot-mr-done") {
      if (out) return *out;
      break;
    }
    if (event.name != "compose-hash") continue;
    if (out || event.data.size() != H256::kSize) {
      refuse("the compose hash is measured twice or malformed", "do not trust this machine");
    }
    out = H256::from(event.data);
  }
  refuse("no compose hash was measured before boot-mr-done", "the machine is no dstack app");
}

namespace {

bool is_tapp(const LogEvent& event) {
  return event.bound && event.rtmr == 3 && event.name.starts_with(kTappDomain);
}

// The id in the first start; tapp_application() then refuses every other one.
std::string first_started(const std::vector<LogEvent>& events) {
  for (const LogEvent& event : events) {
    if (!is_tapp(event) || event.name.substr(kTappDomain.size()) != "start_app") continue;
    return json_string(parse_json(as_text(event.data), "start_app"), "app_id", "start_app");
  }
  refuse("nothing was started on this machine", "the operator must start the application");
}

}  // namespace

bool names_application(const std::vector<LogEvent>& events) {
  return std::ranges::any_of(events, [](const LogEvent& event) {
    return is_tapp(event) || (event.bound && event.rtmr == 3 && event.name == "compose-hash");
  });
}

H256 application_hash(const std::vector<LogEvent>& events) {
  if (std::ranges::any_of(events, is_tapp)) {
    return app_hash(tapp_application(events, first_started(events)));
  }
  return dstack_compose_hash(events);
}

}  // namespace ffe::tee
