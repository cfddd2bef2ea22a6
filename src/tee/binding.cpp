#include "tee/binding.hpp"

#include "crypto/keccak.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kWord = 32;
constexpr size_t kExtWords = 7;

// abi.encode of static values: one left-padded 32-byte word each.
void push_uint(Bytes& out, uint64_t value) {
  uint8_t word[kWord] = {};
  put_be64(word + 24, value);
  append(out, word);
}

void push_address(Bytes& out, const Address& address) {
  uint8_t word[kWord] = {};
  std::copy(address.begin(), address.end(), word + 12);
  append(out, word);
}

H256 domain() {
  return crypto::keccak256("ffe.enclave.v1");
}

class Words {
 public:
  explicit Words(ByteView bytes) : bytes_(bytes) {}

  H256 word() {
    H256 out = H256::from(bytes_.subspan(at_, kWord));
    at_ += kWord;
    return out;
  }
  uint64_t uint(const char* field) { return get_be64(tail(8, field).data()); }
  Address address(const char* field) { return Address::from(tail(20, field)); }

 private:
  ByteView tail(size_t size, const char* field) {
    ByteView word = bytes_.subspan(at_, kWord);
    at_ += kWord;
    for (uint8_t byte : word.first(kWord - size)) {
      if (byte != 0) {
        throw Error(ErrorCode::kBadInput, std::string("enclave ext: ") + field + " is out of range",
                    "the registration data is damaged or of another version");
      }
    }
    return word.last(size);
  }

  ByteView bytes_;
  size_t at_ = 0;
};

}  // namespace

Bytes enclave_ext(uint64_t chain_id, const Address& registry, const Address& signer,
                  const H256& app_hash, uint64_t block_number, const H256& nonce) {
  Bytes out;
  append(out, domain().bytes);
  push_uint(out, chain_id);
  push_address(out, registry);
  push_address(out, signer);
  append(out, app_hash.bytes);
  push_uint(out, block_number);
  append(out, nonce.bytes);
  return out;
}

EnclaveExt parse_enclave_ext(ByteView ext) {
  if (ext.size() != kExtWords * kWord) {
    throw Error(ErrorCode::kBadInput,
                "enclave ext: " + std::to_string(ext.size()) + " bytes, expected 224",
                "the registration data is damaged or of another version");
  }
  Words in(ext);
  if (in.word() != domain()) {
    throw Error(ErrorCode::kBadInput, "enclave ext: not for the domain ffe.enclave.v1",
                "the quote was made for another protocol");
  }
  EnclaveExt out;
  out.chain_id = in.uint("chain id");
  out.registry = in.address("registry");
  out.signer = in.address("signer");
  out.app_hash = in.word();
  out.block_number = in.uint("block number");
  out.nonce = in.word();
  return out;
}

FixedBytes<64> report_data(const Address& signer, ByteView ext) {
  FixedBytes<64> out;
  H256 hash = crypto::keccak256(ext);
  std::copy(signer.begin(), signer.end(), out.begin());
  std::copy(hash.begin(), hash.end(), out.begin() + 20);
  return out;
}

H256 code_hash(const H256& platform_hash, const H256& app_hash) {
  return crypto::keccak256(concat({platform_hash.bytes, app_hash.bytes}));
}

H256 enclave_id(const Address& signer, const H256& code_hash) {
  Bytes encoded;
  push_address(encoded, signer);
  append(encoded, code_hash.bytes);
  return crypto::keccak256(encoded);
}

H256 register_digest(ByteView ext, const Address& payee, ByteView quote) {
  Bytes encoded;
  append(encoded, crypto::keccak256("ffe.register.v1").bytes);
  append(encoded, crypto::keccak256(ext).bytes);
  push_address(encoded, payee);
  append(encoded, crypto::keccak256(quote).bytes);
  return crypto::keccak256(encoded);
}

}  // namespace ffe::tee
