#include "tee/verify.hpp"

#include <algorithm>
#include <set>

#include "base/hex.hpp"
#include "crypto/hash.hpp"
#include "tee/application.hpp"
#include "tee/binding.hpp"
#include "tee/checklist.hpp"
#include "tee/event_log.hpp"
#include "tee/judge.hpp"
#include "tee/pck_extension.hpp"
#include "tee/tcb.hpp"
#include "tee/x509.hpp"

namespace ffe::tee {
namespace {

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
  throw Error(ErrorCode::kAttestation, message, hint);
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// One run: members are filled in by the steps, in the order of the check list.
class Procedure {
 public:
  Procedure(const Collateral& collateral, const TrustAnchor& anchor, int64_t now,
            const Policy& policy, RollbackGuard* guard, Verification& out)
      : collateral_(collateral),
        anchor_(anchor),
        now_(now),
        policy_(policy),
        guard_(guard),
        out_(out) {}

  void run(const Evidence& evidence, Checklist& list) {
    quote_format(evidence.quote, list);
    pck_chain(list);
    revocation(list);
    signed_documents(list);
    platform(list);
    signatures(list);
    tcb(list);
    beside_the_quote(evidence, list);
  }

  std::string rollback_key() const {
    // Every simulator has the same FMSPC, and nothing to do with the next.
    std::string root = to_hex(anchor_.certificate_sha256.bytes).substr(0, 16);
    return (anchor_.development ? "development-" + root + "/" : "intel/") + out_.fmspc;
  }

 private:
  void quote_format(ByteView blob, Checklist& list) {
    list.require("quote.format", [&] {
      out_.quote = parse_quote(blob);
      const Quote& q = *out_.quote;
      return "TDX quote version " + std::to_string(q.version) + ", TD report " +
             (q.td.version == TdVersion::k15 ? "1.5" : "1.0") + ", " + std::to_string(q.size) +
             " bytes, " + std::to_string(q.trailing) + " unsigned bytes after it";
    });
    list.require("anchor.permitted", [&]() -> std::string {
      if (!anchor_.development) return anchor_.name;
      if (!policy_.allow_development) {
        refuse("\"" + anchor_.name + "\" is a development root",
               "simulated enclaves protect nothing; only a development network may allow them");
      }
      return "\"" + anchor_.name + "\" is a development root: this proves nothing";
    });
  }

  void pck_chain(Checklist& list) {
    list.require("pck_chain.certificates", [&] {
      const std::string& pem = out_.quote->pck_chain;
      chain_ = parse_pem_chain(pem, 3);
      if (chain_.size() != 3 || !pem.ends_with('\n')) {
        refuse("the quote holds " + std::to_string(chain_.size()) + " certificates",
               "it must hold leaf, intermediate and root, each as a complete PEM block");
      }
      if (!contains(chain_[0].common_name(), "SGX PCK Certificate") ||
          !contains(chain_[1].common_name(), "CA") ||
          !contains(chain_[2].common_name(), "SGX Root CA")) {
        refuse("the chain is \"" + chain_[0].common_name() + "\", \"" + chain_[1].common_name() +
                   "\", \"" + chain_[2].common_name() + "\"",
               "it must be PCK certificate, PCK CA, SGX root, in this order");
      }
      return chain_[0].common_name() + ", " + chain_[1].common_name() + ", " +
             chain_[2].common_name();
    });
    list.require("pck_chain.root", [&] { return check_root(chain_[2]); });
    list.require("pck_chain.intermediate", [&] {
      check_certificate(chain_[1], chain_[2], Role::kIntermediate, now_);
      return "valid until " + format_utc(expires(chain_[1].not_after()));
    });
    list.require("pck_chain.leaf", [&] {
      check_certificate(chain_[0], chain_[1], Role::kLeaf, now_);
      out_.pck_serial = chain_[0].serial();
      return "serial " + out_.pck_serial + ", valid until " +
             format_utc(expires(chain_[0].not_after()));
    });
    list.require("pck_chain.sgx_extension", [&] {
      pck_ = pck_extension(chain_[0]);
      out_.fmspc = to_hex(pck_.fmspc.bytes);
      out_.ppid = to_hex(pck_.ppid.bytes);
      out_.platform_instance_id = to_hex(pck_.platform_instance_id.bytes);
      return "FMSPC " + out_.fmspc + ", PPID " + out_.ppid;
    });
  }

