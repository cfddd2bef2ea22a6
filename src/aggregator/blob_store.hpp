// Ciphertexts of running sessions on the host's disk: downloaded once, never trusted.
#pragma once

#include <filesystem>
#include <string_view>

#include "session/blob.hpp"
#include "storage/client.hpp"

namespace ffe::aggregator {

// Reads a file and hashes what it reads, so that a verdict is about the very bytes that the root
// names: the disk belongs to the host, who may alter it at any moment.
class HashedSource : public session::Source {
 public:
  explicit HashedSource(const std::filesystem::path& file) : file_(file) {}

  size_t read(std::span<uint8_t> out) override;
  void rewind() override;
  // Reads what is left and compares; the source is spent until rewind().
  bool matches(const H256& root);

 private:
  session::FileSource file_;
  storage::RootHasher hasher_;
};

// Not thread-safe; one store per folder. A scope is a session's tag.
class BlobStore {
 public:
  // Keeps at most `max_bytes` in `dir`.
  BlobStore(std::filesystem::path dir, storage::Client& storage, uint64_t max_bytes);

  // The file with these bytes, after a download if it isn't there. Errors as of
  // storage::Client::download. To make room, files of other scopes go: they can be had again.
  std::filesystem::path fetch(std::string_view scope, const H256& root, uint64_t max_bytes);
  void drop(std::string_view scope, const H256& root);
  void forget(std::string_view scope);

 private:
  std::filesystem::path file_of(std::string_view scope, const H256& root) const;
  void make_room(std::string_view scope, uint64_t bytes);

  std::filesystem::path dir_;
  storage::Client& storage_;
  uint64_t max_bytes_;
};

}  // namespace ffe::aggregator
