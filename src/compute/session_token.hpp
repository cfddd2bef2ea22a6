// The Authorization header of 0G Compute's inference brokers: who asks, whom, until when; signed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/secp256k1.hpp"

namespace ffe::compute {

struct SessionToken {
  Address user;
  Address provider;
  uint64_t timestamp = 0;   // Unix milliseconds
  uint64_t expires_at = 0;  // Unix milliseconds; 0: never
  std::string nonce;        // 1 to 128 letters, digits and hyphens
  uint64_t generation = 0;  // of the user's account at the provider; tokens of older ones are void
  uint8_t token_id = kEphemeral;  // 0 to 254: an API key that the chain can revoke

  static constexpr uint8_t kEphemeral = 255;
  bool operator==(const SessionToken&) const = default;
};

// Unix milliseconds by this machine's clock.
uint64_t now_ms();

// The JSON text that is signed: members in the order of 0G's SDK, addresses with checksum.
std::string token_text(const SessionToken& token);
// "Bearer app-sk-" + base64(text ‖ "|" ‖ signature). Throws Error{kKey} if `key` is not the user's.
std::string authorization(const SessionToken& token, const crypto::PrivateKey& key);
// Checks form and signature; whether it is the right provider and has not expired is
// check_token's. Throws Error{kBadInput} or {kKey}.
SessionToken parse_authorization(std::string_view header);
// Throws Error{kKey} saying why. An ephemeral token lives at most 24 hours. `now`: Unix ms.
void check_token(const SessionToken& token, const Address& provider, uint64_t now);

}  // namespace ffe::compute
