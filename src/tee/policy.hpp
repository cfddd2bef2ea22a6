// What a relying party accepts beyond "genuine": TCB status, advisories, machines, measurements.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/json.hpp"

namespace ffe::tee {

// TCB statuses, in Intel's spelling.
inline constexpr const char* kUpToDate = "UpToDate";
inline constexpr const char* kSwHardeningNeeded = "SWHardeningNeeded";
inline constexpr const char* kConfigurationNeeded = "ConfigurationNeeded";
inline constexpr const char* kConfigurationAndSwHardeningNeeded =
    "ConfigurationAndSWHardeningNeeded";
inline constexpr const char* kOutOfDate = "OutOfDate";
inline constexpr const char* kOutOfDateConfigurationNeeded = "OutOfDateConfigurationNeeded";
inline constexpr const char* kRevoked = "Revoked";
inline constexpr const char* kRelaunchAdvised = "TDRelaunchAdvised";
inline constexpr const char* kRelaunchAdvisedConfigurationNeeded =
    "TDRelaunchAdvisedConfigurationNeeded";

struct Policy {
  // Accepted statuses. "Revoked" is refused whatever stands here.
  std::set<std::string> tcb_statuses = {kUpToDate, kSwHardeningNeeded};

  // Advisories that may be open at this platform. Unset: any that the accepted statuses come with.
  // A status outside the default pair is accepted only together with a list.
  std::optional<std::set<std::string>> advisories;

  // Machines, by the hexadecimal (lower case) value in the PCK certificate. Unset: any.
  std::optional<std::set<std::string>> fmspcs;
  std::optional<std::set<std::string>> platform_ids;  // platform instance id or PPID

  // Code: the workload id; where RTMR3 grows, the code hash that the event log proves, or at least
  // the platform hash. Unset: not judged here.
  std::optional<std::set<H256>> workload_ids;
  std::optional<std::set<H256>> code_hashes;
  std::optional<std::set<H256>> platform_hashes;

  std::optional<FixedBytes<64>> report_data;  // must be equal

  uint64_t allowed_td_attributes = 0x80000000'D0000000;  // SEPT_VE_DISABLE, PKS, KL, PERFMON
  uint64_t allowed_xfam = 0x65AE7;                       // x87 SSE AVX AVX-512 PKRU CET UINTR AMX
  uint32_t minimum_evaluation_number = 0;

  // A development root is refused, however it got here, unless this is set.
  bool allow_development = false;

  // The defaults with allow_development set.
  static Policy development();
};

// {"tcbStatuses":[…],"advisories":[…],"fmspcs":[…],"platformIds":[…],"workloadIds":[…],
// "codeHashes":[…],"platformHashes":[…],"reportData":"0x…","minimumEvaluationNumber":n}; every
// member is optional, an unknown one is an Error{kBadInput}. allow_development cannot be set by a
// file.
Policy policy_from_json(const Json& json);

}  // namespace ffe::tee
