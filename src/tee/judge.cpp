#include "tee/judge.hpp"

#include "base/hex.hpp"

namespace ffe::tee {
namespace {

constexpr uint64_t kSeptVeDisable = uint64_t{1} << 28;
constexpr uint64_t kXfamFixed = 3;  // x87 and SSE exist in every TD

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
  throw Error(ErrorCode::kAttestation, message, hint);
}

void judge_td(const Policy& policy, const TdReport& td, Checklist& list) {
  list.evaluate("td.debug", [&]() -> std::string {
    if (td.debug()) {
      refuse("this TD runs in debug mode: its host can read and change its memory",
             "never give data to it; the operator must start it without debug");
    }
    return "not a debug TD";
  });
  list.evaluate("td.attributes", [&] {
    uint64_t attributes = get_le64(td.td_attributes.data());
    std::string shown = to_hex(td.td_attributes.bytes);
    if ((attributes & kSeptVeDisable) == 0) {
      refuse("TDATTRIBUTES " + shown + ": SEPT_VE_DISABLE is clear",
             "the host could make the TD lose memory pages unnoticed; the operator must set it");
    }
    if ((attributes & ~policy.allowed_td_attributes & ~uint64_t{0xff}) != 0) {
      refuse("TDATTRIBUTES " + shown + ": a reserved or forbidden bit is set",
             "the operator must start the TD without it");
    }
    return shown;
  });
  list.evaluate("td.xfam", [&] {
    uint64_t xfam = get_le64(td.xfam.data());
    std::string shown = to_hex(td.xfam.bytes);
    if ((xfam & kXfamFixed) != kXfamFixed || (xfam & ~policy.allowed_xfam) != 0) {
      refuse("XFAM " + shown + " holds CPU features that the policy does not allow",
             "the operator must start the TD without them");
    }
    return shown;
  });
  if (td.version == TdVersion::k10) {
    list.skip("td.service_td", "TD report 1.0 has no such field");
    return;
  }
  list.evaluate("td.service_td", [&]() -> std::string {
    if (!td.mr_service_td.is_zero()) {
      refuse("a service TD is bound to this TD (MRSERVICETD)",
             "it could migrate the TD's memory elsewhere; the operator must start it without one");
    }
    return "none";
  });
}

void judge_tcb(const Policy& policy, const Verification& found, Checklist& list) {
  static const std::set<std::string> healthy = {kUpToDate, kSwHardeningNeeded};
  list.evaluate("policy.tcb_status", [&] {
    if (!policy.tcb_statuses.contains(found.tcb_status)) {
      refuse("TCB status " + found.tcb_status + " is not accepted",
             "the operator must update the platform; accepting it needs a policy that names the "
             "status and its advisories");
    }
    if (!healthy.contains(found.tcb_status) && !policy.advisories) {
      refuse("TCB status " + found.tcb_status + " is accepted only with a list of advisories",
             "name the advisories that you judged harmless in the policy");
    }
    return found.tcb_status;
  });
  if (!policy.advisories) {
    list.skip("policy.advisories", "the policy has no list of advisories");
    return;
  }
  list.evaluate("policy.advisories", [&] {
    for (const std::string& id : found.advisories) {
      if (!policy.advisories->contains(id)) {
        refuse("advisory " + id + " is open at this platform",
               "read it; if it does not matter to you, name it in the policy");
      }
    }
    return std::to_string(found.advisories.size()) + " open, all allowed";
  });
}

void judge_machine(const Policy& policy, const Verification& found, Checklist& list) {
  if (!policy.fmspcs) {
    list.skip("policy.fmspc", "the policy has no list of FMSPCs");
  } else {
    list.evaluate("policy.fmspc", [&] {
      if (!policy.fmspcs->contains(found.fmspc)) {
        refuse("FMSPC " + found.fmspc + " is not in the policy", "use a machine that is");
      }
      return found.fmspc;
    });
  }
  if (!policy.platform_ids) {
    list.skip("policy.platform", "the policy has no list of machines");
    return;
  }
  list.evaluate("policy.platform", [&] {
    for (const std::string& id : {found.platform_instance_id, found.ppid}) {
      if (policy.platform_ids->contains(id)) return id;
    }
    refuse(
        "machine " + found.platform_instance_id + " (PPID " + found.ppid + ") is not in the policy",
        "use a machine that is, or add this one after checking where it stands");
  });
}

void judge_code(const Policy& policy, const Verification& found, Checklist& list) {
  const TdReport& td = found.quote->td;
  if (!policy.workload_ids && !policy.code_hashes && !policy.platform_hashes) {
    list.skip("policy.measurement", "the policy names no measurement: any code would pass");
  } else {
    list.evaluate("policy.measurement", [&] {
      H256 workload = workload_id(td), platform = platform_hash(td);
      if (policy.workload_ids && policy.workload_ids->contains(workload)) {
        return "workload " + to_hex0x(workload.bytes);
      }
      if (policy.code_hashes && found.code_hash && policy.code_hashes->contains(*found.code_hash)) {
        return "code " + to_hex0x(found.code_hash->bytes);
      }
      if (policy.platform_hashes && policy.platform_hashes->contains(platform)) {
        return "platform " + to_hex0x(platform.bytes);
      }
      refuse("workload " + to_hex0x(workload.bytes) + ", platform " + to_hex0x(platform.bytes) +
                 " is not in the policy",
             "this enclave runs other code than you agreed to");
    });
  }
  if (!policy.report_data) {
    list.skip("policy.report_data", "no report data was expected");
    return;
  }
  list.evaluate("policy.report_data", [&]() -> std::string {
    if (td.report_data != *policy.report_data) {
      refuse("report data is " + to_hex(td.report_data.bytes) + ", expected " +
                 to_hex(policy.report_data->bytes),
             "the quote was made for another signer, registry or moment");
    }
    return "as expected";
  });
}

}  // namespace

void judge(const Policy& policy, const Verification& found, Checklist& list) {
  judge_td(policy, found.quote->td, list);
  judge_tcb(policy, found, list);
  judge_machine(policy, found, list);
  judge_code(policy, found, list);
}

}  // namespace ffe::tee
