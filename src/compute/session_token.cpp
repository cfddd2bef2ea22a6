#include "compute/session_token.hpp"

#include <algorithm>
#include <chrono>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "compute/request.hpp"
#include "crypto/keccak.hpp"

namespace ffe::compute {
namespace {

constexpr std::string_view kPrefix = "Bearer app-sk-";
constexpr size_t kMaxHeader = 4096;
constexpr uint64_t kDay = 86'400'000;
constexpr uint64_t kClockSkew = 60'000;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::kKey, "the session token " + why, "ask its user for a new one");
}

bool good_nonce(std::string_view nonce) {
  return !nonce.empty() && nonce.size() <= 128 &&
         std::all_of(nonce.begin(), nonce.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
         });
}

}  // namespace

uint64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::string token_text(const SessionToken& t) {
  if (!good_nonce(t.nonce)) {
    throw Error(ErrorCode::kBadInput, "a token's nonce has 1 to 128 letters, digits and hyphens");
  }
  return "{\"address\":\"" + crypto::checksum_address(t.user) + "\",\"provider\":\"" +
         crypto::checksum_address(t.provider) + "\",\"timestamp\":" + std::to_string(t.timestamp) +
         ",\"expiresAt\":" + std::to_string(t.expires_at) + ",\"nonce\":\"" + t.nonce +
         "\",\"generation\":" + std::to_string(t.generation) +
         ",\"tokenId\":" + std::to_string(t.token_id) + "}";
}

std::string authorization(const SessionToken& token, const crypto::PrivateKey& key) {
  if (key.address() != token.user) {
    throw Error(ErrorCode::kKey, "a session token is signed by the user that it names");
  }
  std::string text = token_text(token);
  crypto::Signature signature = sign_message(key, crypto::keccak256(text));
  text += '|';
  text += to_hex0x(signature.bytes);
  return std::string(kPrefix) + to_base64(as_bytes(text));
}

SessionToken parse_authorization(std::string_view header) {
  if (!header.starts_with(kPrefix) || header.size() > kMaxHeader) {
    refuse("does not begin with \"Bearer app-sk-\", or is too long");
  }
  Bytes decoded = from_base64(header.substr(kPrefix.size()));
  std::string_view whole = as_text(decoded);
  size_t bar = whole.rfind('|');
  if (bar == std::string_view::npos) refuse("has no signature");
  std::string_view text = whole.substr(0, bar);
  Json json = parse_json(text, "session token");
  SessionToken token;
  token.user = crypto::parse_address(json_string(json, "address", "session token"));
  token.provider = crypto::parse_address(json_string(json, "provider", "session token"));
  token.timestamp = json_uint(json, "timestamp", "session token");
  token.expires_at = json_uint(json, "expiresAt", "session token");
  token.nonce = json_string(json, "nonce", "session token");
  token.generation = json_uint(json, "generation", "session token");
  uint64_t id = json_uint(json, "tokenId", "session token");
  if (id > SessionToken::kEphemeral) refuse("has an id above 255");
  token.token_id = static_cast<uint8_t>(id);
  if (!good_nonce(token.nonce)) refuse("has a malformed nonce");
  crypto::Signature signature = parse_signature(from_hex(whole.substr(bar + 1)));
  if (crypto::address_of(message_signer(crypto::keccak256(text), signature)) != token.user) {
    refuse("is not signed by the user that it names");
  }
  return token;
}

void check_token(const SessionToken& token, const Address& provider, uint64_t now) {
  if (token.provider != provider) refuse("is for another provider");
  if (token.timestamp > now + kClockSkew) refuse("is from the future");
  if (token.expires_at != 0 && token.expires_at <= now) refuse("has expired");
  if (token.token_id == SessionToken::kEphemeral &&
      (token.expires_at == 0 || token.timestamp > token.expires_at ||
       token.expires_at - token.timestamp > kDay)) {
    refuse("lives longer than the 24 hours of an ephemeral one");
  }
}

}  // namespace ffe::compute
