// Logging to stderr through spdlog. Log lines never hold secrets, rows or keys.
#pragma once

#include <spdlog/spdlog.h>
#include <string_view>

namespace ffe {

// Sends the default logger to stderr; `level` is trace, debug, info, warn, error or off.
// Throws Error{kUsage} for another word. `json` writes one object a line (operators' log shippers).
void init_log(std::string_view level, bool json = false);

namespace log = spdlog;

}  // namespace ffe
