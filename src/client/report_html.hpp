// A session's story as one self-contained HTML page.
#pragma once

#include <string>

#include "base/json.hpp"

namespace ffe::client {

// `report`: as `ffe demo --json` prints it (docs/spec/demo.md). No scripts, no external resources;
// every text from outside is escaped.
std::string report_html(const Json& report);

}  // namespace ffe::client
