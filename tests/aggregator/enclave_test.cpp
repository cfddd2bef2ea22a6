// The enclave's keys: stable across a restart, one tag for one set of terms, gone when forgotten.
#include "aggregator/enclave.hpp"

#include <gtest/gtest.h>
#include <memory>

#include "base/file.hpp"
#include "session/randomness.hpp"
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
const H256 kTag = filled<H256>(0x22);

session::SessionTerms some_terms() {
  session::SessionTerms terms;
  terms.enclave_id = filled<H256>(1);
  terms.salt = filled<H256>(2);
  terms.quorum = 2;
  terms.max_rows = 100;
  terms.participants = {filled<Address>(3), filled<Address>(4)};
  return terms;
}

class EnclaveTest : public ::testing::Test {
 protected:
  EnclaveTest() { open(); }

  void open() {
    enclave_.reset();
    journal_.reset();
    write_file_atomic(folder_.path() / "program", as_bytes("the measured program"));
    sealer_ = std::make_unique<tee::SimulatedPlatform>(tee::SimulatedPlatform::open_or_create(
        folder_.path() / "platform", folder_.path() / "program"));
    journal_ = std::make_unique<Journal>(folder_.path() / "journal.db", sealer_.get());
    enclave_ = std::make_unique<Enclave>(*journal_, kDomain);
  }

  TempDir folder_{"ffe-enclave"};
  std::unique_ptr<tee::SimulatedPlatform> sealer_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Enclave> enclave_;
};

TEST_F(EnclaveTest, AGrantIsSignedByTheEnclaveAndMatchesItsSecrets) {
  SessionKeyGrant grant = enclave_->grant(kTag);
  EXPECT_EQ(crypto::recover(session::session_key_digest(kDomain, kTag, grant.session_key,
                                                        grant.seed_commitment),
                            grant.signature),
            enclave_->signer());
  SessionSecrets secrets = enclave_->secrets(kTag);
  EXPECT_EQ(secrets.session_key.public_key, grant.session_key);
  EXPECT_EQ(session::seed_commitment(secrets.seed.view()), grant.seed_commitment);
  EXPECT_EQ(secrets.artifact_secret.size(), 32u);
  EXPECT_FALSE(equal_constant_time(secrets.seed.view(), secrets.artifact_secret.view()));
}

TEST_F(EnclaveTest, SignerAndGrantAreTheSameAfterARestart) {
  Address signer = enclave_->signer();
  SessionKeyGrant before = enclave_->grant(kTag);
  SessionKeyGrant again = enclave_->grant(kTag);
  EXPECT_EQ(again.session_key, before.session_key);
  open();
  SessionKeyGrant after = enclave_->grant(kTag);
  EXPECT_EQ(enclave_->signer(), signer);
  EXPECT_EQ(after.session_key, before.session_key);
  EXPECT_EQ(after.seed_commitment, before.seed_commitment);
  EXPECT_EQ(after.signature, before.signature);
}

TEST_F(EnclaveTest, EveryTagHasSecretsOfItsOwn) {
  SessionKeyGrant one = enclave_->grant(kTag);
  SessionKeyGrant two = enclave_->grant(filled<H256>(0x33));
  EXPECT_NE(one.session_key, two.session_key);
  EXPECT_NE(one.seed_commitment, two.seed_commitment);
}

TEST_F(EnclaveTest, AnOfferBindsTheTerms) {
  session::SessionTerms terms = some_terms();
  SessionOffer offer = enclave_->offer(kTag, terms);
  EXPECT_EQ(offer.terms_hash, session::terms_hash(terms));
  EXPECT_EQ(offer.session_key, enclave_->grant(kTag).session_key);
  EXPECT_EQ(crypto::recover(session::session_offer_digest(kDomain, kTag, offer.session_key,
                                                          offer.seed_commitment, offer.terms_hash),
                            offer.signature),
            enclave_->signer());
}

TEST_F(EnclaveTest, SecondTermsForATagAreRefusedEvenAfterARestart) {
  session::SessionTerms terms = some_terms();
  SessionOffer first = enclave_->offer(kTag, terms);
  EXPECT_EQ(enclave_->offer(kTag, terms).signature, first.signature);
  session::SessionTerms other = terms;
  other.quorum = 1;
  const std::string refused = "session: other terms were agreed to for this session";
  EXPECT_EQ(test::error_of([&] { enclave_->offer(kTag, other); }), refused);
  open();
  EXPECT_EQ(test::error_of([&] { enclave_->offer(kTag, other); }), refused);
  EXPECT_EQ(enclave_->offer(kTag, terms).signature, first.signature);
}

TEST_F(EnclaveTest, WhatIsForgottenIsGoneForEver) {
  enclave_->offer(kTag, some_terms());
  enclave_->forget(kTag);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(test::error_of([&] {
                  enclave_->secrets(kTag);
                }).starts_with("session: this enclave holds no key for the session"));
    EXPECT_TRUE(test::error_of([&] {
                  enclave_->grant(kTag);
                }).starts_with("session: this session is over"));
    EXPECT_TRUE(test::error_of([&] {
                  enclave_->offer(kTag, some_terms());
                }).starts_with("session: this session is over"));
    open();
  }
}

TEST_F(EnclaveTest, WithoutASealerARestartIsANewEnclave) {
  Journal journal(folder_.path() / "unsealed.db", nullptr);
  Address first = Enclave(journal, kDomain).signer();
  EXPECT_EQ(Enclave(journal, kDomain).signer(), first);
  Journal reopened(folder_.path() / "unsealed.db", nullptr);
  EXPECT_NE(Enclave(reopened, kDomain).signer(), first);
}

}  // namespace
}  // namespace ffe::aggregator
