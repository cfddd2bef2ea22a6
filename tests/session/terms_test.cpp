#include "session/terms.hpp"

#include "crypto/keccak.hpp"
#include "session/randomness.hpp"
#include "vectors.hpp"

namespace ffe::session {
namespace {

using namespace ffe::test;

std::vector<H256> hashes(const Json& list) {
  std::vector<H256> out;
  for (const Json& item : list) out.push_back(h256_from_hex(item.get<std::string>()));
  return out;
}

SessionTerms good_terms() {
  SessionTerms t;
  t.submit_deadline = 1'800'000'000;
  t.deliver_period = 86'400;
  t.quorum = 3;
  t.min_accepted = 2;
  t.max_rows = 1000;
  for (uint8_t i = 1; i <= 4; ++i) {
    t.participants.push_back(Address{});
    t.participants.back()[19] = i;
  }
  t.slash_bps_harmful = 10'000;
  t.slash_bps_invalid = 5'000;
  t.slash_recipient = kBurnAddress;
  return t;
}

TEST(terms, hashes_as_ethers_computes_them) {
  for_each_case("terms.json", [](const Json& c) {
    const SessionTerms terms = terms_from_json(c["terms"]);
    check_bounds(terms);
    EXPECT_EQ(to_json(terms), c["terms"]);
    EXPECT_EQ(encode_terms(terms), hex_of(c, "encodedTerms"));
    EXPECT_EQ(decode_terms(hex_of(c, "encodedTerms")), terms);
    EXPECT_EQ(terms_hash(terms), h256_of(c, "termsHash"));
    const uint64_t chain = c["chainId"].get<uint64_t>();
    const Address coordinator = address_of(c, "coordinator");
    EXPECT_EQ(session_tag(chain, coordinator, address_of(c, "opener"), terms.salt),
              h256_of(c, "sessionTag"));
    EXPECT_EQ(seed_commitment(hex_of(c, "seed")), h256_of(c, "seedCommitment"));
    const H256 session =
        session_hash(chain, coordinator, evm::U256::parse(c["sessionId"].get<std::string>()),
                     terms_hash(terms), h256_of(c, "sessionKey"), h256_of(c, "seedCommitment"));
    EXPECT_EQ(session, h256_of(c, "sessionHash"));
    std::vector<Address> contributors;
    for (const Json& a : c["contributors"]) {
      contributors.push_back(address_from_hex(a.get<std::string>()));
    }
    EXPECT_EQ(seal_hash(session, contributors, hashes(c["blobRoots"]), hashes(c["ownerKeyHashes"])),
              h256_of(c, "sealHash"));
    EXPECT_EQ(enclave_id(address_of(c, "signer"), h256_of(c, "codeHash")), h256_of(c, "enclaveId"));
  });
}

TEST(terms, seal_hash_wants_equal_lengths) {
  EXPECT_THROW(seal_hash({}, {Address{}}, {}, {H256{}}), Error);
}

TEST(terms, bounds_name_the_field) {
  check_bounds(good_terms());
  struct Case {
    const char* field;
    std::function<void(SessionTerms&)> spoil;
  };
  const Case cases[] = {
      {"gate.statistic", [](auto& t) { t.gate.statistic = 3; }},
      {"gate.acceptRule", [](auto& t) { t.gate.accept_rule = 2; }},
      {"gate.evalPairs", [](auto& t) { t.gate.eval_pairs = 31; }},
      {"gate.evalPairs", [](auto& t) { t.gate.eval_pairs = 4097; }},
      {"gate.alphaInverse", [](auto& t) { t.gate.alpha_inverse = 999; }},
      {"gate.harmToleranceMicro", [](auto& t) { t.gate.harm_tolerance_micro = 49'999; }},
      {"gate.relevanceToleranceMicro", [](auto& t) { t.gate.relevance_tolerance_micro = 0; }},
      {"gate.invalidShareBps", [](auto& t) { t.gate.invalid_share_bps = 999; }},
      {"minAccepted", [](auto& t) { t.min_accepted = 1; }},
      {"minAccepted", [](auto& t) { t.min_accepted = 4; }},
      {"quorum", [](auto& t) { t.quorum = 5; }},
      {"participants", [](auto& t) { t.participants.resize(1); }},
      {"participants", [](auto& t) { t.participants.resize(256); }},
      {"participants[1]", [](auto& t) { t.participants[1] = t.participants[0]; }},
      {"participants[2]", [](auto& t) { t.participants[2] = Address{}; }},
      {"deliverPeriod", [](auto& t) { t.deliver_period = kMaxDeliverPeriod + 1; }},
      {"slashBpsHarmful", [](auto& t) { t.slash_bps_harmful = 10'001; }},
      {"slashBpsInvalid", [](auto& t) { t.slash_bps_invalid = 10'001; }},
      {"slashRecipient", [](auto& t) { t.slash_recipient = Address{}; }},
      {"maxRows", [](auto& t) { t.max_rows = 0; }},
  };
  for (const Case& c : cases) {
    SessionTerms terms = good_terms();
    c.spoil(terms);
    EXPECT_NE(error_of([&] { check_bounds(terms); }).find("terms: " + std::string(c.field) + " "),
              std::string::npos)
        << c.field;
  }
}

TEST(terms, json_is_strict) {
  const Json good = to_json(good_terms());
  Json more = good;
  more["stakes"] = "1";
  EXPECT_EQ(error_of([&] { terms_from_json(more); }),
            "bad_input: terms.stakes is not a known member");
  Json fewer = good;
  fewer["gate"].erase("minRows");
  EXPECT_EQ(error_of([&] { terms_from_json(fewer); }), "bad_input: gate.minRows is missing");
  Json large = good;
  large["quorum"] = 65'536;
  EXPECT_EQ(error_of([&] { terms_from_json(large); }), "bad_input: terms.quorum is above 65535");
  Json upper = good;
  upper["salt"] = "0x" + std::string(64, 'A');
  EXPECT_NE(error_of([&] { terms_from_json(upper); }).find("terms.salt"), std::string::npos);
  Json padded = good;
  padded["stake"] = "007";
  EXPECT_NE(error_of([&] { terms_from_json(padded); }).find("terms.stake"), std::string::npos);
  Json negative = good;
  negative["maxRows"] = -1;
  EXPECT_NE(error_of([&] { terms_from_json(negative); }).find("terms.maxRows"), std::string::npos);
}

TEST(terms, truncated_encoding_is_refused) {
  const Bytes encoded = encode_terms(good_terms());
  for (size_t n = 0; n < encoded.size(); n += 32) {
    EXPECT_THROW(decode_terms(ByteView(encoded).first(n)), Error) << n;
  }
}

TEST(randomness, streams_as_noble_draws_them) {
  for_each_case("randomness.json", [](const Json& c) {
    const Bytes seed = hex_of(c, "seed");
    const H256 seal = h256_of(c, "sealHash");
    const Address who = address_of(c, "contributor");
    EXPECT_EQ(seed_commitment(seed), h256_of(c, "seedCommitment"));
    const auto check = [&](const char* name, crypto::ChaChaRng rng) {
      const Bytes want = hex_of(c["streams"][name], "first64");
      for (size_t i = 0; i < want.size(); i += 4) {
        EXPECT_EQ(rng.next_u32(), get_le32(want.data() + i)) << name << " word " << i / 4;
      }
    };
    check("pool", pool_rng(seed, seal));
    check("rows", rows_rng(seed, seal, who));
    check("mini0", mini_rng(seed, seal, 0));
    check("mini2", mini_rng(seed, seal, 2));
    check("joint", joint_rng(seed, seal));
  });
  EXPECT_THROW(seed_commitment(Bytes(31)), Error);
  EXPECT_THROW(pool_rng(Bytes(33), {}), Error);
}

}  // namespace
}  // namespace ffe::session
