// Published releases: which code an enclave may run (docs/releases).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/json.hpp"

namespace ffe::client {

struct Release {
  std::string version;  // "0.1.0"
  std::string
      platform;  // "simulator": its code hash counts below a development root only; else "tdx"
  H256 code_hash;
  std::string commit;  // of the sources, 40 hexadecimal digits
};

// One file of docs/releases: {"version","commit","enclaves":[{"platform","codeHash",…}]}. Throws
// Error{kBadInput}.
std::vector<Release> parse_release(const Json& json, const std::string& what);

// The releases that this build knows: docs/releases/*.json at the time it was compiled.
const std::vector<Release>& published_releases();

}  // namespace ffe::client
