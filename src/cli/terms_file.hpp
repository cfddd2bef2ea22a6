// TERMS.toml: what an opener writes down before a session opens.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "client/client.hpp"

namespace ffe::cli {

// A commented file with defaults, for `ffe session new`.
std::string terms_template();

// Throws Error{kUsage} naming file and key. An empty enclave_url is left to the network;
// recipe.numeric_path may be "auto".
client::OpenRequest read_terms_file(const std::filesystem::path& file);

// The file has the stake with a point and 18 decimals; an ERC-20 has its own number of them. Throws
// Error{kUsage} if it has fewer than the stake needs.
void scale_stake(client::OpenRequest& request, const evm::Currency& currency);

// What a person should know before opening: each line is advice, never an error. Reads the pool.
struct TermsAdvice {
  size_t pool_pairs = 0;    // without near-copies
  size_t needed_pairs = 0;  // calibration and evaluation
  double shuffled = 0;      // share of contributions with half of the answers shuffled: rejected
  double kept_out = 0;      // … rejected or excluded
  std::vector<std::string> warnings;
};
// Throws Error{kBadInput} if the pool cannot serve these terms at all.
TermsAdvice advise(const client::OpenRequest& request);

}  // namespace ffe::cli
