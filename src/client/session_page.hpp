// A finished session's story as one self-contained HTML page, from what is public alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/client.hpp"
#include "client/report_check.hpp"

namespace ffe::client {

// The same question to both models; an owner of the adapter can add some.
struct Sample {
  std::string question, base, joint, reference;
};

struct SessionPage {
  Network network;
  Status status;
  PublicRecord record;
  std::vector<session::ReportCheck> checks;  // of check_record()
  std::vector<session::TokenView> tokens;
  bool simulated = false;  // the enclave
  std::vector<Sample> samples;
};

// Everything but the samples, fetched and checked. Throws as Client::public_record().
SessionPage session_page(Client& client, const evm::U256& session_id);

// No scripts, nothing fetched from elsewhere but what a reader clicks.
std::string to_html(const SessionPage& page);

// Where a transaction can be looked at: "https://…/tx/"; empty for a local chain.
std::string explorer(uint64_t chain_id);

}  // namespace ffe::client
