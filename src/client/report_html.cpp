#include "client/report_html.hpp"

#include <cmath>
#include <fmt/format.h>
#include <vector>

#include "client/html.hpp"
#include "client/report_style.hpp"

namespace ffe::client {
namespace {

using html::in_words;
using html::row;

// A member as text, escaped; empty where it is absent.
std::string text(const Json& object, const char* key) {
  auto it = object.find(key);
  if (it == object.end() || it->is_null()) return "";
  return html::escape(it->is_string() ? it->get<std::string>() : it->dump());
}

double number(const Json& object, const char* key) {
  auto it = object.find(key);
  return it == object.end() || !it->is_number() ? 0 : it->get<double>();
}

std::string ether(const std::string& wei) {
  double v = std::atof(wei.c_str()) / 1e18;
  return fmt::format("{:.4g} 0G", v);
}

std::string headline(const Json& r) {
  const Json& s = r["session"];
  size_t slashed = 0;
  for (const Json& p : r["parties"]) slashed += p.value("slashed", false) ? 1 : 0;
  std::string title = in_words(r["parties"].size()) + " parties submitted. " + in_words(slashed) +
                      (slashed == 1 ? " was" : " were") + " slashed. " +
                      in_words(r["tokens"].size()) + (r["tokens"].size() == 1 ? " owns" : " own") +
                      " one model.";
  std::string simulated =
      "<p class=banner>This ran on one machine with a <b>simulated</b> enclave: the formats and "
      "checks are real, the hardware protection is not.</p>";
  return fmt::format(
      "<header><p class=eyebrow>Session {} · report</p><h1>{}</h1><p class=lead>Nobody saw anybody "
      "else's rows. On held-out rows the base model's answers cost <b>{:.2f}</b> nats a token, the "
      "joint model's <b class=good>{:.2f}</b>.</p>{}</header>",
      text(s, "id"), title, number(s, "baseLossNats"), number(s, "jointLossNats"),
      r["enclave"].value("simulated", false) ? simulated : "");
}

std::string party_card(const Json& p) {
  std::string verdict = text(p, "verdict");
  std::string stake = p.value("slashed", false)
                          ? "<b class=bad>" + ether(p.value("slashedWei", "0")) + " slashed</b>, " +
                                ether(p.value("returnedWei", "0")) + " returned"
                          : ether(p.value("returnedWei", "0")) + " returned";
  std::string model = p.contains("tokenId") ? "owns token " + text(p, "tokenId")
                                            : "no model: " + text(p, "refused");
  return fmt::format(
      "<article class=\"card {}\"><h3>{} <span class=tag>{}</span></h3><p class=dim>{} rows · "
      "{}</p>"
      "<p>{}</p><dl><dt>Stake</dt><dd>{}</dd><dt>Model</dt><dd>{}</dd></dl></article>",
      verdict, text(p, "name"), verdict, text(p, "rows"), text(p, "about"), text(p, "finding"),
      stake, model);
}

// Text that is escaped already.
std::string code(const std::string& value) {
  return "<code>" + value + "</code>";
}

std::string evidence_chart(const Json& r) {
  const double threshold = std::log10(static_cast<double>(r["parties"].size()) *
                                      number(r["gate"]["policy"], "alphaInverse"));
  std::vector<html::Bar> bars;
  for (const Json& p : r["parties"]) {
    bars.push_back(
        {p.value("name", ""), text(p, "verdict"), html::log10_of(p.value("evidence", "0"))});
  }
  return html::log_bars(bars, {{threshold, fmt::format("proof from 10^{:.1f}", threshold)}},
                        "Evidence of harm per party");
}

std::string loss_chart(const Json& curve) {
  std::vector<double> losses;
  if (curve.is_array()) {
    for (const Json& v : curve) losses.push_back(v.get<double>() / 1e6);
  }
  return html::curve(losses, "Training loss");
}

std::string comparison(const Json& r) {
  std::string out =
      "<section><h2>Better together than alone</h2><table><thead><tr><th>Model</th>"
      "<th>Held-out loss</th></tr></thead><tbody>";
  out += row("base model", fmt::format("{:.2f} nats", number(r["comparison"], "baseLossNats")));
  for (const Json& p : r["parties"]) {
    if (!p.contains("ownLossNats")) continue;
    out += row(text(p, "name") + " alone", fmt::format("{:.2f} nats", number(p, "ownLossNats")));
  }
  out += row("<b>joint model</b>", fmt::format("<b class=good>{:.2f} nats</b>",
                                               number(r["comparison"], "jointLossNats")));
  out += "</tbody></table><h3>The same question, before and after</h3>";
  for (const Json& s : r["comparison"]["samples"]) {
    out += fmt::format(
        "<article class=sample><h4>{}</h4><dl><dt>before</dt><dd>{}</dd><dt>after</dt>"
        "<dd>{}</dd><dt>WordNet</dt><dd class=dim>{}</dd></dl></article>",
        text(s, "question"), text(s, "base"), text(s, "joint"), text(s, "reference"));
  }
  return out + "</section>";
}

std::string proofs(const Json& r) {
  const Json& s = r["session"];
  std::string out =
      "<section><h2>Check it yourself</h2><p>Every figure above stands on something "
      "that anyone can recompute: the gate's sorted values are public, the chain "
      "holds certificates and stakes, and each hash names its bytes.</p><table><tbody>";
  out += row("Session opened", code(text(s, "openTx")));
  for (const Json& p : r["parties"])
    out += row(text(p, "name") + " committed", code(text(p, "submitTx")));
  for (const Json& p : r["parties"]) {
    if (p.contains("slashTx")) out += row(text(p, "name") + " slashed", code(text(p, "slashTx")));
  }
  out += row("Settled, tokens minted", code(text(s, "finalizeTx")));
  out += row("Encrypted model (0G Storage)", code(text(s, "artifactRoot")));
  out += row("Gate report (0G Storage)", code(text(s, "gateRoot")));
  out += row("Seed, revealed", code(text(s, "seed")));
  out += row("Enclave", code(text(r["enclave"], "id")));
  out += row("Enclave's code", code(text(r["enclave"], "codeHash")));
  out += row("Numeric path", text(r["enclave"], "numericPath"));
  out += row("Coordinator", code(text(r["network"], "coordinator")));
  out += "</tbody></table><table><thead><tr><th>Token</th><th>Owner</th></tr></thead><tbody>";
  for (const Json& t : r["tokens"]) out += row(text(t, "id"), code(text(t, "owner")));
  out += "</tbody></table>";
  for (const Json& p : r["parties"]) {
    if (!p.contains("adapterSha256")) continue;
    return out + "<p>All owners decrypted the same adapter, SHA-256 " +
           code(text(p, "adapterSha256")) + ".</p></section>";
  }
  return out + "</section>";
}

}  // namespace

std::string report_html(const Json& r) {
  std::string out =
      "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width,initial-scale=1\"><title>FFE session " +
      text(r["session"], "id") + "</title><style>" + std::string(kReportStyle) +
      "</style></head><body><main>";
  out += headline(r);
  out += "<section><h2>Who brought what, and what became of it</h2><div class=cards>";
  for (const Json& p : r["parties"]) out += party_card(p);
  out +=
      "</div></section><section><h2>Evidence of harm</h2><p>The gate bets against each party on "
      "pairs of held-out rows. Whoever is honest gains the bettor nothing; evidence beyond the "
      "line is proof, at most one wrong verdict in " +
      text(r["gate"]["policy"], "alphaInverse") + " sessions.</p>" + evidence_chart(r) +
      "</section>";
  out += "<section><h2>One model, trained on what was accepted</h2>" +
         loss_chart(r["training"].value("lossCurve", Json())) + "</section>";
  out += comparison(r);
  out += proofs(r);
  return out + "</main></body></html>\n";
}

}  // namespace ffe::client
