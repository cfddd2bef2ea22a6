// A session's status for people: who is being waited for; and for whoever was turned away, in this
// order: what was found, where the stake is, what to do, until when.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "cli/terminal.hpp"
#include "client/client.hpp"
#include "session/reports.hpp"

namespace ffe::cli {

// Everything that a status shows.
struct StatusView {
  client::Status status;
  std::optional<session::GateReport> gate;  // once it is published
  Json enclave;                             // the service's own words, or null
  uint64_t now = 0;                         // the chain's clock
};

// `with_gate`: fetch gate.json too, where there is one. A storage that does not answer leaves it
// out.
StatusView look_at(client::Client& client, const evm::U256& id, bool with_gate);

// Stages as people know them: "Waiting", "Checking", "Training", "Ready", or how it ended.
std::string stage_name(const StatusView& view);

// What a contributor's line says, and what stands below it.
struct PartyText {
  Address who;
  std::string summary;
  std::vector<std::pair<std::string, std::string>> details;  // found, stake, do, until
};
std::vector<PartyText> parties(const StatusView& view);

// How a session without a result ended: what happened, where stakes and fee are, what to do, until
// when; empty for all others.
std::vector<std::pair<std::string, std::string>> ending(const StatusView& v);

// Who or what the session waits for, and how long still.
std::string waiting_for(const StatusView& view);

std::string status_text(const StatusView& view, size_t width);
Json status_json(const StatusView& view);
// As the result of a command.
void print_status(Terminal& terminal, const StatusView& view);

}  // namespace ffe::cli
