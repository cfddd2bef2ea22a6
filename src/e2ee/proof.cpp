#include "e2ee/proof.hpp"

#include "base/hex.hpp"
#include "base/jcs.hpp"
#include "crypto/hash.hpp"
#include "crypto/keccak.hpp"
#include "e2ee/key.hpp"

namespace ffe::e2ee {
namespace {

H256 personal_digest(std::string_view text) {
  return crypto::keccak256(
      "\x19"
      "Ethereum Signed Message:\n" +
      std::to_string(text.size()) + std::string(text));
}

const Json& header(const Json& envelope) {
  if (!envelope.is_object()) throw Error(ErrorCode::kBadInput, "an envelope is a JSON object");
  const Json& inner = json_member(envelope, "_e2ee", "envelope");
  if (!inner.is_object()) throw Error(ErrorCode::kBadInput, "envelope._e2ee is not an object");
  return inner;
}

}  // namespace

H256 binding_hash(ByteView aad, ByteView ciphertext) {
  return crypto::sha256(concat({crypto::sha256(aad).bytes, crypto::sha256(ciphertext).bytes}));
}

std::string envelope_aad(const Json& envelope) {
  const Json& inner = header(envelope);
  Json bound = envelope;
  bound["_e2ee"].erase("ciphertext");
  if (auto unbound = inner.find("unbound_fields"); unbound != inner.end()) {
    if (!unbound->is_array()) {
      throw Error(ErrorCode::kBadInput, "envelope._e2ee.unbound_fields is not an array");
    }
    for (const Json& field : *unbound) {
      if (!field.is_string() || field == "_e2ee") {
        throw Error(ErrorCode::kBadInput, "envelope._e2ee.unbound_fields names no field");
      }
      bound.erase(field.get<std::string>());
    }
  }
  return jcs(bound);
}

H256 envelope_hash(const Json& envelope) {
  std::string sealed = json_string(header(envelope), "ciphertext", "envelope._e2ee");
  return binding_hash(as_bytes(envelope_aad(envelope)),
                      from_base64url(sealed, "envelope._e2ee.ciphertext"));
}

H256 stream_hash(const std::vector<H256>& frames) {
  crypto::Sha256 hash;
  for (const H256& frame : frames) hash.update(frame.bytes);
  return hash.finish();
}

H256 plain_hash(const Json& body) {
  return crypto::sha256(as_bytes(jcs(body)));
}

std::string_view scheme_name(Scheme scheme) {
  switch (scheme) {
    case Scheme::kCiphertext:
      return "zg-sig-v1/e2ee-ct";
    case Scheme::kCiphertextStream:
      return "zg-sig-v1/e2ee-ct-stream";
    case Scheme::kPlain:
      return "zg-sig-v1/plain";
  }
  throw Error(ErrorCode::kInternal, "no such scheme");
}

std::string proof_text(Scheme scheme, const H256& request, const H256& response) {
  return std::string(scheme_name(scheme)) + ":" + to_hex(request.bytes) + ":" +
         to_hex(response.bytes);
}

std::string opening_text(const H256& request, const FixedBytes<32>& enc) {
  return "ffe-opening-v1:" + to_hex(request.bytes) + ":" + to_hex(crypto::sha256(enc.bytes).bytes);
}

Address proof_signer(std::string_view text, const crypto::Signature& signature) {
  return crypto::recover(personal_digest(text), signature);
}

crypto::Signature sign_proof(const crypto::PrivateKey& signer, std::string_view text) {
  return signer.sign(personal_digest(text));
}

void check_proof(std::string_view text, const crypto::Signature& signature, Scheme scheme,
                 const H256& request, const H256& response, const Address& signer) {
  if (text != proof_text(scheme, request, response)) {
    throw Error(ErrorCode::kCorrupt, "the answer's signature is about another exchange",
                "do not use this answer: somebody on the way changed it, or the provider lies");
  }
  Address found = proof_signer(text, signature);
  if (found != signer) {
    throw Error(ErrorCode::kCorrupt,
                "the answer is signed by " + crypto::checksum_address(found) +
                    ", not by the enclave's " + crypto::checksum_address(signer),
                "do not use this answer");
  }
}

}  // namespace ffe::e2ee
