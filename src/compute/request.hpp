// What a user signs for 0G Compute's fine-tuning provider: EIP-191 over 32 bytes, which are the
// Keccak-256 of a packed message (docs/spec/compute.md). Implements the checks of 0G's serving
// broker and the signatures of its TypeScript SDK, except that all 32 bytes are always signed: that
// SDK drops leading zero bytes, so one in 256 of its signatures is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compute/task_id.hpp"
#include "crypto/secp256k1.hpp"
#include "evm/u256.hpp"

namespace ffe::compute {

// The 32 bytes of each request. `dataset_hash` enters as its text, so it is signed and sent in the
// same case; a `user` is the address as it stands in the URL.
H256 create_task_message(const Address& user, const evm::U256& nonce,
                         std::string_view dataset_hash);
H256 cancel_task_message(const TaskId& task);
H256 download_message(const TaskId& task, uint64_t timestamp);
H256 upload_dataset_message(std::string_view user, uint64_t timestamp);
H256 delete_dataset_message(std::string_view dataset_hash, uint64_t timestamp);

// keccak256("\x19Ethereum Signed Message:\n32" ‖ message)
H256 personal_digest(const H256& message);
crypto::Signature sign_message(const crypto::PrivateKey& key, const H256& message);

// 65 bytes with v as 27/28, or as 0/1 as go-ethereum writes it. Throws Error{kBadInput}.
crypto::Signature parse_signature(ByteView bytes);
// Who signed; the provider encrypts the model's key to this key. Throws Error{kCorrupt}.
crypto::PublicKey message_signer(const H256& message, const crypto::Signature& signature);

// Requests with a timestamp count from 60 seconds ahead of the provider's clock to 300 behind it.
inline constexpr uint64_t kTimestampAhead = 60;
inline constexpr uint64_t kTimestampBehind = 300;
bool timestamp_is_fresh(uint64_t timestamp, uint64_t now);

}  // namespace ffe::compute
