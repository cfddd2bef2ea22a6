// The platform that this process runs on: named, or found out. A simulator is never found out.
#pragma once

#include "tee/provider.hpp"

namespace ffe::tee {

struct PlatformOptions {
  // "configfs-tsm", "dstack", "tapp", "simulator", or "auto": the first of the first three that is
  // here.
  std::string provider = "auto";
  std::string endpoint = {};                 // of dstack or tapp; empty: their usual sockets
  std::string app_id = {};                   // of tapp
  std::filesystem::path simulator_dir = {};  // of simulator
  ConfigfsOptions configfs = {};
};

struct Platform {
  std::unique_ptr<EvidenceProvider> provider;
  // Null where the platform offers no sealing (configfs-tsm alone): secrets then die with the
  // process.
  std::unique_ptr<PlatformSealer> sealer;
};

// Throws Error{kUnsupported} if "auto" finds none, kUsage for another name.
Platform open_platform(const PlatformOptions& options);

// Whether `provider` is a name that open_platform takes.
bool known_provider(std::string_view provider);

}  // namespace ffe::tee
