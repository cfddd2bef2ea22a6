#include "evm/keystore.hpp"

#include <sys/stat.h>
#include <thread>

#include "evm_test_util.hpp"

namespace ffe::evm {
namespace {

using namespace test;

constexpr ScryptCost kCheap{.n = 64};

SecretBytes password(std::string_view text) {
  return SecretBytes(as_bytes(text));
}

TEST(keystore, vectors) {
  for_each_case("keystore.json", [](const Json& c) {
    std::string text = text_of(c, "password");
    crypto::PrivateKey key = decrypt_key(c.at("file"), password(text));
    EXPECT_EQ(to_hex0x(key.secret()), text_of(c, "privateKey"));
    EXPECT_EQ(key.address(), address_of(c, "address"));
    EXPECT_EQ(error_of([&] { decrypt_key(c.at("file"), password(text + "x")); }), ErrorCode::kKey);
  });
}

TEST(keystore, round_trip_and_tampering) {
  crypto::PrivateKey key = crypto::PrivateKey::generate();
  Json file = encrypt_key(key, password("pw"), kCheap);
  EXPECT_TRUE(equal_constant_time(decrypt_key(file, password("pw")).secret(), key.secret()));
  EXPECT_NE(file, encrypt_key(key, password("pw"), kCheap));

  auto altered = [&](const char* pointer, const Json& value) {
    Json copy = file;
    copy[Json::json_pointer(pointer)] = value;
    copy = parse_json(copy.dump(), "altered");
    return error_of([&] { decrypt_key(copy, password("pw")); });
  };
  EXPECT_EQ(altered("/crypto/ciphertext", std::string(64, '0')), ErrorCode::kKey);
  EXPECT_EQ(altered("/crypto/mac", std::string(64, '0')), ErrorCode::kKey);
  EXPECT_EQ(altered("/address", std::string(40, '0')), ErrorCode::kKey);
  EXPECT_EQ(altered("/crypto/ciphertext", "00"), ErrorCode::kBadInput);
  EXPECT_EQ(altered("/crypto/cipherparams/iv", "00"), ErrorCode::kBadInput);
  EXPECT_EQ(altered("/crypto/mac", "zz"), ErrorCode::kBadInput);
  EXPECT_EQ(altered("/crypto/kdfparams", 1), ErrorCode::kBadInput);
  EXPECT_EQ(altered("/crypto", Json::array()), ErrorCode::kBadInput);
  EXPECT_EQ(altered("/crypto/kdfparams/n", 63), ErrorCode::kBadInput);
  EXPECT_EQ(altered("/crypto/kdfparams/n", 0), ErrorCode::kBadInput);
  EXPECT_EQ(altered("/crypto/kdfparams/p", 0), ErrorCode::kBadInput);
  EXPECT_EQ(altered("/crypto/kdfparams/n", uint64_t{1} << 40), ErrorCode::kBadInput);
  // Limits hold before any memory is taken.
  EXPECT_EQ(altered("/crypto/kdfparams/n", 1 << 24), ErrorCode::kUnsupported);
  EXPECT_EQ(altered("/crypto/kdfparams/p", 1 << 20), ErrorCode::kUnsupported);
  Json narrow = file;
  narrow["crypto"]["kdfparams"]["r"] = 1u;
  narrow["crypto"]["kdfparams"]["n"] = 262144u;
  EXPECT_EQ(error_of([&] { decrypt_key(narrow, password("pw")); }), ErrorCode::kUnsupported);
  EXPECT_EQ(altered("/crypto/kdf", "pbkdf2"), ErrorCode::kUnsupported);
  EXPECT_EQ(altered("/crypto/cipher", "aes-256-ctr"), ErrorCode::kUnsupported);
  EXPECT_EQ(altered("/version", 2), ErrorCode::kUnsupported);
}

TEST(keystore, folder) {
  TempDir dir;
  Keystore store(dir.path() / "keys");
  EXPECT_TRUE(store.list().empty());
  KeystoreEntry alice = store.create("alice", password("a"), kCheap);
  crypto::PrivateKey key = crypto::PrivateKey::generate();
  KeystoreEntry bob = store.import("bob-2.x", key, password("b"), kCheap);
  EXPECT_EQ(bob.address, key.address());
  EXPECT_EQ(store.load("alice", password("a")).address(), alice.address);
  EXPECT_EQ(store.load("bob-2.x", password("b")).address(), key.address());
  EXPECT_EQ(error_of([&] { store.load("alice", password("b")); }), ErrorCode::kKey);
  EXPECT_EQ(error_of([&] { store.create("alice", password("a"), kCheap); }), ErrorCode::kKey);
  EXPECT_EQ(store.load("alice", password("a")).address(), alice.address);

  struct stat st {};
  ASSERT_EQ(stat(alice.path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(store.folder().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);

  write_file_atomic(store.folder() / "note.json", as_bytes("{}"));
  write_file_atomic(store.folder() / "note.txt", as_bytes("x"));
  std::vector<KeystoreEntry> all = store.list();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "alice");
  EXPECT_EQ(all[1].address, key.address());
  try {
    store.load("carol", password(""));
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kKey);
    EXPECT_NE(e.hint().find("alice, bob-2.x"), std::string::npos) << e.hint();
  }
  for (const char* bad : {"", ".", "..", ".x", "a/b", "a b", "ä"}) {
    EXPECT_EQ(error_of([&] { store.find(bad); }), ErrorCode::kUsage) << bad;
  }
  EXPECT_EQ(error_of([&] { store.find(std::string(65, 'a')); }), ErrorCode::kUsage);
}

TEST(keystore, one_of_two_commands_at_once_wins) {
  TempDir dir;
  Keystore store(dir.path());
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      try {
        store.create("same", password("x"), kCheap);
        ++made;
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::kKey);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_NO_THROW(store.load("same", password("x")));
}

}  // namespace
}  // namespace ffe::evm
