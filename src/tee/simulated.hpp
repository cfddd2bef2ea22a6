// A simulated TDX platform for development networks: its own root CA, real quotes below it.
//
// IT PROTECTS NOTHING. Its keys lie as files in its folder (mode 0600); whoever reads them can sign
// any quote and open anything sealed. What it gives is the real formats: certificates, quotes and
// collateral take the same path through verify() and through the contracts as Intel's, below a root
// that production refuses. FMSPC and QE signer differ from Intel's too, so a swapped root alone
// does not make a simulated quote pass.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "tee/provider.hpp"
#include "tee/quote.hpp"
#include "tee/trust.hpp"

namespace ffe::tee {

// MRTD = SHA-384 of the executable's bytes; RTMR0..2 = SHA-384(0^48 ‖
// SHA-384("ffe.simulator.rtmrN")); RTMR3 and MRCONFIGID zero. Anyone with the same binary computes
// the same code hash.
struct SimulatedMeasurements {
  Measurement mr_td;
  std::array<Measurement, 4> rtmr{};
  Measurement mr_config_id{};
};
SimulatedMeasurements measure_executable(const std::filesystem::path& executable);
// The code hash (workload id) that a quote of this executable shows.
H256 simulated_code_hash(const std::filesystem::path& executable);

// How a quote deviates from the healthy one; tests and drills only.
struct SimulatedQuoteOptions {
  int version = 4;     // 4 or 5
  bool td15 = false;   // version 5 only
  bool debug = false;  // debug TD
  bool module_out_of_date = false;
  bool tcb_out_of_date = false;  // SEAM loader below the newest level
  Measurement mr_service_td{};   // td15 only
  // Change the TD report or the quoting enclave's report before it is signed.
  std::function<void(Bytes& report)> edit_td = {};
  std::function<void(Bytes& report)> edit_qe = {};
};

// The same for collateral.
struct SimulatedCollateralOptions {
  int64_t issued = 0;   // 0: one day ago
  int64_t expires = 0;  // 0: a year from now
  bool revoke_pck = false;
  bool revoke_intermediate = false;
  bool revoke_tcb_signing = false;
  uint32_t evaluation_number = 1;
};

class SimulatedPlatform final : public EvidenceProvider, public PlatformSealer {
 public:
  // Makes the folder (0700) with a fresh PKI. Throws Error{kUsage} if it already holds one. Logs a
  // warning that this is no protection.
  static SimulatedPlatform create(const std::filesystem::path& dir,
                                  const std::filesystem::path& executable = "/proc/self/exe");
  // Opens what create() made. Throws Error{kIo, kCorrupt}.
  static SimulatedPlatform open(const std::filesystem::path& dir,
                                const std::filesystem::path& executable = "/proc/self/exe");
  static SimulatedPlatform open_or_create(
      const std::filesystem::path& dir, const std::filesystem::path& executable = "/proc/self/exe");

  SimulatedPlatform(SimulatedPlatform&&) noexcept;
  SimulatedPlatform& operator=(SimulatedPlatform&&) noexcept;
  ~SimulatedPlatform() override;

  std::string name() const override { return "simulator"; }
  bool simulated() const override { return true; }
  Evidence quote(const FixedBytes<64>& report_data) override;  // version 4
  // Signed at call time (so it never goes stale); also written to <dir>/collateral.json.
  Collateral collateral() override;

  Bytes quote_bytes(const FixedBytes<64>& report_data,
                    const SimulatedQuoteOptions& options = {}) const;
  Collateral collateral(const SimulatedCollateralOptions& options) const;

  // RTMR3' = SHA-384(RTMR3 ‖ digest) and an entry in the event log (dstack's runtime format); lasts
  // as long as this object. The code hash is no longer simulated_code_hash() afterwards.
  void extend(std::string_view event, ByteView payload);

  // The same for an event that is logged elsewhere (the attestation agent's form).
  void extend(const Measurement& digest);

  const SimulatedMeasurements& measurements() const;
  H256 code_hash() const;  // workload id of the quotes it makes now

  // AES-256-GCM under <dir>/seal.key: nonce(12) ‖ ciphertext ‖ tag(16).
  Bytes seal(ByteView plaintext) const override;
  SecretBytes open(ByteView sealed) const override;

  // DER certificates, as the contracts take them.
  const Bytes& root_der() const;
  const Bytes& intermediate_der() const;
  const Bytes& pck_der() const;
  const Bytes& tcb_signing_der() const;
  TrustAnchor anchor() const;  // development_root(root_der())

 private:
  struct State;
  explicit SimulatedPlatform(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ffe::tee