  std::string check_root(const Certificate& root) {
    if (crypto::sha256(root.der()) != anchor_.certificate_sha256 ||
        root.public_key() != anchor_.public_key) {
      refuse("untrusted root \"" + root.common_name() + "\", expected \"" + anchor_.name + "\"",
             anchor_.development
                 ? "this quote does not belong to the development network's platform"
                 : "only quotes below Intel's root prove anything; a simulator's do not");
    }
    check_certificate(root, root, Role::kRoot, now_);
    return anchor_.name + ", SHA-256 " + to_hex(anchor_.certificate_sha256.bytes);
  }

  void revocation(Checklist& list) {
    list.require("crl.root", [&] {
      root_crl_ = RevocationList::from_der(collateral_.root_ca_crl);
      root_crl_.check(chain_[2], now_);
      return "valid until " + format_utc(expires(root_crl_.next_update()));
    });
    list.require("crl.pck", [&] {
      pck_crl_ = RevocationList::from_der(collateral_.pck_crl);
      pck_crl_.check(chain_[1], now_);
      return std::to_string(pck_crl_.entries()) + " entries, valid until " +
             format_utc(expires(pck_crl_.next_update()));
    });
    list.require("crl.intermediate_not_revoked", [&] { return not_revoked(root_crl_, chain_[1]); });
    list.require("crl.pck_not_revoked", [&] { return not_revoked(pck_crl_, chain_[0]); });
  }

  static std::string not_revoked(const RevocationList& list, const Certificate& certificate) {
    if (list.revokes(certificate)) {
      refuse(certificate.common_name() + " " + certificate.serial() + " is revoked",
             "do not trust this machine");
    }
    return "serial " + certificate.serial();
  }

  void signed_documents(Checklist& list) {
    list.require("tcb_info.issuer",
                 [&] { return check_signer(collateral_.tcb_info_issuer_chain, tcb_signer_); });
    list.require("tcb_info.signature", [&] {
      return check_signature(tcb_signer_, collateral_.tcb_info, collateral_.tcb_info_signature);
    });
    list.require("tcb_info.content", [&] {
      tcb_info_ = parse_tcb_info(collateral_.tcb_info);
      return "TDX version 3, " + std::to_string(tcb_info_.levels.size()) + " levels";
    });
    list.require("tcb_info.validity",
                 [&] { return check_dates(tcb_info_.issued, tcb_info_.next_update); });
    list.require("qe_identity.issuer",
                 [&] { return check_signer(collateral_.qe_identity_issuer_chain, qe_signer_); });
    list.require("qe_identity.signature", [&] {
      return check_signature(qe_signer_, collateral_.qe_identity,
                             collateral_.qe_identity_signature);
    });
    list.require("qe_identity.content", [&] {
      qe_identity_ = parse_qe_identity(collateral_.qe_identity);
      return "TD_QE version 2, " + std::to_string(qe_identity_.levels.size()) + " levels";
    });
    list.require("qe_identity.validity",
                 [&] { return check_dates(qe_identity_.issued, qe_identity_.next_update); });
    list.require("collateral.not_rolled_back", [&] { return check_rollback(); });
  }

