// Where evidence comes from: the platform this process runs on.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "tee/collateral.hpp"

namespace ffe::tee {

enum class EventLogFormat { kNone, kCcel, kDstack };

struct Evidence {
  Bytes quote;
  EventLogFormat event_log_format = EventLogFormat::kNone;
  Bytes event_log;
  Bytes runtime_data;    // 0G Tapp only: the bytes whose SHA-512 is the report data
  std::string provider;  // "configfs-tsm", "dstack", "tapp", "simulator"
  bool simulated = false;
};

class EvidenceProvider {
 public:
  virtual ~EvidenceProvider() = default;
  virtual std::string name() const = 0;
  virtual bool simulated() const { return false; }

  // A quote over exactly these 64 bytes; the implementation has compared them with what came back.
  // Throws Error{kIo, kNetwork, kUnsupported or kAttestation}.
  virtual Evidence quote(const FixedBytes<64>& report_data) = 0;

  // Collateral, where the platform hands it out itself. Throws Error{kUnsupported} otherwise.
  virtual Collateral collateral();
};

// Wraps state of the enclave for its own platform, so that it survives a restart.
class PlatformSealer {
 public:
  virtual ~PlatformSealer() = default;
  virtual Bytes seal(ByteView plaintext) const = 0;
  // Throws Error{kCorrupt} unless `sealed` was made by seal() on this platform.
  virtual SecretBytes open(ByteView sealed) const = 0;
};

// Linux configfs-tsm (kernel 6.7 or newer). `root` is normally /sys/kernel/config/tsm/report.
std::unique_ptr<EvidenceProvider> configfs_provider(
    std::filesystem::path root = "/sys/kernel/config/tsm/report");

}  // namespace ffe::tee
