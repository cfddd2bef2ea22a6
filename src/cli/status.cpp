// ffe status: this account's place in the network's sessions, and what it can do next. No password
// is needed: a key file tells its address.
#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/account.hpp"
#include "cli/command.hpp"
#include "cli/status_text.hpp"
#include "cli/text_layout.hpp"
#include "crypto/address.hpp"
#include "evm/keystore.hpp"

namespace ffe::cli {
namespace {

using session::SessionState;

struct Options {
  std::string network = user_config().network;
  std::string account = user_config().account;
  std::string session;
};

// The account's address by the keystore; nothing where none is named and there is not exactly one.
std::optional<evm::KeystoreEntry> account_of(const Options& o) {
  const evm::Keystore keystore(keystore_dir());
  if (!o.account.empty()) return keystore.find(o.account);
  const std::vector<evm::KeystoreEntry> all = keystore.list();
  return all.size() == 1 ? std::optional(all.front()) : std::nullopt;
}

struct Part {
  uint64_t id = 0;
  SessionState state{};
  std::string role, next;
};

std::string next_step(client::Client& client, const Part& p, const session::OpenedSession& opened,
                      const Address& who) {
  const std::string id = std::to_string(p.id);
  const bool participant = std::ranges::count(opened.terms.participants, who) != 0;
  const session::ContributionView mine = client.coordinator().contribution(opened.id, who);
  if (p.state == SessionState::kOpen && participant && mine.blob_root.is_zero()) {
    return "ffe submit " + id + " DATA.jsonl";
  }
  if (p.state == SessionState::kOpen || p.state == SessionState::kSealed) {
    return "ffe session watch " + id;
  }
  const auto owed = client.coordinator().claimable(opened.id, who);
  std::string out;
  if (!owed.stake.is_zero() || !owed.bond.is_zero() || !owed.credit.is_zero()) {
    out = "ffe claim " + id;
  }
  if (p.state == SessionState::kSettled) {
    for (const session::TokenView& token : client.inft().tokens_of(opened.id)) {
      if (token.owner == who) out += (out.empty() ? "" : ", ") + ("ffe download " + id);
    }
  }
  return out.empty() ? "nothing" : out;
}

std::vector<Part> parts_of(client::Client& client, const Address& who) {
  std::vector<Part> out;
  const uint64_t count = client.coordinator().session_count();
  for (uint64_t id = 1; id <= count; ++id) {
    const session::OpenedSession opened = client.coordinator().opened(evm::U256(id));
    Part p{id, client.coordinator().view(opened.id).state, "", ""};
    if (std::ranges::count(opened.terms.participants, who) != 0) p.role = "contributor";
    if (opened.opener == who) p.role += p.role.empty() ? "opener" : ", opener";
    if (opened.payee == who) p.role += p.role.empty() ? "operator" : ", operator";
    if (p.role.empty()) continue;
    p.next = next_step(client, p, opened, who);
    out.push_back(std::move(p));
  }
  return out;
}

void overview(const Options& o, Terminal& terminal) {
  client::Client client = open_reader(o.network);
  const std::optional<evm::KeystoreEntry> account = account_of(o);
  const evm::Block head = client.rpc().latest_block();
  Json out = {{"network", client.network().name},
              {"chainId", client.network().chain_id},
              {"block", head.number},
              {"sessions", client.coordinator().session_count()}};
  std::string text =
      fmt::format("network    {}, chain {}, block {}\nsessions   {}", client.network().name,
                  client.network().chain_id, head.number, client.coordinator().session_count());
  if (!account) {
    terminal.hint("name an account to see its part: --account NAME (ffe key list)");
    terminal.result(terminal.json() ? out.dump() : text);
    return;
  }
  const evm::U256 balance = client.rpc().balance(account->address);
  const std::string address = crypto::checksum_address(account->address);
  out["account"] = {
      {"name", account->name}, {"address", address}, {"balanceWei", balance.to_string()}};
  text += fmt::format("\naccount    {}  {}\nbalance    {} 0G", account->name, address,
                      evm::format_ether(balance));
  out["parts"] = Json::array();
  for (const Part& p : parts_of(client, account->address)) {
    out["parts"].push_back({{"session", std::to_string(p.id)},
                            {"state", session::name(p.state)},
                            {"role", p.role},
                            {"next", p.next}});
    text += fmt::format("\n{:>9}  {}  {}  next: {}", p.id, session::name(p.state), p.role, p.next);
  }
  terminal.result(terminal.json() ? out.dump() : text);
}

void status(const Options& o, Terminal& terminal) {
  if (o.session.empty()) return overview(o, terminal);
  client::Client client = open_reader(o.network);
  print_status(terminal, look_at(client, evm::U256::parse(o.session), true));
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("status", "Your part in the network's sessions, and what comes next");
  command->add_option("session", o->session, "One session instead: as ffe session status");
  command->add_option("--account", o->account, "Account in the keystore (see: ffe key list)");
  add_network_option(*command, o->network);
  command->callback([&context, o] { context.chosen = [o](Terminal& t) { status(*o, t); }; });
}

}  // namespace ffe::cli
