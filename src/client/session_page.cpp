#include "client/session_page.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/hex.hpp"
#include "client/html.hpp"
#include "client/report_style.hpp"
#include "crypto/address.hpp"
#include "gate/evidence.hpp"

namespace ffe::client {
namespace {

using html::escape;
using html::in_words;
using html::row;
using session::GateFinding;
using session::Verdict;

std::string short_address(const Address& a) {
  const std::string full = crypto::checksum_address(a);
  return full.substr(0, 6) + "…" + full.substr(38);
}

std::string address(const Address& a) {
  return html::code(crypto::checksum_address(a));
}

std::string hash(const H256& h) {
  return html::code(to_hex0x(h.bytes));
}

std::string transaction(const SessionPage& p, const H256& tx) {
  const std::string text = to_hex0x(tx.bytes), where = explorer(p.network.chain_id);
  return where.empty() ? html::code(text)
                       : "<a href=\"" + where + text + "\">" + html::code(text) + "</a>";
}

std::string nats(int64_t micro) {
  return fmt::format("{:.2f}", static_cast<double>(micro) / 1e6);
}

const session::SlashRecord* slash_of(const SessionPage& p, const Address& who) {
  const auto it = std::ranges::find(p.status.slashes, who, &session::SlashRecord::contributor);
  return it == p.status.slashes.end() ? nullptr : &*it;
}

const session::TokenView* token_of(const SessionPage& p, size_t accepted) {
  return accepted < p.tokens.size() ? &p.tokens[accepted] : nullptr;
}

std::string amount(const SessionPage& p, const evm::U256& units) {
  return escape(evm::format_units(units, p.status.currency.decimals) + " " +
                p.status.currency.symbol);
}

// --- the story -----------------------------------------------------------------------------------

std::string plural(size_t n, const char* one, const char* many) {
  return n == 1 ? one : many;
}

std::string headline(const SessionPage& p, const session::GateReport& gate) {
  const size_t parties = gate.contributors.size(), slashed = p.status.slashes.size();
  const auto accepted = static_cast<size_t>(
      std::ranges::count(gate.contributors, Verdict::kAccept, &GateFinding::verdict));
  std::string title = in_words(parties) + " parties brought their rows. ";
  if (slashed > 0) {
    title += in_words(slashed) + plural(slashed, " lost its stake. ", " lost their stakes. ");
  }
  title += p.tokens.empty()
               ? "There is no model."
               : in_words(accepted) + plural(accepted, " owns the model.", " own one model.");
  return "<header><p class=eyebrow>Session " + p.status.opened.id.to_string() + " on " +
         escape(p.network.name) + "</p><h1>" + title + "</h1>";
}

std::string lead(const SessionPage& p) {
  std::string out =
      "<p class=lead>Each party encrypted its rows to a program inside an enclave and nobody, not "
      "even the machine's operator, saw the rows of another. The program tested every "
      "contribution and trained one model on all that it accepted.";
  if (p.status.result && !p.tokens.empty()) {
    const auto& r = *p.status.result;
    out += fmt::format(
        " On rows that were kept for the test, an answer's word cost the base model <b>{}</b> nats "
        "of surprise and costs the joint model <b class=good>{}</b>: less is better.",
        nats(r.base_loss_micro_nats), nats(r.joint_loss_micro_nats));
  }
  out += "</p>";
  if (p.simulated) {
    out +=
        "<p class=banner>This session's enclave was <b>simulated</b>: formats and checks are "
        "real, the hardware's protection is not.</p>";
  }
  return out + "</header>";
}

// --- who brought what ----------------------------------------------------------------------------

std::string rows_text(const session::RowCounts& c) {
  std::string out = fmt::format("{} rows brought, {} trained on", c.rows, c.used);
  const std::pair<uint64_t, const char*> dropped[] = {
      {c.invalid, "broken"},   {c.duplicates, "repeated"}, {c.copies, "copies of another's"},
      {c.empty, "empty"},      {c.echo, "echoes"},         {c.repeated, "one answer to many"},
      {c.unlikely, "unlikely"}};
  for (const auto& [n, what] : dropped) {
    if (n > 0) out += fmt::format(", {} {}", n, what);
  }
  return out;
}

std::string stake_text(const SessionPage& p, const Address& who) {
  const session::SlashRecord* slash = slash_of(p, who);
  if (slash == nullptr) return "comes back: " + amount(p, p.status.opened.terms.stake);
  const std::string lost = "<b class=bad>" + amount(p, slash->amount) + " lost</b>";
  const evm::U256 rest = p.status.opened.terms.stake - slash->amount;
  return rest.is_zero() ? lost + ", all of it" : lost + ", " + amount(p, rest) + " comes back";
}

std::string card(const SessionPage& p, const GateFinding& f, const session::TokenView* token) {
  const std::string verdict(session::name(f.verdict));
  static constexpr std::pair<Verdict, const char*> kWords[] = {{Verdict::kAccept, "accepted"},
                                                               {Verdict::kExclude, "left out"},
                                                               {Verdict::kReject, "rejected"}};
  const char* word =
      std::ranges::find(kWords, f.verdict, &std::pair<Verdict, const char*>::first)->second;
  std::string found = f.text;
  if (f.verdict != Verdict::kAccept) found = std::string(session::explain(f.reason)) + ": " + found;
  return fmt::format(
      "<article class=\"card {}\"><h3>{} <span class=tag>{}</span></h3><p class=dim>{}</p><p>{}</p>"
      "<dl><dt>Stake</dt><dd>{}</dd><dt>Model</dt><dd>{}</dd></dl></article>",
      verdict, short_address(f.contributor), word, rows_text(f.counts), escape(found),
      stake_text(p, f.contributor), token == nullptr ? "none" : "token " + token->id.to_string());
}

std::string parties(const SessionPage& p, const session::GateReport& gate) {
  std::string out = "<section><h2>Who brought what, and what became of it</h2><div class=cards>";
  size_t accepted = 0;
  for (const GateFinding& f : gate.contributors) {
    out += card(p, f, f.verdict == Verdict::kAccept ? token_of(p, accepted++) : nullptr);
  }
  return out + "</div></section>";
}

// --- the evidence as a picture -------------------------------------------------------------------

std::string evidence(const session::GateReport& gate) {
  std::vector<html::Bar> bars;
  for (const GateFinding& f : gate.contributors) {
    const auto bar = [&](const char* of, session::Uint128 amount) {
      bars.push_back({short_address(f.contributor) + of, std::string(session::name(f.verdict)),
                      html::log10_of(session::to_decimal(amount))});
    };
    bar(": proof", f.evidence);
    bar(": suspicion", f.runs.empty() ? 0 : f.runs[0].suspicion);
  }
  const auto threshold = gate::rejection_threshold(static_cast<uint32_t>(gate.contributors.size()),
                                                   gate.policy.alpha_inverse);
  const std::vector<html::Limit> limits = {
      {html::log10_of(session::to_decimal(gate::kSuspicion)), "suspicion from 20: left out"},
      {html::log10_of(session::to_decimal(threshold)),
       fmt::format("proof from {}: stake lost", session::to_decimal(threshold))}};
  return fmt::format(
             "<section><h2>How strong the evidence of harm is</h2><p>The test bets against each "
             "party, once that it does more harm than the terms tolerate (proof), once that it "
             "does "
             "more than two thirds of that (suspicion). Whoever is honest gains the bettor "
             "nothing; each step to the right means ten times more evidence. At most one session "
             "in {} takes a stake wrongly.</p>",
             gate.policy.alpha_inverse) +
         html::log_bars(bars, limits, "Evidence of harm for each party, logarithmic") +
         "</section>";
}

std::string dots_of(const GateFinding& f, const session::GatePolicy& policy) {
  if (f.runs.empty()) return "";
  const session::GateRun& run =
      *std::ranges::min_element(f.runs, {}, [](const session::GateRun& r) { return r.evidence; });
  const std::string style(session::name(f.verdict)), who = short_address(f.contributor);
  return "<div class=dots><h3>" + who + "</h3><div><p class=dim>Damage to answers</p>" +
         html::dots(run.harm, policy.harm_tolerance_micro, style, "Damage by " + who) +
         "</div><div><p class=dim>Answers loosened from their questions</p>" +
         html::dots(run.relevance_lost, policy.relevance_tolerance_micro, style,
                    "Relevance lost by " + who) +
         "</div></div>";
}

std::string measurements(const session::GateReport& gate) {
  std::string out = fmt::format(
      "<section><h2>What was measured</h2><p>Each dot is one pair of the {} pairs of questions "
      "kept for the test, in nats: how much worse a small model answers them when it has also "
      "learned from this party. Left of zero is help. The solid line is the mean; right of the "
      "dashed line harm begins to count.</p>",
      gate.policy.eval_pairs);
  for (const GateFinding& f : gate.contributors) out += dots_of(f, gate.policy);
  return out + "</section>";
}

// --- the model -----------------------------------------------------------------------------------

std::string bar_row(const std::string& name, int64_t micro, double top, const char* style) {
  return fmt::format(
      "<tr><th>{}</th><td><div class=meter><span class=\"{}\" style=\"width:{:.1f}%\"></span></div>"
      "</td><td class=number>{}</td></tr>",
      name, style, 100 * static_cast<double>(micro) / top, nats(micro));
}

std::string model(const SessionPage& p, const session::TrainingReport& report) {
  std::vector<double> losses;
  for (int64_t micro : report.loss_curve) losses.push_back(static_cast<double>(micro) / 1e6);
  const double top =
      std::max<double>(1, std::max(report.base_loss_micro_nats, report.joint_loss_micro_nats));
  std::string out = "<section><h2>Before and after</h2><table class=bars><tbody>" +
                    bar_row("base model", report.base_loss_micro_nats, top, "exclude") +
                    bar_row("joint model", report.joint_loss_micro_nats, top, "accept") +
                    "</tbody></table><p class=dim>Nats for a word of an answer, on the rows kept "
                    "for the test.</p>";
  for (const Sample& s : p.samples) {
    out += fmt::format(
        "<article class=sample><h4>{}</h4><dl><dt>before</dt><dd>{}</dd><dt>after</dt><dd>{}</dd>"
        "<dt>wanted</dt><dd class=dim>{}</dd></dl></article>",
        escape(s.question), escape(s.base), escape(s.joint), escape(s.reference));
  }
  out += "</section><section><h2>How it learned</h2>" +
         html::curve(losses, "Loss of each training step") +
         fmt::format("<p class=dim>Loss of each step; {} tokens read, on {}, by {}.</p>",
                     report.tokens, escape(report.numeric_path), escape(report.engine)) +
         "<table><thead><tr><th>Party</th><th>Rows</th><th>Tokens</th></tr></thead><tbody>";
  for (const session::ContributorShare& share : report.shares) {
    out += fmt::format("<tr><th>{}</th><td>{}</td><td>{}</td></tr>",
                       short_address(share.contributor), share.rows, share.tokens);
  }
  return out + "</tbody></table></section>";
}

// --- links and checks ----------------------------------------------------------------------------

std::string links(const SessionPage& p) {
  const Status& s = p.status;
  std::string out = "<section><h2>Where it stands written</h2><table><tbody>";
  out += row("Opener", address(s.opened.opener));
  for (const auto& x : s.submissions) {
    out += row("Rows of " + short_address(x.contributor) + ", encrypted", hash(x.blob_root));
  }
  for (const auto& x : s.slashes) {
    out += row("Stake of " + short_address(x.contributor) + " lost", transaction(p, x.tx_hash));
  }
  if (s.result) {
    out += row("Settled", transaction(p, s.result->tx_hash)) +
           row("Gate report, 0G Storage", hash(s.result->gate_root));
    if (!s.result->artifact_root.is_zero()) {
      out += row("Training report, 0G Storage", hash(s.result->report_root)) +
             row("Encrypted model, 0G Storage", hash(s.result->artifact_root));
    }
    out += row("Seed, revealed at the end", hash(s.result->seed));
  }
  out += row("Enclave", hash(s.opened.terms.enclave_id)) +
         row("Its code", hash(s.opened.terms.code_hash)) +
         row("Coordinator", address(p.network.coordinator)) +
         row("Tokens", address(p.network.inft));
  for (const session::TokenView& t : p.tokens) {
    out += row("Token " + t.id.to_string(),
               address(t.owner) + (t.key_stale ? " (moved without its key)" : ""));
  }
  return out + "</tbody></table></section>";
}

std::string check_list(const SessionPage& p) {
  const auto passed = std::ranges::count(p.checks, true, &session::ReportCheck::passed);
  const std::string id = p.status.opened.id.to_string();
  std::string out = fmt::format(
      "<section><h2>Check it yourself</h2><p>{} of {} claims were recomputed from public data when "
      "this page was made. Do not believe the page; on a machine of your own:</p>"
      "<pre>ffe report verify {} --network {}\nffe attest show {} --network {}</pre>"
      "<p>The first recomputes every evidence, hash and signature from the chain and 0G Storage; "
      "the second verifies the enclave's quote and code.</p><details><summary>The {} claims"
      "</summary><ul class=checks>",
      passed, p.checks.size(), id, escape(p.network.name), id, escape(p.network.name),
      p.checks.size());
  for (const session::ReportCheck& c : p.checks) {
    out += fmt::format("<li class={}><b>{}</b> {} <span class=dim>{}</span></li>",
                       c.passed ? "good" : "bad", c.passed ? "holds" : "FAILS", escape(c.name),
                       escape(c.detail));
  }
  return out + "</ul></details></section>";
}

}  // namespace

std::string explorer(uint64_t chain_id) {
  if (chain_id == 16661) return "https://chainscan.0g.ai/tx/";
  if (chain_id == 16602) return "https://chainscan-galileo.0g.ai/tx/";
  return "";
}

SessionPage session_page(Client& client, const evm::U256& session_id) {
  SessionPage out;
  out.network = client.network();
  out.record = client.public_record(session_id);
  out.checks = check_record(out.record);
  out.status = client.status(session_id);
  if (out.status.result && !out.status.result->artifact_root.is_zero()) {
    out.tokens = client.inft().tokens_of(session_id);
  }
  out.simulated = client.registry().development();
  return out;
}

std::string to_html(const SessionPage& p) {
  const session::GateReport gate = session::parse_gate_report(as_text(p.record.gate));
  std::string out =
      "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width,initial-scale=1\"><title>FFE session " +
      p.status.opened.id.to_string() + "</title><style>" + std::string(kReportStyle) +
      "</style></head><body><main>";
  out += headline(p, gate) + lead(p) + parties(p, gate) + evidence(gate) + measurements(gate);
  if (p.record.report) {
    out += model(p, session::parse_training_report(as_text(*p.record.report)));
  }
  return out + links(p) + check_list(p) + "</main></body></html>\n";
}

}  // namespace ffe::client
