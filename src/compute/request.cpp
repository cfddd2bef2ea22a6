#include "compute/request.hpp"

#include "crypto/keccak.hpp"

namespace ffe::compute {

H256 create_task_message(const Address& user, const evm::U256& nonce,
                         std::string_view dataset_hash) {
  return crypto::keccak256(concat({user.bytes, nonce.to_h256().bytes, as_bytes(dataset_hash)}));
}

H256 cancel_task_message(const TaskId& task) {
  return crypto::keccak256(task.bytes().bytes);
}

H256 download_message(const TaskId& task, uint64_t timestamp) {
  return crypto::keccak256(task.hex() + std::to_string(timestamp));
}

H256 upload_dataset_message(std::string_view user, uint64_t timestamp) {
  return crypto::keccak256(std::string(user) + std::to_string(timestamp));
}

H256 delete_dataset_message(std::string_view dataset_hash, uint64_t timestamp) {
  return crypto::keccak256(std::string(dataset_hash) + std::to_string(timestamp));
}

H256 personal_digest(const H256& message) {
  return crypto::keccak256(concat({as_bytes("\x19"
                                            "Ethereum Signed Message:\n32"),
                                   message.bytes}));
}

crypto::Signature sign_message(const crypto::PrivateKey& key, const H256& message) {
  return key.sign(personal_digest(message));
}

crypto::Signature parse_signature(ByteView bytes) {
  if (bytes.size() != 65) {
    throw Error(ErrorCode::kBadInput,
                "a signature has 65 bytes, not " + std::to_string(bytes.size()));
  }
  crypto::Signature signature = crypto::Signature::from(bytes);
  if (signature[64] < 2) signature[64] = static_cast<uint8_t>(signature[64] + 27);
  return signature;
}

crypto::PublicKey message_signer(const H256& message, const crypto::Signature& signature) {
  return crypto::recover_public_key(personal_digest(message), signature);
}

bool timestamp_is_fresh(uint64_t timestamp, uint64_t now) {
  return timestamp >= now ? timestamp - now <= kTimestampAhead
                          : now - timestamp <= kTimestampBehind;
}

}  // namespace ffe::compute
