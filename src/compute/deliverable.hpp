// What a fine-tuning provider delivers: an encrypted file, and on chain its hash and its key.
// Format of 0G's serving broker (AesEncryptLargeFile); docs/spec/compute.md.
//
//   tag signature(65) ‖ nonce(12) ‖ chunks, chunk i = AES-256-GCM(key, nonce + i) ‖ tag(16)
//
// A chunk has 64 MiB of plaintext, the last one less. The enclave's signer signs
// keccak256(all tags), without a prefix.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.hpp"
#include "crypto/secp256k1.hpp"

namespace ffe::compute {

inline constexpr uint64_t kDeliverableChunk = uint64_t{64} << 20;

// Throws Error{kBadInput} for an empty plaintext. `chunk` is other than 0G's in tests only.
void seal_deliverable(const std::filesystem::path& plain, const std::filesystem::path& out,
                      ByteView key, const FixedBytes<12>& nonce, const crypto::PrivateKey& signer,
                      uint64_t chunk = kDeliverableChunk);

// Who signed the tags of the file; needs no key. Throws Error{kCorrupt} if the file is too short
// for its format or the signature is none.
Address deliverable_signer(const std::filesystem::path& file, uint64_t chunk = kDeliverableChunk);

// Checks the signature before a byte of plaintext is written, then each chunk. Works in
// "<out>.part": `out` appears whole or not at all, and nothing is left behind otherwise. Throws
// Error{kCorrupt} for another signer, a wrong key or altered bytes.
void open_deliverable(const std::filesystem::path& file, ByteView key, const Address& signer,
                      const std::filesystem::path& out, const Progress& progress = {},
                      uint64_t chunk = kDeliverableChunk);

// The same into memory, for models that must not touch a disk. Throws Error{kCorrupt} for a file of
// more than max_bytes, too.
Bytes deliverable_content(const std::filesystem::path& file, ByteView key, const Address& signer,
                          uint64_t max_bytes, uint64_t chunk = kDeliverableChunk);

// What a deliverable's modelRootHash says: 32 bytes, the file's 0G Storage root or its Keccak-256
// (nothing on chain tells which). Old providers wrote the text of one or more storage roots,
// separated by commas. Throws Error{kBadInput} for anything else.
std::vector<H256> parse_model_root(ByteView model_root_hash);
enum class ModelRoot { kNone, kStorage, kKeccak };
// Whether the file is the one that was promised, and by which hash.
ModelRoot match_model_root(const std::filesystem::path& file, ByteView model_root_hash);

// The key of the file out of a deliverable's encryptedSecret: ECIES with a nonce of 16 bytes (129
// bytes in all) or 12 (125). Throws Error{kSession} if nothing is published yet, kCorrupt if it is
// not for this wallet.
SecretBytes unwrap_model_key(const crypto::PrivateKey& wallet, ByteView encrypted_secret);
Bytes wrap_model_key(const crypto::PublicKey& user, ByteView key);

}  // namespace ffe::compute
