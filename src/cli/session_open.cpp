// The opener's commands: session new, check, open, watch.
#include <chrono>
#include <fmt/format.h>
#include <thread>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "cli/step_view.hpp"
#include "cli/terms_file.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  AccountOptions account;
  fs::path terms = "TERMS.toml";
  std::string session;
  double interval = 2;
};

void create(const Options& options, Terminal& terminal) {
  if (fs::exists(options.terms)) {
    throw Error(ErrorCode::kUsage, options.terms.string() + " exists already", "name another file");
  }
  write_file_atomic(options.terms, as_bytes(terms_template()));
  terminal.step("Written", options.terms.string());
  terminal.hint("fill in pool, sample and participants, then: ffe session check " +
                options.terms.string());
  terminal.result(terminal.json() ? Json{{"file", options.terms.string()}}.dump()
                                  : options.terms.string());
}

Json show_advice(const client::OpenRequest& request, Terminal& terminal) {
  const TermsAdvice advice = advise(request);
  terminal.step("Checked", fmt::format("{} pairs in the pool, {} needed", advice.pool_pairs,
                                       advice.needed_pairs));
  terminal.step("Power",
                fmt::format("with {} pairs, half shuffled answers are rejected in {:.0f} "
                            "%, rejected or excluded in {:.0f} % (simulated)",
                            request.gate.eval_pairs, 100 * advice.shuffled, 100 * advice.kept_out));
  for (const std::string& warning : advice.warnings) terminal.warn(warning);
  return {{"poolPairs", advice.pool_pairs},
          {"neededPairs", advice.needed_pairs},
          {"halfShuffledRejected", advice.shuffled},
          {"halfShuffledKeptOut", advice.kept_out},
          {"warnings", advice.warnings}};
}

void check(const Options& options, Terminal& terminal) {
  const client::OpenRequest request = read_terms_file(options.terms);
  client::check_data(request.sample);
  const Json advice = show_advice(request, terminal);
  terminal.result(terminal.json() ? advice.dump() : "ok");
}

void open(const Options& options, Terminal& terminal) {
  client::OpenRequest request = read_terms_file(options.terms);
  show_advice(request, terminal);
  client::Client client = open_client(options.account);
  if (request.enclave_url.empty()) {
    if (client.network().enclave_urls.empty()) {
      throw Error(ErrorCode::kUsage, "the network names no enclave",
                  "set session.enclave in " + options.terms.string());
    }
    request.enclave_url = client.network().enclave_urls.front();
  }
  const evm::Currency currency = evm::currency_of(client.rpc(), request.stake_token);
  scale_stake(request, currency);
  terminal.step("Paying",
                fmt::format("{} 0G as fee; each contributor stakes {}",
                            evm::format_ether(request.fee), currency.text(request.stake)));
  StepView view(terminal);
  const client::OpenResult r = client.open_session(request, view.events());
  terminal.step("Opened", "session " + r.session_id.to_string());
  terminal.hint("ffe session watch " + r.session_id.to_string());
  terminal.result(terminal.json() ? Json{{"sessionId", r.session_id.to_string()},
                                         {"sessionHash", to_hex0x(r.session_hash.bytes)},
                                         {"txHash", to_hex0x(r.tx_hash.bytes)}}
                                        .dump()
                                  : r.session_id.to_string());
}

// --- watch -----------------------------------------------------------------------------------

bool over(session::SessionState state) {
  return state != session::SessionState::kOpen && state != session::SessionState::kSealed;
}

std::string time_left(uint64_t deadline, uint64_t now) {
  return deadline > now ? format_duration(static_cast<double>(deadline - now)) + " left"
                        : "deadline passed";
}

// Prints what changed since the last look.
class Watch {
 public:
  Watch(client::Client& client, evm::U256 id, Terminal& terminal)
      : client_(client),
        id_(std::move(id)),
        opened_(client.coordinator().opened(id_)),
        terminal_(terminal) {}

