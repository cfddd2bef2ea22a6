#include "session/artifact.hpp"

#include <cstdlib>

#include "crypto/hash.hpp"
#include "crypto/keccak.hpp"
#include "session/owner_key.hpp"
#include "session/tar.hpp"
#include "vectors.hpp"

namespace ffe::session {
namespace {

using namespace ffe::test;

Bytes bytes_of(const SecretBytes& secret) {
  return {secret.view().begin(), secret.view().end()};
}

TEST(artifact, keys_and_ciphertext_as_noble_makes_them) {
  for_each_case("artifact.json", [](const Json& c) {
    const Bytes tar = pattern(c["tarLength"].get<size_t>());
    EXPECT_EQ(crypto::sha256(tar), h256_of(c, "tarSha256"));
    const ArtifactKey key =
        derive_artifact_key(hex_of(c, "sessionSecret"), h256_of(c, "sessionHash"), tar);
    EXPECT_EQ(bytes_of(key.key), hex_of(c, "key"));
    EXPECT_EQ(key.nonce, fixed_of<12>(c, "nonce"));
    const Bytes artifact = seal_artifact(key, tar);
    EXPECT_EQ(crypto::keccak256(artifact), h256_of(c, "artifactKeccak"));
    EXPECT_EQ(bytes_of(open_artifact(key.key.view(), artifact)), tar);

    const Json& e = c["secp256k1"];
    const auto wallet = crypto::PrivateKey::from(hex_of(e, "privateKey"));
    const Bytes public_key = hex_of(e, "publicKey");
    check_owner_key(public_key, wallet.address());
    EXPECT_EQ(owner_key_hash(public_key), h256_of(e, "ownerKeyHash"));
    EXPECT_EQ(bytes_of(open_key(hex_of(e, "sealedKey"), wallet)), bytes_of(key.key));

    const Json& x = c["x25519"];
    const auto pair = crypto::X25519KeyPair::from(hex_of(x, "secret"));
    const Address owner = address_of(x, "owner");
    check_owner_key(hex_of(x, "publicKey"), owner);
    EXPECT_EQ(owner_key_hash(hex_of(x, "publicKey")), h256_of(x, "ownerKeyHash"));
    EXPECT_EQ(bytes_of(open_key(hex_of(x, "sealedKey"), pair, h256_of(c, "sessionHash"), owner)),
              bytes_of(key.key));
  });
}

TEST(artifact, another_key_or_altered_bytes_do_not_open) {
  const ArtifactKey key = derive_artifact_key(Bytes(32, 1), H256{}, as_bytes("tar"));
  Bytes artifact = seal_artifact(key, as_bytes("tar"));
  EXPECT_THROW(open_artifact(Bytes(32, 9), artifact), Error);
  EXPECT_THROW(open_artifact(key.key.view(), ByteView(artifact).first(27)), Error);
  for (size_t i = 0; i < artifact.size(); ++i) {
    artifact[i] ^= 1;
    EXPECT_THROW(open_artifact(key.key.view(), artifact), Error) << i;
    artifact[i] ^= 1;
  }
}

TEST(owner_key, sealed_for_one_owner_only) {
  const Bytes k(32, 5);
  const H256 session{};
  const auto alice = crypto::PrivateKey::generate();
  const auto bob = crypto::PrivateKey::generate();
  const auto alice_key = alice.public_key();
  const Bytes sealed = seal_key(k, alice_key.bytes, session, alice.address());
  EXPECT_EQ(sealed.size(), 129u);
  EXPECT_EQ(bytes_of(open_key(sealed, alice)), k);
  EXPECT_THROW(open_key(sealed, bob), Error);
  EXPECT_THROW(seal_key(k, alice_key.bytes, session, bob.address()), Error);

  const auto pair = crypto::X25519KeyPair::generate();
  const Bytes boxed = seal_key(k, pair.public_key.bytes, session, bob.address());
  EXPECT_EQ(boxed.size(), 80u);
  EXPECT_EQ(bytes_of(open_key(boxed, pair, session, bob.address())), k);
  EXPECT_THROW(open_key(boxed, pair, session, alice.address()), Error);
  H256 other = session;
  other[0] = 1;
  EXPECT_THROW(open_key(boxed, pair, other, bob.address()), Error);
}

TEST(owner_key, bad_keys_are_refused_before_anything_is_sealed) {
  const Address owner = crypto::PrivateKey::generate().address();
  EXPECT_THROW(check_owner_key(Bytes(33, 2), owner), Error);
  EXPECT_THROW(check_owner_key({}, owner), Error);
  EXPECT_THROW(check_owner_key(Bytes(65, 4), owner), Error);
  EXPECT_THROW(check_owner_key(Bytes(32, 0), owner), Error);  // low order
  Bytes one(32, 0);
  one[0] = 1;
  EXPECT_THROW(check_owner_key(one, owner), Error);  // low order
}

TEST(owner_key, derived_from_a_wallet_signature) {
  for_each_case("owner-key.json", [](const Json& c) {
    const auto wallet = crypto::PrivateKey::from(hex_of(c, "privateKey"));
    const Domain domain{c["chainId"].get<uint64_t>(), address_of(c, "coordinator")};
    const auto pair = derive_owner_key([&](const H256& d) { return wallet.sign(d); }, domain,
                                       h256_of(c, "sessionTag"), wallet.address());
    EXPECT_EQ(bytes_of(pair.secret), hex_of(c, "secret"));
    EXPECT_EQ(pair.public_key, fixed_of<32>(c, "publicKey"));
  });
}

TEST(owner_key, wallets_that_sign_differently_or_for_others_are_refused) {
  const auto wallet = crypto::PrivateKey::generate();
  const auto other = crypto::PrivateKey::generate();
  int calls = 0;
  EXPECT_NE(error_of([&] {
              derive_owner_key(
                  [&](const H256& d) { return calls++ == 0 ? wallet.sign(d) : other.sign(d); }, {},
                  {}, wallet.address());
            }).find("differently"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              derive_owner_key([&](const H256& d) { return other.sign(d); }, {}, {},
                               wallet.address());
            }).find("another account"),
            std::string::npos);
}

TEST(owner_key, transfer_info) {
  for_each_case("transfer.json", [](const Json& c) {
    Transfer t;
    t.chain_id = c["chainId"].get<uint64_t>();
    t.inft = address_of(c, "inft");
    t.token_id = evm::U256::parse(c["tokenId"].get<std::string>());
    t.enclave_id = h256_of(c, "enclaveId");
    t.buyer = address_of(c, "buyer");
    t.buyer_key_hash = h256_of(c, "buyerKeyHash");
    t.deadline = c["deadline"].get<uint64_t>();
    EXPECT_EQ(transfer_info(t), hex_of(c, "info"));
  });
}

const std::map<std::string, Bytes>& adapter_files() {
  static const std::map<std::string, Bytes> files = {{"adapter_config.json", pattern(300)},
                                                     {"adapter_model.safetensors", pattern(2048)},
                                                     {"README.md", pattern(1)},
                                                     {"report.json", {}}};
  return files;
}

TEST(tar, round_trip) {
  const Bytes tar = write_tar(adapter_files());
  EXPECT_EQ(tar.size() % 512, 0u);
  EXPECT_EQ(read_tar(tar), adapter_files());
  EXPECT_EQ(read_tar(write_tar({})).size(), 0u);
}

// POSIX's own example is GNU tar's ustar output with these options.
TEST(tar, same_bytes_as_gnu_tar) {
  if (std::system("tar --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no tar on this machine";
  TempDir dir;
  std::string names;
  for (const auto& [name, content] : adapter_files()) {
    write_file_atomic(dir.path() / name, content);
    names += " " + name;
  }
  const std::string command =
      "cd '" + dir.path().string() +
      "' && LC_ALL=C tar --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@0 "
      "--mode=0644 -b1 -cf out.tar" +
      names;
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(read_file(dir.path() / "out.tar"), write_tar(adapter_files()));
}

TEST(tar, hostile_archives_are_refused) {
  const Bytes tar = write_tar(adapter_files());
  for (size_t n = 0; n < tar.size(); n += 256) {
    EXPECT_THROW(read_tar(ByteView(tar).first(n)), Error) << n;
  }
  // Every bit of the first header, of the padding and of the end counts.
  for (size_t i = 0; i < 512; ++i) {
    Bytes bad = tar;
    bad[i] ^= 1;
    EXPECT_THROW(read_tar(bad), Error) << i;
  }
  Bytes padding = tar;
  padding[512 + 511] = 1;
  EXPECT_THROW(read_tar(padding), Error);
  Bytes end = tar;
  end.back() = 1;
  EXPECT_THROW(read_tar(end), Error);
  Bytes longer = tar;
  longer.resize(longer.size() + 512);
  EXPECT_THROW(read_tar(longer), Error);
  for (const char* name : {"", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a b", "a/"}) {
    EXPECT_THROW(write_tar({{name, {}}}), Error) << name;
  }
}

}  // namespace
}  // namespace ffe::session
