// The enclave's keys: its signer, born here, and what it makes for each session.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "aggregator/journal.hpp"
#include "crypto/hpke.hpp"
#include "crypto/secp256k1.hpp"
#include "session/certificates.hpp"
#include "session/terms.hpp"
#include "tee/provider.hpp"

namespace ffe::aggregator {

// What the opener encrypts the evaluation pool to, signed by the enclave.
struct SessionKeyGrant {
  FixedBytes<32> session_key;
  H256 seed_commitment;
  crypto::Signature signature;  // over SessionKey(sessionTag, sessionKey, seedCommitment)
};

// The enclave's consent to the terms.
struct SessionOffer {
  FixedBytes<32> session_key;
  H256 seed_commitment;
  H256 terms_hash;
  crypto::Signature signature;  // over SessionOffer(…)
};

struct SessionSecrets {
  crypto::X25519KeyPair session_key;
  SecretBytes seed;             // 32 bytes, revealed by the result
  SecretBytes artifact_secret;  // 32 bytes
};

// Thread-safe.
class Enclave {
 public:
  // Loads the signer from the journal or makes one; where the platform's evidence names a key of
  // its own, that one is the signer.
  Enclave(Journal& journal, const session::Domain& domain,
          std::optional<SecretBytes> platform_key = std::nullopt);

  const Address& signer() const { return signer_address_; }
  const session::Domain& domain() const { return domain_; }
  const crypto::PrivateKey& key() const { return signer_; }

  // Makes the session's secrets on first use of the tag; later calls give the same grant. Throws
  // Error{kSession} when too many sessions that never opened are waiting, or the tag's session is
  // over.
  SessionKeyGrant grant(const H256& session_tag);
  // Signs terms that the caller has checked. One tag, one set of terms: throws Error{kSession} for
  // a second one.
  SessionOffer offer(const H256& session_tag, const session::SessionTerms& terms);

  // Throws Error{kSession} if this enclave holds no key for the tag (any more).
  SessionSecrets secrets(const H256& session_tag) const;
  // At every exit of a session: a key that leaks later opens nothing older.
  void forget(const H256& session_tag);

  session::SignedCertificate sign(const evm::U256& session_id,
                                  const session::Certificate& certificate) const;

 private:
  crypto::PrivateKey load_signer(const std::optional<SecretBytes>& platform_key);

  Journal& journal_;
  session::Domain domain_;
  crypto::PrivateKey signer_;
  Address signer_address_;
  std::mutex mutex_;
};

}  // namespace ffe::aggregator