  std::string check_signer(const std::string& pem, std::vector<Certificate>& chain) {
    chain = parse_pem_chain(pem, 2);
    if (chain.size() != 2 || !contains(chain[0].common_name(), "SGX TCB Signing")) {
      refuse("the issuer chain is not TCB signing certificate and root",
             "fetch the collateral again");
    }
    check_root(chain[1]);
    check_certificate(chain[0], chain[1], Role::kLeaf, now_);
    expires(chain[0].not_after());
    not_revoked(root_crl_, chain[0]);
    return chain[0].common_name() + " " + chain[0].serial();
  }

  static std::string check_signature(const std::vector<Certificate>& signer,
                                     const std::string& text, const FixedBytes<64>& signature) {
    if (!verify_p256(signer[0].public_key(), as_bytes(text), signature)) {
      refuse("the signature over the document is wrong",
             "fetch the collateral again and keep its bytes exactly as they came");
    }
    return "over " + std::to_string(text.size()) + " bytes";
  }

  std::string check_dates(int64_t issued, int64_t next_update) {
    if (now_ < issued || now_ > next_update) {
      refuse("issued " + format_utc(issued) + ", next update " + format_utc(next_update) +
                 ", not valid at " + format_utc(now_),
             "fetch fresh collateral, or check this machine's clock");
    }
    return "until " + format_utc(expires(next_update));
  }

  std::string check_rollback() {
    uint32_t number = tcb_info_.evaluation_number;
    if (number != qe_identity_.evaluation_number) {
      refuse("TCB info has evaluation number " + std::to_string(number) + ", QE identity " +
                 std::to_string(qe_identity_.evaluation_number),
             "fetch both documents again, together");
    }
    uint32_t least = policy_.minimum_evaluation_number;
    if (guard_ != nullptr) least = std::max(least, guard_->highest(rollback_key()));
    if (number < least) {
      refuse("TCB evaluation number " + std::to_string(number) + " is older than " +
                 std::to_string(least) + ", which was seen before",
             "fetch current collateral; somebody may be hiding a security advisory");
    }
    out_.tcb_evaluation_number = number;
    return "evaluation number " + std::to_string(number);
  }

  void platform(Checklist& list) {
    list.require("platform.match", [&] {
      if (pck_.fmspc != tcb_info_.fmspc || pck_.pce_id != tcb_info_.pce_id) {
        refuse("the TCB info is for FMSPC " + to_hex(tcb_info_.fmspc.bytes) + " and PCE " +
                   to_hex(tcb_info_.pce_id.bytes) + ", the machine is " + out_.fmspc + " and " +
                   to_hex(pck_.pce_id.bytes),
               "fetch the TCB info of the machine's FMSPC");
      }
      return "FMSPC " + out_.fmspc + ", PCE " + to_hex(pck_.pce_id.bytes);
    });
    list.require("tdx_module.identity", [&] {
      module_ = match_module(tcb_info_, out_.quote->td);
      return module_.level == nullptr ? std::string("base module")
                                      : module_.identity->id + ", " + module_.level->status;
    });
  }

  void signatures(Checklist& list) {
    const Quote& quote = *out_.quote;
    list.require("qe_report.signature", [&]() -> std::string {
      if (!verify_p256(chain_[0].public_key(), quote.qe.raw, quote.qe_signature)) {
        refuse("the PCK key did not sign this QE report", "the quote is forged or damaged");
      }
      return "by the PCK key";
    });
    list.require("qe_report.key_binding", [&]() -> std::string {
      FixedBytes<64> expected;
      H256 hash = crypto::sha256(concat({quote.attestation_key.bytes, quote.qe_auth}));
      std::copy(hash.begin(), hash.end(), expected.begin());
      if (quote.qe.report_data != expected) {
        refuse("the QE report is not about this attestation key", "the quote is forged or damaged");
      }
      return "SHA-256 of attestation key and authentication data";
    });
    list.require("qe_report.identity", [&] {
      qe_level_ = &match_qe(qe_identity_, quote.qe);
      return "version " + std::to_string(quote.qe.isv_svn) + ", " + qe_level_->status;
    });
    list.require("quote.signature", [&]() -> std::string {
      if (!verify_p256(quote.attestation_key, quote.signed_region, quote.signature)) {
        refuse("the attestation key did not sign this report", "the quote is forged or damaged");
      }
      return "by the attestation key";
    });
  }

