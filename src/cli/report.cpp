#include <algorithm>
#include <fmt/format.h>

#include "base/file.hpp"
#include "base/interrupt.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "cli/generation.hpp"
#include "client/report_check.hpp"
#include "client/session_page.hpp"
#include "lm/rows.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxReport = 256 << 20;

struct Options {
  std::string network = user_config().network;
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

// --- the page ------------------------------------------------------------------------------------

struct PageOptions {
  GenerationOptions generation;
  std::string network = user_config().network;
  std::string session;
  fs::path out;
  size_t samples = 3;
};

// What base and joint model answer to the first questions of the public sample.
std::vector<client::Sample> answer_samples(client::Client& client, const client::SessionPage& page,
                                           const PageOptions& o, Terminal& terminal) {
  std::vector<client::Sample> out;
  const Bytes bytes = client.storage().download(page.status.opened.terms.sample_root, 64 << 20);
  for (const lm::Row& row : lm::read_rows(bytes, "the public sample")) {
    if (out.size() == o.samples) break;
    if (row.kind != lm::Row::Kind::kChat || row.messages.size() != 2) continue;
    out.push_back({row.messages[0].content, "", "", row.messages[1].content});
  }
  auto answer = [&](const fs::path& adapter, std::string client::Sample::*member) {
    GenerationOptions options = o.generation;
    options.adapter = adapter;
    options.sampling.temperature = 0;
    Responder responder(options, terminal);
    for (client::Sample& s : out) {
      s.*member = responder
                      .answer({{"user", s.question}},
                              [](std::string_view) {
                                check_interrupt();
                                return true;
                              })
                      .text;
    }
  };
  answer({}, &client::Sample::base);
  answer(o.generation.adapter, &client::Sample::joint);
  return out;
}

void make_page(const PageOptions& o, Terminal& terminal) {
  client::Client client = open_reader(o.network);
  client::SessionPage page = client::session_page(client, evm::U256::parse(o.session));
  if (!o.generation.adapter.empty()) page.samples = answer_samples(client, page, o, terminal);
  const fs::path file = o.out.empty() ? fs::path("report.html") : o.out;
  write_file_atomic(file, as_bytes(client::to_html(page)));
  const bool verified = std::ranges::all_of(page.checks, &session::ReportCheck::passed);
  terminal.step("Written", file.string());
  if (!verified) terminal.warn("some claims do not hold: ffe report verify " + o.session);
  terminal.result(terminal.json() ? Json{{"file", file.string()}, {"verified", verified}}.dump()
                                  : file.string());
}

void add_page(CLI::App& report, Context& context) {
  auto o = std::make_shared<PageOptions>();
  auto* command =
      report.add_subcommand("page", "A finished session as one HTML page, from public data");
  command->add_option("session", o->session, "Number of the session")->required();
  command->add_option("-o,--out", o->out, "File to write (default: report.html)");
  command->add_option("--samples", o->samples, "Answers before and after, with --adapter")
      ->check(CLI::Range(0, 20));
  add_network_option(*command, o->network);
  add_generation_options(*command, o->generation);
  command->footer("ffe report page 17\nffe report page 17 --adapter ffe-session-17 -o report.html");
  command->callback([&context, o] { context.chosen = [o](Terminal& t) { make_page(*o, t); }; });
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
  command->footer("ffe report verify 17\nffe report verify --gate gate.json");
  command->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { verify(*options, t); }; });
  add_page(*report, context);
}

}  // namespace ffe::cli
