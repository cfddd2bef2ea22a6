// What the enclave seals a key for, and what it refuses. The whole way is in sdk/e2e.
#include "aggregator/key_service.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "crypto/hpke.hpp"
#include "session/artifact.hpp"
#include "support/error_of.hpp"
#include "tee/simulated.hpp"

namespace ffe::aggregator {
namespace {

template <class T>
T filled(uint8_t value) {
  T out;
  out.bytes.fill(value);
  return out;
}

const session::Domain kDomain{31337, filled<Address>(0x11)};
const TokenContracts kContracts{filled<Address>(0x12), filled<Address>(0x13)};
const H256 kEnclave = filled<H256>(0x21);

storage::ClientOptions no_nodes() {
  storage::ClientOptions options;
  options.nodes = {"http://127.0.0.1:1"};
  options.attempts = 1;
  options.connect_timeout_ms = 200;
  return options;
}

class KeyServiceTest : public ::testing::Test {
 protected:
  KeyServiceTest()
      : platform_(make_platform()),
        journal_(folder_.path() / "journal.db", &platform_),
        enclave_(journal_, kDomain),
        storage_(no_nodes()),
        keys_(enclave_, kContracts, storage_) {
    const crypto::PublicKey key = buyer_.public_key();
    request_.token_id = 17001;
    request_.session_hash = filled<H256>(0x31);
    request_.artifact_root = filled<H256>(0x32);
    request_.buyer = buyer_.address();
    request_.buyer_key.assign(key.begin(), key.end());
    request_.deadline = 2'000'000'000;
    request_.salt = filled<H256>(0x33);
    request_.sealed = sealed(Bytes(session::kArtifactKey, 7));
  }

  tee::SimulatedPlatform make_platform() {
    write_file_atomic(folder_.path() / "program", as_bytes("the measured program"));
    return tee::SimulatedPlatform::open_or_create(folder_.path() / "platform",
                                                  folder_.path() / "program");
  }

  // As a seller does it.
  Bytes sealed(ByteView key) const {
    session::Transfer transfer{kDomain.chain_id,  kContracts.inft,
                               request_.token_id, kEnclave,
                               request_.buyer,    session::owner_key_hash(request_.buyer_key),
                               request_.deadline};
    const Bytes aad = concat({request_.session_hash.bytes, request_.artifact_root.bytes});
    return crypto::hpke_seal_single(keys_.public_key(), session::transfer_info(transfer), aad, key);
  }

  // The error's code.
  std::string refusal(const H256& enclave = kEnclave) {
    const std::string error = test::error_of([&] { keys_.reseal(enclave, request_); });
    return error.substr(0, error.find(':'));
  }

  TempDir folder_{"ffe-keys"};
  tee::SimulatedPlatform platform_;
  Journal journal_;
  Enclave enclave_;
  storage::Client storage_;
  KeyService keys_;
  crypto::PrivateKey buyer_ = crypto::PrivateKey::generate();
  ResealRequest request_;
};

TEST_F(KeyServiceTest, TheServiceKeyIsSignedAndBornAnew) {
  const crypto::Signature signature = keys_.sign_key(kEnclave, 77);
  const H256 digest =
      session::service_key_digest(kDomain, kEnclave, H256::from(keys_.public_key().bytes), 77);
  EXPECT_EQ(crypto::recover(digest, signature), enclave_.signer());
  EXPECT_NE(KeyService(enclave_, kContracts, storage_).public_key(), keys_.public_key());
}

// Opened, and then nobody has the artifact that it should open.
TEST_F(KeyServiceTest, ARequestAsItWasSealedIsLookedUp) {
  EXPECT_EQ(refusal(), "network");
}

TEST_F(KeyServiceTest, EachMemberIsBound) {
  const auto refused = [&](auto change) {
    const Bytes before = request_.sealed;
    ResealRequest kept = request_;
    change(request_);
    EXPECT_EQ(refusal(), "corrupt");
    request_ = kept;
    request_.sealed = before;
  };
  refused([](ResealRequest& r) { r.token_id = 17002; });
  refused([](ResealRequest& r) { r.session_hash.bytes[0] ^= 1; });
  refused([](ResealRequest& r) { r.artifact_root.bytes[31] ^= 1; });
  refused([](ResealRequest& r) { ++r.deadline; });
  refused([](ResealRequest& r) { r.sealed.back() ^= 1; });
  refused([](ResealRequest& r) { r.sealed.clear(); });
  refused([](ResealRequest& r) {
    const crypto::PrivateKey other = crypto::PrivateKey::generate();
    const crypto::PublicKey key = other.public_key();
    r.buyer = other.address();
    r.buyer_key.assign(key.begin(), key.end());
  });
}

TEST_F(KeyServiceTest, AnotherEnclaveCannotOpenIt) {
  EXPECT_EQ(refusal(filled<H256>(0x22)), "corrupt");
}

TEST_F(KeyServiceTest, ABuyersKeyMustBeTheBuyers) {
  request_.buyer.bytes[0] ^= 1;
  EXPECT_EQ(refusal(), "key");
  request_.buyer_key.assign(32, 0);  // an X25519 point of low order
  EXPECT_EQ(refusal(), "key");
  request_.buyer_key.clear();
  EXPECT_EQ(refusal(), "key");
}

TEST_F(KeyServiceTest, AKeyOfAnotherSizeIsNone) {
  request_.sealed = sealed(Bytes(16, 7));
  EXPECT_EQ(refusal(), "corrupt");
}

}  // namespace
}  // namespace ffe::aggregator
