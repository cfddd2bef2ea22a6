// Intel's signed statements about TCB levels (TCB info version 3 for TDX) and about the quoting
// enclave (identity version 2, TD_QE), and the rules that turn them and a quote into one status.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "tee/pck_extension.hpp"
#include "tee/quote.hpp"

namespace ffe::tee {

struct SvnLevel {
  uint32_t isv_svn = 0;
  std::string status;
  std::vector<std::string> advisories;
};

struct ModuleIdentity {
  std::string id;  // "TDX_01"; empty for the base module
  Measurement mr_signer;
  FixedBytes<8> attributes;
  std::vector<SvnLevel> levels;  // newest first
};

struct TcbLevel {
  std::array<uint8_t, 16> sgx{};
  std::array<uint8_t, 16> tdx{};
  uint32_t pce_svn = 0;
  std::string status;
  std::vector<std::string> advisories;
};

struct TcbInfo {
  int64_t issued = 0, next_update = 0;
  uint32_t evaluation_number = 0;
  FixedBytes<6> fmspc;
  FixedBytes<2> pce_id;
  ModuleIdentity module;
  std::vector<ModuleIdentity> modules;
  std::vector<TcbLevel> levels;  // newest first, as published
};

struct QeIdentity {
  int64_t issued = 0, next_update = 0;
  uint32_t evaluation_number = 0;
  FixedBytes<4> misc_select, misc_select_mask;
  FixedBytes<16> attributes, attributes_mask;
  H256 mr_signer;
  uint32_t isv_prod_id = 0;
  std::vector<SvnLevel> levels;  // newest first
};

// Throw Error{kBadInput} for another id or version, a missing member or an unknown TCB status.
TcbInfo parse_tcb_info(std::string_view text);
QeIdentity parse_qe_identity(std::string_view text);

// The following throw Error{kAttestation} where the quote does not fit.

// The identity that the quote's TDX module must have; checks signer and attributes. The level is
// the newest that its version reaches, absent for the base module, which has none.
struct ModuleMatch {
  const ModuleIdentity* identity = nullptr;
  const SvnLevel* level = nullptr;
};
ModuleMatch match_module(const TcbInfo& info, const TdReport& td);

// Checks the quoting enclave's report and returns its level.
const SvnLevel& match_qe(const QeIdentity& identity, const QeReport& qe);

struct LevelMatch {
  const TcbLevel* sgx = nullptr;  // newest level that the PCK certificate reaches
  const TcbLevel* tdx = nullptr;  // newest level from there on that TEE_TCB_SVN reaches too
};
LevelMatch match_level(const TcbInfo& info, const PckExtension& pck, const TdReport& td);

// One status from the three (Intel's convergence rules), including the advice to relaunch a TD that
// an older module launched.
std::string converged_status(const TcbInfo& info, const TdReport& td, const LevelMatch& level,
                             const ModuleMatch& module, const SvnLevel& qe);

}  // namespace ffe::tee
