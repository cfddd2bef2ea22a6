// The bytes that tie a quote to one signer, one registry and one moment (protocol page, section 1).
// All hashes are keccak256, all encodings Solidity's abi.encode.
#pragma once

#include "base/bytes.hpp"
#include "tee/quote.hpp"

namespace ffe::tee {

// abi.encode(keccak256("ffe.enclave.v1"), chainId, registry, signer, appHash, blockNumber, nonce),
// 224 bytes; nonce = blockhash(blockNumber).
Bytes enclave_ext(uint64_t chain_id, const Address& registry, const Address& signer,
                  const H256& app_hash, uint64_t block_number, const H256& nonce);

struct EnclaveExt {
  uint64_t chain_id = 0;
  Address registry;
  Address signer;
  H256 app_hash;
  uint64_t block_number = 0;
  H256 nonce;
};
// The inverse; throws Error{kBadInput} unless `ext` is exactly such an encoding.
EnclaveExt parse_enclave_ext(ByteView ext);

// signer(20) ‖ keccak256(ext)(32) ‖ zero(12).
FixedBytes<64> report_data(const Address& signer, ByteView ext);

// keccak256(abi.encode(platformHash, appHash)): the code hash where the application layer lives in
// an event log. Where RTMR3 is static the code hash is workload_id().
H256 code_hash(const H256& platform_hash, const H256& app_hash);

// keccak256(abi.encode(signer, codeHash)).
H256 enclave_id(const Address& signer, const H256& code_hash);

// keccak256(abi.encode(keccak256("ffe.register.v1"), keccak256(ext), payee, keccak256(quote))):
// what the signer signs, as a raw digest, to register. `quote` is exactly what register() receives.
H256 register_digest(ByteView ext, const Address& payee, ByteView quote);

}  // namespace ffe::tee
