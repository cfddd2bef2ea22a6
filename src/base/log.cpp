#include "base/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>

#include "base/error.hpp"

namespace ffe {

void init_log(std::string_view level, bool json) {
  auto parsed = spdlog::level::from_str(std::string(level));
  if (parsed == spdlog::level::off && level != "off") {
    throw Error(ErrorCode::kUsage, "unknown log level \"" + std::string(level) + "\"",
                "use trace, debug, info, warn, error or off");
  }
  auto logger = spdlog::get("ffe");
  if (!logger) logger = spdlog::stderr_color_mt("ffe");
  logger->set_level(parsed);
  logger->set_pattern(json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%v"})"
                           : "%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(logger);
}

}  // namespace ffe
