// The project's own vector file, as the other languages read it.
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "crypto/secp256k1.hpp"
#include "tee/binding.hpp"
#include "tee/evidence.hpp"
#include "tee/samples.hpp"
#include "tee/simulated.hpp"

namespace ffe::tee {
namespace {

TEST(Vectors, DevelopmentPlatform) {
  const char* file = FFE_SOURCE_DIR "/tests/vectors/tee/development.json";
  Json json = parse_json(read_text_file(file), file);
  TrustAnchor anchor = development_root(from_hex(json_string(json, "root", file)));
  Collateral collateral = collateral_from_json(json_member(json, "collateral", file));
  int64_t time = static_cast<int64_t>(json_uint(json, "time", file));

  TempDir folder;
  std::string program = json_string(json, "program", file);
  write_file_atomic(folder.path() / "program", as_bytes(program));
  std::string code_hash = to_hex0x(simulated_code_hash(folder.path() / "program").bytes);

  ASSERT_EQ(json["cases"].size(), 4u);
  for (const Json& item : json["cases"]) {
    Verification v = verify(from_hex(json_string(item, "quote", file)), collateral, anchor, time,
                            Policy::development());
    SCOPED_TRACE(json_string(item, "name", file));
    EXPECT_EQ(v.accepted, item["accepted"].get<bool>()) << shown(v);
    EXPECT_EQ(failed_check(v), json_string(item, "failedCheck", file));
    EXPECT_EQ(v.tcb_status, json_string(item, "tcbStatus", file));
    EXPECT_EQ(v.advisories, item["advisories"].get<std::vector<std::string>>());
    EXPECT_EQ(to_hex0x(workload_id(*v.quote).bytes), json_string(item, "workloadId", file));
    EXPECT_EQ(to_hex0x(v.quote->td.report_data.bytes), json_string(json, "reportData", file));
    if (!v.quote->td.debug()) {
      EXPECT_EQ(json_string(item, "workloadId", file), code_hash);
    }
  }
}

TEST(Vectors, Registration) {
  const char* file = FFE_SOURCE_DIR "/tests/vectors/tee/development.json";
  Json json = parse_json(read_text_file(file), file);
  const Json& item = json_member(json, "register", file);
  Bytes quote = from_hex(json_string(item, "quote", file));
  Verification v =
      verify(quote, collateral_from_json(json_member(json, "collateral", file)),
             development_root(from_hex(json_string(json, "root", file))),
             static_cast<int64_t>(json_uint(json, "time", file)), Policy::development());
  EXPECT_TRUE(v.accepted) << shown(v);

  Bytes bytes = from_hex(json_string(item, "ext", file));
  EnclaveExt ext = parse_enclave_ext(bytes);
  EXPECT_EQ(ext.chain_id, json_uint(item, "chainId", file));
  EXPECT_EQ(ext.block_number, json_uint(item, "blockNumber", file));
  EXPECT_EQ(to_hex0x(ext.nonce.bytes), json_string(item, "nonce", file));
  EXPECT_EQ(to_hex0x(ext.registry.bytes), json_string(item, "registry", file));
  EXPECT_EQ(to_hex0x(ext.signer.bytes), json_string(item, "signer", file));
  EXPECT_EQ(v.quote->td.report_data, report_data(ext.signer, bytes));

  H256 digest = register_digest(bytes, address_from_hex(json_string(item, "payee", file)), quote);
  auto signature = fixed_from_hex<65>(json_string(item, "signature", file));
  EXPECT_EQ(crypto::recover(digest, signature), ext.signer);
  EXPECT_EQ(to_hex0x(enclave_id(ext.signer, workload_id(*v.quote)).bytes),
            json_string(item, "enclaveId", file));
}

TEST(Vectors, TappRegistration) {
  const char* file = FFE_SOURCE_DIR "/tests/vectors/tee/tapp.json";
  Json json = parse_json(read_text_file(file), file);
  const Json& item = json_member(json, "tapp", file);
  const Evidence evidence = evidence_from_json(item);
  const Bytes bytes = from_hex(json_string(item, "ext", file));
  const EnclaveExt ext = parse_enclave_ext(bytes);
  EXPECT_NO_THROW(check_evidence(evidence, report_data(ext.signer, bytes)));
  Verification v =
      verify(evidence, collateral_from_json(json_member(json, "collateral", file)),
             development_root(from_hex(json_string(json, "root", file))),
             static_cast<int64_t>(json_uint(json, "time", file)), Policy::development());
  EXPECT_TRUE(v.accepted) << shown(v);
  ASSERT_TRUE(v.code_hash);
  EXPECT_EQ(to_hex0x(v.code_hash->bytes), json_string(item, "codeHash", file));
  EXPECT_EQ(*v.code_hash, code_hash(platform_hash(v.quote->td), ext.app_hash));
  EXPECT_EQ(to_hex0x(enclave_id(ext.signer, *v.code_hash).bytes),
            json_string(item, "enclaveId", file));
}

}  // namespace
}  // namespace ffe::tee
