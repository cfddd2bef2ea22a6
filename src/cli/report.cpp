#include <fmt/format.h>

#include "base/file.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "client/report_check.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxReport = 256 << 20;

struct Options {
  std::string network = "devnet";
  std::string session;
  fs::path gate, report, certificate;
};

client::PublicRecord from_files(const Options& options) {
  client::PublicRecord record;
  record.gate = read_file(options.gate, kMaxReport);
  if (!options.report.empty()) record.report = read_file(options.report, kMaxReport);
  if (!options.certificate.empty()) {
    record.certificate = session::certificate_from_json(
        parse_json(read_text_file(options.certificate, 16 << 20), options.certificate.string()));
  }
  return record;
}

void verify(const Options& options, Terminal& terminal) {
  if (options.session.empty() == options.gate.empty()) {
    throw Error(ErrorCode::kUsage, "name a session, or --gate FILE",
                "ffe report verify 1, or ffe report verify --gate gate.json");
  }
  client::PublicRecord record;
  if (options.session.empty()) {
    record = from_files(options);
  } else {
    client::Client client = open_reader(options.network);
    record = client.public_record(evm::U256::parse(options.session));
  }
  const std::vector<session::ReportCheck> checks = client::check_record(record);
  Json list = Json::array();
  const session::ReportCheck* failed = nullptr;
  for (const session::ReportCheck& c : checks) {
    terminal.step(c.passed ? "passed" : "FAILED", fmt::format("{}  {}", c.name, c.detail));
    list.push_back({{"name", c.name}, {"passed", c.passed}, {"detail", c.detail}});
    if (!c.passed && failed == nullptr) failed = &c;
  }
  terminal.result(terminal.json()
                      ? Json{{"verified", failed == nullptr}, {"checks", list}}.dump()
                      : fmt::format("{} of {} checks passed",
                                    std::ranges::count_if(checks, &session::ReportCheck::passed),
                                    checks.size()));
  if (failed != nullptr) {
    throw Error(ErrorCode::kCorrupt, "the report does not hold: " + failed->name,
                "whoever published it changed it, or the enclave's code is not what it claims");
  }
}

}  // namespace

void add_report(CLI::App& app, Context& context) {
  auto* report = app.add_subcommand("report", "What a finished session claims");
  report->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto* command = report->add_subcommand(
      "verify", "Recompute every evidence, hash and signature of a session from public data");
  command->add_option("session", options->session, "Session on the network");
  add_network_option(*command, options->network);
  command->add_option("--gate", options->gate, "Offline instead: gate.json");
  command->add_option("--report", options->report, "report.json (with --gate)");
  command->add_option("--certificate", options->certificate, "Signed certificate (with --gate)");
  command->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { verify(*options, t); }; });
}

}  // namespace ffe::cli
