// What the TypeScript package made (sdk/scripts/make-vectors.mjs) opens here.
#include "crypto/keccak.hpp"
#include "session/artifact.hpp"
#include "session/blob.hpp"
#include "session/certificates.hpp"
#include "session/owner_key.hpp"
#include "session/recipe.hpp"
#include "session/tar.hpp"
#include "vectors.hpp"

namespace ffe::session {
namespace {

using namespace ffe::test;

Domain domain_of(const Json& c) {
  return {c["chainId"].get<uint64_t>(), address_of(c, "coordinator")};
}

void check_blob(const Json& c) {
  const BlobContext context{static_cast<BlobRole>(c["role"].get<int>()),
                            domain_of(c),
                            h256_of(c, "binding"),
                            address_of(c, "contributor"),
                            h256_of(c, "enclaveId"),
                            h256_of(c, "ownerKeyHash")};
  const auto key = crypto::X25519KeyPair::from(hex_of(c, "sessionSecret"));
  const Bytes blob = hex_of(c, "blob");
  MemorySource source(blob);
  std::string data;
  const BlobInfo info =
      open_blob(source, key, context, [&](ByteView bytes) { data += as_text(bytes); });
  EXPECT_EQ(data, c["data"].get<std::string>());
  EXPECT_EQ(info.blob_length, blob.size());
}

void check_keys(const Json& c) {
  const auto wallet = crypto::PrivateKey::from(hex_of(c, "privateKey"));
  const Address owner = address_of(c, "owner");
  const crypto::X25519KeyPair derived =
      derive_owner_key([&](const H256& digest) { return wallet.sign(digest); }, domain_of(c),
                       h256_of(c, "sessionTag"), owner);
  EXPECT_EQ(to_hex0x(derived.public_key.bytes), c["x25519"].get<std::string>());
  const SecretBytes by_hpke =
      open_key(hex_of(c, "sealedX25519"), derived, h256_of(c, "sessionHash"), owner);
  EXPECT_EQ(to_hex0x(by_hpke.view()), c["key"].get<std::string>());
  const SecretBytes by_ecies = open_key(hex_of(c, "sealedSecp256k1"), wallet);
  EXPECT_EQ(to_hex0x(by_ecies.view()), c["key"].get<std::string>());
}

void check_artifact(const Json& c) {
  std::map<std::string, Bytes> files;
  for (const auto& [name, text] : c["files"].items()) {
    const auto content = text.get<std::string>();
    files[name] = Bytes(content.begin(), content.end());
  }
  const ArtifactKey key =
      derive_artifact_key(hex_of(c, "sessionSecret"), h256_of(c, "sessionHash"), write_tar(files));
  const SecretBytes tar = open_artifact(key.key.view(), hex_of(c, "artifact"));
  EXPECT_EQ(read_tar(tar.view()), files);
}

void check_certificate(const Json& c) {
  const SignedCertificate signed_certificate = certificate_from_json(c["certificate"]);
  EXPECT_EQ(signed_certificate.signer(), address_of(c, "signer"));
  EXPECT_EQ(to_json(signed_certificate), c["certificate"]);
}

void check_texts(const Json& c) {
  const SessionTerms terms = terms_from_json(c["terms"]);
  check_bounds(terms);
  EXPECT_EQ(to_json(terms), c["terms"]);
  EXPECT_EQ(terms_hash(terms), h256_of(c, "termsHash"));
  const auto recipe = c["recipe"].get<std::string>();
  EXPECT_EQ(to_text(parse_recipe(recipe)), recipe);
  EXPECT_EQ(text_hash(recipe), h256_of(c, "recipeHash"));
  const auto manifest = c["manifest"].get<std::string>();
  EXPECT_EQ(to_text(parse_manifest(manifest)), manifest);
  EXPECT_EQ(text_hash(manifest), h256_of(c, "manifestHash"));
}

TEST(typescript, what_it_makes_opens_here) {
  size_t seen = 0;
  for_each_case("typescript.json", [&](const Json& c) {
    const auto kind = c["kind"].get<std::string>();
    ++seen;
    if (kind == "blob") return check_blob(c);
    if (kind == "keys") return check_keys(c);
    if (kind == "artifact") return check_artifact(c);
    if (kind == "certificate") return check_certificate(c);
    if (kind == "texts") return check_texts(c);
    FAIL() << "unknown kind " << kind;
  });
  EXPECT_GE(seen, 7u);
}

}  // namespace
}  // namespace ffe::session
