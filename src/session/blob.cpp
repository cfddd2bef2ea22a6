#include "session/blob.hpp"

#include <bit>
#include <optional>

#include "crypto/keccak.hpp"

namespace ffe::session {
namespace {

constexpr uint64_t kSealedChunk = kBlobChunk + crypto::kHpkeTag;

std::string text(uint64_t n) {
  return std::to_string(n);
}

uint64_t sealed_size(uint64_t plaintext) {
  return plaintext + (plaintext + kBlobChunk - 1) / kBlobChunk * crypto::kHpkeTag;
}

// Reads until `out` is full or the source ends; returns how much there was.
size_t read_full(Source& source, std::span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    const size_t n = source.read(out.subspan(done));
    if (n == 0) break;
    done += n;
  }
  return done;
}

Bytes chunk_aad(const FixedBytes<kBlobHeader>& header, bool last) {
  Bytes aad(header.begin(), header.end());
  aad.push_back(last ? 1 : 0);
  return aad;
}

FixedBytes<kBlobHeader> make_header(BlobRole role, uint64_t body, const FixedBytes<32>& enc) {
  FixedBytes<kBlobHeader> h;
  std::memcpy(h.data(), "FFEB", 4);
  h[4] = 1;
  h[5] = static_cast<uint8_t>(role);
  put_be64(h.data() + 8, body);
  std::memcpy(h.data() + 16, enc.data(), enc.size());
  return h;
}

struct DataHash {
  H256 hash;
  uint64_t length = 0;
};

DataHash hash_source(Source& source) {
  crypto::Keccak256 hasher;
  SecretBytes buffer(kBlobChunk);
  DataHash out;
  source.rewind();
  while (size_t n = source.read(buffer.span())) {
    hasher.update(buffer.view().first(n));
    out.length += n;
    if (out.length > kMaxBlobData) {
      throw Error(ErrorCode::kBadInput, "the data are larger than " + text(kMaxBlobData) + " bytes",
                  "split them or drop rows; a blob holds at most 4 GiB");
    }
  }
  out.hash = hasher.finish();
  return out;
}

// Collects plaintext into chunks, seals each, hands them on.
class ChunkSealer {
 public:
  ChunkSealer(crypto::HpkeSender& hpke, const FixedBytes<kBlobHeader>& header, uint64_t total,
              const Sink& out, const Progress& progress)
      : hpke_(hpke), header_(header), total_(total), out_(out), progress_(progress) {}

  void push(ByteView data) {
    while (!data.empty()) {
      const size_t n = std::min(data.size(), buffer_.size() - filled_);
      std::memcpy(buffer_.data() + filled_, data.data(), n);
      filled_ += n;
      data = data.subspan(n);
      if (filled_ == buffer_.size() || done_ + filled_ == total_) flush();
    }
  }

 private:
  void flush() {
    done_ += filled_;
    out_(hpke_.seal(chunk_aad(header_, done_ == total_), buffer_.view().first(filled_)));
    filled_ = 0;
    report(progress_, done_, total_);
  }

