// The contracts as C++ sees them: typed reads and writes of coordinator, registry and INFT.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evm/contract.hpp"
#include "session/certificates.hpp"
#include "session/terms.hpp"

namespace ffe::session {

// The interfaces, compiled in from contracts/abi.
std::shared_ptr<const evm::ContractAbi> coordinator_abi();
std::shared_ptr<const evm::ContractAbi> registry_abi();
std::shared_ptr<const evm::ContractAbi> inft_abi();
std::shared_ptr<const evm::ContractAbi> dcap_abi();
// All of them with the key verifier's, 0G's Flow and the errors of ERC-20 tokens (ERC-6093), for
// the words of a revert; pass it to RpcClient::Options::errors.
std::shared_ptr<const evm::AbiRegistry> contract_errors();
// Options of an RpcClient that knows these words.
evm::RpcClient::Options rpc_options();
// What to do about a coordinator's error of this name ("SubmitClosed"); empty if nothing is known.
std::string revert_hint(std::string_view error_name);

enum class SessionState : uint8_t {
  kNone,
  kOpen,
  kSealed,
  kSettled,
  kCancelled,
  kExpired,
  kAborted,
  kFailed,
};
std::string_view name(SessionState state);  // "open", "sealed", …

// What SessionOpened put on record; every hash in it was recomputed.
struct OpenedSession {
  evm::U256 id;
  Address opener;
  Address payee;
  H256 session_tag;
  FixedBytes<32> session_key;
  H256 seed_commitment;
  H256 session_hash;
  SessionTerms terms;
  std::string recipe_text;
  std::string manifest_text;
  uint64_t block = 0;
};

struct SessionView {
  SessionState state = SessionState::kNone;
  H256 seal_hash;  // zero before sealing
  uint64_t deliver_deadline = 0;
  uint32_t submitted = 0;
  uint32_t slashed = 0;
  uint32_t accepted = 0;
};

struct Submission {
  Address contributor;
  H256 blob_root;
  Bytes owner_key;
  H256 owner_key_hash;
};

// Of submissions in sealing order, as submissions() below has them.
H256 seal_hash(const H256& session_hash, const std::vector<Submission>& submissions);

struct ContributionView {
  bool participant = false;
  uint32_t order = 0;  // from 1; 0: never submitted
  uint8_t slash_reason = 0;
  bool claimed = false;
  H256 blob_root;
  H256 owner_key_hash;
};

struct SlashRecord {
  Address contributor;
  uint8_t reason = 0;
  Uint128 evidence = 0;
  evm::U256 amount;
  evm::U256 reward;
  H256 gate_root;
  H256 tx_hash;
};

struct FinalRecord {
  H256 artifact_root;
  H256 gate_root;
  H256 report_root;
  H256 seed;
  uint64_t accepted = 0;
  uint32_t base_loss_micro_nats = 0;
  uint32_t joint_loss_micro_nats = 0;
  H256 tx_hash;
  uint64_t block = 0;
};

// How a session without a result ended.
struct AbortRecord {
  AbortReason reason{};
  H256 gate_root;  // zero where the gate never ran
  H256 tx_hash;
};
struct FailRecord {
  bool excused = false;  // the enclave was revoked: the operator keeps the bond
  evm::U256 bond_share;  // native, to each sealed contributor that was not slashed
  H256 tx_hash;
};

// Reads are consistent with the block they are made at, no more; writes throw RevertError with the
// contract's own error. `from_block`: where its logs begin.
class Coordinator {
 public:
  Coordinator(evm::RpcClient& rpc, const Address& address, uint64_t from_block = 0);

  const Address& address() const { return contract_.address(); }
  Domain domain() const;
  Address registry() const;
  Address inft() const;

  // Throws Error{kSession} if there is no such session, kCorrupt if the record contradicts itself.
  OpenedSession opened(const evm::U256& id) const;
  std::optional<evm::U256> session_of_tag(const H256& tag) const;
  uint64_t session_count() const;
  SessionView view(const evm::U256& id, const evm::BlockTag& tag = {}) const;
  ContributionView contribution(const evm::U256& id, const Address& account) const;
  // In sealing order, with the owner keys as last submitted; each checked against the contract's
  // hashes.
  std::vector<Submission> submissions(const OpenedSession& session) const;
  std::vector<SlashRecord> slashes(const OpenedSession& session) const;
  std::optional<FinalRecord> final_record(const OpenedSession& session) const;
  std::optional<AbortRecord> abort_record(const OpenedSession& session) const;
  std::optional<FailRecord> fail_record(const OpenedSession& session) const;
  std::vector<ContributorVerdict> verdicts(const OpenedSession& session) const;
  // The certificate and signature that the transaction of `record` brought. Throws
  // Error{kUnsupported} if a contract brought it, so that it is not the transaction's own input.
  SignedCertificate result_certificate(const OpenedSession& session,
                                       const FinalRecord& record) const;
  // Sessions of one enclave, in order.
  std::vector<evm::U256> sessions_of_enclave(const H256& enclave_id) const;
  struct Claimable {
    evm::U256 stake;
    evm::U256 bond;
    evm::U256 credit;  // native, not yet collected
  };
  Claimable claimable(const evm::U256& id, const Address& account) const;

