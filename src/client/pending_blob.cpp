#include "client/pending_blob.hpp"

#include <unistd.h>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"

namespace ffe::client {

namespace fs = std::filesystem;

namespace {

// The folder, made if need be; nothing where this user cannot write it.
std::optional<fs::path> submissions_dir() {
  const fs::path folder = data_dir() / "submissions";
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec || access(folder.c_str(), W_OK) != 0) return std::nullopt;
  fs::permissions(folder, fs::perms::owner_all, ec);
  return folder;
}

}  // namespace

H256 sha256_of_file(const fs::path& file) {
  session::FileSource source(file);
  crypto::Sha256 hash;
  Bytes piece(1 << 16);
  while (const size_t n = source.read(piece)) hash.update(ByteView(piece).first(n));
  return hash.finish();
}

PendingBlob::PendingBlob(const H256& session_hash, const Address& account) {
  std::optional<fs::path> folder = submissions_dir();
  if (!folder) {
    temporary_ = std::make_unique<TempDir>("ffe-submit");
    folder = temporary_->path();
  }
  const std::string name = to_hex(session_hash.bytes) + "-" + to_hex(account.bytes);
  file_ = *folder / (name + ".blob");
  note_ = *folder / (name + ".json");
}

std::optional<session::BlobInfo> PendingBlob::find(const H256& data_sha256,
                                                   const FixedBytes<32>& session_key) const {
  std::error_code ec;
  if (!fs::exists(note_, ec) || !fs::exists(file_, ec)) return std::nullopt;
  try {
    const std::string what = note_.string();
    const Json note = parse_json(read_text_file(note_, 1 << 16), what);
    session::BlobInfo out;
    out.data_hash = h256_from_hex(json_string(note, "dataHash", what));
    out.data_length = json_uint(note, "dataLength", what);
    out.blob_length = json_uint(note, "blobLength", what);
    const bool same = json_string(note, "dataSha256", what) == to_hex(data_sha256.bytes) &&
                      json_string(note, "sessionKey", what) == to_hex(session_key.bytes) &&
                      json_string(note, "blobSha256", what) == to_hex(sha256_of_file(file_).bytes);
    if (same) return out;
  } catch (const Error&) {  // not ours, or half written: sealed anew
  }
  return std::nullopt;
}

void PendingBlob::remember(const H256& data_sha256, const FixedBytes<32>& session_key,
                           const session::BlobInfo& info) const {
  const Json note = {{"dataSha256", to_hex(data_sha256.bytes)},
                     {"sessionKey", to_hex(session_key.bytes)},
                     {"blobSha256", to_hex(sha256_of_file(file_).bytes)},
                     {"dataHash", to_hex0x(info.data_hash.bytes)},
                     {"dataLength", info.data_length},
                     {"blobLength", info.blob_length}};
  write_file_atomic(note_, as_bytes(note.dump()), 0600);
}

void PendingBlob::remove() const {
  std::error_code ec;
  fs::remove(note_, ec);
  fs::remove(file_, ec);
}

}  // namespace ffe::client