  void tcb(Checklist& list) {
    list.require("tcb.level", [&] {
      level_ = match_level(tcb_info_, pck_, out_.quote->td);
      return "level " + std::to_string(level_.tdx - tcb_info_.levels.data() + 1) + " of " +
             std::to_string(tcb_info_.levels.size()) + ", " + level_.tdx->status;
    });
    list.require("tcb.status", [&] {
      out_.tcb_status = converged_status(tcb_info_, out_.quote->td, level_, module_, *qe_level_);
      collect_advisories();
      if (out_.tcb_status == kRevoked) {
        refuse("this platform's TCB is revoked", "do not trust this machine");
      }
      return out_.tcb_status;
    });
  }

  void collect_advisories() {
    std::set<std::string> all(level_.tdx->advisories.begin(), level_.tdx->advisories.end());
    if (module_.level != nullptr) {
      all.insert(module_.level->advisories.begin(), module_.level->advisories.end());
    }
    all.insert(qe_level_->advisories.begin(), qe_level_->advisories.end());
    out_.advisories.assign(all.begin(), all.end());
  }

  void beside_the_quote(const Evidence& evidence, Checklist& list) {
    const TdReport& td = out_.quote->td;
    if (evidence.runtime_data.empty()) {
      list.skip("evidence.runtime_data", "none came with the quote");
    } else {
      list.evaluate("evidence.runtime_data", [&]() -> std::string {
        if (crypto::sha512(evidence.runtime_data) != td.report_data) {
          refuse("the report data is not the SHA-512 of the runtime data",
                 "the runtime data was altered, or belongs to another quote");
        }
        return "its SHA-512 is the report data";
      });
    }
    if (evidence.event_log_format == EventLogFormat::kNone) {
      list.skip("evidence.event_log", "none came with the quote");
      list.skip("evidence.application", "no event log");
      return;
    }
    std::vector<LogEvent> events;
    bool replayed = list.evaluate("evidence.event_log", [&] {
      events = parse_event_log(evidence.event_log_format, evidence.event_log);
      check_replay(events, td);
      return std::to_string(events.size()) + " entries replay to RTMR0 to RTMR3";
    });
    if (!replayed) return;
    if (!names_application(events)) {
      list.skip("evidence.application", "the event log names none");
      return;
    }
    list.evaluate("evidence.application", [&] {
      out_.app_hash = application_hash(events);
      out_.code_hash = code_hash(platform_hash(td), *out_.app_hash);
      return "application " + to_hex0x(out_.app_hash->bytes) + ", code " +
             to_hex0x(out_.code_hash->bytes);
    });
  }

  // Notes one more date after which this verdict no longer holds.
  int64_t expires(int64_t time) {
    if (out_.collateral_expires == 0 || time < out_.collateral_expires) {
      out_.collateral_expires = time;
    }
    return time;
  }

  const Collateral& collateral_;
  const TrustAnchor& anchor_;
  int64_t now_;
  const Policy& policy_;
  RollbackGuard* guard_;
  Verification& out_;

