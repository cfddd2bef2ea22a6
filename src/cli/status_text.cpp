#include "cli/status_text.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/hex.hpp"
#include "cli/terminal.hpp"
#include "cli/text_layout.hpp"
#include "crypto/address.hpp"
#include "gate/evidence.hpp"

namespace ffe::cli {
namespace {

using session::SessionState;
using session::Verdict;

constexpr size_t kMaxGate = 256 << 20;

bool over(SessionState state) {
  return state != SessionState::kOpen && state != SessionState::kSealed;
}

std::string until(uint64_t deadline, uint64_t now) {
  return deadline > now ? format_duration(static_cast<double>(deadline - now)) + " left"
                        : "deadline passed";
}

const session::SlashRecord* slash_of(const StatusView& v, const Address& who) {
  const auto it = std::ranges::find(v.status.slashes, who, &session::SlashRecord::contributor);
  return it == v.status.slashes.end() ? nullptr : &*it;
}

const session::ContributorVerdict* verdict_of(const StatusView& v, const Address& who) {
  const auto it =
      std::ranges::find(v.status.verdicts, who, &session::ContributorVerdict::contributor);
  return it == v.status.verdicts.end() ? nullptr : &*it;
}

const session::GateFinding* finding_of(const StatusView& v, const Address& who) {
  if (!v.gate) return nullptr;
  const auto it = std::ranges::find(v.gate->contributors, who, &session::GateFinding::contributor);
  return it == v.gate->contributors.end() ? nullptr : &*it;
}

bool submitted(const StatusView& v, const Address& who) {
  return std::ranges::count(v.status.submissions, who, &session::Submission::contributor) != 0;
}

std::string amount(const StatusView& v, const evm::U256& units) {
  return evm::format_units(units, v.status.currency.decimals) + " " + v.status.currency.symbol;
}

// What was found, with the number and the threshold; the reason's name where gate.json is not at
// hand.
std::string found(const StatusView& v, const Address& who, session::Reason reason,
                  session::Uint128 evidence) {
  const session::GateFinding* finding = finding_of(v, who);
  if (finding != nullptr && !finding->text.empty()) return finding->text;
  const session::GatePolicy& policy = v.status.opened.terms.gate;
  const auto sealed = static_cast<uint32_t>(v.status.submissions.size());
  std::string out(session::name(reason));
  if (evidence > 0) {
    out +=
        fmt::format("; evidence {}, {} rejects", session::to_decimal(evidence),
                    session::to_decimal(gate::rejection_threshold(sealed, policy.alpha_inverse)));
  }
  return out;
}

void add_slashed(const StatusView& v, const session::SlashRecord& slash, PartyText& out) {
  const session::Reason reason = session::reason_from_number(slash.reason);
  const evm::U256 rest = v.status.opened.terms.stake - slash.amount;
  const std::string id = v.status.opened.id.to_string();
  out.summary = fmt::format("reject ({})", session::name(reason));
  out.details.emplace_back("found", found(v, out.who, reason, slash.evidence));
  out.details.emplace_back(
      "stake", rest.is_zero() ? fmt::format("all of it is slashed: {}", amount(v, slash.amount))
                              : fmt::format("{} slashed, {} comes back", amount(v, slash.amount),
                                            amount(v, rest)));
  std::string advice = fmt::format("ffe report verify {} recomputes the evidence", id);
  if (!rest.is_zero()) advice += fmt::format("; ffe claim {} pays the rest back", id);
  out.details.emplace_back("do", advice);
  out.details.emplace_back("until", over(v.status.view.state) || rest.is_zero()
                                        ? "no deadline"
                                        : "from the end of the session, no deadline");
}

void add_excluded(const StatusView& v, const session::ContributorVerdict& verdict, PartyText& out) {
  const std::string id = v.status.opened.id.to_string();
  out.summary = fmt::format("exclude ({})", session::name(verdict.reason));
  out.details.emplace_back("found", found(v, out.who, verdict.reason, verdict.evidence));
  out.details.emplace_back(
      "stake", fmt::format("all of it comes back: {}", amount(v, v.status.opened.terms.stake)));
  out.details.emplace_back("do", fmt::format("ffe claim {}; ffe check shows what to change", id));
  out.details.emplace_back("until", "no deadline");
}

PartyText party(const StatusView& v, const Address& who) {
  PartyText out;
  out.who = who;
  const std::string id = v.status.opened.id.to_string();
  const SessionState state = v.status.view.state;
  if (const auto* slash = slash_of(v, who)) {
    add_slashed(v, *slash, out);
  } else if (const auto* verdict = verdict_of(v, who)) {
    if (verdict->verdict == Verdict::kAccept) {
      out.summary =
          fmt::format("accept; the model: ffe download {}; the stake: ffe claim {}", id, id);
    } else {
      add_excluded(v, *verdict, out);
    }
  } else if (!submitted(v, who)) {
    out.summary =
        over(state) || state == SessionState::kSealed ? "did not submit" : "not submitted";
  } else if (over(state)) {
    out.summary = fmt::format("submitted; the stake comes back: ffe claim {}", id);
  } else {
    out.summary = "submitted";
  }
  return out;
}

std::string nats(uint32_t micro) {
  return fmt::format("{:.2f}", micro / 1e6);
}

std::string short_address(const Address& who) {
  return crypto::checksum_address(who).substr(0, 10) + "…";
}

// Anybody can open a session with a recipe that is none; its status is shown all the same.
std::string who_sees_rows(const StatusView& v) {
  try {
    return session::who_sees_rows(session::parse_recipe(v.status.opened.recipe_text));
  } catch (const Error&) {
    return {};
  }
}

std::string line(const std::string& name, const std::string& text, size_t indent, size_t width) {
  const std::string left = std::string(indent, ' ') + fmt::format("{:<10} ", name);
  return left + wrap(text, width, left.size(), left.size()) + "\n";
}

}  // namespace

StatusView look_at(client::Client& client, const evm::U256& id, bool with_gate) {
  StatusView out;
  out.status = client.status(id);
  out.now = client.rpc().latest_block().timestamp;
  const SessionState state = out.status.view.state;
  if (state == SessionState::kSealed || state == SessionState::kFailed)
    out.enclave = client.enclave_status(id);
  H256 root;
  if (out.status.result) root = out.status.result->gate_root;
  if (root.is_zero() && !out.status.slashes.empty()) root = out.status.slashes.front().gate_root;
  if (!with_gate || root.is_zero()) return out;
  try {
    out.gate = session::parse_gate_report(as_text(client.storage().download(root, kMaxGate)));
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kInterrupted) throw;
  }
  return out;
}

