// What the application layer of a machine is, as its replayed event log tells it. Call only with
// events whose replay was checked against a verified quote (check_replay).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "tee/event_log.hpp"

namespace ffe::tee {

// 0G Tapp: the application that its last successful start_app started.
struct TappApplication {
  std::string app_id;
  FixedBytes<48> compose_hash;                       // SHA-384 of the normalised compose file
  std::map<std::string, std::string> image_hashes;   // service -> "sha256:<hex>"
  std::map<std::string, std::string> volume_hashes;  // mounted file -> SHA-384, hexadecimal
};

// Throws Error{kAttestation} unless `app_id` runs, it alone was ever started since boot (another
// application on the same machine could have read its secrets), and its images are named by digest.
TappApplication tapp_application(const std::vector<LogEvent>& events, std::string_view app_id);

// keccak256(abi.encode(keccak256(composeHash), keccak256(images), keccak256(volumes))), where
// images and volumes are the lines "<key>=<value>\n" in order of their keys.
H256 app_hash(const TappApplication& application);

// dstack: the payload of the one compose-hash event before boot-mr-done (SHA-256 of the app-compose
// file). Throws Error{kAttestation} if there is none, or more than one.
H256 dstack_compose_hash(const std::vector<LogEvent>& events);

// Whether the log says anything about an application at all (of either kind).
bool names_application(const std::vector<LogEvent>& events);

// The application half of the code hash: app_hash() of the one application that Tapp started, or
// dstack's compose hash. Throws as those two do.
H256 application_hash(const std::vector<LogEvent>& events);

}  // namespace ffe::tee
