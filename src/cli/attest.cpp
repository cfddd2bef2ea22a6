#include <ctime>
#include <fmt/format.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "tee/verify.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string network = "devnet";
  std::string session;
  fs::path quote;
  fs::path collateral;
  fs::path root;
  fs::path policy;
  int64_t time = 0;
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

void print_checks(Terminal& terminal, const std::vector<tee::Check>& checks) {
  for (const tee::Check& c : checks) {
    terminal.step(mark(c.state), fmt::format("{:<26} {}", c.name, c.detail));
  }
}

Bytes read_quote(const fs::path& file) {
  Bytes bytes = read_file(file, 1 << 20);
  std::string_view text = as_text(bytes);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.starts_with("0x") || text.find_first_not_of("0123456789abcdefABCDEF") == text.npos) {
    return from_hex(text);
  }
  return bytes;
}

void verify_files(const Options& options, Terminal& terminal) {
  tee::TrustAnchor anchor =
      options.root.empty() ? tee::intel_root() : tee::development_root(read_file(options.root));
  tee::Policy policy = options.policy.empty()
                           ? tee::Policy{}
                           : tee::policy_from_json(parse_json(read_text_file(options.policy),
                                                              options.policy.string()));
  policy.allow_development = !options.root.empty();
  tee::Verification v =
      tee::verify(read_quote(options.quote), tee::read_collateral(options.collateral), anchor,
                  options.time != 0 ? options.time : std::time(nullptr), policy);
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
    for (const tee::Check& c : v.links) {
      links.push_back({{"name", c.name}, {"state", mark(c.state)}, {"detail", c.detail}});
    }
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

}  // namespace

void add_attest(CLI::App& app, Context& context) {
  auto* attest = app.add_subcommand("attest", "The enclave's evidence, check by check");
  attest->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* show = attest->add_subcommand(
      "show", "Verify a session's enclave: quote, code, release, registry, terms");
  show->add_option("session", options->session)->required();
  add_network_option(*show, options->network);
  show->callback([&context, options] {
    context.chosen = [options](Terminal& t) { show_session(*options, t); };
  });

  auto* verify = attest->add_subcommand("verify", "Verify a quote from files");
  verify->add_option("--quote", options->quote, "Binary or hexadecimal")->required();
  verify->add_option("--collateral", options->collateral, "JSON")->required();
  verify->add_option("--root", options->root, "DER of a development root (default: Intel's)");
  verify->add_option("--time", options->time, "Unix time to judge at (default: now)");
  verify->add_option("--policy", options->policy, "JSON");
  verify->callback([&context, options] {
    context.chosen = [options](Terminal& t) { verify_files(*options, t); };
  });
}

}  // namespace ffe::cli
