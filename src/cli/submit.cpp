// ffe submit: what it will do and cost, then the doing.
#include <fmt/format.h>

#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/ask.hpp"
#include "cli/command.hpp"
#include "cli/step_view.hpp"
#include "crypto/address.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  AccountOptions account;
  std::string session;
  fs::path file;
  bool yes = false;
  bool dry_run = false;
  client::SubmitOptions consent;
};

std::string percent(uint16_t bps) {
  return fmt::format("{:g} %", bps / 100.0);
}

// Wei as a short amount; never rounded down to nothing.
std::string about(const evm::U256& wei) {
  if (wei.is_zero()) return "0";
  const double value = std::stod(evm::format_ether(wei));
  return fmt::format("{:.2g}", value);
}

void show_plan(const client::SubmitPlan& plan, const client::Client& client, const Options& o,
               Terminal& terminal) {
  const session::SessionTerms& terms = plan.opened.terms;
  terminal.step("Plan",
                fmt::format("session {} on {}, as {}", plan.opened.id.to_string(),
                            client.network().name, crypto::checksum_address(client.address())));
  terminal.step("Rows",
                fmt::format("{}  {} · {} repeated · {}; at most {} of each party are trained on",
                            o.file.filename().string(), format_count(plan.data.rows),
                            format_count(plan.data.duplicates), format_bytes(plan.data.bytes),
                            format_count(terms.max_rows)));
  if (plan.replaces) {
    terminal.step("Stake", "held already; these rows replace those submitted before");
  } else {
    terminal.step("Stake",
                  fmt::format("{}, refundable until sealing; later {} of it is lost for proven "
                              "harm, {} for rows that cannot be used",
                              plan.currency.text(plan.stake), percent(terms.slash_bps_harmful),
                              percent(terms.slash_bps_invalid)));
  }
  terminal.step(
      "Cost",
      fmt::format("about {} 0G: storage of {} {}, gas {}", about(plan.storage_fee + plan.gas_fee),
                  format_bytes(plan.blob_bytes), about(plan.storage_fee), about(plan.gas_fee)));
  if (plan.resumes) terminal.step("Resuming", "an interrupted submission of these rows");
  terminal.step("Closes", "in " + format_duration(static_cast<double>(plan.seconds_left)));
}

Json plan_json(const client::SubmitPlan& plan, const client::Client& client) {
  return {{"sessionId", plan.opened.id.to_string()},
          {"network", client.network().name},
          {"account", crypto::checksum_address(client.address())},
          {"rows", plan.data.rows},
          {"duplicates", plan.data.duplicates},
          {"bytes", plan.data.bytes},
          {"blobBytes", plan.blob_bytes},
          {"stakeWei", plan.stake.to_string()},
          {"storageFeeWei", plan.storage_fee.to_string()},
          {"gasFeeWei", plan.gas_fee.to_string()},
          {"balanceWei", plan.balance.to_string()},
          {"slashHarmfulBps", plan.opened.terms.slash_bps_harmful},
          {"slashInvalidBps", plan.opened.terms.slash_bps_invalid},
          {"secondsLeft", plan.seconds_left},
          {"replaces", plan.replaces},
          {"resumes", plan.resumes},
          {"trainer", plan.recipe.trainer},
          {"whoSeesRows", plan.who_sees_rows}};
}

Json result_json(const client::SubmitPlan& plan, const client::SubmitResult& r) {
  Json out = {{"sessionId", plan.opened.id.to_string()},
              {"rows", r.data.rows},
              {"blobRoot", to_hex0x(r.blob_root.bytes)},
              {"dataHash", to_hex0x(r.data_hash.bytes)},
              {"stakeWei", r.stake.to_string()},
              {"replaced", r.replaced},
              {"resumed", r.resumed}};
  // Nothing was sent if the chain named this blob already.
  if (!r.tx_hash.is_zero()) out["txHash"] = to_hex0x(r.tx_hash.bytes);
  if (!r.currency.native()) {
    out["stakeToken"] = {{"address", to_hex0x(r.currency.token.bytes)},
                         {"symbol", r.currency.symbol},
                         {"decimals", r.currency.decimals}};
  }
  if (r.approval_tx_hash) out["approvalTxHash"] = to_hex0x(r.approval_tx_hash->bytes);
  return out;
}

void submit(const Options& o, Terminal& terminal) {
  client::Client client = open_client(o.account);
  StepView view(terminal);
  const evm::U256 id = evm::U256::parse(o.session);
  const client::SubmitPlan plan = client.plan_submission(id, o.file, view.events());
  show_plan(plan, client, o, terminal);
  if (!plan.who_sees_rows.empty()) terminal.warn(plan.who_sees_rows);
  if (o.dry_run) {
    terminal.hint("nothing was sent; without --dry-run it is");
    terminal.result(terminal.json() ? plan_json(plan, client).dump() : "planned");
    return;
  }
  // Before the question: it is not answered by a yes to the costs.
  if (!plan.who_sees_rows.empty() && !o.consent.accept_provider_sees_data) {
    throw Error(ErrorCode::kUsage, plan.who_sees_rows + "; nothing was encrypted or sent",
                "if that is right for these rows, say so: --accept-provider-sees-data");
  }
  if (!o.yes && may_ask() && !ask_yes("Go on?")) {
    throw Error(ErrorCode::kInterrupted, "nothing was sent");
  }
  const client::SubmitResult r = client.submit(plan, o.file, view.events(), o.consent);
  terminal.step("Finished", fmt::format("stake of {} held · refundable until the session is sealed",
                                        r.currency.text(r.stake)));
  terminal.hint("ffe session watch " + o.session);
  const H256& shown = r.tx_hash.is_zero() ? r.blob_root : r.tx_hash;
  terminal.result(terminal.json() ? result_json(plan, r).dump() : to_hex0x(shown.bytes));
}

}  // namespace

void add_submit(CLI::App& app, Context& context) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "submit", "Verify the enclave, check the rows, encrypt, upload, commit with the stake");
  command->add_option("session", o->session, "Number of the session")->required();
  command->add_option("data", o->file, "File of rows, JSONL")->required();
  command->add_flag("-y,--yes", o->yes, "Do not ask before paying");
  command->add_flag("--dry-run", o->dry_run, "Verify, check, show plan and cost; send nothing");
  command->add_flag("--accept-provider-sees-data", o->consent.accept_provider_sees_data,
                    "Where the terms let a 0G Compute provider train: it can read the rows");
  add_account_options(*command, o->account);
  command->footer(
      "ffe submit 17 rows.jsonl --account alice --dry-run\nffe submit 17 rows.jsonl --account "
      "alice");
  command->callback([&context, o] { context.chosen = [o](Terminal& t) { submit(*o, t); }; });
}

}  // namespace ffe::cli
