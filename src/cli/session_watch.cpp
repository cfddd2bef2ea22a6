// ffe session watch: a view that is drawn over on a terminal, a line for each change elsewhere.
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <unistd.h>

#include "base/interrupt.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "cli/live_screen.hpp"
#include "cli/loss_curve.hpp"
#include "cli/status_text.hpp"
#include "cli/text_layout.hpp"
#include "crypto/address.hpp"

namespace ffe::cli {
namespace {

using session::SessionState;

struct Options {
  std::string network = user_config().network;
  std::string session;
  double interval = 2;
};

bool over(const StatusView& v) {
  const SessionState state = v.status.view.state;
  return state != SessionState::kOpen && state != SessionState::kSealed;
}

std::string enclave_error(const StatusView& v) {
  return v.enclave.is_object() ? v.enclave.value("error", "") : "";
}

// Loss of each step, from the first to the last.
std::string loss_text(const std::vector<double>& losses, int fd) {
  const size_t width = std::min<size_t>(40, std::max<size_t>(output_width(fd), 34) - 32);
  return fmt::format("{}  {:.2f} → {:.2f} nats", sparkline(losses, width), losses.front(),
                     losses.back());
}

// --- the view ----------------------------------------------------------------------------------

std::string stages(const StatusView& v, const Terminal& terminal) {
  const std::string now = stage_name(v);
  std::string out;
  for (const char* stage : {"Waiting", "Checking", "Training", "Ready"}) {
    const std::string shown = now != stage        ? std::string(stage)
                              : terminal.colour() ? fmt::format("\x1b[1m{}\x1b[0m", stage)
                                                  : fmt::format("[{}]", stage);
    out += (out.empty() ? "" : " → ") + shown;
  }
  return out;
}

std::string enclave_line(const StatusView& v) {
  if (!v.enclave.is_object()) return "the enclave's service does not answer";
  const std::string stage = v.enclave.value("stage", "");
  const uint64_t done = v.enclave.value("done", uint64_t{0});
  const uint64_t total = v.enclave.value("total", uint64_t{0});
  if (total == 0) return stage;
  constexpr size_t kWidth = 16;
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  std::string bar;
  for (size_t i = 0; i < kWidth; ++i) {
    bar += static_cast<double>(i) < share * kWidth ? "█" : " ";
  }
  return fmt::format("{} ▕{}▏ {:.0f}%", stage, bar, share * 100);
}

// What the joint training has shown so far; empty before its first step. The service's words are
// not trusted to have the right form.
std::string live_losses(const StatusView& v) {
  std::vector<double> losses;
  const Json curve = v.enclave.is_object() ? v.enclave.value("lossCurve", Json()) : Json();
  if (!curve.is_array()) return {};
  for (const Json& micro : curve) {
    if (micro.is_number()) losses.push_back(micro.get<double>() / 1e6);
  }
  return losses.empty() ? "" : loss_text(losses, STDOUT_FILENO);
}

std::vector<std::string> frame(const StatusView& v, const std::string& network,
                               const Terminal& terminal) {
  std::vector<std::string> out = {
      fmt::format("session {} on {}   {}", v.status.opened.id.to_string(), network,
                  stages(v, terminal)),
      "waiting for " + waiting_for(v)};
  for (const PartyText& p : parties(v)) {
    out.push_back("  " + crypto::checksum_address(p.who).substr(0, 10) + "…  " + p.summary);
    if (!p.details.empty()) out.push_back("      " + p.details.front().second);
  }
  if (v.status.view.state == SessionState::kSealed) {
    out.push_back("enclave  " + enclave_line(v));
    const std::string losses = live_losses(v);
    if (!losses.empty()) out.push_back("loss     " + losses);
    if (!enclave_error(v).empty()) out.push_back("tried again: " + enclave_error(v));
  }
  return out;
}

// --- lines -------------------------------------------------------------------------------------

// Says what changed since the last look.
class Lines {
 public:
  explicit Lines(Terminal& terminal) : terminal_(terminal) {}

  void show(const StatusView& v) {
    const session::SessionView& view = v.status.view;
    if (view.state == SessionState::kOpen) {
      say("Waiting", std::to_string(view.submitted), "for " + waiting_for(v));
    } else if (view.state == SessionState::kSealed) {
      say("Sealed", "", fmt::format("{} contributors; waiting for the enclave", view.submitted));
    }
    const std::string stage = v.enclave.is_object() ? v.enclave.value("stage", "") : "";
    if (!stage.empty()) say("Enclave", stage, stage);
    for (const auto& slash : v.status.slashes) {
      const std::string who = crypto::checksum_address(slash.contributor);
      say("Slashed", who, who);
    }
    if (!enclave_error(v).empty() && enclave_error(v) != error_) {
      terminal_.warn("tried again: " + enclave_error(v));
    }
    error_ = enclave_error(v);
  }

 private:
  // Once for each key; times left alone do not repeat a line.
  void say(const std::string& verb, const std::string& key, const std::string& text) {
    if (said_.contains(verb) && said_.at(verb) == key) return;
    said_[verb] = key;
    terminal_.step(verb, text);
  }

  Terminal& terminal_;
  std::map<std::string, std::string> said_;
  std::string error_;
};

// --- the end -----------------------------------------------------------------------------------

void show_curve(client::Client& client, const evm::U256& id, Terminal& terminal) {
  const client::PublicRecord record = client.public_record(id);
  if (!record.report) return;
  const session::TrainingReport report = session::parse_training_report(as_text(*record.report));
  std::vector<double> losses;
  for (int64_t micro : report.loss_curve) losses.push_back(static_cast<double>(micro) / 1e6);
  if (!losses.empty()) terminal.step("Loss", loss_text(losses, STDERR_FILENO));
}

void watch(const Options& o, Terminal& terminal) {
  client::Client client = open_reader(o.network);
  const evm::U256 id = evm::U256::parse(o.session);
  LiveScreen screen(terminal);
  Lines lines(terminal);
  StatusView view = look_at(client, id, false);
  while (true) {
    if (terminal.live()) {
      screen.show(frame(view, client.network().name, terminal));
    } else {
      lines.show(view);
    }
    if (over(view)) break;
    interruptible_sleep(std::chrono::milliseconds(std::llround(1000 * o.interval)));
    try {
      view = look_at(client, id, false);
    } catch (const Error& e) {
      // A node that does not answer for a moment ends no vigil.
      if (e.code() != ErrorCode::kNetwork) throw;
      terminal.warn(e.what());
      screen.end();
    }
  }
  screen.end();
  if (view.status.view.state == SessionState::kSettled) show_curve(client, id, terminal);
  print_status(terminal, look_at(client, id, true));
}

}  // namespace

void add_session_watch(CLI::App& session, Context& context) {
  auto o = std::make_shared<Options>();
  auto* command = session.add_subcommand("watch", "Follow a session until it is over");
  command->add_option("session", o->session, "Number of the session")->required();
  command->add_option("--interval", o->interval, "Seconds between looks")
      ->check(CLI::Range(0.2, 3600.0));
  add_network_option(*command, o->network);
  command->footer("ffe session watch 17\nffe session watch 17 --json > result.json");
  command->callback([&context, o] { context.chosen = [o](Terminal& t) { watch(*o, t); }; });
}

}  // namespace ffe::cli