  // False when the session is over.
  bool look() {
    const session::SessionView view = client_.coordinator().view(id_);
    const uint64_t now = client_.rpc().latest_block().timestamp;
    if (view.state == session::SessionState::kOpen) show_submissions(view, now);
    if (view.state == session::SessionState::kSealed) {
      say("Sealed", fmt::format("{} contributors; {} to deliver", view.submitted,
                                time_left(view.deliver_deadline, now)));
      show_stage();
    }
    if (!over(view.state)) return true;
    terminal_.finish_bar();
    return false;
  }

 private:
  // One line per verb and session; times left alone do not repeat it.
  void say(const std::string& verb, const std::string& text) {
    if (verb == last_) return;
    last_ = verb;
    terminal_.finish_bar();
    terminal_.step(verb, text);
  }

  void show_submissions(const session::SessionView& view, uint64_t now) {
    if (submitted_ == view.submitted) return;
    submitted_ = view.submitted;
    std::string missing;
    for (const Address& who : opened_.terms.participants) {
      if (client_.coordinator().contribution(id_, who).order == 0) {
        missing += (missing.empty() ? "" : ", ") + to_hex0x(who.bytes).substr(0, 10) + "…";
      }
    }
    terminal_.step("Waiting",
                   fmt::format("{} of {} submitted (quorum {}), {}; missing: {}", view.submitted,
                               opened_.terms.participants.size(), opened_.terms.quorum,
                               time_left(opened_.terms.submit_deadline, now),
                               missing.empty() ? "nobody" : missing));
  }

  void show_stage() {
    const Json status = client_.enclave_status(id_);
    if (status.is_null()) return;
    const std::string stage = status.value("stage", "");
    const uint64_t total = status.value("total", uint64_t{0});
    if (stage != stage_) {
      terminal_.finish_bar();
      stage_ = stage;
      if (total != 0) {
        bar_ = terminal_.bar("Enclave", stage, "");
      } else {
        terminal_.step("Enclave", stage);
        bar_ = {};
      }
    }
    if (bar_ && total != 0) bar_(status.value("done", uint64_t{0}), total);
    const std::string error = status.value("error", "");
    if (!error.empty() && error != error_) terminal_.warn("tried again: " + error);
    error_ = error;
  }

  client::Client& client_;
  evm::U256 id_;
  session::OpenedSession opened_;
  Terminal& terminal_;
  std::string last_, stage_, error_;
  uint32_t submitted_ = UINT32_MAX;
  Progress bar_;
};

void watch(const Options& options, Terminal& terminal) {
  client::Client client = open_reader(options.account.network);
  const evm::U256 id = evm::U256::parse(options.session);
  Watch watch(client, id, terminal);
  while (watch.look()) {
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(options.interval);
    while (std::chrono::steady_clock::now() < end) {
      check_interrupt();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  print_status(terminal, client.status(id));
}

}  // namespace

void add_session_open(CLI::App& session, Context& context) {
  auto options = std::make_shared<Options>();
  auto add = [&](const char* name, const char* text, void (*run)(const Options&, Terminal&)) {
    auto* command = session.add_subcommand(name, text);
    command->callback([&context, options, run] {
      context.chosen = [options, run](Terminal& t) { run(*options, t); };
    });
    return command;
  };
  add("new", "Write a commented TERMS.toml", create)
      ->add_option("file", options->terms, "Default: TERMS.toml");
  add("check", "Check terms and pool, and what the gate can see with them", check)
      ->add_option("terms", options->terms, "Default: TERMS.toml");
  auto* open_command = add("open", "Open a session with these terms", open);
  open_command->add_option("terms", options->terms, "Default: TERMS.toml");
  add_account_options(*open_command, options->account);
  auto* watch_command = add("watch", "Follow a session until it is over", watch);
  watch_command->add_option("session", options->session)->required();
  watch_command->add_option("--interval", options->interval, "Seconds between looks")
      ->check(CLI::Range(0.2, 3600.0));
  add_network_option(*watch_command, options->account.network);
}

}  // namespace ffe::cli
