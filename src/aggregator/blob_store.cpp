#include "aggregator/blob_store.hpp"

#include "base/file.hpp"
#include "base/hex.hpp"

namespace ffe::aggregator {

namespace fs = std::filesystem;

namespace {

uint64_t size_of(const fs::path& dir) {
  std::error_code ignored;
  uint64_t out = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir, ignored)) {
    if (entry.is_regular_file(ignored)) out += entry.file_size(ignored);
  }
  return out;
}

}  // namespace

size_t HashedSource::read(std::span<uint8_t> out) {
  const size_t n = file_.read(out);
  hasher_.update(ByteView(out.data(), n));
  return n;
}

void HashedSource::rewind() {
  file_.rewind();
  hasher_ = storage::RootHasher();
}

bool HashedSource::matches(const H256& root) {
  Bytes rest(storage::kSegmentBytes);
  while (read(rest) != 0) {
  }
  return hasher_.size() != 0 && hasher_.finish() == root;
}

BlobStore::BlobStore(fs::path dir, storage::Client& storage, uint64_t max_bytes)
    : dir_(std::move(dir)), storage_(storage), max_bytes_(max_bytes) {}

fs::path BlobStore::file_of(std::string_view scope, const H256& root) const {
  return dir_ / scope / to_hex(root.bytes);
}

fs::path BlobStore::fetch(std::string_view scope, const H256& root, uint64_t max_bytes) {
  const fs::path file = file_of(scope, root);
  std::error_code ec;
  if (fs::exists(file, ec)) return file;
  make_room(scope, max_bytes);
  fs::create_directories(file.parent_path(), ec);
  if (ec) throw Error(ErrorCode::kIo, "cannot create " + dir_.string() + ": " + ec.message());
  storage_.download(root, file, {}, max_bytes);
  return file;
}

void BlobStore::make_room(std::string_view scope, uint64_t bytes) {
  std::error_code ignored;
  if (size_of(dir_) + bytes <= max_bytes_) return;
  for (const auto& other : fs::directory_iterator(dir_, ignored)) {
    if (other.path().filename() != scope) fs::remove_all(other.path(), ignored);
  }
}

void BlobStore::drop(std::string_view scope, const H256& root) {
  std::error_code ignored;
  fs::remove(file_of(scope, root), ignored);
}

void BlobStore::forget(std::string_view scope) {
  std::error_code ignored;
  fs::remove_all(dir_ / scope, ignored);
}

}  // namespace ffe::aggregator
