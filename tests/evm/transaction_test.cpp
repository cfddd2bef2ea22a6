#include "evm/transaction.hpp"

#include "evm/rlp.hpp"
#include "evm_test_util.hpp"

namespace ffe::evm {
namespace {

using namespace test;

Transaction transaction_from_json(const Json& f) {
  Transaction t;
  t.kind = f.at("type") == 0 ? Transaction::Kind::kLegacy : Transaction::Kind::kEip1559;
  t.chain_id = f.at("chainId").get<uint64_t>();
  t.nonce = f.at("nonce").get<uint64_t>();
  t.gas_limit = f.at("gasLimit").get<uint64_t>();
  t.value = U256::parse(text_of(f, "value"));
  t.data = hex_of(f, "data");
  if (!f.at("to").is_null()) t.to = address_of(f, "to");
  if (t.kind == Transaction::Kind::kLegacy) {
    t.gas_price = U256::parse(text_of(f, "gasPrice"));
    return t;
  }
  t.max_priority_fee_per_gas = U256::parse(text_of(f, "maxPriorityFeePerGas"));
  t.max_fee_per_gas = U256::parse(text_of(f, "maxFeePerGas"));
  for (const Json& entry : f.at("accessList")) {
    AccessListEntry& added = t.access_list.emplace_back();
    added.address = address_of(entry, "address");
    for (const Json& key : entry.at("storageKeys")) {
      added.storage_keys.push_back(h256_from_hex(key.get<std::string>()));
    }
  }
  return t;
}

TEST(transaction, vectors) {
  for_each_case("transactions.json", [](const Json& c) {
    Transaction t = transaction_from_json(c.at("fields"));
    EXPECT_EQ(to_hex0x(signing_hash(t).bytes), text_of(c, "signingHash"));
    SignedTransaction s = sign_transaction(t, crypto::PrivateKey::from(hex_of(c, "key")));
    EXPECT_EQ(to_hex0x(s.raw), text_of(c, "raw"));
    EXPECT_EQ(to_hex0x(s.hash.bytes), text_of(c, "hash"));
    EXPECT_EQ(s.sender, address_of(c, "from"));

    SignedTransaction decoded = decode_transaction(s.raw);
    EXPECT_EQ(decoded.transaction, t);
    EXPECT_EQ(decoded.sender, s.sender);
    EXPECT_EQ(decoded.hash, s.hash);
  });
}

// The example of EIP-155.
TEST(transaction, eip155_example) {
  Transaction t;
  t.kind = Transaction::Kind::kLegacy;
  t.chain_id = 1;
  t.nonce = 9;
  t.gas_price = 20 * kGwei;
  t.gas_limit = 21000;
  t.to = Address::from(Bytes(20, 0x35));
  t.value = parse_ether("1");
  EXPECT_EQ(to_hex(signing_hash(t).bytes),
            "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
  SignedTransaction s = sign_transaction(t, crypto::PrivateKey::from(Bytes(32, 0x46)));
  EXPECT_EQ(to_hex(s.raw),
            "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"
            "25a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761a"
            "ecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83");
}

TEST(transaction, altered_bytes_are_refused_or_another_sender) {
  Random random(7);
  for_each_case("transactions.json", [&](const Json& c) {
    Bytes raw = hex_of(c, "raw");
    for (size_t cut = 0; cut < raw.size(); ++cut) {
      EXPECT_THROW(decode_transaction(ByteView(raw).first(cut)), Error);
    }
    for (int i = 0; i < 40; ++i) {
      Bytes altered = raw;
      altered[random() % raw.size()] ^= static_cast<uint8_t>(1u << random() % 8);
      try {
        EXPECT_NE(decode_transaction(altered).sender, address_of(c, "from"));
      } catch (const Error&) {
      }
    }
  });
}

TEST(transaction, other_kinds_are_named) {
  EXPECT_EQ(error_of([] { decode_transaction(from_hex("01c0")); }), ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([] { decode_transaction(from_hex("03c0")); }), ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([] { decode_transaction(from_hex("02c0")); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([] { decode_transaction(from_hex("c0")); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([] { decode_transaction({}); }), ErrorCode::kBadInput);
  // Signed without a chain id, as before EIP-155: valid on every chain, so not accepted here.
  std::vector<RlpItem> fields(6, RlpItem(Bytes{}));
  fields.insert(fields.end(), {RlpItem::of(U256(27)), RlpItem::of(U256(1)), RlpItem::of(U256(1))});
  EXPECT_EQ(error_of([&] { decode_transaction(rlp_encode(fields)); }), ErrorCode::kUnsupported);
}

TEST(transaction, contract_addresses) {
  for_each_case("addresses.json", [](const Json& c) {
    Address from = address_of(c, "from");
    EXPECT_EQ(create_address(from, c.at("nonce").get<uint64_t>()), address_of(c, "create"));
    EXPECT_EQ(create2_address(from, hash_of(c, "salt"), hash_of(c, "codeHash")),
              address_of(c, "create2"));
  });
}

}  // namespace
}  // namespace ffe::evm
