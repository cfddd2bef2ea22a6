#include "session/blob.hpp"

#include "crypto/keccak.hpp"
#include "vectors.hpp"

namespace ffe::session {
namespace {

using namespace ffe::test;
using Kind = BlobError::Kind;

struct Opened {
  BlobInfo info;
  Bytes data;
};

Opened open(ByteView blob, const crypto::X25519KeyPair& key, const BlobContext& context) {
  MemorySource source(blob);
  Opened out;
  out.info = open_blob(source, key, context, [&](ByteView part) { append(out.data, part); });
  return out;
}

Kind kind_of(ByteView blob, const crypto::X25519KeyPair& key, const BlobContext& context) {
  try {
    open(blob, key, context);
  } catch (const BlobError& e) {
    return e.kind();
  }
  ADD_FAILURE() << "it opened";
  return Kind::kInvalid;
}

struct Sealing {
  crypto::PrivateKey wallet = crypto::PrivateKey::generate();
  crypto::X25519KeyPair session = crypto::X25519KeyPair::generate();
  BlobContext context;

  Sealing() {
    context.domain.chain_id = 31337;
    context.binding[0] = 1;
    context.enclave_id[0] = 2;
    context.owner_key_hash[0] = 3;
    context.contributor = wallet.address();
  }
  Bytes seal(ByteView data) const {
    MemorySource source(data);
    Bytes blob;
    seal_blob(
        source, session.public_key, context, [&](const H256& d) { return wallet.sign(d); },
        [&](ByteView part) { append(blob, part); });
    return blob;
  }
};

// A blob whose plaintext is given whole: for blobs that an honest sealer does not make.
Bytes seal_plaintext(const Sealing& s, ByteView plaintext) {
  crypto::HpkeSender hpke(s.session.public_key, s.context.info());
  const size_t chunks = (plaintext.size() + kBlobChunk - 1) / kBlobChunk;
  Bytes blob(kBlobHeader);
  std::memcpy(blob.data(), "FFEB\1\1", 6);
  put_be64(blob.data() + 8, plaintext.size() + 16 * chunks);
  std::memcpy(blob.data() + 16, hpke.enc().data(), 32);
  for (size_t i = 0; i < chunks; ++i) {
    Bytes aad(blob.begin(), blob.begin() + kBlobHeader);
    aad.push_back(i + 1 == chunks ? 1 : 0);
    const ByteView rest = plaintext.subspan(i * kBlobChunk);
    append(blob, hpke.seal(aad, rest.first(std::min(rest.size(), kBlobChunk))));
  }
  return blob;
}

Bytes plaintext_of(const Sealing& s, ByteView data) {
  const H256 digest = submission_digest(s.context.domain, s.context.binding,
                                        crypto::keccak256(data), s.context.owner_key_hash);
  Bytes plain(padme(kBlobPrefix + data.size()));
  const crypto::Signature signature = s.wallet.sign(digest);
  std::copy(signature.begin(), signature.end(), plain.begin());
  put_le64(plain.data() + 65, data.size());
  std::copy(data.begin(), data.end(), plain.begin() + kBlobPrefix);
  return plain;
}

// The blob that these keys make, with the ephemeral key given.
Bytes reseal(const Json& c, const BlobContext& context, const Bytes& data) {
  const auto ephemeral = crypto::X25519KeyPair::from(hex_of(c, "ephemeralSecret"));
  crypto::HpkeSender hpke(fixed_of<32>(c, "sessionKey"), context.info(), ephemeral);
  Bytes plain(padme(kBlobPrefix + data.size()));
  const Bytes signature = hex_of(c, "signature");
  std::copy(signature.begin(), signature.end(), plain.begin());
  put_le64(plain.data() + 65, data.size());
  std::copy(data.begin(), data.end(), plain.begin() + kBlobPrefix);
  Bytes blob = hex_of(c, "header");
  const Bytes header = blob;
  for (size_t i = 0; i < plain.size(); i += kBlobChunk) {
    const size_t n = std::min(kBlobChunk, plain.size() - i);
    Bytes aad = header;
    aad.push_back(i + n == plain.size() ? 1 : 0);
    append(blob, hpke.seal(aad, ByteView(plain).subspan(i, n)));
  }
  return blob;
}

TEST(blob, opens_what_another_implementation_sealed) {
  for_each_case("blob.json", [](const Json& c) {
    BlobContext context;
    context.role = static_cast<BlobRole>(c["role"].get<int>());
    context.domain = {c["chainId"].get<uint64_t>(), address_of(c, "coordinator")};
    context.binding = h256_of(c, "binding");
    context.contributor = address_of(c, "contributor");
    context.enclave_id = h256_of(c, "enclaveId");
    context.owner_key_hash = h256_of(c, "ownerKeyHash");
    EXPECT_EQ(context.info(), hex_of(c, "info"));
    const Bytes data = pattern(c["dataLength"].get<size_t>());
    EXPECT_EQ(blob_size(data.size()), c["blobLength"].get<uint64_t>());

    // Large blobs are in the file by hash: rebuilt from their keys, they must be the same bytes.
    const Bytes blob = c.contains("blob") ? hex_of(c, "blob") : reseal(c, context, data);
    EXPECT_EQ(crypto::keccak256(blob), h256_of(c, "blobKeccak"));
    const auto session = crypto::X25519KeyPair::from(hex_of(c, "sessionSecret"));
    const Opened opened = open(blob, session, context);
    EXPECT_EQ(opened.data, data);
    EXPECT_EQ(opened.info.data_hash, h256_of(c, "dataHash"));
    EXPECT_EQ(opened.info.signature, fixed_of<65>(c, "signature"));
    EXPECT_EQ(opened.info.blob_length, blob.size());
  });
}

TEST(blob, padded_sizes) {
  for_each_case("padme.json", [](const Json& c) {
    EXPECT_EQ(padme(c["length"].get<uint64_t>()), c["padded"].get<uint64_t>());
  });
}

TEST(blob, round_trip_at_every_edge) {
  const Sealing s;
  for (size_t n : {size_t{0}, size_t{1}, kBlobChunk - 74, kBlobChunk - 73, kBlobChunk - 72,
                   2 * kBlobChunk, size_t{300'001}}) {
    const Bytes data = pattern(n);
    const Bytes blob = s.seal(data);
    EXPECT_EQ(blob.size(), blob_size(n));
    EXPECT_EQ(open(blob, s.session, s.context).data, data) << n;
    Bytes padded = blob;  // as storage gives it back
    padded.resize(padded.size() + 777);
    EXPECT_EQ(open(padded, s.session, s.context).data, data) << n;
  }
}

TEST(blob, every_other_context_is_refused) {
  const Sealing s;
  const Bytes blob = s.seal(pattern(500));
  const auto refused = [&](auto spoil) {
    BlobContext other = s.context;
    spoil(other);
    return kind_of(blob, s.session, other);
  };
  EXPECT_EQ(refused([](auto& c) { c.binding[5] ^= 1; }), Kind::kInvalid);
  EXPECT_EQ(refused([](auto& c) { c.contributor[5] ^= 1; }), Kind::kInvalid);
  EXPECT_EQ(refused([](auto& c) { c.enclave_id[5] ^= 1; }), Kind::kInvalid);
  EXPECT_EQ(refused([](auto& c) { c.role = BlobRole::kEvaluation; }), Kind::kInvalid);
  EXPECT_EQ(refused([](auto& c) { c.owner_key_hash[5] ^= 1; }), Kind::kBadSignature);
  EXPECT_EQ(refused([](auto& c) { c.domain.chain_id = 1; }), Kind::kBadSignature);
  EXPECT_EQ(kind_of(blob, crypto::X25519KeyPair::generate(), s.context), Kind::kInvalid);
}

TEST(blob, every_flipped_bit_is_noticed) {
  const Sealing s;
  const Bytes blob = s.seal(pattern(100));
  for (size_t i = 0; i < blob.size(); ++i) {
    Bytes bad = blob;
    bad[i] ^= 0x10;
    MemorySource source(bad);
    EXPECT_THROW(open_blob(source, s.session, s.context, [](ByteView) {}), BlobError) << i;
  }
}

TEST(blob, missing_bytes_are_never_invalid) {
  const Sealing s;
  const Bytes blob = s.seal(pattern(kBlobChunk + 100));
  for (size_t n :
       {size_t{0}, size_t{1}, size_t{47}, size_t{48}, size_t{100}, kBlobChunk, blob.size() - 1}) {
    EXPECT_EQ(kind_of(ByteView(blob).first(n), s.session, s.context), Kind::kNotAvailable) << n;
  }
  // Altered as well as short: still only "not available".
  Bytes altered(blob.begin(), blob.end() - 1);
  altered[60] ^= 1;
  EXPECT_EQ(kind_of(altered, s.session, s.context), Kind::kNotAvailable);
}

TEST(blob, chunks_cannot_be_reordered_dropped_or_repeated) {
  const Sealing s;
  const Bytes blob = s.seal(pattern(3 * kBlobChunk));
  const size_t chunk = kBlobChunk + 16;
  Bytes swapped = blob;
  std::swap_ranges(swapped.begin() + kBlobHeader, swapped.begin() + kBlobHeader + chunk,
                   swapped.begin() + kBlobHeader + chunk);
  EXPECT_EQ(kind_of(swapped, s.session, s.context), Kind::kInvalid);
  Bytes dropped(blob.begin(), blob.begin() + kBlobHeader + chunk);
  put_be64(dropped.data() + 8, chunk);
  EXPECT_EQ(kind_of(dropped, s.session, s.context), Kind::kInvalid);
  Bytes trailing = blob;
  trailing.push_back(1);
  EXPECT_EQ(kind_of(trailing, s.session, s.context), Kind::kInvalid);
}

TEST(blob, plaintext_rules) {
  const Sealing s;
  const Bytes data = pattern(107);  // 180 bytes are padded to 184
  const Bytes good = plaintext_of(s, data);
  EXPECT_EQ(open(seal_plaintext(s, good), s.session, s.context).data, data);
  Bytes padding = good;
  padding.back() = 1;
  EXPECT_EQ(kind_of(seal_plaintext(s, padding), s.session, s.context), Kind::kInvalid);
  Bytes longer = good;
  longer.resize(longer.size() + 1);
  EXPECT_EQ(kind_of(seal_plaintext(s, longer), s.session, s.context), Kind::kInvalid);
  Bytes length = good;
  put_le64(length.data() + 65, uint64_t{1} << 63);
  EXPECT_EQ(kind_of(seal_plaintext(s, length), s.session, s.context), Kind::kInvalid);
  EXPECT_EQ(kind_of(seal_plaintext(s, ByteView(good).first(72)), s.session, s.context),
            Kind::kInvalid);
  Bytes other = good;  // signed, but other data
  other[kBlobPrefix] ^= 1;
  EXPECT_EQ(kind_of(seal_plaintext(s, other), s.session, s.context), Kind::kBadSignature);
  Bytes unsigned_data = good;
  std::fill_n(unsigned_data.begin(), 65, uint8_t{0});
  EXPECT_EQ(kind_of(seal_plaintext(s, unsigned_data), s.session, s.context), Kind::kBadSignature);
}

TEST(blob, header_rules) {
  const Sealing s;
  const Bytes blob = s.seal(pattern(10));
  for (size_t i : {size_t{0}, size_t{4}, size_t{5}, size_t{6}, size_t{7}}) {
    Bytes bad = blob;
    bad[i] ^= 1;
    EXPECT_EQ(kind_of(bad, s.session, s.context), Kind::kInvalid) << i;
  }
  for (uint64_t body : {uint64_t{0}, uint64_t{16}, uint64_t{1} << 40, ~uint64_t{0}}) {
    Bytes bad = blob;
    put_be64(bad.data() + 8, body);
    EXPECT_EQ(kind_of(bad, s.session, s.context), Kind::kInvalid) << body;
  }
  Bytes low_order = blob;
  std::fill_n(low_order.begin() + 16, 32, uint8_t{0});
  EXPECT_EQ(kind_of(low_order, s.session, s.context), Kind::kInvalid);
}

TEST(blob, sealing_refuses_foreign_signatures_and_keys) {
  const Sealing s;
  MemorySource source(as_bytes("x"));
  const crypto::PrivateKey other = crypto::PrivateKey::generate();
  EXPECT_NE(error_of([&] {
              seal_blob(
                  source, s.session.public_key, s.context,
                  [&](const H256& d) { return other.sign(d); }, [](ByteView) {});
            }).find("key: the submission was signed by another account"),
            std::string::npos);
  EXPECT_THROW(seal_blob(
                   source, FixedBytes<32>{}, s.context,
                   [&](const H256& d) { return s.wallet.sign(d); }, [](ByteView) {}),
               Error);
}

// Gives other bytes on the second pass.
class ChangingSource : public MemorySource {
 public:
  ChangingSource(ByteView first, ByteView second) : MemorySource(first), second_(second) {}
  size_t read(std::span<uint8_t> out) override {
    return rewinds_ < 2 ? MemorySource::read(out) : second_.read(out);
  }
  void rewind() override {
    ++rewinds_;
    MemorySource::rewind();
  }

 private:
  MemorySource second_;
  int rewinds_ = 0;
};

TEST(blob, data_that_change_between_the_passes_are_refused) {
  const Sealing s;
  for (const char* second : {"hello worle", "hello", "hello world and more"}) {
    ChangingSource source(as_bytes("hello world"), as_bytes(second));
    EXPECT_NE(error_of([&] {
                seal_blob(
                    source, s.session.public_key, s.context,
                    [&](const H256& d) { return s.wallet.sign(d); }, [](ByteView) {});
              }).find("changed"),
              std::string::npos);
  }
}

TEST(blob, files_stream_and_failures_leave_none) {
  const Sealing s;
  TempDir dir;
  const auto data_path = dir.path() / "data";
  const auto blob_path = dir.path() / "blob";
  const Bytes data = pattern(1 << 20);
  write_file_atomic(data_path, data);
  uint64_t last = 0;
  const BlobInfo info = seal_blob_file(
      data_path, s.session.public_key, s.context, [&](const H256& d) { return s.wallet.sign(d); },
      blob_path, [&](uint64_t done, uint64_t) { last = done; });
  EXPECT_EQ(last, padme(kBlobPrefix + data.size()));
  EXPECT_EQ(std::filesystem::file_size(blob_path), info.blob_length);
  FileSource source(blob_path);
  Bytes back;
  open_blob(source, s.session, s.context, [&](ByteView part) {
    EXPECT_LE(part.size(), kBlobChunk);
    append(back, part);
  });
  EXPECT_EQ(back, data);
  EXPECT_THROW(FileSource(dir.path() / "none"), Error);
  EXPECT_THROW(seal_blob_file(
                   data_path, FixedBytes<32>{}, s.context,
                   [&](const H256& d) { return s.wallet.sign(d); }, dir.path() / "blob2"),
               Error);
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "blob2"));
}

}  // namespace
}  // namespace ffe::session
