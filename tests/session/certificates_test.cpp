#include "session/certificates.hpp"

#include <map>

#include "vectors.hpp"

namespace ffe::session {
namespace {

using namespace ffe::test;

Json certificate_file(const Json& c, const char* kind) {
  return {{"format", "ffe.certificate.v1"},  {"kind", kind},     {"chainId", c["chainId"]},
          {"coordinator", c["coordinator"]}, {"sessionId", "7"}, {"certificate", c["message"]},
          {"signature", c["signature"]}};
}

H256 message_digest(const Json& c, const Domain& domain) {
  const Json& m = c["message"];
  const std::string type = c["type"].get<std::string>();
  const auto h = [&](const char* key) { return h256_of(m, key); };
  if (type == "SessionKey") {
    return session_key_digest(domain, h("sessionTag"), h("sessionKey"), h("seedCommitment"));
  }
  if (type == "SessionOffer") {
    return session_offer_digest(domain, h("sessionTag"), h("sessionKey"), h("seedCommitment"),
                                h("termsHash"));
  }
  if (type == "Submission") {
    return submission_digest(domain, h("binding"), h("dataHash"), h("ownerKeyHash"));
  }
  if (type == "OwnerKey") return owner_key_digest(domain, h("sessionTag"));
  return service_key_digest(domain, h("enclaveId"), h("key"), m["validUntil"].get<uint64_t>());
}

TEST(certificates, a_result_comes_back_from_its_abi_value) {
  ResultCertificate c;
  c.seal_hash[0] = 1;
  c.artifact_root[0] = 2;
  c.gate_root[0] = 3;
  c.report_root[0] = 4;
  c.seed[0] = 5;
  ContributorVerdict v;
  v.contributor[0] = 6;
  v.verdict = Verdict::kReject;
  v.reason = Reason::kHarmful;
  v.evidence = (Uint128{1} << 100) + 7;
  c.verdicts = {v};
  Owner o;
  o.owner[0] = 8;
  o.sealed_key = {1, 2, 3};
  c.owners = {o};
  c.base_loss_micro_nats = 9;
  c.joint_loss_micro_nats = 10;
  const std::vector<evm::Type> types{evm::parse_type(kResultType)};
  const Bytes encoded = evm::abi_encode(types, {abi_value(c)});
  EXPECT_EQ(result_from_value(evm::abi_decode(types, encoded)[0]), c);
}

TEST(typed_data, digests_and_signatures_as_ethers_makes_them) {
  const std::map<std::string, const char*> kinds = {{"RejectionCertificate", "rejection"},
                                                    {"ResultCertificate", "result"},
                                                    {"AbortCertificate", "abort"}};
  for_each_case("typed-data.json", [&](const Json& c) {
    const Domain domain{c["chainId"].get<uint64_t>(), address_of(c, "coordinator")};
    const crypto::PrivateKey key = crypto::PrivateKey::from(hex_of(c, "privateKey"));
    EXPECT_EQ(domain.separator(), h256_of(c, "domainSeparator"));
    EXPECT_EQ(key.address(), address_of(c, "signer"));
    const auto kind = kinds.find(c["type"].get<std::string>());
    if (kind == kinds.end()) {
      EXPECT_EQ(message_digest(c, domain), h256_of(c, "digest"));
      EXPECT_EQ(key.sign(h256_of(c, "digest")), fixed_of<65>(c, "signature"));
      return;
    }
    const Json file = certificate_file(c, kind->second);
    const SignedCertificate certificate = certificate_from_json(file);
    EXPECT_EQ(std::visit([&](const auto& b) { return digest(domain, b); }, certificate.certificate),
              h256_of(c, "digest"));
    EXPECT_EQ(certificate.signer(), address_of(c, "signer"));
    EXPECT_EQ(to_json(certificate), file);
    EXPECT_EQ(sign(domain, 7, certificate.certificate, key).signature,
              fixed_of<65>(c, "signature"));
  });
}

TEST(certificates, abi_values_encode_as_their_types) {
  RejectionCertificate rejection;
  rejection.harm_micro_nats = -5;
  rejection.evidence = ~Uint128{0};
  const evm::Value back = evm::abi_decode(
      {evm::parse_type(kRejectionType)},
      evm::abi_encode({evm::parse_type(kRejectionType)}, {abi_value(rejection)}))[0];
  EXPECT_EQ(back["harmMicroNats"].as_i64(), -5);
  EXPECT_EQ(back["evidence"].as_u256().to_string(), to_decimal(~Uint128{0}));

  ResultCertificate result;
  result.verdicts = {{Address{}, H256{}, Verdict::kReject, Reason::kHarmful, 4001}};
  result.owners = {{Address{}, H256{}, Bytes(129, 7)}};
  const evm::Value decoded =
      evm::abi_decode({evm::parse_type(kResultType)},
                      evm::abi_encode({evm::parse_type(kResultType)}, {abi_value(result)}))[0];
  EXPECT_EQ(decoded["verdicts"][0]["evidence"].as_u64(), 4001u);
  EXPECT_EQ(decoded["owners"][0]["sealedKey"].as_bytes().size(), 129u);
  EXPECT_NO_THROW(evm::abi_encode({evm::parse_type(kAbortType)}, {abi_value(AbortCertificate{})}));
}

TEST(certificates, altered_ones_are_signed_by_nobody_we_know) {
  const crypto::PrivateKey key = crypto::PrivateKey::generate();
  SignedCertificate c = sign({31337, Address{}}, 1, AbortCertificate{}, key);
  EXPECT_EQ(c.signer(), key.address());
  std::get<AbortCertificate>(c.certificate).gate_root[0] ^= 1;
  EXPECT_NE(c.signer(), key.address());
}

TEST(certificates, broken_files_name_the_member) {
  const Json good =
      to_json(sign({31337, Address{}}, 1, RejectionCertificate{}, crypto::PrivateKey::generate()));
  const auto broken = [&](const char* path, Json value) {
    Json file = good;
    file[Json::json_pointer(path)] = std::move(value);
    return error_of([&] { certificate_from_json(file); });
  };
  EXPECT_NE(broken("/kind", "acceptance").find("file.kind"), std::string::npos);
  EXPECT_NE(broken("/format", "v2").find("file.format"), std::string::npos);
  EXPECT_NE(broken("/signature", "0x00").find("file.signature"), std::string::npos);
  EXPECT_NE(broken("/certificate/reason", 9).find("reason 9"), std::string::npos);
  EXPECT_NE(broken("/certificate/evidence", "-1").find("certificate.evidence"), std::string::npos);
  EXPECT_NE(broken("/certificate/harmMicroNats", 0.5).find("harmMicroNats"), std::string::npos);
  EXPECT_NE(broken("/certificate/more", 1).find("certificate.more"), std::string::npos);
}

TEST(certificates, names_and_numbers_agree) {
  for (int n : {0, 1, 2, 16, 17, 18, 19, 20, 21, 22}) {
    const Reason reason = reason_from_number(static_cast<uint64_t>(n));
    EXPECT_EQ(reason_from_name(name(reason)), reason);
    EXPECT_FALSE(explain(reason).empty());
    EXPECT_EQ(verdict_of(reason), n == 0   ? Verdict::kAccept
                                  : n < 16 ? Verdict::kReject
                                           : Verdict::kExclude);
  }
  EXPECT_THROW(reason_from_number(3), Error);
  EXPECT_THROW(verdict_from_number(0), Error);
  EXPECT_THROW(abort_reason_from_number(3), Error);
}

TEST(certificates, uint128_text) {
  for (const char* text : {"0", "1", "340282366920938463463374607431768211455"}) {
    EXPECT_EQ(to_decimal(uint128_from_decimal(text, "x")), text);
  }
  for (const char* text :
       {"", "01", "-1", "+1", "1e3", "340282366920938463463374607431768211456",
        "999999999999999999999999999999999999999", "1000000000000000000000000000000000000000"}) {
    EXPECT_THROW(uint128_from_decimal(text, "x"), Error) << text;
  }
}

}  // namespace
}  // namespace ffe::session
