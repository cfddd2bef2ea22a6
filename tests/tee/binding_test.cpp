// Fixed expectations computed with another implementation (ethers 6); see tests/vectors/tee.
#include "tee/binding.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/json.hpp"
#include "crypto/keccak.hpp"

namespace ffe::tee {
namespace {

Json vectors() {
  static const char* kFile = FFE_SOURCE_DIR "/tests/vectors/tee/binding.json";
  return parse_json(read_text_file(kFile), kFile)["cases"];
}

std::string text(const Json& item, const char* key) {
  return json_string(item, key, "binding");
}

TEST(Binding, Vectors) {
  for (const Json& item : vectors()) {
    Address signer = address_from_hex(text(item, "signer"));
    Bytes ext =
        enclave_ext(json_uint(item, "chainId", "binding"), address_from_hex(text(item, "registry")),
                    signer, h256_from_hex(text(item, "appHash")),
                    json_uint(item, "blockNumber", "binding"), h256_from_hex(text(item, "nonce")));
    EXPECT_EQ(to_hex0x(ext), text(item, "ext"));
    EXPECT_EQ(to_hex0x(report_data(signer, ext).bytes), text(item, "reportData"));
    H256 code =
        code_hash(h256_from_hex(text(item, "platformHash")), h256_from_hex(text(item, "appHash")));
    EXPECT_EQ(to_hex0x(code.bytes), text(item, "codeHash"));
    EXPECT_EQ(to_hex0x(enclave_id(signer, code).bytes), text(item, "enclaveId"));
    H256 digest =
        register_digest(ext, address_from_hex(text(item, "payee")), from_hex(text(item, "quote")));
    EXPECT_EQ(to_hex0x(digest.bytes), text(item, "registerDigest"));
  }
  EXPECT_GE(vectors().size(), 2u);
}

TEST(Binding, ExtParsesBackAndNothingElseDoes) {
  Address registry = address_from_hex("0x1111111111111111111111111111111111111111");
  Address signer = address_from_hex("0x2222222222222222222222222222222222222222");
  H256 app = crypto::keccak256("app"), nonce = crypto::keccak256("nonce");
  Bytes ext = enclave_ext(16602, registry, signer, app, 77, nonce);
  ASSERT_EQ(ext.size(), 224u);
  EnclaveExt back = parse_enclave_ext(ext);
  EXPECT_EQ(back.chain_id, 16602u);
  EXPECT_EQ(back.registry, registry);
  EXPECT_EQ(back.signer, signer);
  EXPECT_EQ(back.app_hash, app);
  EXPECT_EQ(back.block_number, 77u);
  EXPECT_EQ(back.nonce, nonce);

  for (size_t dirty : {size_t{0}, size_t{32}, size_t{64}, size_t{96 + 11}, size_t{160 + 23}}) {
    Bytes changed = ext;
    changed[dirty] ^= 1;
    EXPECT_THROW(parse_enclave_ext(changed), Error) << dirty;
  }
  Bytes longer = ext;
  longer.push_back(0);
  EXPECT_THROW(parse_enclave_ext(longer), Error);
  EXPECT_THROW(parse_enclave_ext(ByteView(ext).first(223)), Error);
}

TEST(Binding, ReportDataChangesWithEveryField) {
  Address registry = address_from_hex("0x1111111111111111111111111111111111111111");
  Address signer = address_from_hex("0x2222222222222222222222222222222222222222");
  Bytes ext = enclave_ext(1, registry, signer, {}, 2, {});
  FixedBytes<64> data = report_data(signer, ext);
  EXPECT_TRUE(std::equal(signer.begin(), signer.end(), data.begin()));
  EXPECT_TRUE(std::all_of(data.begin() + 52, data.end(), [](uint8_t b) { return b == 0; }));
  for (size_t i = 0; i < ext.size(); ++i) {
    Bytes changed = ext;
    changed[i] ^= 1;
    EXPECT_NE(report_data(signer, changed), data) << i;
  }
}

}  // namespace
}  // namespace ffe::tee
