// Full DCAP verification of a TDX quote (docs/spec/attestation.md lists the checks in their order).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "tee/collateral.hpp"
#include "tee/policy.hpp"
#include "tee/provider.hpp"
#include "tee/quote.hpp"
#include "tee/trust.hpp"

namespace ffe::tee {

// One named check. Names are paths ("crl.pck"), so the list reads as a tree.
struct Check {
  enum State { passed, failed, not_evaluated };
  std::string name;
  State state = not_evaluated;
  std::string detail;  // what was found
  std::string advice;  // failed only: what to do about it
};

struct Verification {
  std::vector<Check> checks;  // every check of the procedure, in its order
  bool accepted = false;      // all were reached and none failed
  bool simulated = false;     // the trust anchor was a development root: no protection at all

  // Known as far as verification got; empty or zero before.
  std::optional<Quote> quote;
  std::string tcb_status;
  std::vector<std::string> advisories;  // sorted, unique
  std::string fmspc;                    // hexadecimal, lower case
  std::string ppid;
  std::string platform_instance_id;
  std::string pck_serial;
  // What the replayed event log says runs there (app_hash() or dstack's compose hash), and the code
  // hash that follows. Absent: no log, or no application in it; the code is then the workload id.
  std::optional<H256> app_hash;
  std::optional<H256> code_hash;
  uint32_t tcb_evaluation_number = 0;
  int64_t collateral_expires = 0;  // unix time at which the first piece of collateral expires

  const Check* first_failed() const;
  // Throws Error{kAttestation} with the first failed check's detail and advice unless accepted.
  void require() const;
};

Json to_json(const Verification& verification);

// Remembers the newest collateral that was ever accepted, so that older (still unexpired)
// collateral cannot be fed later.
class RollbackGuard {
 public:
  virtual ~RollbackGuard() = default;
  // `platform` names anchor and FMSPC. Zero when nothing is remembered.
  virtual uint32_t highest(const std::string& platform) const = 0;
  virtual void record(const std::string& platform, uint32_t evaluation_number) = 0;
};

// Keeps the numbers in one JSON file. Throws Error{kIo}, or kCorrupt if the file is not its own.
std::unique_ptr<RollbackGuard> file_rollback_guard(std::filesystem::path file);

// Never throws for bad quotes or bad collateral: they end in a failed check. `unix_time` is the
// verifier's clock. The guard, if any, is asked, and told only about accepted quotes.
Verification verify(ByteView quote, const Collateral& collateral, const TrustAnchor& anchor,
                    int64_t unix_time, const Policy& policy, RollbackGuard* guard = nullptr);

// The same with what came beside the quote: runtime data must hash to the report data, an event log
// must replay to the registers and name one application.
Verification verify(const Evidence& evidence, const Collateral& collateral,
                    const TrustAnchor& anchor, int64_t unix_time, const Policy& policy,
                    RollbackGuard* guard = nullptr);

}  // namespace ffe::tee
