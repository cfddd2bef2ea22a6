#include <fmt/format.h>

#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "cli/step_view.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  AccountOptions account;
  std::string session;
  fs::path out;
};

void withdraw(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  print_tx(terminal, client.withdraw(evm::U256::parse(options.session)));
}

// What the session owes this account, before it is paid.
void claim(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  const evm::U256 id = evm::U256::parse(options.session);
  const session::OpenedSession opened = client.coordinator().opened(id);
  const auto owed = client.coordinator().claimable(id, client.address());
  const evm::Currency currency = evm::currency_of(client.rpc(), opened.terms.stake_token);
  const evm::U256 native = owed.bond + owed.credit;
  const session::SessionState state = client.coordinator().view(id).state;
  if (owed.stake.is_zero() && native.is_zero() &&
      (state == session::SessionState::kOpen || state == session::SessionState::kSealed)) {
    throw Error(ErrorCode::kSession,
                fmt::format("session {} is {}: stakes are paid back at its end", options.session,
                            session::name(state)),
                state == session::SessionState::kOpen
                    ? "until it is sealed: ffe withdraw " + options.session
                    : "follow it: ffe session watch " + options.session);
  }
  const evm::Receipt receipt = client.claim(id);
  std::string text = currency.text(owed.stake) + " of the stake";
  if (!native.is_zero()) text += ", " + evm::format_ether(native) + " 0G besides";
  terminal.step("Claimed", text);
  const std::string hash = to_hex0x(receipt.tx_hash.bytes);
  terminal.result(terminal.json() ? Json{{"txHash", hash},
                                         {"block", receipt.block_number},
                                         {"stakeWei", owed.stake.to_string()},
                                         {"besidesWei", native.to_string()}}
                                        .dump()
                                  : hash);
}

void download(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  StepView view(terminal);
  fs::path out = options.out.empty() ? fs::path("ffe-session-" + options.session) : options.out;
  client::DownloadResult r = client.download(evm::U256::parse(options.session), out, view.events());
  terminal.step("Finished", fmt::format("held-out loss {:.2f} → {:.2f} nats",
                                        r.report.base_loss_micro_nats / 1e6,
                                        r.report.joint_loss_micro_nats / 1e6));
  if (terminal.json()) {
    terminal.result(Json{{"folder", r.folder.string()},
                         {"tokenId", r.token_id.to_string()},
                         {"artifactRoot", to_hex0x(r.artifact_root.bytes)},
                         {"artifactSha256", to_hex(r.artifact_sha256.bytes)},
                         {"adapterSha256", to_hex(r.adapter_sha256.bytes)}}
                        .dump());
  } else {
    terminal.result(r.folder.string());
  }
}

}  // namespace

void add_contribution(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  auto choose = [&context, options](void (*run)(const Options&, Terminal&)) {
    return [&context, options, run] {
      context.chosen = [options, run](Terminal& t) { run(*options, t); };
    };
  };
  add_check(app, context);
  add_submit(app, context);

  auto* withdraw_command =
      app.add_subcommand("withdraw", "Take blob and stake back before the session is sealed");
  withdraw_command->add_option("session", options->session, "Number of the session")->required();
  add_account_options(*withdraw_command, options->account);
  withdraw_command->callback(choose(withdraw));

  auto* download_command =
      app.add_subcommand("download", "INFT → sealed key → adapter folder, everything verified");
  download_command->add_option("session", options->session, "Number of the session")->required();
  download_command->add_option("-o,--out", options->out, "Folder to make");
  add_account_options(*download_command, options->account);
  download_command->callback(choose(download));

  auto* claim_command = app.add_subcommand("claim", "Collect what an ended session owes you");
  claim_command->add_option("session", options->session, "Number of the session")->required();
  add_account_options(*claim_command, options->account);
  claim_command->callback(choose(claim));
}

}  // namespace ffe::cli
