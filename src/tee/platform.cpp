#include "tee/platform.hpp"

#include <algorithm>
#include <array>

#include "base/log.hpp"
#include "tee/simulated.hpp"

namespace ffe::tee {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"auto", "configfs-tsm", "dstack", "tapp",
                                                    "simulator"};
constexpr const char* kTappSocket = "/run/tapp/tapp.sock";

std::string detected(const PlatformOptions& options) {
  if (configfs_serves_tdx(options.configfs)) return "configfs-tsm";
  if (!find_dstack().empty()) return "dstack";
  if (std::filesystem::exists(kTappSocket)) return "tapp";
  throw Error(ErrorCode::kUnsupported,
              "this machine is no TDX guest that FFE knows: no configfs-tsm, no dstack agent, no "
              "Tapp socket",
              "a simulator must be asked for by name: provider = \"simulator\"");
}

// One object is both for the simulator; the sealer shares its folder, not its life.
Platform simulated(const PlatformOptions& options) {
  return {
      std::make_unique<SimulatedPlatform>(SimulatedPlatform::open_or_create(options.simulator_dir)),
      std::make_unique<SimulatedPlatform>(SimulatedPlatform::open(options.simulator_dir))};
}

}  // namespace

bool known_provider(std::string_view provider) {
  return std::ranges::find(kNames, provider) != kNames.end();
}

Platform open_platform(const PlatformOptions& options) {
  std::string name = options.provider == "auto" ? detected(options) : options.provider;
  if (options.provider == "auto") log::info("evidence comes from {}", name);
  if (name == "simulator") return simulated(options);
  if (name == "configfs-tsm") {
    // The key service of the surrounding platform seals, where there is one.
    return {configfs_provider(options.configfs), find_dstack().empty() ? nullptr : dstack_sealer()};
  }
  if (name == "dstack") {
    DstackOptions dstack{.endpoint = options.endpoint};
    return {dstack_provider(dstack), dstack_sealer(dstack)};
  }
  if (name == "tapp") {
    TappOptions tapp{
        .endpoint = options.endpoint, .app_id = options.app_id, .tsm = options.configfs};
    return {tapp_provider(tapp), tapp_sealer(tapp)};
  }
  throw Error(ErrorCode::kUsage, "unknown provider \"" + name + "\"",
              "known: auto, configfs-tsm, dstack, tapp, simulator");
}

}  // namespace ffe::tee
