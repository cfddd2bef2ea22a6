// The session's seed and what is drawn from it (docs/spec/session.md).
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "crypto/random.hpp"

namespace ffe::session {

// ChaCha20 keyed by HKDF-SHA256(seed, no salt, info = label ‖ sealHash).
crypto::ChaChaRng pool_rng(ByteView seed, const H256& seal_hash);  // "pool"
crypto::ChaChaRng rows_rng(ByteView seed, const H256& seal_hash,
                           const Address& contributor);  // "rows" ‖ contributor(20)
crypto::ChaChaRng mini_rng(ByteView seed, const H256& seal_hash, uint8_t k);  // "mini" ‖ k(1)
crypto::ChaChaRng joint_rng(ByteView seed, const H256& seal_hash);            // "joint"
crypto::ChaChaRng labelled_rng(ByteView seed, const H256& seal_hash, ByteView label);

// keccak256(seed); throws Error{kBadInput} unless the seed has 32 bytes.
H256 seed_commitment(ByteView seed);

}  // namespace ffe::session