  // A payee's native funds in the contract; `locked` is the bond of sessions that have not ended.
  struct Bond {
    evm::U256 total;
    evm::U256 locked;
  };
  Bond bond(const Address& payee) const;
  evm::Receipt deposit_bond(evm::Sender& sender, const Address& payee, const evm::U256& value);
  evm::Receipt withdraw_bond(evm::Sender& sender, const evm::U256& amount, const Address& to);
  // Whether sessions of the enclave may lock the payee's bond; the payee says so itself.
  bool backs(const Address& payee, const H256& enclave_id) const;
  evm::Receipt back_enclave(evm::Sender& sender, const H256& enclave_id, bool backed);
  // Returns the id that the event names.
  std::pair<evm::U256, evm::Receipt> open_session(evm::Sender& sender, const SessionTerms& terms,
                                                  const H256& session_tag,
                                                  const FixedBytes<32>& session_key,
                                                  const H256& seed_commitment,
                                                  const crypto::Signature& signature,
                                                  std::string_view recipe_text,
                                                  std::string_view manifest_text);
  evm::Receipt submit(evm::Sender& sender, const evm::U256& id, const H256& blob_root,
                      ByteView owner_key, const evm::U256& value);
  evm::Receipt withdraw(evm::Sender& sender, const evm::U256& id);
  evm::Receipt seal(evm::Sender& sender, const evm::U256& id);
  evm::Receipt cancel(evm::Sender& sender, const evm::U256& id);
  evm::Receipt expire(evm::Sender& sender, const evm::U256& id);
  evm::Receipt fail(evm::Sender& sender, const evm::U256& id);
  // slashWithProof, finalize or abort, by the certificate's kind.
  evm::Receipt bring(evm::Sender& sender, const SignedCertificate& certificate);
  evm::Receipt claim(evm::Sender& sender, const evm::U256& id, const Address& to);

 private:
  evm::Contract contract_;
  evm::RpcClient* rpc_;
  uint64_t from_block_;
};

enum class EnclaveStatus : uint8_t { kUnknown, kActive, kExpired, kRetired, kRevoked };
std::string_view name(EnclaveStatus status);

struct EnclaveRecord {
  Address signer;
  Address payee;
  H256 code_hash;
  H256 platform_id;
  uint64_t valid_until = 0;
  EnclaveStatus status = EnclaveStatus::kUnknown;
  bool development = false;
  bool application_proven = false;
};

class Registry {
 public:
  Registry(evm::RpcClient& rpc, const Address& address, uint64_t from_block = 0);

  const Address& address() const { return contract_.address(); }
  bool development() const;
  Address dcap_verifier() const;
  EnclaveRecord enclave(const H256& id) const;
  // A quote that the registry verified, as its transaction brought it: calldata is public, so
  // nobody has to ask the enclave's operator for it.
  struct Registration {
    Bytes quote;                // of a renewal: usually cut off behind the attestation key
    Bytes ext;                  // empty for a renewal, which is for app_hash and block_number
    Bytes runtime_data;         // 0G Tapp only
    H256 app_hash;              // of a renewal
    uint64_t block_number = 0;  // of a renewal
    H256 tx_hash;
  };
  // The transactions that registered or renewed this enclave, newest first.
  std::vector<H256> registration_transactions(const H256& id) const;
  // What such a transaction brought; nothing if another contract made the call, so that the input
  // is not the registry's.
  std::optional<Registration> registration(const H256& tx_hash) const;
  evm::Receipt register_enclave(evm::Sender& sender, ByteView quote, ByteView ext,
                                const Address& payee, const crypto::Signature& signature);
  // Evidence of 0G Tapp, which hashes a text of its own into the report data.
  evm::Receipt register_tapp(evm::Sender& sender, ByteView quote, ByteView ext,
                             ByteView runtime_data, const Address& payee,
                             const crypto::Signature& signature);
  // Only while enclave, payee and platform are what was registered; reverts otherwise.
  evm::Receipt renew(evm::Sender& sender, ByteView quote, const H256& app_hash,
                     uint64_t block_number);

 private:
  evm::Contract contract_;
  evm::RpcClient* rpc_;
  uint64_t from_block_;
};

struct TokenView {
  evm::U256 id;
  Address owner;
  bool key_stale = false;
  H256 sealed_key_hash;
};

class Inft {
 public:
  Inft(evm::RpcClient& rpc, const Address& address, uint64_t from_block = 0);

  const Address& address() const { return contract_.address(); }
  std::vector<TokenView> tokens_of(const evm::U256& session_id) const;
  H256 artifact_root(const evm::U256& session_id) const;
  Address verifier() const;  // of the proofs that tokens move with
  // The key last published for the token's owner, checked against the hash on chain. Throws
  // Error{kKey} if the token moved without its key.
  Bytes sealed_key(const TokenView& token) const;

  TokenView token(const evm::U256& id) const;  // reverts for one that does not exist
  std::vector<Address> authorized(const evm::U256& id) const;
  // Lets `user` use the model through sealed inference, or no longer; the owner alone may.
  evm::Receipt authorize(evm::Sender& sender, const evm::U256& id, const Address& user,
                         bool allowed);
  evm::U256 session_of(const evm::U256& token_id) const;
  // Each half of a transfer's proof: who signed and with which salt.
  struct Proof {
    H256 salt;
    crypto::Signature signature;
  };
  // The token with its key: `access` by the receiver, `ownership` by an enclave that sealed the key
  // for `receiver_key` (docs/spec/artifact.md).
  evm::Receipt transfer_with_key(evm::Sender& sender, const evm::U256& id, const Address& to,
                                 const H256& artifact_root, ByteView receiver_key,
                                 ByteView sealed_key, uint64_t deadline, const Proof& access,
                                 const Proof& ownership);
  // The token without its key: it is stale until an enclave seals the key for the new owner.
  evm::Receipt transfer(evm::Sender& sender, const evm::U256& id, const Address& to);

 private:
  evm::Contract contract_;
  evm::RpcClient* rpc_;
  uint64_t from_block_;
};

}  // namespace ffe::session
