#include "crypto/secp256k1.hpp"

#include <thread>

#include "crypto/ecies.hpp"
#include "crypto/keccak.hpp"
#include "vectors.hpp"

namespace ffe::crypto {
namespace {

using namespace ffe::test;

constexpr const char* kOrder = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

TEST(Secp256k1, AgreesWithEthersAndNoble) {
  for_each_case("secp256k1.json", [](const Json& c) {
    PrivateKey key = PrivateKey::from(hex_of(c, "secret"));
    H256 digest = fixed_of<32>(c, "digest");
    auto signature = fixed_of<65>(c, "signature");
    EXPECT_EQ(key.public_key(), fixed_of<65>(c, "public_key"));
    EXPECT_EQ(compress_public_key(key.public_key()), fixed_of<33>(c, "compressed"));
    EXPECT_EQ(parse_public_key(hex_of(c, "compressed")), key.public_key());
    EXPECT_EQ(parse_public_key(ByteView(key.public_key().bytes).subspan(1)), key.public_key());
    EXPECT_EQ(checksum_address(key.address()), c.at("address"));
    EXPECT_EQ(address_of(key.public_key()), key.address());
    EXPECT_EQ(key.sign(digest), signature);
    EXPECT_EQ(recover(digest, signature), key.address());
    EXPECT_EQ(recover_public_key(digest, signature), key.public_key());
    PublicKey peer = fixed_of<65>(c, "peer");
    EXPECT_EQ(to_hex(key.ecdh_point(peer).view()), c.at("shared_point"));
    EXPECT_EQ(to_hex(key.ecdh_x(peer).view()),
              c.at("shared_point").get<std::string>().substr(2, 64));
  });
}

TEST(Secp256k1, GeneratedKeysSignAndRecover) {
  H256 digest = keccak256("message");
  PrivateKey a = PrivateKey::generate(), b = PrivateKey::generate();
  EXPECT_NE(a.address(), b.address());
  EXPECT_EQ(recover(digest, a.sign(digest)), a.address());
  EXPECT_EQ(recover(digest, a.clone().sign(digest)), a.address());
  EXPECT_NE(recover(digest, b.sign(keccak256("other"))), b.address());
  EXPECT_EQ(to_hex(a.ecdh_x(b.public_key()).view()), to_hex(b.ecdh_x(a.public_key()).view()));
}

TEST(Secp256k1, RefusesBadPrivateKeys) {
  EXPECT_EQ(error_of([] { PrivateKey::from(Bytes(32, 0)); }), ErrorCode::kKey);
  EXPECT_EQ(error_of([] { PrivateKey::from(from_hex(kOrder)); }), ErrorCode::kKey);
  EXPECT_EQ(error_of([] { PrivateKey::from(Bytes(32, 0xff)); }), ErrorCode::kKey);
  EXPECT_EQ(error_of([] { PrivateKey::from(Bytes(31, 1)); }), ErrorCode::kKey);
  EXPECT_EQ(error_of([] { PrivateKey::from({}); }), ErrorCode::kKey);
}

// order - s: the other signature of the same message, which Ethereum forbids.
Signature malleate(Signature signature) {
  Bytes order = from_hex(kOrder);
  int borrow = 0;
  for (size_t i = 32; i-- > 0;) {
    int d = order[i] - signature[32 + i] - borrow;
    borrow = d < 0 ? 1 : 0;
    signature[32 + i] = static_cast<uint8_t>(d);
  }
  signature[64] = static_cast<uint8_t>(27 + 28 - signature[64]);
  return signature;
}

TEST(Secp256k1, RefusesMalformedSignatures) {
  H256 digest = keccak256("message");
  Signature good = PrivateKey::generate().sign(digest);
  auto refused = [&](auto&& change) {
    Signature bad = good;
    change(bad);
    return error_of([&] { recover(digest, bad); }) == ErrorCode::kCorrupt;
  };
  EXPECT_TRUE(refused([](Signature& s) { s = malleate(s); }));
  for (int v : {0, 1, 26, 29, 255}) {
    EXPECT_TRUE(refused([v](Signature& s) { s[64] = static_cast<uint8_t>(v); })) << v;
  }
  EXPECT_TRUE(refused([](Signature& s) { std::fill_n(s.begin(), 32, uint8_t{0}); }));
  EXPECT_TRUE(refused([](Signature& s) { std::fill_n(s.begin() + 32, 32, uint8_t{0}); }));
  EXPECT_TRUE(refused([](Signature& s) { std::fill_n(s.begin(), 32, uint8_t{0xff}); }));
  EXPECT_TRUE(refused([](Signature& s) {
    Bytes order = from_hex(kOrder);
    std::copy(order.begin(), order.end(), s.begin());
  }));
}

TEST(Secp256k1, RefusesPointsOffTheCurve) {
  PublicKey key = PrivateKey::generate().public_key();
  PublicKey off = key;
  off[64] ^= 1;
  PublicKey hybrid = key;
  hybrid[0] = static_cast<uint8_t>(6 + (key[64] & 1));
  PrivateKey own = PrivateKey::generate();
  for (const PublicKey& bad : {off, hybrid, PublicKey{}}) {
    EXPECT_EQ(error_of([&] { address_of(bad); }), ErrorCode::kBadInput);
    EXPECT_EQ(error_of([&] { compress_public_key(bad); }), ErrorCode::kBadInput);
    EXPECT_EQ(error_of([&] { own.ecdh_x(bad); }), ErrorCode::kKey);
    EXPECT_EQ(error_of([&] { ecies_seal(bad, as_bytes("x")); }), ErrorCode::kKey);
  }
  EXPECT_EQ(error_of([] { parse_public_key(Bytes(33, 5)); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([] { parse_public_key({}); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([] { parse_public_key(Bytes(1000, 4)); }), ErrorCode::kBadInput);
}

TEST(Secp256k1, ManyThreadsShareTheContext) {
  PrivateKey key = PrivateKey::generate();
  H256 digest = keccak256("message");
  Signature expected = key.sign(digest);
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::array<bool, 4> same{};
  for (bool& ok : same) {
    threads.emplace_back([&] {
      ok = true;
      for (int i = 0; i < 50; ++i) {
        ok = ok && key.sign(digest) == expected && recover(digest, expected) == key.address();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(same, (std::array<bool, 4>{true, true, true, true}));
}

TEST(Address, Eip55) {
  for_each_case("address.json", [](const Json& c) {
    std::string text = c;
    EXPECT_EQ(checksum_address(address_from_hex(text)), text);
    EXPECT_EQ(checksum_address(parse_address(text)), text);
  });
}

TEST(Address, ParsingIsStrict) {
  const std::string good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
  EXPECT_EQ(checksum_address(parse_address("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")), good);
  EXPECT_EQ(checksum_address(parse_address("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED")), good);
  for (std::string bad :
       {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "", "0x",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd",
        "0xg5aeb6053f3e94c9b9a09f33669435e7ef1beaed"}) {
    EXPECT_EQ(error_of([&] { parse_address(bad); }), ErrorCode::kBadInput) << bad;
  }
}

TEST(Ecies, OpensWhatEciesjsSealed) {
  for_each_case("ecies.json", [](const Json& c) {
    PrivateKey key = PrivateKey::from(hex_of(c, "secret"));
    EXPECT_EQ(to_hex(ecies_open(key, hex_of(c, "sealed")).view()), c.at("plaintext"));
  });
}

TEST(Ecies, SealsByteForByteWithGivenRandomness) {
  for_each_case("ecies_known.json", [](const Json& c) {
    PrivateKey key = PrivateKey::from(hex_of(c, "secret"));
    Bytes sealed =
        ecies_seal_with(PrivateKey::from(hex_of(c, "ephemeral")), fixed_of<16>(c, "nonce"),
                        key.public_key(), hex_of(c, "plaintext"));
    EXPECT_EQ(to_hex(sealed), c.at("sealed"));
    EXPECT_EQ(to_hex(ecies_open(key, sealed).view()), c.at("plaintext"));
  });
}

TEST(Ecies, EveryChangedByteIsNoticed) {
  PrivateKey key = PrivateKey::generate();
  const Bytes sealed = ecies_seal(key.public_key(), Bytes(32, 7));
  ASSERT_EQ(sealed.size(), 129u);
  EXPECT_NE(sealed, ecies_seal(key.public_key(), Bytes(32, 7)));
  for (size_t i = 0; i < sealed.size(); ++i) {
    Bytes bad = sealed;
    bad[i] ^= 0x10;
    EXPECT_EQ(error_of([&] { ecies_open(key, bad); }), ErrorCode::kCorrupt) << i;
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_EQ(error_of([&] { ecies_open(key, ByteView(sealed).first(size)); }), ErrorCode::kCorrupt)
        << size;
  }
  EXPECT_EQ(error_of([&] { ecies_open(PrivateKey::generate(), sealed); }), ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace ffe::crypto
