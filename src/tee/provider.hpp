// Where evidence comes from: the platform this process runs on.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
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

  // A quote over exactly these 64 bytes, or (0G Tapp 0.4 and newer, which takes no report data)
  // over runtime data that binds the same signer and hash; the implementation has compared what
  // came back (check_evidence). Throws Error{kIo, kNetwork, kUnsupported or kAttestation}.
  virtual Evidence quote(const FixedBytes<64>& report_data) = 0;

  // The key that this platform's evidence names as signer, where it names one of its own. An
  // enclave there must sign with it: nobody vouches for another.
  virtual std::optional<SecretBytes> signing_key() { return std::nullopt; }

  // Collateral, where the platform hands it out itself (the simulator). Throws Error{kUnsupported}
  // otherwise: CollateralSource fetches Intel's.
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
  // The firmware's event log; given along where it replays to the quote's registers.
  std::filesystem::path event_log = "/sys/firmware/acpi/tables/data/CCEL";
};
std::unique_ptr<EvidenceProvider> configfs_provider(ConfigfsOptions options = {});
// Whether this is a TDX guest that serves quotes there.
bool configfs_serves_tdx(const ConfigfsOptions& options = {});

// dstack guest agent: HTTP over a Unix socket.
struct DstackOptions {
  // A socket's path or an http:// URL. Empty: the first that exists of DSTACK_SIMULATOR_ENDPOINT
  // (the agent's own convention) and the usual sockets below /var/run and /run.
  std::string endpoint = {};
  int timeout_ms = 30'000;
};
std::unique_ptr<EvidenceProvider> dstack_provider(DstackOptions options = {});
// Under a key that dstack's key service derives for this application (GetKey).
std::unique_ptr<PlatformSealer> dstack_sealer(DstackOptions options = {});
// The first agent's socket that exists, or what DSTACK_SIMULATOR_ENDPOINT says; empty if none.
std::string find_dstack();

// 0G Tapp's service: gRPC over a Unix socket (or http://host:port, https://host:port, where only
// evidence can be had).
struct TappOptions {
  std::string endpoint = {};  // empty: /run/tapp/tapp.sock
  std::string app_id = {};
  int timeout_ms = 30'000;
  // Where the container has configfs-tsm too, quotes come from there (with report data of our
  // choice), and only the event log from the service.
  ConfigfsOptions tsm = {};
};
std::unique_ptr<EvidenceProvider> tapp_provider(TappOptions options);
// Under a secret of 0G's key service (GetSecretResource); the application's own key will not do, it
// changes with each reboot.
std::unique_ptr<PlatformSealer> tapp_sealer(TappOptions options);

// What every provider does last: throws Error{kAttestation} unless the quote parses as TDX and
// binds this report data: holds it exactly, or is over the SHA-512 of runtime data whose signer is
// its first 20 bytes and whose nonce is the 32 after them.
void check_evidence(const Evidence& evidence, const FixedBytes<64>& report_data);

}  // namespace ffe::tee
