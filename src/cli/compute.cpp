#include "cli/compute.hpp"

#include <ctime>
#include <fmt/format.h>

#include "compute/funding.hpp"
#include "compute/inference_chain.hpp"
#include "crypto/address.hpp"

namespace ffe::cli {
namespace {

struct Options {
  ComputeOptions compute;
  std::string provider;
  std::string amount;
  std::string user;
  bool all = false;
  bool inference = false;
};

std::string ether(const evm::U256& wei) {
  return evm::format_ether(wei) + " 0G";
}

void providers(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  Json list = Json::array();
  std::string text;
  for (const compute::ServiceView& s : session.serving.services()) {
    if (!s.tee_signer_acknowledged && !o.all) continue;
    list.push_back({{"provider", crypto::checksum_address(s.provider)},
                    {"url", s.url},
                    {"pricePerTokenWei", s.price_per_token.to_string()},
                    {"occupied", s.occupied},
                    {"customModels", s.models},
                    {"teeSigner", crypto::checksum_address(s.tee_signer)},
                    {"acknowledgedBy0G", s.tee_signer_acknowledged}});
    text += fmt::format(
        "{}  {} 0G per million tokens  {}{}{}\n", crypto::checksum_address(s.provider),
        evm::format_ether(s.price_per_token * evm::U256(1'000'000)), s.url,
        s.occupied ? "  busy" : "", s.tee_signer_acknowledged ? "" : "  not acknowledged by 0G");
  }
  if (terminal.json()) return terminal.result(list.dump());
  if (text.empty()) return terminal.note("no provider offers fine-tuning here");
  text.pop_back();
  terminal.result(text);
}

void show_payment(const compute::FundingPlan& plan, Terminal& terminal) {
  if (!plan.deposit.is_zero()) terminal.step("Depositing", ether(plan.deposit) + " in the ledger");
  if (!plan.transfer.is_zero()) {
    terminal.step("Moving", ether(plan.transfer) + " into the sub-account");
  }
}

void show_funds(const compute::FundingPlan& plan, const evm::U256& free, Terminal& terminal) {
  terminal.result(terminal.json() ? Json{{"freeWei", free.to_string()},
                                         {"depositedWei", plan.deposit.to_string()},
                                         {"transferredWei", plan.transfer.to_string()}}
                                        .dump()
                                  : ether(free) + " free in the sub-account");
}

// Inference is paid from a sub-account of its own.
void fund_inference(const Options& o, ComputeSession& session, evm::Sender& sender,
                    const Address& provider, Terminal& terminal) {
  compute::InferenceServing inference(session.rpc, session.inference());
  with_compute_hints([&] {
    if (!inference.service(provider)) {
      throw Error(ErrorCode::kUsage, o.provider + " offers no inference on this network",
                  "name a provider of inference: fine-tuning and inference are registered apart");
    }
    compute::SubAccount account;
    if (auto there = inference.account(sender.address(), provider)) {
      account = {true, there->free(), there->pending_refund};
    }
    const compute::FundingPlan plan = compute::plan_funding(
        session.ledger, account, sender.address(), evm::parse_ether(o.amount));
    show_payment(plan, terminal);
    compute::carry_out(plan, session.ledger, inference.address(), sender, provider);
    show_funds(plan, inference.account(sender.address(), provider)->free(), terminal);
  });
}

void fund(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  evm::Sender sender(session.rpc, load_key(o.compute.account));
  Address provider = crypto::parse_address(o.provider);
  if (o.inference) return fund_inference(o, session, sender, provider, terminal);
  with_compute_hints([&] {
    if (!session.serving.service(provider)) {
      throw Error(ErrorCode::kUsage, "no service of " + o.provider + " on this network",
                  "look at the providers: ffe compute providers");
    }
    compute::FundingPlan plan = compute::plan_funding(
        session.ledger, session.serving, sender.address(), provider, evm::parse_ether(o.amount));
    show_payment(plan, terminal);
    compute::carry_out(plan, session.ledger, session.serving, sender, provider);
    show_funds(plan, session.serving.account(sender.address(), provider)->free(), terminal);
  });
}

// Until when a delivered task is to be acknowledged, by the longest time that the contract allows.
Json deliverable_json(const compute::DeliverableView& d, uint64_t lock_time) {
  return {{"task", d.id},
          {"delivered", d.timestamp},
          {"acknowledged", d.acknowledged},
          {"settled", d.settled},
          {"keyPublished", !d.encrypted_secret.empty()},
          {"acknowledgeBefore", d.timestamp + lock_time / 2}};
}

std::string deliverable_text(const compute::DeliverableView& d, uint64_t lock_time) {
  if (d.settled) {
    return d.acknowledged ? "settled, its key is published"
                          : "settled with the penalty: never acknowledged";
  }
  if (d.acknowledged) return "acknowledged, its key will follow";
  uint64_t end = d.timestamp + lock_time / 2, now = static_cast<uint64_t>(std::time(nullptr));
  return end <= now ? "delivered, the time to acknowledge it is over"
                    : "delivered, to be acknowledged within " +
                          format_duration(static_cast<double>(end - now)) + " at most";
}

// Sub-accounts of inference, where the network has its contract.
void show_inference(ComputeSession& session, const Address& user, Json& json, std::string& text) {
  json["inference"] = Json::array();
  if (session.network.inference.is_zero()) return;
  const compute::InferenceServing serving(session.rpc, session.network.inference);
  for (const compute::InferenceServiceView& s : serving.services()) {
    const auto account = serving.account(user, s.provider);
    if (!account) continue;
    text +=
        fmt::format("{}  inference: {} free, {} asked back\n", crypto::checksum_address(s.provider),
                    ether(account->free()), ether(account->pending_refund));
    json["inference"].push_back({{"provider", crypto::checksum_address(s.provider)},
                                 {"freeWei", account->free().to_string()},
                                 {"pendingRefundWei", account->pending_refund.to_string()}});
  }
}

void status(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  Address user =
      o.user.empty() ? load_key(o.compute.account).address() : crypto::parse_address(o.user);
  uint64_t lock_time = session.serving.lock_time();
  std::optional<compute::LedgerView> ledger = session.ledger.ledger(user);
  Json json = {{"user", crypto::checksum_address(user)}, {"providers", Json::array()}};
  std::string text = ledger ? fmt::format("ledger  {} free, {} in all\n", ether(ledger->available),
                                          ether(ledger->total))
                            : "no ledger\n";
  if (ledger) {
    json["availableWei"] = ledger->available.to_string();
    json["totalWei"] = ledger->total.to_string();
  }
  for (const compute::ServiceView& s : session.serving.services()) {
    std::optional<compute::AccountView> account = session.serving.account(user, s.provider);
    if (!account) continue;
    Json deliverables = Json::array();
    text += fmt::format("{}  {} free, {} asked back\n", crypto::checksum_address(s.provider),
                        ether(account->free()), ether(account->pending_refund));
    for (const compute::DeliverableView& d : account->deliverables) {
      deliverables.push_back(deliverable_json(d, lock_time));
      text += fmt::format("  {}  {}\n", d.id, deliverable_text(d, lock_time));
    }
    json["providers"].push_back({{"provider", crypto::checksum_address(s.provider)},
                                 {"freeWei", account->free().to_string()},
                                 {"pendingRefundWei", account->pending_refund.to_string()},
                                 {"nonce", account->nonce.to_string()},
                                 {"deliverables", deliverables}});
  }
  show_inference(session, user, json, text);
  text.pop_back();
  terminal.result(terminal.json() ? json.dump() : text);
}

void retrieve(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  evm::Sender sender(session.rpc, load_key(o.compute.account));
  const Address service = o.inference ? session.inference() : session.serving.address();
  with_compute_hints([&] {
    print_tx(terminal, session.ledger.retrieve(sender, {crypto::parse_address(o.provider)},
                                               session.ledger.service_name(service)));
  });
  const uint64_t locked = o.inference ? compute::InferenceServing(session.rpc, service).lock_time()
                                      : session.serving.lock_time();
  terminal.hint(
      fmt::format("what was asked back is unlocked after {}; run this again then, and "
                  "ffe compute refund to have it in the wallet",
                  format_duration(static_cast<double>(locked))));
}

void refund(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  evm::Sender sender(session.rpc, load_key(o.compute.account));
  with_compute_hints([&] {
    const evm::U256 most = compute::withdrawable(session.ledger, sender.address());
    const evm::U256 amount = o.amount.empty() ? most : evm::parse_ether(o.amount);
    if (amount.is_zero() || amount > most) {
      throw Error(ErrorCode::kUsage, "the ledger can give back " + ether(most) + " now",
                  "sub-accounts are asked with ffe compute retrieve; while they hold something, " +
                      ether(session.ledger.min_account_balance()) + " must stay in the ledger");
    }
    terminal.step("Refunding", ether(amount) + " from the ledger into the wallet");
    print_tx(terminal, session.ledger.refund(sender, amount));
  });
}

}  // namespace

void add_compute_options(CLI::App& command, ComputeOptions& options, bool signs) {
  if (signs) {
    add_account_options(command, options.account);
  } else {
    add_network_option(command, options.account.network);
  }
  command.add_option("--rpc-url", options.rpc_url, "The chain, instead of the network's");
  command.add_option("--ledger", options.ledger, "0G Compute's ledger, instead of the network's");
  command.add_option("--fine-tuning", options.fine_tuning,
                     "0G Compute's fine-tuning contract, instead of the network's");
  command.add_option("--inference-contract", options.inference,
                     "0G Compute's inference contract, instead of the network's");
}

ComputeNetwork compute_network(const ComputeOptions& o) {
  ComputeNetwork out;
  const std::string& name = o.account.network;
  if (auto known = compute::known_contracts(name)) {
    out.contracts = *known;
    out.inference = compute::known_inference(name).value_or(Address{});
    out.storage = storage::network_options(name);
    out.rpc_url = out.storage.rpc_url;
  } else if (o.rpc_url.empty() || o.ledger.empty() || o.fine_tuning.empty()) {
    client::Network network = client::find_network(name);
    out.rpc_url = network.rpc_url;
    out.contracts = {network.compute_ledger, network.compute_fine_tuning};
    out.inference = network.compute_inference;
    out.storage = client::storage_options(network);
  }
  if (!o.rpc_url.empty()) out.rpc_url = o.rpc_url;
  if (!o.ledger.empty()) out.contracts.ledger = crypto::parse_address(o.ledger);
  if (!o.fine_tuning.empty()) out.contracts.fine_tuning = crypto::parse_address(o.fine_tuning);
  if (!o.inference.empty()) out.inference = crypto::parse_address(o.inference);
  if (out.contracts.ledger.is_zero() || out.contracts.fine_tuning.is_zero()) {
    throw Error(ErrorCode::kUsage, "the network \"" + name + "\" has no 0G Compute",
                "use galileo or aristotle, or start a local one: ffe devnet up --compute");
  }
  return out;
}

ComputeSession::ComputeSession(const ComputeOptions& options)
    : network(compute_network(options)),
      rpc(network.rpc_url, compute::rpc_options()),
      ledger(rpc, network.contracts.ledger),
      serving(rpc, network.contracts.fine_tuning) {}

const Address& ComputeSession::inference() const {
  if (!network.inference.is_zero()) return network.inference;
  throw Error(ErrorCode::kUsage, "the network has no inference contract of 0G Compute",
              "name it: --inference-contract ADDRESS");
}

void with_compute_hints(const std::function<void()>& work) {
  try {
    work();
  } catch (const evm::RevertError& e) {
    std::string hint = compute::revert_hint(e.name());
    if (hint.empty()) throw;
    throw Error(e.code(), e.what(), hint);
  }
}

void add_compute(CLI::App& app, Context& context) {
  auto* compute =
      app.add_subcommand("compute", "0G Compute: fine-tuning and inference at its providers");
  compute->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto add = [&](const char* name, const char* text, void (*run)(const Options&, Terminal&)) {
    auto* command = compute->add_subcommand(name, text);
    command->callback([&context, options, run] {
      context.chosen = [options, run](Terminal& t) { run(*options, t); };
    });
    return command;
  };
  auto* list = add("providers", "Who offers fine-tuning", providers);
  list->add_flag("--all", options->all, "Those too whose enclave 0G has not acknowledged");
  add_compute_options(*list, options->compute, false);

  auto* fund_command = add("fund", "See to it that an amount is free in a sub-account", fund);
  fund_command->add_option("provider", options->provider, "Its address")->required();
  fund_command->add_option("amount", options->amount, "In 0G")->required();
  fund_command->add_flag("--inference", options->inference,
                         "Of inference, which has a sub-account of its own");
  add_compute_options(*fund_command, options->compute, true);

  auto* status_command = add("status", "Money and delivered tasks of an account", status);
  status_command->add_option("--user", options->user, "An address, instead of an account of ours");
  add_compute_options(*status_command, options->compute, true);

  auto* retrieve_command =
      add("retrieve", "Ask a sub-account's free money back, or take what is unlocked", retrieve);
  retrieve_command->add_option("provider", options->provider, "Its address")->required();
  retrieve_command->add_flag("--inference", options->inference,
                             "Of inference, which has a sub-account of its own");
  add_compute_options(*retrieve_command, options->compute, true);

  auto* refund_command = add("refund", "Take free money out of the ledger", refund);
  refund_command->add_option("amount", options->amount, "In 0G; all that can be, without it");
  add_compute_options(*refund_command, options->compute, true);

  add_compute_task(*compute, context);
  add_compute_chat(*compute, context);
  add_compute_serve(*compute, context);
}

}  // namespace ffe::cli
