// The encrypted blob of a dataset or an evaluation pool (docs/spec/blob.md): HPKE in chunks, signed
// by the contributor, padded. Memory does not grow with the data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>

#include "base/bytes.hpp"
#include "base/progress.hpp"
#include "crypto/hpke.hpp"
#include "crypto/secp256k1.hpp"
#include "session/terms.hpp"

namespace ffe::session {

enum class BlobRole : uint8_t { kData = 1, kEvaluation = 2 };

inline constexpr size_t kBlobHeader = 48;
inline constexpr size_t kBlobChunk = 65536;                       // plaintext bytes of a chunk
inline constexpr size_t kBlobPrefix = 73;                         // signature ‖ length
inline constexpr uint64_t kMaxBlobPlaintext = uint64_t{1} << 32;  // padded: 4 GiB
inline constexpr uint64_t kMaxBlobData = kMaxBlobPlaintext - kBlobPrefix;

// What a blob is bound to. `binding`: sessionHash for data, sessionTag for an evaluation pool.
// `owner_key_hash`: zero for an evaluation pool, whose contributor is the opener.
struct BlobContext {
  BlobRole role = BlobRole::kData;
  Domain domain;
  H256 binding;
  Address contributor;
  H256 enclave_id;
  H256 owner_key_hash;

  Bytes info() const;  // the HPKE info
};

// Bytes from the start, as often as asked for.
class Source {
 public:
  virtual ~Source() = default;
  // Fills at most out.size() bytes and returns how many; 0 only at the end.
  virtual size_t read(std::span<uint8_t> out) = 0;
  virtual void rewind() = 0;
};

class MemorySource : public Source {
 public:
  explicit MemorySource(ByteView data) : data_(data) {}
  size_t read(std::span<uint8_t> out) override;
  void rewind() override { offset_ = 0; }

 private:
  ByteView data_;
  size_t offset_ = 0;
};

// Throws Error{kIo} naming the file.
class FileSource : public Source {
 public:
  explicit FileSource(const std::filesystem::path& path);
  size_t read(std::span<uint8_t> out) override;
  void rewind() override;

 private:
  std::filesystem::path path_;
  std::ifstream file_;
};

using Sink = std::function<void(ByteView)>;
// Signs a Submission digest: a key here, or a wallet elsewhere.
using Signer = std::function<crypto::Signature(const H256& digest)>;

// The size of the padded plaintext and of the whole blob for so many bytes of data.
uint64_t padme(uint64_t length);
uint64_t blob_size(uint64_t data_length);

struct BlobInfo {
  H256 data_hash;
  uint64_t data_length = 0;
  uint64_t blob_length = 0;  // header and body
  crypto::Signature signature;
};

// Reads `data` twice: once for its hash, which the signature at the front of the plaintext covers,
// once to encrypt. Throws Error{kBadInput} above kMaxBlobData, kIo if the data changed between the
// passes, kKey for a session key of low order or a signature that is not the contributor's.
BlobInfo seal_blob(Source& data, const FixedBytes<32>& session_key, const BlobContext& context,
                   const Signer& signer, const Sink& out, const Progress& progress = {});
BlobInfo seal_blob_file(const std::filesystem::path& data, const FixedBytes<32>& session_key,
                        const BlobContext& context, const Signer& signer,
                        const std::filesystem::path& blob, const Progress& progress = {});

// Why a blob did not open.
class BlobError : public Error {
 public:
  enum class Kind {
    kInvalid,       // the bytes are all there and are not a blob of this context
    kNotAvailable,  // fewer bytes than the header announces
    kBadSignature,  // opens, but the contributor did not sign this data
  };
  BlobError(Kind kind, const std::string& message, std::string hint = {});
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

// Gives the data to `out` as it is decrypted; what it gave before a BlobError is void, because the
// signature over the whole is checked last.
BlobInfo open_blob(Source& blob, const crypto::X25519KeyPair& session_key,
                   const BlobContext& context, const Sink& out, const Progress& progress = {});

}  // namespace ffe::session
