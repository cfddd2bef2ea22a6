#include "compute/deliverable.hpp"

#include <filesystem>
#include <gtest/gtest.h>

#include "compute/vectors.hpp"
#include "crypto/aead.hpp"
#include "crypto/ecies.hpp"
#include "crypto/hash.hpp"
#include "crypto/keccak.hpp"
#include "storage/merkle.hpp"
#include "support/error_of.hpp"

namespace ffe::compute {
namespace {

using namespace ffe::test;
namespace fs = std::filesystem;

constexpr uint64_t kSmallChunk = 16;

class Deliverable : public ::testing::Test {
 protected:
  fs::path write(const char* name, ByteView content) {
    write_file_atomic(dir_.path() / name, content);
    return dir_.path() / name;
  }
  fs::path out() const { return dir_.path() / "out"; }
  std::string open(ByteView file, uint64_t chunk = kDeliverableChunk, const char* who = "tee") {
    fs::remove(out());
    open_deliverable(write("file", file), bytes("file", "key"), key_of(who).address(), out(), {},
                     chunk);
    const Bytes content = deliverable_content(dir_.path() / "file", bytes("file", "key"),
                                              key_of(who).address(), file.size(), chunk);
    std::string text = read_text_file(out());
    EXPECT_EQ(as_text(content), text);
    return text;
  }
  void expect_refused(ByteView file, uint64_t chunk = kDeliverableChunk) {
    EXPECT_EQ(error_of([&] {
                deliverable_content(write("file", file), bytes("file", "key"),
                                    key_of("tee").address(), 1 << 20, chunk);
              }).substr(0, 8),
              "corrupt:");
    EXPECT_EQ(error_of([&] { open(file, chunk); }).substr(0, 8), "corrupt:");
    EXPECT_FALSE(fs::exists(out()));
    EXPECT_FALSE(fs::exists(out().string() + ".part"));
  }
  Bytes seal(ByteView plain, uint64_t chunk) {
    seal_deliverable(write("plain", plain), dir_.path() / "sealed", bytes("file", "key"),
                     FixedBytes<12>::from(bytes("file", "nonce")), key_of("tee"), chunk);
    return read_file(dir_.path() / "sealed");
  }

