#include "compute/deliverable.hpp"

#include <fstream>
#include <functional>

#include "base/hex.hpp"
#include "compute/request.hpp"
#include "crypto/aead.hpp"
#include "crypto/ecies.hpp"
#include "crypto/keccak.hpp"
#include "storage/client.hpp"

namespace ffe::compute {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHeader = 65 + 12;
constexpr size_t kTag = crypto::kAeadTag;

[[noreturn]] void corrupt(const fs::path& file, const std::string& why) {
  throw Error(ErrorCode::kCorrupt, file.string() + ": " + why,
              "download it again; if that does not help, the provider delivered a broken file");
}

void require(const std::ios& stream, const fs::path& path) {
  if (!stream) throw Error(ErrorCode::kIo, "cannot read or write " + path.string());
}

// +1 per chunk, big-endian over all 12 bytes.
void increment(FixedBytes<12>& nonce) {
  for (size_t i = nonce.size(); i-- > 0;) {
    if (++nonce[i] != 0) return;
  }
}

// The encrypted chunks of a file, by its size alone.
class Chunks {
 public:
  Chunks(const fs::path& file, uint64_t chunk) : file_(file), sealed_(chunk + kTag) {
    std::error_code ec;
    uint64_t size = fs::file_size(file, ec);
    if (ec) throw Error(ErrorCode::kIo, "cannot read " + file.string() + ": " + ec.message());
    if (size <= kHeader + kTag) corrupt(file, "too short for an encrypted model");
    body_ = size - kHeader;
    if (last() <= kTag) corrupt(file, "its last chunk is cut off");
  }

  uint64_t count() const { return (body_ + sealed_ - 1) / sealed_; }
  uint64_t offset(uint64_t i) const { return kHeader + i * sealed_; }
  size_t size(uint64_t i) const { return i + 1 == count() ? last() : sealed_; }
  uint64_t body() const { return body_; }

 private:
  size_t last() const { return body_ - (count() - 1) * sealed_; }

  fs::path file_;
  uint64_t sealed_;
  uint64_t body_ = 0;
};

Bytes read_at(std::ifstream& in, const fs::path& file, uint64_t offset, size_t size) {
  Bytes out(size);
  in.seekg(static_cast<std::streamoff>(offset));
  in.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(size));
  require(in, file);
  return out;
}

std::ifstream open_binary(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  require(in, file);
  return in;
}

// Removes an unfinished file unless it was kept.
class PartFile {
 public:
  explicit PartFile(const fs::path& target) : target_(target), part_(target.string() + ".part") {
    out_.open(part_, std::ios::binary | std::ios::trunc);
    require(out_, part_);
  }
  ~PartFile() {
    std::error_code ignored;
    out_.close();
    if (!kept_) fs::remove(part_, ignored);
  }
  void write(ByteView bytes) {
    out_.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    require(out_, part_);
  }
  void write_at(uint64_t offset, ByteView bytes) {
    out_.seekp(static_cast<std::streamoff>(offset));
    write(bytes);
  }
  void keep() {
    out_.close();
    require(out_, part_);
    fs::rename(part_, target_);
    kept_ = true;
  }

 private:
  fs::path target_;
  fs::path part_;
  std::ofstream out_;
  bool kept_ = false;
};

void require_signer(const fs::path& file, const Address& signer, uint64_t chunk) {
  Address found = deliverable_signer(file, chunk);
  if (found != signer) {
    corrupt(file, "signed by " + crypto::checksum_address(found) + ", not by the provider's " +
                      crypto::checksum_address(signer));
  }
}

void decrypt(const fs::path& file, ByteView key, const Progress& progress, uint64_t chunk,
             const std::function<void(ByteView)>& write) {
  Chunks chunks(file, chunk);
  std::ifstream in = open_binary(file);
  FixedBytes<12> nonce = FixedBytes<12>::from(read_at(in, file, 65, 12));
  for (uint64_t i = 0; i < chunks.count(); ++i, increment(nonce)) {
    Bytes sealed = read_at(in, file, chunks.offset(i), chunks.size(i));
    try {
      write(crypto::aes256gcm_open(key, nonce.bytes, {}, sealed));
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorrupt) throw;
      corrupt(file, "chunk " + std::to_string(i) + " does not open with this key");
    }
    report(progress, chunks.offset(i) + sealed.size() - kHeader, chunks.body());
  }
}

}  // namespace

