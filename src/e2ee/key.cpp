#include "e2ee/key.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "crypto/hash.hpp"
#include "crypto/hpke.hpp"

namespace ffe::e2ee {

std::string Recipient::key_id() const {
  return to_base64url(ByteView(crypto::sha256(enc_pub.bytes).bytes).first(8));
}

Json to_json(const Recipient& recipient) {
  return {{"v", 1u},
          {"kem_id", kKemId},
          {"enc_pub", to_base64url(recipient.enc_pub.bytes)},
          {"key_id", recipient.key_id()},
          {"signer_address", crypto::checksum_address(recipient.signer)}};
}

Recipient recipient_from_json(const Json& json) {
  constexpr std::string_view kWhat = "E2EE public key";
  if (json_uint(json, "v", kWhat) != 1 || json_string(json, "kem_id", kWhat) != kKemId) {
    throw Error(ErrorCode::kUnsupported, "the enclave speaks another version of the E2EE protocol");
  }
  Recipient out;
  Bytes key = from_base64url(json_string(json, "enc_pub", kWhat), "enc_pub");
  if (key.size() != 32) throw Error(ErrorCode::kBadInput, "enc_pub does not have 32 bytes");
  out.enc_pub = FixedBytes<32>::from(key);
  out.signer = crypto::parse_address(json_string(json, "signer_address", kWhat));
  if (json_string(json, "key_id", kWhat) != out.key_id()) {
    throw Error(ErrorCode::kBadInput, "key_id is not that of enc_pub");
  }
  return out;
}

crypto::X25519KeyPair derive_key(ByteView enclave_secret) {
  SecretBytes seed = crypto::hkdf_sha256(enclave_secret, {}, as_bytes("0g-pc/v1/enc-key"), 32);
  return crypto::hpke_derive_key_pair(seed.view());
}

std::string to_base64url(ByteView bytes) {
  std::string text = to_base64(bytes);
  text.erase(text.find_last_not_of('=') + 1);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

Bytes from_base64url(std::string_view text, std::string_view what) {
  auto bad = [&] { return Error(ErrorCode::kBadInput, std::string(what) + " is not base64url"); };
  if (text.find_first_of("+/=") != std::string_view::npos) throw bad();
  std::string standard(text);
  std::replace(standard.begin(), standard.end(), '-', '+');
  std::replace(standard.begin(), standard.end(), '_', '/');
  standard.append((4 - standard.size() % 4) % 4, '=');
  try {
    return from_base64(standard);
  } catch (const Error&) {
    throw bad();
  }
}

}  // namespace ffe::e2ee
