// An encrypted blob on its way: kept until it is committed, so that an interrupted submission goes
// on with the same bytes. Ciphertext only, readable by its owner.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "session/blob.hpp"

namespace ffe::client {

// SHA-256 of a file of any size. Throws Error{kIo} naming it.
H256 sha256_of_file(const std::filesystem::path& file);

// One account's blob for one session: data_dir()/submissions/SESSION_HASH-ACCOUNT.blob, and beside
// it what it is a blob of. Where that folder cannot be written, a temporary one serves, and nothing
// can be resumed.
class PendingBlob {
 public:
  PendingBlob(const H256& session_hash, const Address& account);

  const std::filesystem::path& file() const { return file_; }
  // What was sealed here before, if it was this data for this session key and is whole.
  std::optional<session::BlobInfo> find(const H256& data_sha256,
                                        const FixedBytes<32>& session_key) const;
  void remember(const H256& data_sha256, const FixedBytes<32>& session_key,
                const session::BlobInfo& info) const;
  void remove() const;

 private:
  std::unique_ptr<TempDir> temporary_;
  std::filesystem::path file_, note_;
};

}  // namespace ffe::client