  crypto::HpkeSender& hpke_;
  const FixedBytes<kBlobHeader>& header_;
  uint64_t total_;
  const Sink& out_;
  const Progress& progress_;
  SecretBytes buffer_{kBlobChunk};
  size_t filled_ = 0;
  uint64_t done_ = 0;
};

crypto::Signature checked_signature(const BlobContext& context, const Signer& signer,
                                    const H256& data_hash) {
  const H256 digest =
      submission_digest(context.domain, context.binding, data_hash, context.owner_key_hash);
  const crypto::Signature signature = signer(digest);
  if (crypto::recover(digest, signature) != context.contributor) {
    throw Error(ErrorCode::kKey,
                "the submission was signed by another account than " +
                    crypto::checksum_address(context.contributor),
                "use the key of the contributing account");
  }
  return signature;
}

struct Header {
  FixedBytes<kBlobHeader> bytes;
  uint64_t body = 0;
  FixedBytes<32> enc;
};

[[noreturn]] void invalid(const std::string& why) {
  throw BlobError(BlobError::Kind::kInvalid, "blob: " + why);
}

[[noreturn]] void not_available(uint64_t have, uint64_t want) {
  throw BlobError(BlobError::Kind::kNotAvailable,
                  "blob: only " + text(have) + " of " + text(want) + " bytes are available");
}

Header parse_header(const FixedBytes<kBlobHeader>& bytes, BlobRole role) {
  if (std::memcmp(bytes.data(), "FFEB", 4) != 0) invalid("does not begin with FFEB");
  if (bytes[4] != 1) invalid("version " + text(bytes[4]) + " at byte 4 is not 1");
  if (bytes[5] != static_cast<uint8_t>(role)) invalid("role at byte 5 is " + text(bytes[5]));
  if (bytes[6] != 0 || bytes[7] != 0) invalid("reserved bytes 6 and 7 are not zero");
  Header h{bytes, get_be64(bytes.data() + 8), {}};
  std::memcpy(h.enc.data(), bytes.data() + 16, 32);
  if (h.body > sealed_size(kMaxBlobPlaintext)) invalid("body length at byte 8 is above 4 GiB");
  const uint64_t tail = h.body % kSealedChunk;
  if (h.body == 0 || (tail != 0 && tail <= crypto::kHpkeTag)) {
    invalid("body length " + text(h.body) + " at byte 8 fits no number of chunks");
  }
  return h;
}

// Follows the plaintext through prefix, data and zeros.
class PlaintextReader {
 public:
  PlaintextReader(uint64_t total, const Sink& out) : total_(total), out_(out) {}

  void push(ByteView chunk) {
    if (offset_ == 0) chunk = read_prefix(chunk);
    const auto in_data = static_cast<size_t>(
        std::min<uint64_t>(chunk.size(), kBlobPrefix + length_ - std::min(offset_, data_end())));
    if (in_data != 0) {
      hasher_.update(chunk.first(in_data));
      out_(chunk.first(in_data));
      offset_ += in_data;
    }
    for (uint8_t byte : chunk.subspan(in_data)) {
      if (byte != 0) invalid("padding at plaintext byte " + text(offset_) + " is not zero");
      ++offset_;
    }
  }

  BlobInfo finish(const BlobContext& context) {
    BlobInfo info{hasher_.finish(), length_, 0, signature_};
    const H256 digest =
        submission_digest(context.domain, context.binding, info.data_hash, context.owner_key_hash);
    std::optional<Address> signer;
    try {
      signer = crypto::recover(digest, signature_);
    } catch (const Error&) {
    }
    if (signer != context.contributor) {
      throw BlobError(
          BlobError::Kind::kBadSignature,
          "blob: the data are not signed by " + crypto::checksum_address(context.contributor));
    }
    return info;
  }

 private:
  uint64_t data_end() const { return kBlobPrefix + length_; }

  ByteView read_prefix(ByteView chunk) {
    if (chunk.size() < kBlobPrefix) invalid("the plaintext is shorter than 73 bytes");
    signature_ = crypto::Signature::from(chunk.first(65));
    length_ = get_le64(chunk.data() + 65);
    if (length_ > kMaxBlobData || padme(kBlobPrefix + length_) != total_) {
      invalid("data length " + text(length_) + " does not go with a plaintext of " + text(total_) +
              " bytes");
    }
    offset_ = kBlobPrefix;
    return chunk.subspan(kBlobPrefix);
  }

  uint64_t total_;
  const Sink& out_;
  crypto::Keccak256 hasher_;
  crypto::Signature signature_;
  uint64_t length_ = 0;
  uint64_t offset_ = 0;
};

// The body's bytes with a count, so that "invalid" is said only of a body that is all there.
class Body {
 public:
  Body(Source& source, uint64_t length) : source_(source), left_(length), length_(length) {}