  std::vector<Certificate> chain_, tcb_signer_, qe_signer_;
  PckExtension pck_;
  RevocationList root_crl_, pck_crl_;
  TcbInfo tcb_info_;
  QeIdentity qe_identity_;
  ModuleMatch module_;
  const SvnLevel* qe_level_ = nullptr;
  LevelMatch level_;
};

const char* state_name(Check::State state) {
  if (state == Check::passed) return "passed";
  return state == Check::failed ? "failed" : "not evaluated";
}

}  // namespace

const Check* Verification::first_failed() const {
  auto at = std::find_if(checks.begin(), checks.end(),
                         [](const Check& check) { return check.state == Check::failed; });
  return at == checks.end() ? nullptr : &*at;
}

void Verification::require() const {
  if (accepted) return;
  const Check* check = first_failed();
  if (check == nullptr) throw Error(ErrorCode::kAttestation, "the quote was not verified");
  throw Error(ErrorCode::kAttestation, check->name + ": " + check->detail, check->advice);
}

Verification verify(ByteView quote, const Collateral& collateral, const TrustAnchor& anchor,
                    int64_t unix_time, const Policy& policy, RollbackGuard* guard) {
  Evidence evidence;
  evidence.quote.assign(quote.begin(), quote.end());
  return verify(evidence, collateral, anchor, unix_time, policy, guard);
}

Verification verify(const Evidence& evidence, const Collateral& collateral,
                    const TrustAnchor& anchor, int64_t unix_time, const Policy& policy,
                    RollbackGuard* guard) {
  Verification out;
  out.simulated = anchor.development;
  Checklist list{"quote.format",
                 "anchor.permitted",
                 "pck_chain.certificates",
                 "pck_chain.root",
                 "pck_chain.intermediate",
                 "pck_chain.leaf",
                 "pck_chain.sgx_extension",
                 "crl.root",
                 "crl.pck",
                 "crl.intermediate_not_revoked",
                 "crl.pck_not_revoked",
                 "tcb_info.issuer",
                 "tcb_info.signature",
                 "tcb_info.content",
                 "tcb_info.validity",
                 "qe_identity.issuer",
                 "qe_identity.signature",
                 "qe_identity.content",
                 "qe_identity.validity",
                 "collateral.not_rolled_back",
                 "platform.match",
                 "tdx_module.identity",
                 "qe_report.signature",
                 "qe_report.key_binding",
                 "qe_report.identity",
                 "quote.signature",
                 "tcb.level",
                 "tcb.status",
                 "evidence.runtime_data",
                 "evidence.event_log",
                 "evidence.application",
                 "td.debug",
                 "td.attributes",
                 "td.xfam",
                 "td.service_td",
                 "policy.tcb_status",
                 "policy.advisories",
                 "policy.fmspc",
                 "policy.platform",
                 "policy.measurement",
                 "policy.report_data"};
  Procedure procedure(collateral, anchor, unix_time, policy, guard, out);
  try {
    procedure.run(evidence, list);
    judge(policy, out, list);
    out.accepted = std::none_of(list.checks().begin(), list.checks().end(),
                                [](const Check& c) { return c.state == Check::failed; });
  } catch (const Checklist::Stop&) {
    out.accepted = false;
  }
  out.checks = std::move(list.checks());
  if (out.accepted && guard != nullptr) {
    guard->record(procedure.rollback_key(), out.tcb_evaluation_number);
  }
  return out;
}

Json to_json(const Verification& v) {
  Json checks = Json::array();
  for (const Check& check : v.checks) {
    Json item = {{"name", check.name}, {"state", state_name(check.state)}};
    if (!check.detail.empty()) item["detail"] = check.detail;
    if (!check.advice.empty()) item["advice"] = check.advice;
    checks.push_back(std::move(item));
  }
  Json out = {{"accepted", v.accepted},
              {"simulated", v.simulated},
              {"tcbStatus", v.tcb_status},
              {"advisories", v.advisories},
              {"fmspc", v.fmspc},
              {"ppid", v.ppid},
              {"platformInstanceId", v.platform_instance_id},
              {"pckSerial", v.pck_serial},
              {"tcbEvaluationNumber", v.tcb_evaluation_number},
              {"collateralExpires", v.collateral_expires},
              {"checks", checks}};
  if (v.app_hash) out["appHash"] = to_hex0x(v.app_hash->bytes);
  if (v.code_hash) out["codeHash"] = to_hex0x(v.code_hash->bytes);
  if (v.quote) out["quote"] = to_json(*v.quote);
  return out;
}

}  // namespace ffe::tee
