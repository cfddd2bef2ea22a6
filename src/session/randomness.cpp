#include "session/randomness.hpp"

#include "crypto/hash.hpp"
#include "crypto/keccak.hpp"

namespace ffe::session {
namespace {

void check_seed(ByteView seed) {
  if (seed.size() != 32) throw Error(ErrorCode::kBadInput, "the seed is not 32 bytes");
}

}  // namespace

crypto::ChaChaRng labelled_rng(ByteView seed, const H256& seal_hash, ByteView label) {
  check_seed(seed);
  const SecretBytes key =
      crypto::hkdf_sha256(seed, {}, concat({label, seal_hash.bytes}), H256::kSize);
  return crypto::ChaChaRng(key.view());
}

crypto::ChaChaRng pool_rng(ByteView seed, const H256& seal_hash) {
  return labelled_rng(seed, seal_hash, as_bytes("pool"));
}

crypto::ChaChaRng rows_rng(ByteView seed, const H256& seal_hash, const Address& contributor) {
  return labelled_rng(seed, seal_hash, concat({as_bytes("rows"), contributor.bytes}));
}

crypto::ChaChaRng mini_rng(ByteView seed, const H256& seal_hash, uint8_t k) {
  return labelled_rng(seed, seal_hash, concat({as_bytes("mini"), ByteView(&k, 1)}));
}

crypto::ChaChaRng joint_rng(ByteView seed, const H256& seal_hash) {
  return labelled_rng(seed, seal_hash, as_bytes("joint"));
}

H256 seed_commitment(ByteView seed) {
  check_seed(seed);
  return crypto::keccak256(seed);
}

}  // namespace ffe::session