  uint64_t left() const { return left_; }
  void read(std::span<uint8_t> out) {
    const size_t n = read_full(source_, out);
    left_ -= n;
    if (n != out.size()) not_available(length_ - left_, length_);
  }
  void skip_rest() {
    Bytes buffer(kSealedChunk);
    while (left_ != 0) {
      read(std::span(buffer).first(static_cast<size_t>(std::min<uint64_t>(left_, buffer.size()))));
    }
  }
  // A storage root does not commit to a length: what follows the body must be zeros.
  void check_trailing_zeros() {
    Bytes buffer(kSealedChunk);
    while (size_t n = source_.read(buffer)) {
      for (size_t i = 0; i < n; ++i) {
        if (buffer[i] != 0) invalid("bytes after the body are not zero");
      }
    }
  }

 private:
  Source& source_;
  uint64_t left_;
  uint64_t length_;
};

crypto::HpkeReceiver receive(const crypto::X25519KeyPair& key, const Header& header,
                             const BlobContext& context) {
  try {
    return {key, header.enc, context.info()};
  } catch (const Error&) {
    invalid("the encapsulated key at byte 16 is not usable");
  }
}

void open_body(Body& body, const Header& header, crypto::HpkeReceiver& hpke,
               PlaintextReader& plaintext, const Progress& progress) {
  Bytes sealed(kSealedChunk);
  for (uint64_t chunk = 0; body.left() != 0; ++chunk) {
    const auto view = std::span(sealed).first(
        static_cast<size_t>(std::min<uint64_t>(body.left(), sealed.size())));
    body.read(view);
    Bytes opened;
    try {
      opened = hpke.open(chunk_aad(header.bytes, body.left() == 0), view);
    } catch (const Error&) {
      invalid(
          "chunk " + text(chunk) +
          " does not open: not encrypted for this session, enclave and contributor, or altered");
    }
    try {
      plaintext.push(opened);
    } catch (...) {
      wipe(opened.data(), opened.size());
      throw;
    }
    wipe(opened.data(), opened.size());
    report(progress, header.body - body.left(), header.body);
  }
}

}  // namespace

Bytes BlobContext::info() const {
  const uint8_t role_byte = static_cast<uint8_t>(role);
  return concat({as_bytes("ffe/blob/v1"), ByteView(&role_byte, 1), binding.bytes, contributor.bytes,
                 enclave_id.bytes});
}

size_t MemorySource::read(std::span<uint8_t> out) {
  const size_t n = std::min(out.size(), data_.size() - offset_);
  if (n != 0) std::memcpy(out.data(), data_.data() + offset_, n);
  offset_ += n;
  return n;
}

FileSource::FileSource(const std::filesystem::path& path) : path_(path) {
  rewind();
}

size_t FileSource::read(std::span<uint8_t> out) {
  file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
  if (file_.bad()) throw Error(ErrorCode::kIo, path_.string() + ": reading failed");
  return static_cast<size_t>(file_.gcount());
}

void FileSource::rewind() {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path_, code)) {
    throw Error(ErrorCode::kIo, path_.string() + ": no such file", "check the path");
  }
  file_.close();
  file_.clear();
  file_.open(path_, std::ios::binary);
  if (!file_) throw Error(ErrorCode::kIo, path_.string() + ": cannot be read");
}

uint64_t padme(uint64_t length) {
  if (length < 2) return length;
  const int exponent = std::bit_width(length) - 1;
  const int kept = std::bit_width(static_cast<unsigned>(exponent));
  const uint64_t mask = (uint64_t{1} << (exponent - kept)) - 1;
  return (length + mask) & ~mask;
}

uint64_t blob_size(uint64_t data_length) {
  return kBlobHeader + sealed_size(padme(kBlobPrefix + data_length));
}

