#include "compute/request.hpp"

#include <gtest/gtest.h>

#include "compute/session_token.hpp"
#include "compute/settlement.hpp"
#include "compute/vectors.hpp"
#include "crypto/keccak.hpp"
#include "support/error_of.hpp"

namespace ffe::compute {
namespace {

using namespace ffe::test;

TaskId task() {
  return TaskId::parse(vectors().at("taskId").get<std::string>());
}

// The message, what we sign it with, and who the other side finds behind their signature.
void expect_request(const char* group, const H256& message) {
  SCOPED_TRACE(group);
  crypto::PrivateKey user = key_of("user");
  EXPECT_EQ(to_hex0x(message.bytes), text(group, "inner"));
  EXPECT_EQ(to_hex0x(sign_message(user, message).bytes), text(group, "signature"));
  EXPECT_EQ(message_signer(message, parse_signature(bytes(group, "signature"))), user.public_key());
}

TEST(ComputeRequest, AgreesWithEthers) {
  std::string user = text("user", "address"), dataset = text("dataset", "hash");
  uint64_t timestamp = vectors().at("timestamp");
  expect_request("createTask",
                 create_task_message(crypto::parse_address(user),
                                     evm::U256::parse(text("createTask", "nonce")), dataset));
  expect_request("upload", upload_dataset_message(user, timestamp));
  expect_request("download", download_message(task(), timestamp));
  expect_request("cancel", cancel_task_message(task()));
  expect_request("delete", delete_dataset_message(dataset, timestamp));
  EXPECT_EQ(to_hex0x(crypto::keccak256(text("dataset", "text")).bytes), dataset);
  EXPECT_EQ(to_hex0x(personal_digest(h256_from_hex(text("createTask", "inner"))).bytes),
            text("createTask", "digest"));
}

TEST(ComputeRequest, TakesBothFormsOfV) {
  Bytes with_27 = bytes("cancel", "signature");
  Bytes with_0 = with_27;
  with_0[64] = static_cast<uint8_t>(with_0[64] - 27);
  EXPECT_EQ(parse_signature(with_0), parse_signature(with_27));
  with_0[64] = 2;
  EXPECT_EQ(error_of([&] {
              message_signer(cancel_task_message(task()), parse_signature(with_0));
            }).substr(0, 8),
            "corrupt:");
  EXPECT_EQ(error_of([] { parse_signature(Bytes(64)); }),
            "bad_input: a signature has 65 bytes, not 64");
  EXPECT_EQ(error_of([] { parse_signature(Bytes(66)); }),
            "bad_input: a signature has 65 bytes, not 66");
}

TEST(ComputeRequest, SignsAllBytesOfAMessageThatBeginsWithZero) {
  crypto::PrivateKey user = key_of("user");
  H256 message =
      h256_from_hex("0x005761dee20a44baaf17dcbe34055177c421f61c61b70817f3a26219b96cfee1");
  EXPECT_EQ(message_signer(message, sign_message(user, message)), user.public_key());
}

TEST(ComputeRequest, TaskIdsAreUuids) {
  EXPECT_EQ(TaskId::parse("9D04F438-B672-4BC9-B506-95F66B8CFA19"), task());
  EXPECT_EQ(task().text(), "9d04f438-b672-4bc9-b506-95f66b8cfa19");
  EXPECT_EQ(task().hex(), "9d04f438b6724bc9b50695f66b8cfa19");
  TaskId random = TaskId::random();
  EXPECT_EQ(TaskId::parse(random.text()), random);
  EXPECT_EQ(random.text()[14], '4');
  for (const char* bad :
       {"", "9d04f438b6724bc9b50695f66b8cfa19", "9d04f438-b672-4bc9-b506-95f66b8cfa1",
        "9d04f438-b672-4bc9-b506-95f66b8cfa1g", "9d04f438-b672-4bc9-b506_95f66b8cfa19",
        "../../../../../../../../../../etc/pa"}) {
    EXPECT_EQ(error_of([&] { TaskId::parse(bad); }).substr(0, 10), "bad_input:") << bad;
  }
}

TEST(ComputeRequest, TimestampsAreFreshForMinutes) {
  EXPECT_TRUE(timestamp_is_fresh(1000, 1000));
  EXPECT_TRUE(timestamp_is_fresh(1060, 1000));
  EXPECT_FALSE(timestamp_is_fresh(1061, 1000));
  EXPECT_TRUE(timestamp_is_fresh(1000, 1300));
  EXPECT_FALSE(timestamp_is_fresh(1000, 1301));
  EXPECT_FALSE(timestamp_is_fresh(UINT64_MAX, 1000));
}

Settlement settlement() {
  Settlement s;
  s.id = task().text();
  s.encrypted_secret = bytes("ecies", "blob");
  s.model_root_hash = bytes("file", "keccak");
  s.nonce = evm::U256::parse(text("settlement", "nonce"));
  s.task_fee = evm::U256::parse(text("settlement", "taskFee"));
  s.user = crypto::parse_address(text("user", "address"));
  return s;
}

TEST(ComputeSettlement, AgreesWithEthers) {
  Address contract = crypto::parse_address(text("settlement", "contract"));
  uint64_t chain = vectors()["settlement"]["chainId"];
  EXPECT_EQ(to_hex0x(settlement_domain(chain, contract).bytes), text("settlement", "domain"));
  EXPECT_EQ(to_hex0x(settlement_hash(settlement()).bytes), text("settlement", "structHash"));
  H256 digest = settlement_digest(chain, contract, settlement());
  EXPECT_EQ(to_hex0x(digest.bytes), text("settlement", "digest"));
  EXPECT_EQ(to_hex0x(key_of("tee").sign(digest).bytes), text("settlement", "signature"));
  EXPECT_EQ(crypto::recover(digest, parse_signature(bytes("settlement", "signature"))),
            key_of("tee").address());
}

SessionToken token() {
  SessionToken t;
  t.user = key_of("user").address();
  t.provider = key_of("tee").address();
  t.timestamp = 1755000000000;
  t.expires_at = 1755086400000;
  t.nonce = "0123456789abcdef";
  return t;
}

TEST(ComputeToken, AgreesWithEthers) {
  EXPECT_EQ(token_text(token()), text("session", "raw"));
  EXPECT_EQ(to_hex0x(crypto::keccak256(token_text(token())).bytes), text("session", "hash"));
  EXPECT_EQ(authorization(token(), key_of("user")), text("session", "header"));
  EXPECT_EQ(parse_authorization(text("session", "header")), token());
  EXPECT_EQ(error_of([] { authorization(token(), key_of("tee")); }).substr(0, 4), "key:");
}

TEST(ComputeToken, IsForOneProviderAndOneTime) {
  SessionToken t = token();
  check_token(t, t.provider, t.timestamp);
  check_token(t, t.provider, t.expires_at - 1);
  EXPECT_EQ(error_of([&] { check_token(t, t.provider, t.expires_at); }),
            "key: the session token has expired");
  EXPECT_EQ(error_of([&] { check_token(t, t.user, t.timestamp); }),
            "key: the session token is for another provider");
  EXPECT_EQ(error_of([&] { check_token(t, t.provider, t.timestamp - 60'001); }),
            "key: the session token is from the future");
  t.expires_at += 1;
  EXPECT_EQ(error_of([&] { check_token(t, t.provider, t.timestamp); }),
            "key: the session token lives longer than the 24 hours of an ephemeral one");
  t.token_id = 7;
  check_token(t, t.provider, t.timestamp);
  t.expires_at = 0;
  check_token(t, t.provider, t.timestamp + 1'000'000'000);
}

TEST(ComputeToken, RefusesForgeries) {
  auto header = [](const std::string& content) {
    return "Bearer app-sk-" + to_base64(as_bytes(content));
  };
  std::string signature = text("session", "signature"), raw = text("session", "raw");
  EXPECT_EQ(parse_authorization(header(raw + "|" + signature)), token());
  std::string altered = raw;
  altered.replace(altered.find("255"), 3, "254");
  std::string twice = raw;
  twice.insert(1, "\"tokenId\":1,");
  for (const std::string& bad :
       {std::string(), std::string("Bearer sk-1"), header(raw), header(raw + "|0x00"),
        header(altered + "|" + signature), header(twice + "|" + signature),
        header("[]|" + signature), header("{}|" + signature),
        "Bearer app-sk-" + std::string(5000, 'A'), std::string("Bearer app-sk-!")}) {
    EXPECT_THROW(parse_authorization(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace ffe::compute