std::string stage_name(const StatusView& v) {
  switch (v.status.view.state) {
    case SessionState::kOpen:
      return "Waiting";
    case SessionState::kSettled:
      return v.status.result && !v.status.result->artifact_root.is_zero() ? "Ready" : "No model";
    case SessionState::kSealed: {
      const std::string stage = v.enclave.is_object() ? v.enclave.value("stage", "") : "";
      for (const char* late : {"training", "evaluating", "publishing", "bringing", "over"}) {
        if (stage.starts_with(late)) return "Training";
      }
      return "Checking";
    }
    default: {
      std::string name(session::name(v.status.view.state));
      name.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(name.front())));
      return name;
    }
  }
}

std::vector<PartyText> parties(const StatusView& v) {
  std::vector<PartyText> out;
  for (const Address& who : v.status.opened.terms.participants) out.push_back(party(v, who));
  return out;
}

std::string waiting_for(const StatusView& v) {
  const session::SessionTerms& terms = v.status.opened.terms;
  const std::string id = v.status.opened.id.to_string();
  if (v.status.view.state == SessionState::kOpen) {
    if (terms.submit_deadline <= v.now) {
      return v.status.view.submitted >= terms.quorum
                 ? fmt::format("somebody to seal it: ffe session seal {}", id)
                 : fmt::format("somebody to end it, the quorum was missed: ffe session expire {}",
                               id);
    }
    std::string missing;
    for (const Address& who : terms.participants) {
      if (!submitted(v, who)) missing += (missing.empty() ? "" : ", ") + short_address(who);
    }
    return fmt::format("{} ({} of {} submitted, quorum {}); {}",
                       missing.empty() ? "nobody" : missing, v.status.view.submitted,
                       terms.participants.size(), terms.quorum,
                       until(terms.submit_deadline, v.now));
  }
  if (v.status.view.state == SessionState::kSealed) {
    if (v.status.view.deliver_deadline <= v.now) {
      return fmt::format("somebody to end it, nothing was delivered: ffe session fail {}", id);
    }
    std::string enclave = "the enclave";
    if (v.enclave.is_object() && !v.enclave.value("stage", "").empty()) {
      enclave += " (" + v.enclave.value("stage", "") + ")";
    }
    return enclave + "; " + until(v.status.view.deliver_deadline, v.now);
  }
  return "nobody: it is over";
}

std::vector<std::pair<std::string, std::string>> ending(const StatusView& v) {
  const session::SessionTerms& terms = v.status.opened.terms;
  std::string why, stakes = "all come back, and the fee goes back to the opener";
  switch (v.status.view.state) {
    case SessionState::kCancelled:
      why = "the opener cancelled it while it was open";
      break;
    case SessionState::kExpired:
      why = v.status.view.submitted < terms.quorum
                ? fmt::format("{} submitted until the deadline, the quorum is {}",
                              v.status.view.submitted, terms.quorum)
                : "nobody sealed it within the hour after the deadline";
      break;
    case SessionState::kAborted:
      why = v.status.aborted ? std::string(session::explain(v.status.aborted->reason)) : "aborted";
      stakes = "all that were not slashed come back; the operator is paid";
      break;
    case SessionState::kFailed: {
      const bool excused = v.status.failed && v.status.failed->excused;
      why = excused ? "the enclave's platform was revoked"
                    : fmt::format("nothing was delivered within {} of the sealing",
                                  format_duration(terms.deliver_period));
      stakes = "all that were not slashed come back, and the fee goes back to the opener";
      if (v.status.failed && !v.status.failed->bond_share.is_zero()) {
        stakes += fmt::format("; each contributor gets {} 0G of the operator's bond",
                              evm::format_ether(v.status.failed->bond_share));
      }
      break;
    }
    default:
      return {};
  }
  return {{"ended", why},
          {"stakes", stakes},
          {"do", fmt::format("ffe claim {}", v.status.opened.id.to_string())},
          {"until", "no deadline"}};
}