void seal_deliverable(const fs::path& plain, const fs::path& out, ByteView key,
                      const FixedBytes<12>& nonce, const crypto::PrivateKey& signer,
                      uint64_t chunk) {
  std::ifstream in = open_binary(plain);
  PartFile file(out);
  file.write(Bytes(65));  // the signature comes last
  file.write(nonce.bytes);
  crypto::Keccak256 tags;
  FixedBytes<12> counter = nonce;
  uint64_t left = fs::file_size(plain);
  if (left == 0) throw Error(ErrorCode::kBadInput, plain.string() + " is empty");
  for (uint64_t at = 0; left > 0; increment(counter)) {
    size_t size = std::min(left, chunk);
    Bytes sealed = crypto::aes256gcm_seal(key, counter.bytes, {}, read_at(in, plain, at, size));
    tags.update(ByteView(sealed).last(kTag));
    file.write(sealed);
    at += size;
    left -= size;
  }
  crypto::Signature signature = signer.sign(tags.finish());
  signature[64] = static_cast<uint8_t>(signature[64] - 27);  // as go-ethereum writes it
  file.write_at(0, signature.bytes);
  file.keep();
}

Address deliverable_signer(const fs::path& file, uint64_t chunk) {
  Chunks chunks(file, chunk);
  std::ifstream in = open_binary(file);
  crypto::Keccak256 tags;
  for (uint64_t i = 0; i < chunks.count(); ++i) {
    tags.update(read_at(in, file, chunks.offset(i) + chunks.size(i) - kTag, kTag));
  }
  return crypto::recover(tags.finish(), parse_signature(read_at(in, file, 0, 65)));
}

void open_deliverable(const fs::path& file, ByteView key, const Address& signer,
                      const fs::path& out, const Progress& progress, uint64_t chunk) {
  require_signer(file, signer, chunk);
  PartFile plain(out);
  decrypt(file, key, progress, chunk, [&](ByteView piece) { plain.write(piece); });
  plain.keep();
}

Bytes deliverable_content(const fs::path& file, ByteView key, const Address& signer,
                          uint64_t max_bytes, uint64_t chunk) {
  require_signer(file, signer, chunk);
  if (fs::file_size(file) > max_bytes) {
    corrupt(file, "larger than the " + std::to_string(max_bytes) + " bytes that are taken");
  }
  Bytes out;
  out.reserve(fs::file_size(file));
  decrypt(file, key, {}, chunk,
          [&](ByteView piece) { out.insert(out.end(), piece.begin(), piece.end()); });
  return out;
}

std::vector<H256> parse_model_root(ByteView model_root_hash) {
  if (model_root_hash.size() == 32) return {H256::from(model_root_hash)};
  constexpr size_t kMaxRoots = 64;
  std::vector<H256> roots;
  std::string_view text = as_text(model_root_hash);
  if (text.size() < 64 || text.size() > kMaxRoots * 67) {
    throw Error(ErrorCode::kBadInput, "modelRootHash has " + std::to_string(text.size()) +
                                          " bytes: neither a hash nor the text of storage roots");
  }
  while (true) {
    size_t comma = text.find(',');
    roots.push_back(h256_from_hex(text.substr(0, comma)));
    if (comma == std::string_view::npos) return roots;
    text.remove_prefix(comma + 1);
  }
}

ModelRoot match_model_root(const fs::path& file, ByteView model_root_hash) {
  std::vector<H256> roots = parse_model_root(model_root_hash);
  if (roots.size() > 1) {
    return storage::fragment_roots(file) == roots ? ModelRoot::kStorage : ModelRoot::kNone;
  }
  auto source = storage::open_source(file);
  if (storage::data_root(*source) == roots.front()) return ModelRoot::kStorage;
  crypto::Keccak256 hash;
  Bytes buffer(size_t{1} << 20);
  for (uint64_t at = 0; at < source->size(); at += buffer.size()) {
    buffer.resize(std::min<uint64_t>(buffer.size(), source->size() - at));
    source->read(at, buffer);
    hash.update(buffer);
  }
  return hash.finish() == roots.front() ? ModelRoot::kKeccak : ModelRoot::kNone;
}

SecretBytes unwrap_model_key(const crypto::PrivateKey& wallet, ByteView encrypted_secret) {
  constexpr size_t kWith16 = crypto::kEciesOverhead + 32;
  constexpr size_t kWith12 = kWith16 - 4;
  if (encrypted_secret.empty()) {
    throw Error(ErrorCode::kSession, "the provider has not published the model's key yet",
                "it does so within minutes after the deliverable was acknowledged");
  }
  if (encrypted_secret.size() != kWith16 && encrypted_secret.size() != kWith12) {
    throw Error(ErrorCode::kCorrupt, "an encrypted model key has 129 or 125 bytes, not " +
                                         std::to_string(encrypted_secret.size()));
  }
  return crypto::ecies_open(wallet, encrypted_secret, encrypted_secret.size() == kWith16 ? 16 : 12);
}

Bytes wrap_model_key(const crypto::PublicKey& user, ByteView key) {
  return crypto::ecies_seal(user, key);
}

}  // namespace ffe::compute
