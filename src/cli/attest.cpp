#include <ctime>
#include <fmt/format.h>
#include <optional>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "tee/collateral_source.hpp"
#include "tee/evidence.hpp"
#include "tee/simulated.hpp"
#include "tee/verify.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string network = user_config().network;
  std::string session;
  fs::path quote;
  fs::path collateral;
  fs::path root;
  fs::path policy;
  std::optional<int64_t> time;
  fs::path event_log;
  std::string pccs;
  fs::path pccs_ca;
  bool offline = false;
  fs::path executable;
};

const char* mark(tee::Check::State state) {
  switch (state) {
    case tee::Check::passed:
      return "passed";
    case tee::Check::failed:
      return "FAILED";
    case tee::Check::not_evaluated:
      return "-";
  }
  return "";
}

// As tee::to_json writes the quote's checks.
Json check_json(const tee::Check& c) {
  const char* state = c.state == tee::Check::passed   ? "passed"
                      : c.state == tee::Check::failed ? "failed"
                                                      : "not evaluated";
  Json out = {{"name", c.name}, {"state", state}};
  if (!c.detail.empty()) out["detail"] = c.detail;
  if (!c.advice.empty()) out["advice"] = c.advice;
  return out;
}

void print_checks(Terminal& terminal, const std::vector<tee::Check>& checks) {
  for (const tee::Check& c : checks) {
    terminal.step(mark(c.state), fmt::format("{:<26} {}", c.name, c.detail));
  }
}

tee::Evidence evidence_of(const Options& options) {
  tee::Evidence out = tee::read_evidence(read_file(options.quote, 32u << 20));
  if (options.event_log.empty()) return out;
  out.event_log = read_file(options.event_log, 16u << 20);
  // dstack's log is a JSON array, the firmware's is binary and begins with register 0.
  bool json = as_text(out.event_log).starts_with('[');
  out.event_log_format = json ? tee::EventLogFormat::kDstack : tee::EventLogFormat::kCcel;
  return out;
}

tee::Collateral collateral_of(const Options& options, const tee::Evidence& evidence, int64_t time) {
  if (!options.collateral.empty()) return tee::read_collateral(options.collateral);
  tee::CollateralSourceOptions source;
  source.cache_dir = cache_dir() / "collateral";
  source.offline = options.offline;
  if (!options.pccs.empty()) {
    source.url = options.pccs;
    source.root_crl_url.clear();
    source.ca_file = options.pccs_ca;
  }
  return tee::CollateralSource(source).get(tee::parse_quote(evidence.quote), time);
}

void verify_files(const Options& options, Terminal& terminal) {
  tee::TrustAnchor anchor =
      options.root.empty() ? tee::intel_root() : tee::development_root(read_file(options.root));
  tee::Policy policy = options.policy.empty()
                           ? tee::Policy{}
                           : tee::policy_from_json(parse_json(read_text_file(options.policy),
                                                              options.policy.string()));
  policy.allow_development = !options.root.empty();
  int64_t time = options.time.value_or(std::time(nullptr));
  tee::Evidence evidence = evidence_of(options);
  tee::Verification v =
      tee::verify(evidence, collateral_of(options, evidence, time), anchor, time, policy);
  print_checks(terminal, v.checks);
  if (v.simulated) terminal.warn("a development root: this proves nothing about real hardware");
  if (terminal.json()) {
    terminal.result(tee::to_json(v).dump());
  } else {
    terminal.result(v.accepted ? "accepted " + v.tcb_status : "refused");
  }
  v.require();
}

void show_session(const Options& options, Terminal& terminal) {
  client::Client client = open_reader(options.network);
  session::OpenedSession opened = client.coordinator().opened(evm::U256::parse(options.session));
  client::EnclaveVerification v = client.verify_enclave(opened.terms.enclave_id, &opened.terms);
  print_checks(terminal, v.quote.checks);
  print_checks(terminal, v.links);
  if (v.simulated) terminal.warn("a development root: this proves nothing about real hardware");
  if (terminal.json()) {
    Json links = Json::array();
    for (const tee::Check& c : v.links) links.push_back(check_json(c));
    terminal.result(Json{
        {"accepted", v.accepted()},
        {"enclaveId", to_hex0x(v.enclave_id.bytes)},
        {"codeHash", to_hex0x(v.code_hash.bytes)},
        {"signer", to_hex0x(v.signer.bytes)},
        {"simulated", v.simulated},
        {"quote", tee::to_json(v.quote)},
        {"links",
         links}}.dump());
  } else {
    terminal.result(v.accepted() ? "accepted" : "refused");
  }
  v.require();
}

void measure(const Options& options, Terminal& terminal) {
  H256 code = tee::simulated_code_hash(options.executable);
  if (terminal.json()) {
    terminal.result(Json{{"platform", "simulator"}, {"codeHash", to_hex0x(code.bytes)}}.dump());
  } else {
    terminal.result(to_hex0x(code.bytes));
  }
}

}  // namespace

void add_attest(CLI::App& app, Context& context) {
  auto* attest = app.add_subcommand("attest", "The enclave's evidence, check by check");
  attest->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* show = attest->add_subcommand(
      "show", "Verify a session's enclave: quote, code, release, registry, terms");
  show->add_option("session", options->session, "Number of the session")->required();
  add_network_option(*show, options->network);
  show->callback([&context, options] {
    context.chosen = [options](Terminal& t) { show_session(*options, t); };
  });

  auto* measured = attest->add_subcommand(
      "measure", "The code hash that an executable has on a simulated platform");
  measured->add_option("executable", options->executable, "For example build/bin/ffe-aggregator")
      ->required();
  measured->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { measure(*options, t); }; });

  auto* verify = attest->add_subcommand("verify", "Verify a quote from files");
  verify
      ->add_option("--quote", options->quote,
                   "Binary or hexadecimal, or the JSON evidence of an enclave service, dstack or "
                   "Tapp")
      ->required();
  auto* collateral = verify->add_option("--collateral", options->collateral,
                                        "JSON (default: cached, or fetched from Intel's service)");
  verify->add_option("--event-log", options->event_log, "CCEL, or dstack's JSON; must replay");
  verify->add_option("--pccs", options->pccs, "Fetch collateral from this PCCS")
      ->excludes(collateral);
  verify->add_option("--pccs-ca", options->pccs_ca, "PEM of the PCCS's authority");
  verify->add_flag("--offline", options->offline, "Cached collateral only")->excludes(collateral);
  verify->add_option("--root", options->root, "DER of a development root (default: Intel's)");
  verify->add_option("--time", options->time, "Unix time to judge at (default: now)");
  verify->add_option("--policy", options->policy, "JSON");
  verify->callback([&context, options] {
    context.chosen = [options](Terminal& t) { verify_files(*options, t); };
  });
}

}  // namespace ffe::cli