std::string status_text(const StatusView& v, size_t width) {
  std::string out = line("session", v.status.opened.id.to_string(), 0, width);
  out += line("state", std::string(session::name(v.status.view.state)), 0, width);
  out += line("waiting", "for " + waiting_for(v), 0, width);
  if (v.enclave.is_object() && v.enclave.contains("error")) {
    out += line("problem", v.enclave.value("error", ""), 0, width);
  }
  if (const std::string who = who_sees_rows(v); !who.empty()) {
    out += line("rows", who, 0, width);
  }
  out += line("stake", v.status.currency.text(v.status.opened.terms.stake), 0, width);
  for (const PartyText& p : parties(v)) {
    const std::string address = crypto::checksum_address(p.who);
    out += "  " + address;
    if (address.size() + 4 + display_width(p.summary) > width) {
      out += "\n    " + wrap(p.summary, width, 4, 4) + "\n";
    } else {
      out += "  " + wrap(p.summary, width, address.size() + 4, address.size() + 4) + "\n";
    }
    for (const auto& [name, text] : p.details) out += line(name, text, 4, width);
  }
  for (const auto& [name, text] : ending(v)) out += line(name, text, 0, width);
  if (v.status.result) {
    out += line("loss",
                fmt::format("{} → {} nats (held out)", nats(v.status.result->base_loss_micro_nats),
                            nats(v.status.result->joint_loss_micro_nats)),
                0, width);
  }
  out.pop_back();
  return out;
}

Json status_json(const StatusView& v) {
  const client::Status& s = v.status;
  Json submissions = Json::array();
  for (const session::Submission& x : s.submissions) {
    submissions.push_back({{"contributor", to_hex0x(x.contributor.bytes)},
                           {"blobRoot", to_hex0x(x.blob_root.bytes)}});
  }
  Json slashed = Json::array();
  for (const session::SlashRecord& x : s.slashes) {
    slashed.push_back({{"contributor", to_hex0x(x.contributor.bytes)},
                       {"reason", session::name(session::reason_from_number(x.reason))},
                       {"evidence", session::to_decimal(x.evidence)},
                       {"amountWei", x.amount.to_string()},
                       {"txHash", to_hex0x(x.tx_hash.bytes)}});
  }
  Json verdicts = Json::array();
  for (const session::ContributorVerdict& x : s.verdicts) {
    verdicts.push_back({{"contributor", to_hex0x(x.contributor.bytes)},
                        {"verdict", session::name(x.verdict)},
                        {"reason", session::name(x.reason)},
                        {"evidence", session::to_decimal(x.evidence)},
                        {"finding", found(v, x.contributor, x.reason, x.evidence)}});
  }
  const uint64_t deadline = s.view.state == SessionState::kOpen ? s.opened.terms.submit_deadline
                                                                : s.view.deliver_deadline;
  Json out = {{"id", s.opened.id.to_string()},
              {"state", session::name(s.view.state)},
              {"stage", stage_name(v)},
              {"waitingFor", waiting_for(v)},
              {"secondsLeft", over(s.view.state) || deadline < v.now ? 0 : deadline - v.now},
              {"opener", to_hex0x(s.opened.opener.bytes)},
              {"sessionHash", to_hex0x(s.opened.session_hash.bytes)},
              {"sessionTag", to_hex0x(s.opened.session_tag.bytes)},
              {"terms", session::to_json(s.opened.terms)},
              {"whoSeesRows", who_sees_rows(v)},
              {"submissions", submissions},
              {"slashes", slashed},
              {"verdicts", verdicts}};
  for (const auto& [name, text] : ending(v)) out["ending"][name] = text;
  if (v.enclave.is_object()) out["enclave"] = v.enclave;
  if (s.result) {
    out["result"] = {{"artifactRoot", to_hex0x(s.result->artifact_root.bytes)},
                     {"gateRoot", to_hex0x(s.result->gate_root.bytes)},
                     {"reportRoot", to_hex0x(s.result->report_root.bytes)},
                     {"baseLossMicroNats", s.result->base_loss_micro_nats},
                     {"jointLossMicroNats", s.result->joint_loss_micro_nats},
                     {"txHash", to_hex0x(s.result->tx_hash.bytes)}};
  }
  return out;
}

}  // namespace ffe::cli
