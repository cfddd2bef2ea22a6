#include "tee/tcb.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "tee/policy.hpp"

namespace ffe::tee {
namespace {

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
  throw Error(ErrorCode::kAttestation, message, hint);
}

const ModuleIdentity* find_module(const TcbInfo& info, uint8_t major) {
  std::string id = "TDX_" + to_hex({&major, 1});
  for (char& c : id) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  }
  for (const ModuleIdentity& module : info.modules) {
    if (module.id == id) return &module;
  }
  return nullptr;
}

const SvnLevel* reached(const std::vector<SvnLevel>& levels, uint32_t svn) {
  for (const SvnLevel& level : levels) {
    if (svn >= level.isv_svn) return &level;
  }
  return nullptr;
}

template <size_t N>
bool masked_equal(const FixedBytes<N>& value, const FixedBytes<N>& wanted,
                  const FixedBytes<N>& mask) {
  for (size_t i = 0; i < N; ++i) {
    if ((value[i] & mask[i]) != (wanted[i] & mask[i])) return false;
  }
  return true;
}

bool reaches_sgx(const TcbLevel& level, const PckExtension& pck) {
  if (pck.pce_svn < level.pce_svn) return false;
  for (size_t i = 0; i < 16; ++i) {
    if (pck.components[i] < level.sgx[i]) return false;
  }
  return true;
}

// With a module of major version 1 or later its own identity judges bytes 0 and 1 of TEE_TCB_SVN.
bool reaches_tdx(const TcbLevel& level, const TdReport& td) {
  for (size_t i = td.tee_tcb_svn[1] > 0 ? 2 : 0; i < 16; ++i) {
    if (td.tee_tcb_svn[i] < level.tdx[i]) return false;
  }
  return true;
}

bool mentions_configuration(const std::string& status) {
  return status.find("Configuration") != std::string::npos;
}

std::string converge(const std::string& status, const std::string& component) {
  if (component == kRevoked) return kRevoked;
  if (component == kOutOfDate) {
    if (status == kUpToDate || status == kSwHardeningNeeded) return kOutOfDate;
    if (status == kConfigurationNeeded || status == kConfigurationAndSwHardeningNeeded) {
      return kOutOfDateConfigurationNeeded;
    }
  }
  return status;
}

// The module that runs now (TEE_TCB_SVN_2) is current although the one that launched the TD was
// not.
bool current_module_is_newest(const TcbInfo& info, const TdReport& td) {
  const TcbLevel& newest = info.levels.front();
  uint32_t needed = newest.tdx[0];
  if (td.tee_tcb_svn2[1] > 0) {
    const ModuleIdentity* module = find_module(info, td.tee_tcb_svn2[1]);
    if (module == nullptr) return false;
    needed = module->levels.front().isv_svn;
  }
  return td.tee_tcb_svn2[0] >= needed && td.tee_tcb_svn2[2] >= newest.tdx[2];
}

}  // namespace

ModuleMatch match_module(const TcbInfo& info, const TdReport& td) {
  ModuleMatch out{&info.module, nullptr};
  uint8_t major = td.tee_tcb_svn[1];
  if (major > 0) {
    out.identity = find_module(info, major);
    if (out.identity == nullptr) {
      refuse("TDX module of major version " + std::to_string(major) + " is not in the TCB info",
             "fetch newer collateral; if it still is not there, the module is not Intel's");
    }
  }
  if (td.mr_signer_seam != out.identity->mr_signer) {
    refuse("TDX module was not signed by Intel (MRSIGNERSEAM)", "do not trust this machine");
  }
  if (!td.seam_attributes.is_zero() || td.seam_attributes != out.identity->attributes) {
    refuse("TDX module has attributes " + to_hex(td.seam_attributes.bytes),
           "a debug TDX module protects nothing; do not trust this machine");
  }
  if (major > 0) {
    out.level = reached(out.identity->levels, td.tee_tcb_svn[0]);
    if (out.level == nullptr) {
      refuse("TDX module version " + std::to_string(td.tee_tcb_svn[0]) + " of " + out.identity->id +
                 " is below every level of the TCB info",
             "the operator must update the TDX module");
    }
  }
  return out;
}

const SvnLevel& match_qe(const QeIdentity& identity, const QeReport& qe) {
  const std::string hint = "the quote was not made by Intel's TD quoting enclave";
  if (!masked_equal(qe.misc_select, identity.misc_select, identity.misc_select_mask)) {
    refuse("quoting enclave: MISCSELECT differs from its identity", hint);
  }
  if (!masked_equal(qe.attributes, identity.attributes, identity.attributes_mask)) {
    refuse("quoting enclave: ATTRIBUTES differ from its identity (debug?)", hint);
  }
  if (qe.mr_signer != identity.mr_signer) {
    refuse("quoting enclave: signed by " + to_hex(qe.mr_signer.bytes), hint);
  }
  if (qe.isv_prod_id != identity.isv_prod_id) {
    refuse("quoting enclave: product " + std::to_string(qe.isv_prod_id) + ", expected " +
               std::to_string(identity.isv_prod_id),
           hint);
  }
  const SvnLevel* level = reached(identity.levels, qe.isv_svn);
  if (level == nullptr) {
    refuse("quoting enclave: version " + std::to_string(qe.isv_svn) + " is below every level",
           "the operator must update the platform software");
  }
  return *level;
}

LevelMatch match_level(const TcbInfo& info, const PckExtension& pck, const TdReport& td) {
  const std::string hint = "the operator must update firmware and microcode";
  auto first = std::find_if(info.levels.begin(), info.levels.end(),
                            [&](const TcbLevel& level) { return reaches_sgx(level, pck); });
  if (first == info.levels.end()) {
    refuse("TCB not supported: the PCK certificate's versions reach no TCB level", hint);
  }
  auto both = std::find_if(first, info.levels.end(), [&](const TcbLevel& level) {
    return reaches_sgx(level, pck) && reaches_tdx(level, td);
  });
  if (both == info.levels.end()) {
    refuse(
        "TCB not supported: TEE_TCB_SVN " + to_hex(td.tee_tcb_svn.bytes) + " reaches no TCB level",
        hint);
  }
  return {&*first, &*both};
}

std::string converged_status(const TcbInfo& info, const TdReport& td, const LevelMatch& level,
                             const ModuleMatch& module, const SvnLevel& qe) {
  std::string module_status = module.level != nullptr ? module.level->status : kUpToDate;
  std::string status = converge(level.tdx->status, module_status);
  const std::string& sgx = level.sgx->status;
  bool sgx_current = sgx == kUpToDate || sgx == kSwHardeningNeeded || sgx == kConfigurationNeeded ||
                     sgx == kConfigurationAndSwHardeningNeeded;
  bool out_of_date = status == kOutOfDate || status == kOutOfDateConfigurationNeeded;
  if (td.version == TdVersion::k15 && out_of_date && sgx_current && module_status == kOutOfDate &&
      qe.status == kUpToDate && current_module_is_newest(info, td)) {
    status = mentions_configuration(sgx) || mentions_configuration(status)
                 ? kRelaunchAdvisedConfigurationNeeded
                 : kRelaunchAdvised;
  }
  return converge(status, qe.status);
}

}  // namespace ffe::tee
