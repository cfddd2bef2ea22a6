#include "aggregator/enclave.hpp"

#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "crypto/random.hpp"
#include "session/randomness.hpp"

namespace ffe::aggregator {
namespace {

constexpr size_t kSecretsSize = 96;  // X25519 secret ‖ seed ‖ artifact secret
constexpr size_t kMaxWaiting = 1024;

std::string scope_of(const H256& tag) {
  return to_hex(tag.bytes);
}

SessionSecrets split(const SecretBytes& all) {
  if (all.size() != kSecretsSize) {
    throw Error(ErrorCode::kCorrupt, "journal: a session's secrets have the wrong size");
  }
  return {crypto::X25519KeyPair::from(all.view().subspan(0, 32)),
          SecretBytes(all.view().subspan(32, 32)), SecretBytes(all.view().subspan(64, 32))};
}

}  // namespace

Enclave::Enclave(Journal& journal, const session::Domain& domain,
                 std::optional<SecretBytes> platform_key)
    : journal_(journal),
      domain_(domain),
      signer_(load_signer(platform_key)),
      signer_address_(signer_.address()) {}

crypto::PrivateKey Enclave::load_signer(const std::optional<SecretBytes>& platform_key) {
  if (platform_key) return crypto::PrivateKey::from(platform_key->view());
  if (auto saved = journal_.get_secret("enclave", "signer")) {
    return crypto::PrivateKey::from(saved->view());
  }
  crypto::PrivateKey fresh = crypto::PrivateKey::generate();
  journal_.put_secret("enclave", "signer", fresh.secret());
  return fresh;
}

SessionKeyGrant Enclave::grant(const H256& tag) {
  std::lock_guard lock(mutex_);
  std::string scope = scope_of(tag);
  if (journal_.has(scope, "over")) {
    throw Error(ErrorCode::kSession, "this session is over; its key was erased",
                "open a new session: another salt gives another tag");
  }
  if (!journal_.get_secret(scope, "secrets")) {
    if (journal_.scopes().size() > kMaxWaiting) {
      throw Error(ErrorCode::kSession, "too many sessions are being prepared", "try again later");
    }
    SecretBytes fresh(kSecretsSize);
    crypto::random_bytes(fresh.span());
    journal_.put_secret(scope, "secrets", fresh.view());
  }
  SessionSecrets s = secrets(tag);
  SessionKeyGrant out;
  out.session_key = s.session_key.public_key;
  out.seed_commitment = session::seed_commitment(s.seed.view());
  out.signature =
      signer_.sign(session::session_key_digest(domain_, tag, out.session_key, out.seed_commitment));
  return out;
}

SessionOffer Enclave::offer(const H256& tag, const session::SessionTerms& terms) {
  SessionKeyGrant key = grant(tag);
  std::lock_guard lock(mutex_);
  SessionOffer out{key.session_key, key.seed_commitment, session::terms_hash(terms), {}};
  if (auto earlier = journal_.get(scope_of(tag), "terms")) {
    if (crypto::keccak256(*earlier) != out.terms_hash) {
      throw Error(ErrorCode::kSession, "other terms were agreed to for this session",
                  "use another salt for other terms");
    }
  }
  journal_.put(scope_of(tag), "terms", session::encode_terms(terms));
  out.signature = signer_.sign(session::session_offer_digest(domain_, tag, out.session_key,
                                                             out.seed_commitment, out.terms_hash));
  return out;
}

SessionSecrets Enclave::secrets(const H256& tag) const {
  std::optional<SecretBytes> all = journal_.get_secret(scope_of(tag), "secrets");
  if (!all) {
    throw Error(ErrorCode::kSession, "this enclave holds no key for the session",
                "it was restarted without sealed storage, or the session is over");
  }
  return split(*all);
}

void Enclave::forget(const H256& tag) {
  std::lock_guard lock(mutex_);
  journal_.erase(scope_of(tag), "secrets");
  journal_.set(scope_of(tag), "over", as_bytes("1"));
}

session::SignedCertificate Enclave::sign(const evm::U256& session_id,
                                         const session::Certificate& certificate) const {
  return session::sign(domain_, session_id, certificate, signer_);
}

}  // namespace ffe::aggregator