BlobInfo seal_blob(Source& data, const FixedBytes<32>& session_key, const BlobContext& context,
                   const Signer& signer, const Sink& out, const Progress& progress) {
  const DataHash hash = hash_source(data);
  const crypto::Signature signature = checked_signature(context, signer, hash.hash);
  const uint64_t total = padme(kBlobPrefix + hash.length);
  crypto::HpkeSender hpke(session_key, context.info());
  const auto header = make_header(context.role, sealed_size(total), hpke.enc());
  out(header.bytes);

  ChunkSealer sealer(hpke, header, total, out, progress);
  uint8_t length[8];
  put_le64(length, hash.length);
  sealer.push(signature.bytes);
  sealer.push(length);
  SecretBytes buffer(kBlobChunk);
  crypto::Keccak256 again;
  uint64_t read = 0;
  data.rewind();
  while (size_t n = data.read(buffer.span())) {
    read += n;
    if (read > hash.length) break;
    again.update(buffer.view().first(n));
    sealer.push(buffer.view().first(n));
  }
  if (read != hash.length || again.finish() != hash.hash) {
    throw Error(ErrorCode::kIo, "the data changed while they were encrypted", "try again");
  }
  const Bytes zeros(kBlobChunk);
  for (uint64_t left = total - kBlobPrefix - hash.length; left != 0;) {
    const auto n = static_cast<size_t>(std::min<uint64_t>(left, zeros.size()));
    sealer.push(ByteView(zeros).first(n));
    left -= n;
  }
  return {hash.hash, hash.length, kBlobHeader + sealed_size(total), signature};
}

BlobInfo seal_blob_file(const std::filesystem::path& data, const FixedBytes<32>& session_key,
                        const BlobContext& context, const Signer& signer,
                        const std::filesystem::path& blob, const Progress& progress) {
  FileSource source(data);
  std::ofstream file(blob, std::ios::binary | std::ios::trunc);
  const auto check = [&] {
    if (!file) {
      throw Error(ErrorCode::kIo, blob.string() + ": cannot be written",
                  "check that the folder exists and the disk has room");
    }
  };
  check();
  try {
    const BlobInfo info = seal_blob(
        source, session_key, context, signer,
        [&](ByteView bytes) {
          file.write(reinterpret_cast<const char*>(bytes.data()),
                     static_cast<std::streamsize>(bytes.size()));
          check();
        },
        progress);
    file.close();
    check();
    return info;
  } catch (...) {
    file.close();
    std::error_code ignored;
    std::filesystem::remove(blob, ignored);
    throw;
  }
}

BlobError::BlobError(Kind kind, const std::string& message, std::string hint)
    : Error(kind == Kind::kNotAvailable ? ErrorCode::kNetwork : ErrorCode::kCorrupt, message,
            std::move(hint)),
      kind_(kind) {}

BlobInfo open_blob(Source& blob, const crypto::X25519KeyPair& session_key,
                   const BlobContext& context, const Sink& out, const Progress& progress) {
  blob.rewind();
  FixedBytes<kBlobHeader> bytes;
  const size_t have = read_full(blob, bytes.bytes);
  if (have != kBlobHeader) not_available(have, kBlobHeader);
  const Header header = parse_header(bytes, context.role);
  Body body(blob, header.body);
  try {
    crypto::HpkeReceiver hpke = receive(session_key, header, context);
    const uint64_t chunks = (header.body + kSealedChunk - 1) / kSealedChunk;
    PlaintextReader plaintext(header.body - chunks * crypto::kHpkeTag, out);
    open_body(body, header, hpke, plaintext, progress);
    body.check_trailing_zeros();
    BlobInfo info = plaintext.finish(context);
    info.blob_length = kBlobHeader + header.body;
    return info;
  } catch (const BlobError& e) {
    if (e.kind() == BlobError::Kind::kInvalid) body.skip_rest();
    throw;
  }
}

}  // namespace ffe::session
