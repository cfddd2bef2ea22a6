#include "e2ee/proof.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "e2ee/key.hpp"
#include "support/error_of.hpp"

namespace ffe::e2ee {
namespace {

using test::error_of;

const Json& kat() {
  static const Json all = parse_json(
      read_text_file(std::string(FFE_SOURCE_DIR) + "/tests/vectors/e2ee/proof.json"), "proof.json");
  return all;
}
std::string hash_of(const char* group) {
  return kat().at(group).at("hash");
}

TEST(E2eeProof, AgreesWithThePublishedKats) {
  const Json& binding = kat().at("binding");
  EXPECT_EQ(to_hex(binding_hash(as_bytes(binding["aad"].get<std::string>()),
                                as_bytes(binding["ciphertext"].get<std::string>()))
                       .bytes),
            hash_of("binding"));
  EXPECT_EQ(envelope_aad(kat()["request"]["envelope"]), kat()["request"]["aad"]);
  EXPECT_EQ(to_hex(envelope_hash(kat()["request"]["envelope"]).bytes), hash_of("request"));
  EXPECT_EQ(to_hex(envelope_hash(kat()["response"]["envelope"]).bytes), hash_of("response"));
  std::vector<H256> frames;
  for (const Json& frame : kat()["stream"]["frames"]) frames.push_back(envelope_hash(frame));
  EXPECT_EQ(to_hex(stream_hash(frames).bytes), hash_of("stream"));
}

TEST(E2eeProof, AgreesWithEthers) {
  H256 request = h256_from_hex(hash_of("request")), response = h256_from_hex(hash_of("response"));
  std::string text = proof_text(Scheme::kCiphertext, request, response);
  EXPECT_EQ(text, "zg-sig-v1/e2ee-ct:" + hash_of("request") + ":" + hash_of("response"));
  auto signature = crypto::Signature::from(from_hex(kat().at("signature").get<std::string>()));
  Address signer = crypto::parse_address(kat().at("signer").get<std::string>());
  check_proof(text, signature, Scheme::kCiphertext, request, response, signer);
  auto key = crypto::PrivateKey::from(
      from_hex("4c0883a69102937d6231471b5dbb6204fe512961708279b7e1a8d7d7a3c2b9e3"));
  EXPECT_EQ(sign_proof(key, text), signature);
}

TEST(E2eeProof, IsAboutOneExchange) {
  crypto::PrivateKey key = crypto::PrivateKey::generate();
  H256 a = h256_from_hex(hash_of("request")), b = h256_from_hex(hash_of("response"));
  std::string text = proof_text(Scheme::kCiphertext, a, b);
  crypto::Signature signature = sign_proof(key, text);
  auto refused = [&](std::string_view t, Scheme s, const H256& x, const H256& y,
                     const Address& who) {
    return error_of([&] { check_proof(t, signature, s, x, y, who); }).substr(0, 8) == "corrupt:";
  };
  check_proof(text, signature, Scheme::kCiphertext, a, b, key.address());
  EXPECT_TRUE(refused(text, Scheme::kCiphertextStream, a, b, key.address()));
  EXPECT_TRUE(refused(text, Scheme::kCiphertext, b, b, key.address()));
  EXPECT_TRUE(refused(text, Scheme::kCiphertext, a, a, key.address()));
  EXPECT_TRUE(refused(text + " ", Scheme::kCiphertext, a, b, key.address()));
  EXPECT_TRUE(refused(text, Scheme::kCiphertext, a, b, Address{}));
  // A signed text of another exchange, and an unsigned one of this.
  EXPECT_TRUE(
      refused(proof_text(Scheme::kCiphertext, a, a), Scheme::kCiphertext, a, a, key.address()));
}

TEST(E2eeProof, RefusesMalformedEnvelopes) {
  for (const char* bad :
       {"[]", "{}", R"({"_e2ee":1})", R"({"_e2ee":{}})", R"({"_e2ee":{"ciphertext":5}})",
        R"({"_e2ee":{"ciphertext":"AA=="}})", R"({"_e2ee":{"ciphertext":"AA","unbound_fields":5}})",
        R"({"_e2ee":{"ciphertext":"AA","unbound_fields":["_e2ee"]}})",
        R"({"_e2ee":{"ciphertext":"AA","unbound_fields":[7]}})"}) {
    EXPECT_EQ(error_of([&] { envelope_hash(Json::parse(bad)); }).substr(0, 10), "bad_input:")
        << bad;
  }
}

TEST(E2eeKey, IsNamedByItsHash) {
  Recipient recipient{FixedBytes<32>::from(Bytes(32, 7)),
                      crypto::parse_address(kat().at("signer").get<std::string>())};
  Json document = to_json(recipient);
  EXPECT_EQ(recipient_from_json(document), recipient);
  EXPECT_EQ(document["key_id"].get<std::string>().size(), 11u);
  for (auto [member, value] : {std::pair{"v", Json(2)},
                               {"kem_id", Json("0x0010")},
                               {"enc_pub", Json("AAAA")},
                               {"key_id", Json("AAAAAAAAAAA")},
                               {"signer_address", Json("0x1")},
                               {"enc_pub", Json(5)}}) {
    Json bad = document;
    bad[member] = value;
    EXPECT_THROW(recipient_from_json(bad), Error) << member;
  }
}

TEST(E2eeKey, Base64UrlIsStrict) {
  Bytes bytes = from_hex("fbff00");
  EXPECT_EQ(to_base64url(bytes), "-_8A");
  EXPECT_EQ(to_base64url(ByteView(bytes).first(1)), "-w");
  EXPECT_EQ(from_base64url("-_8A", "x"), bytes);
  EXPECT_EQ(from_base64url("", "x"), Bytes());
  for (const char* bad : {"+/8A", "-w==", "-", "-x", "a b", "A", "-w\n"}) {
    EXPECT_EQ(error_of([&] { from_base64url(bad, "x"); }), "bad_input: x is not base64url") << bad;
  }
}

TEST(E2eeKey, IsDerivedInTheEnclave) {
  crypto::X25519KeyPair one = derive_key(Bytes(32, 1)), again = derive_key(Bytes(32, 1));
  EXPECT_EQ(one.public_key, again.public_key);
  EXPECT_NE(one.public_key, derive_key(Bytes(32, 2)).public_key);
}

}  // namespace
}  // namespace ffe::e2ee
