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

// Linux configfs-tsm (kernel 6.7 or newer; Documentation/ABI/testing/configfs-tsm-report).
struct ConfigfsOptions {
  std::filesystem::path root = "/sys/kernel/config/tsm/report";
  std::string entry = {};    // report entry below root; empty: one of its own per request
  int patience_ms = 60'000;  // for a platform that is busy or slow
};
std::unique_ptr<EvidenceProvider> configfs_provider(ConfigfsOptions options = {});

// dstack guest agent: HTTP over a Unix socket.
struct DstackOptions {
  // A socket's path or an http:// URL. Empty: the first that exists of DSTACK_SIMULATOR_ENDPOINT
  // (the agent's own convention) and the usual sockets below /var/run and /run.
  std::string endpoint = {};
  int timeout_ms = 30'000;
};
std::unique_ptr<EvidenceProvider> dstack_provider(DstackOptions options = {});

// What every provider does last: throws Error{kAttestation} unless the quote parses as TDX and
// holds exactly this report data.
void check_evidence(const Evidence& evidence, const FixedBytes<64>& report_data);

}  // namespace ffe::tee
