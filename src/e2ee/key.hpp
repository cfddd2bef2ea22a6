// Keys of 0G's end-to-end encrypted inference (E2EE wire protocol v1): the enclave's encryption key
// and what names it.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "crypto/address.hpp"
#include "crypto/x25519.hpp"

namespace ffe::e2ee {

inline constexpr std::string_view kKemId = "0x0020";  // DHKEM(X25519, HKDF-SHA256)

// Where requests go: the enclave's key, and the account that signs its answers. Both come from a
// verified quote (docs/spec/e2ee.md), never from the service's word alone.
struct Recipient {
  FixedBytes<32> enc_pub;
  Address signer;

  std::string key_id() const;  // base64url of sha256(enc_pub)[0:8]
  bool operator==(const Recipient&) const = default;
};

// The document of GET /v1/e2ee/pubkey. Reading checks form and key_id; throws Error{kBadInput}.
Json to_json(const Recipient& recipient);
Recipient recipient_from_json(const Json& json);

// The enclave's key pair out of a secret that only the enclave derives: HKDF-SHA256 with info
// "0g-pc/v1/enc-key", then HPKE's DeriveKeyPair.
crypto::X25519KeyPair derive_key(ByteView enclave_secret);

// RFC 4648 §5 without padding, as the protocol writes binary. Reading is strict.
std::string to_base64url(ByteView bytes);
Bytes from_base64url(std::string_view text, std::string_view what);

}  // namespace ffe::e2ee
