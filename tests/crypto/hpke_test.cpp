#include "crypto/hpke.hpp"

#include "crypto/aead.hpp"
#include "vectors.hpp"

namespace ffe::crypto {
namespace {

using namespace ffe::test;

// RFC 7748 §6.1 and the points of order 1, 2, 4 and 8 (curve and twist) with their aliases.
constexpr const char* kLowOrder[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

TEST(X25519, Rfc7748) {
  X25519KeyPair alice = X25519KeyPair::from(
      from_hex("77076d0a7318a57d3c16c17251b26645d1f4f1a4eb0d1ac2f2a7f6d1a4b1c0a7"));
  X25519KeyPair bob = X25519KeyPair::from(
      from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
  EXPECT_EQ(to_hex(bob.public_key),
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  EXPECT_EQ(to_hex(x25519(alice.secret.view(), bob.public_key).view()),
            to_hex(x25519(bob.secret.view(), alice.public_key).view()));
  EXPECT_EQ(
      to_hex(x25519(from_hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                    fixed_from_hex<32>("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10"
                                       "a903a6d0ab1c4c"))
                 .view()),
      "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

TEST(X25519, AgreesWithNoble) {
  for_each_case("x25519.json", [](const Json& c) {
    X25519KeyPair pair = X25519KeyPair::from(hex_of(c, "secret"));
    EXPECT_EQ(pair.public_key, fixed_of<32>(c, "public_key"));
    EXPECT_EQ(to_hex(x25519(pair.secret.view(), fixed_of<32>(c, "peer")).view()), c.at("shared"));
  });
}

TEST(X25519, RefusesLowOrderKeysEverywhere) {
  X25519KeyPair pair = X25519KeyPair::generate();
  for (const char* hex : kLowOrder) {
    auto bad = fixed_from_hex<32>(hex);
    EXPECT_EQ(error_of([&] { x25519(pair.secret.view(), bad); }), ErrorCode::kKey) << hex;
    EXPECT_EQ(error_of([&] { HpkeSender(bad, {}); }), ErrorCode::kKey) << hex;
    EXPECT_EQ(error_of([&] { HpkeReceiver(pair, bad, {}); }), ErrorCode::kKey) << hex;
    Bytes sealed = concat({bad.bytes, Bytes(48, 0)});
    EXPECT_EQ(error_of([&] { hpke_open_single(pair, {}, {}, sealed); }), ErrorCode::kKey) << hex;
  }
  EXPECT_EQ(error_of([] { X25519KeyPair::from(Bytes(31, 1)); }), ErrorCode::kKey);
}

TEST(Hpke, Rfc9180) {
  for_each_case("rfc9180.json", [](const Json& c) {
    X25519KeyPair ephemeral = X25519KeyPair::from(hex_of(c, "ephemeral"));
    X25519KeyPair recipient = X25519KeyPair::from(hex_of(c, "recipient"));
    EXPECT_EQ(recipient.public_key, fixed_of<32>(c, "recipient_public"));
    Bytes info = hex_of(c, "info"), plaintext = hex_of(c, "plaintext");
    HpkeSender sender(recipient.public_key, info, ephemeral);
    EXPECT_EQ(sender.enc(), fixed_of<32>(c, "enc"));
    HpkeReceiver receiver(recipient, sender.enc(), info);
    size_t checked = 0;
    for (uint64_t sequence = 0; sequence <= 256; ++sequence) {
      std::string aad = "Count-" + std::to_string(sequence);
      Bytes sealed = sender.seal(as_bytes(aad), plaintext);
      for (const Json& message : c.at("messages")) {
        if (message.at("sequence") != sequence) continue;
        EXPECT_EQ(to_hex(as_bytes(aad)), message.at("aad"));
        EXPECT_EQ(to_hex(sealed), message.at("ciphertext"));
        ++checked;
      }
      EXPECT_EQ(receiver.open(as_bytes(aad), sealed), plaintext);
    }
    EXPECT_EQ(checked, c.at("messages").size());
    for (const Json& e : c.at("exports")) {
      EXPECT_EQ(to_hex(sender.export_secret(hex_of(e, "context"), 32).view()), e.at("value"));
      EXPECT_EQ(to_hex(receiver.export_secret(hex_of(e, "context"), 32).view()), e.at("value"));
    }
  });
}

TEST(Hpke, AgreesWithHpkeJs) {
  for_each_case("hpke.json", [](const Json& c) {
    X25519KeyPair recipient = X25519KeyPair::from(hex_of(c, "recipient"));
    Bytes info = hex_of(c, "info");
    HpkeSender sender(recipient.public_key, info, X25519KeyPair::from(hex_of(c, "ephemeral")));
    EXPECT_EQ(sender.enc(), fixed_of<32>(c, "enc"));
    HpkeReceiver receiver(recipient, sender.enc(), info);
    for (const Json& message : c.at("messages")) {
      Bytes aad = hex_of(message, "aad"), plaintext = hex_of(message, "plaintext");
      EXPECT_EQ(to_hex(sender.seal(aad, plaintext)), message.at("ciphertext"));
      EXPECT_EQ(receiver.open(aad, hex_of(message, "ciphertext")), plaintext);
    }
    EXPECT_EQ(to_hex(receiver.export_secret(hex_of(c, "exporter_context"), 64).view()),
              c.at("exported"));
  });
}

TEST(Hpke, OrderAadInfoAndRecipientAreBound) {
  X25519KeyPair key = X25519KeyPair::generate();
  Bytes info = {1, 2, 3}, aad = {4};
  HpkeSender sender(key.public_key, info);
  Bytes first = sender.seal(aad, as_bytes("first")), second = sender.seal(aad, as_bytes("second"));
  HpkeReceiver receiver(key, sender.enc(), info);
  EXPECT_EQ(error_of([&] { receiver.open(aad, second); }), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of([&] { receiver.open({}, first); }), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of([&] { receiver.open(aad, ByteView(first).first(15)); }), ErrorCode::kCorrupt);
  // A failed opening does not use up a number.
  EXPECT_EQ(as_text(receiver.open(aad, first)), "first");
  EXPECT_EQ(as_text(receiver.open_secret(aad, second).view()), "second");
  EXPECT_EQ(error_of([&] { HpkeReceiver(key, sender.enc(), {}).open(aad, first); }),
            ErrorCode::kCorrupt);
  EXPECT_EQ(error_of([&] {
              HpkeReceiver(X25519KeyPair::generate(), sender.enc(), info).open(aad, first);
            }),
            ErrorCode::kCorrupt);
}

TEST(Hpke, SingleShot) {
  X25519KeyPair key = X25519KeyPair::generate();
  Bytes info = {9}, aad = {8};
  Bytes sealed = hpke_seal_single(key.public_key, info, aad, Bytes(32, 5));
  ASSERT_EQ(sealed.size(), 80u);
  EXPECT_EQ(to_hex(hpke_open_single(key.clone(), info, aad, sealed).view()), to_hex(Bytes(32, 5)));
  for (size_t i = 0; i < sealed.size(); ++i) {
    if (i == 31) continue;  // X25519 ignores the top bit there; its other bits are tried below
    Bytes bad = sealed;
    bad[i] ^= 0x80;
    EXPECT_EQ(error_of([&] { hpke_open_single(key, info, aad, bad); }), ErrorCode::kCorrupt) << i;
  }
  // Not even the ignored bit can be changed: enc itself goes into the key.
  Bytes bad = sealed;
  bad[31] ^= 0x80;
  EXPECT_EQ(error_of([&] { hpke_open_single(key, info, aad, bad); }), ErrorCode::kCorrupt);
  EXPECT_EQ(error_of([&] { hpke_open_single(key, info, aad, ByteView(sealed).first(47)); }),
            ErrorCode::kCorrupt);
}

TEST(Aead, AgreesWithNoble) {
  for_each_case("aead.json", [](const Json& c) {
    Bytes key = hex_of(c, "key"), nonce = hex_of(c, "nonce"), aad = hex_of(c, "aad");
    Bytes plaintext = hex_of(c, "plaintext"), sealed = hex_of(c, "sealed");
    bool gcm = c.at("cipher") == "aes256gcm";
    auto seal = gcm ? aes256gcm_seal : chacha20poly1305_seal;
    auto open = gcm ? aes256gcm_open : chacha20poly1305_open;
    EXPECT_EQ(seal(key, nonce, aad, plaintext), sealed);
    EXPECT_EQ(open(key, nonce, aad, sealed), plaintext);
    for (size_t i = 0; i < sealed.size(); i += 7) {
      Bytes bad = sealed;
      bad[i] ^= 1;
      EXPECT_EQ(error_of([&] { open(key, nonce, aad, bad); }), ErrorCode::kCorrupt) << i;
    }
    Bytes other_aad = concat({aad, Bytes(1, 0)});
    EXPECT_EQ(error_of([&] { open(key, nonce, other_aad, sealed); }), ErrorCode::kCorrupt);
  });
}

TEST(Aead, RefusesWrongSizes) {
  Bytes key(32, 1), nonce(12, 2);
  for (auto seal : {aes256gcm_seal, chacha20poly1305_seal}) {
    EXPECT_EQ(error_of([&] { seal(Bytes(16, 1), nonce, {}, {}); }), ErrorCode::kBadInput);
    EXPECT_EQ(error_of([&] { seal(key, Bytes(8, 1), {}, {}); }), ErrorCode::kBadInput);
    EXPECT_EQ(error_of([&] { seal(key, {}, {}, {}); }), ErrorCode::kBadInput);
  }
  EXPECT_EQ(error_of([&] { chacha20poly1305_seal(key, Bytes(16, 1), {}, {}); }),
            ErrorCode::kBadInput);
  for (auto open : {aes256gcm_open, chacha20poly1305_open}) {
    EXPECT_EQ(error_of([&] { open(key, nonce, {}, Bytes(15, 0)); }), ErrorCode::kCorrupt);
  }
}

TEST(Aead, AFailedOpeningLeavesNothing) {
  Bytes key(32, 1), nonce(12, 2), plaintext(100, 0x55);
  Bytes sealed = aes256gcm_seal(key, nonce, {}, plaintext);
  sealed.back() ^= 1;
  Bytes out(plaintext.size(), 0xee);
  EXPECT_EQ(error_of([&] { aes256gcm_open_into(key, nonce, {}, sealed, out); }),
            ErrorCode::kCorrupt);
  EXPECT_EQ(out, Bytes(plaintext.size(), 0));
  EXPECT_EQ(error_of([&] { aes256gcm_seal_into(key, nonce, {}, plaintext, out); }),
            ErrorCode::kInternal);
}

// RFC 9180 appendix A.2.1.
TEST(Hpke, DerivesKeyPairsAsTheRfcDoes) {
  auto derived = [](const char* ikm) {
    return to_hex(hpke_derive_key_pair(from_hex(ikm)).secret.view());
  };
  EXPECT_EQ(derived("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b"),
            "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600");
  EXPECT_EQ(derived("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df"),
            "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
  EXPECT_EQ(error_of([] { hpke_derive_key_pair(Bytes(31)); }), ErrorCode::kKey);
}

}  // namespace
}  // namespace ffe::crypto