  TempDir dir_;
};

TEST_F(Deliverable, AgreesWithNodeCrypto) {
  std::string plain = text("file", "plaintext");
  EXPECT_EQ(open(bytes("file", "bytes")), plain);
  EXPECT_EQ(open(bytes("file", "twoChunks"), kSmallChunk), plain);
  EXPECT_EQ(to_hex0x(seal(as_bytes(plain), kDeliverableChunk)), text("file", "bytes"));
  EXPECT_EQ(to_hex0x(seal(as_bytes(plain), kSmallChunk)), text("file", "twoChunks"));
}

TEST_F(Deliverable, InMemoryOnlyUpToALimit) {
  const Bytes file = seal(Bytes(100, 1), kDeliverableChunk);
  EXPECT_NE(error_of([&] {
              deliverable_content(write("file", file), bytes("file", "key"),
                                  key_of("tee").address(), file.size() - 1);
            }).find("larger than"),
            std::string::npos);
}

TEST_F(Deliverable, EverySizeComesBack) {
  for (size_t size : {1u, 15u, 16u, 17u, 31u, 32u, 33u, 160u}) {
    Bytes plain(size);
    for (size_t i = 0; i < size; ++i) plain[i] = static_cast<uint8_t>(i * 7);
    Bytes sealed = seal(plain, kSmallChunk);
    EXPECT_EQ(sealed.size(), 77 + size + 16 * ((size + 15) / 16));
    EXPECT_EQ(open(sealed, kSmallChunk), as_text(plain));
  }
  EXPECT_EQ(error_of([&] { seal({}, kSmallChunk); }).substr(0, 10), "bad_input:");
  EXPECT_FALSE(fs::exists(dir_.path() / "sealed.part"));
}

TEST_F(Deliverable, TwoChunksOfTheRealSize) {
  Bytes plain(kDeliverableChunk + 1, 'w');
  plain.back() = 'e';
  Bytes sealed = seal(plain, kDeliverableChunk);
  EXPECT_EQ(sealed.size(), 77 + plain.size() + 2 * 16);
  EXPECT_TRUE(open(sealed) == as_text(plain));
}

TEST_F(Deliverable, NonceCarriesIntoEveryByte) {
  FixedBytes<12> nonce;
  nonce.bytes.fill(0xff);
  std::string plain(33, 'x');
  seal_deliverable(write("plain", as_bytes(plain)), dir_.path() / "sealed", bytes("file", "key"),
                   nonce, key_of("tee"), kSmallChunk);
  Bytes sealed = read_file(dir_.path() / "sealed");
  EXPECT_EQ(open(sealed, kSmallChunk), plain);
  // The second chunk lies under the nonce 0.
  EXPECT_EQ(crypto::aes256gcm_open(bytes("file", "key"), Bytes(12), {},
                                   ByteView(sealed).subspan(77 + 32, 32)),
            Bytes(16, 'x'));
}

TEST_F(Deliverable, RefusesEveryAlteredByteAndEveryCut) {
  Bytes good = bytes("file", "twoChunks");
  for (size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= i == 64 ? 1 : 0x40;
    SCOPED_TRACE(i);
    expect_refused(bad, kSmallChunk);
  }
  for (size_t size = 0; size < good.size(); ++size) {
    SCOPED_TRACE(size);
    expect_refused(ByteView(good).first(size), kSmallChunk);
  }
  Bytes longer = good;
  longer.push_back(0);
  expect_refused(longer, kSmallChunk);
}

TEST_F(Deliverable, RefusesReorderedChunksAndAnotherSigner) {
  Bytes good = seal(Bytes(32, 'a'), kSmallChunk);
  Bytes swapped = good;
  std::rotate(swapped.begin() + 77, swapped.begin() + 77 + 32, swapped.end());
  expect_refused(swapped, kSmallChunk);
  EXPECT_EQ(error_of([&] { open(good, kSmallChunk, "user"); }).find("corrupt:"), 0u);
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(Deliverable, AnotherKeyOpensNothing) {
  Bytes good = bytes("file", "bytes");
  Bytes key = bytes("file", "key");
  key[31] ^= 1;
  EXPECT_NE(error_of([&] {
              open_deliverable(write("file", good), key, key_of("tee").address(), out());
            }).find("does not open with this key"),
            std::string::npos);
  EXPECT_TRUE(fs::is_empty(dir_.path()) || !fs::exists(out()));
}

TEST_F(Deliverable, RootIsOfStorageOrKeccak) {
  Bytes file = bytes("file", "bytes");
  fs::path path = write("file", file);
  EXPECT_EQ(match_model_root(path, bytes("file", "keccak")), ModelRoot::kKeccak);
  H256 root = storage::data_root(ByteView(file));
  EXPECT_EQ(match_model_root(path, root.bytes), ModelRoot::kStorage);
  std::string ascii = to_hex0x(root.bytes);
  EXPECT_EQ(match_model_root(path, as_bytes(ascii)), ModelRoot::kStorage);
  EXPECT_EQ(match_model_root(path, as_bytes(ascii.substr(2))), ModelRoot::kStorage);
  EXPECT_EQ(match_model_root(path, as_bytes(ascii + "," + ascii)), ModelRoot::kNone);
  root[0] ^= 1;
  EXPECT_EQ(match_model_root(path, root.bytes), ModelRoot::kNone);
  for (const std::string& bad :
       {std::string(), std::string("0x"), std::string(31, 'a'), ascii + ",", "," + ascii,
        std::string(66, 'z'), std::string(100'000, 'a')}) {
    EXPECT_EQ(error_of([&] { match_model_root(path, as_bytes(bad)); }).substr(0, 10), "bad_input:");
  }
}

TEST(ModelKey, AgreesWithEciesjs) {
  Bytes blob = bytes("ecies", "blob");
  EXPECT_EQ(unwrap_model_key(key_of("user"), blob).view().size(), 32u);
  EXPECT_EQ(to_hex0x(unwrap_model_key(key_of("user"), blob).view()), text("file", "key"));
  EXPECT_EQ(crypto::ecies_seal_with(crypto::PrivateKey::from(bytes("ecies", "ephemeral")),
                                    FixedBytes<16>::from(bytes("ecies", "nonce")),
                                    key_of("user").public_key(), bytes("file", "key")),
            blob);
  Bytes wrapped = wrap_model_key(key_of("user").public_key(), bytes("file", "key"));
  EXPECT_EQ(wrapped.size(), 129u);
  EXPECT_EQ(to_hex0x(unwrap_model_key(key_of("user"), wrapped).view()), text("file", "key"));
}

TEST(ModelKey, TakesANonceOf12Bytes) {
  crypto::PrivateKey ephemeral = crypto::PrivateKey::from(bytes("ecies", "ephemeral"));
  crypto::PublicKey point = ephemeral.public_key();
  SecretBytes shared = ephemeral.ecdh_point(key_of("user").public_key());
  SecretBytes key = crypto::hkdf_sha256(concat({point.bytes, shared.view()}), {}, {}, 32);
  Bytes nonce(12, 9);
  Bytes sealed = crypto::aes256gcm_seal(key.view(), nonce, {}, bytes("file", "key"));
  ByteView view = sealed;
  Bytes blob = concat({point.bytes, nonce, view.last(16), view.first(32)});
  EXPECT_EQ(blob.size(), 125u);
  EXPECT_EQ(to_hex0x(unwrap_model_key(key_of("user"), blob).view()), text("file", "key"));
}

TEST(ModelKey, RefusesWhatIsNotForThisWallet) {
  Bytes blob = bytes("ecies", "blob");
  EXPECT_EQ(error_of([] { unwrap_model_key(key_of("user"), {}); }).substr(0, 8), "session:");
  EXPECT_EQ(error_of([&] { unwrap_model_key(key_of("tee"), blob); }).substr(0, 8), "corrupt:");
  for (size_t i = 0; i < blob.size(); ++i) {
    Bytes bad = blob;
    bad[i] ^= 1;
    EXPECT_EQ(error_of([&] { unwrap_model_key(key_of("user"), bad); }).substr(0, 8), "corrupt:")
        << i;
  }
  for (size_t size : {1u, 96u, 124u, 126u, 128u, 130u}) {
    EXPECT_EQ(error_of([&] { unwrap_model_key(key_of("user"), Bytes(size, 4)); }).substr(0, 8),
              "corrupt:");
  }
}

}  // namespace
}  // namespace ffe::compute
