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
  fs::path file;
  fs::path out;
};

void check(const Options& options, Terminal& terminal) {
  client::DataCheck data = client::check_data(options.file);
  terminal.step("Checked", fmt::format("{}  {} rows · {} repeated · {}",
                                       options.file.filename().string(), format_count(data.rows),
                                       format_count(data.duplicates), format_bytes(data.bytes)));
  if (terminal.json()) {
    terminal.result(
        Json{{"rows", data.rows}, {"bytes", data.bytes}, {"duplicates", data.duplicates}}.dump());
  } else {
    terminal.result(std::to_string(data.rows));
  }
}

void submit(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  StepView view(terminal);
  evm::U256 id = evm::U256::parse(options.session);
  client::SubmitResult r = client.submit(id, options.file, view.events());
  terminal.step("Finished", fmt::format("stake of {} held · refundable until the session is sealed",
                                        r.currency.text(r.stake)));
  terminal.hint("ffe session status " + options.session);
  if (terminal.json()) {
    Json out = {{"sessionId", id.to_string()},
                {"rows", r.data.rows},
                {"blobRoot", to_hex0x(r.blob_root.bytes)},
                {"dataHash", to_hex0x(r.data_hash.bytes)},
                {"txHash", to_hex0x(r.tx_hash.bytes)},
                {"stakeWei", r.stake.to_string()},
                {"replaced", r.replaced}};
    if (!r.currency.native()) {
      out["stakeToken"] = {{"address", to_hex0x(r.currency.token.bytes)},
                           {"symbol", r.currency.symbol},
                           {"decimals", r.currency.decimals}};
    }
    if (r.approval_tx_hash) out["approvalTxHash"] = to_hex0x(r.approval_tx_hash->bytes);
    terminal.result(out.dump());
  } else {
    terminal.result(to_hex0x(r.tx_hash.bytes));
  }
}

void withdraw(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  print_tx(terminal, client.withdraw(evm::U256::parse(options.session)));
}

void claim(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  print_tx(terminal, client.claim(evm::U256::parse(options.session)));
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
  auto* check_command = app.add_subcommand("check", "Check a file of rows before submitting it");
  check_command->add_option("data", options->file, "JSONL")->required();
  check_command->callback(choose(check));

  auto* submit_command = app.add_subcommand(
      "submit", "Verify the enclave, check the rows, encrypt, upload, commit with the stake");
  submit_command->add_option("session", options->session)->required();
  submit_command->add_option("data", options->file, "JSONL")->required();
  add_account_options(*submit_command, options->account);
  submit_command->callback(choose(submit));

  auto* withdraw_command =
      app.add_subcommand("withdraw", "Take blob and stake back before the session is sealed");
  withdraw_command->add_option("session", options->session)->required();
  add_account_options(*withdraw_command, options->account);
  withdraw_command->callback(choose(withdraw));

  auto* download_command =
      app.add_subcommand("download", "INFT → sealed key → adapter folder, everything verified");
  download_command->add_option("session", options->session)->required();
  download_command->add_option("-o,--out", options->out, "Folder to make");
  add_account_options(*download_command, options->account);
  download_command->callback(choose(download));

  auto* claim_command = app.add_subcommand("claim", "Collect what an ended session owes you");
  claim_command->add_option("session", options->session)->required();
  add_account_options(*claim_command, options->account);
  claim_command->callback(choose(claim));
}

}  // namespace ffe::cli
