#include "e2ee/envelope.hpp"

#include <algorithm>
#include <set>

namespace ffe::e2ee {
namespace {

constexpr std::string_view kRequestInfo = "0g-pc/v1/seal";
constexpr std::string_view kResponseInfo = "0g-pc/v1/resp";
constexpr size_t kMaxFields = 32;
// What somebody between client and enclave may change unnoticed: routers rewrite the model's name
// and add a trace. Nothing else is allowed to be open, whatever the envelope says.
const std::set<std::string> kMayBeUnbound = {"model", "x_0g_trace"};

[[noreturn]] void bad(const std::string& why) {
  throw Error(ErrorCode::kBadInput, "E2EE envelope: " + why);
}
[[noreturn]] void corrupt(const std::string& why) {
  throw Error(ErrorCode::kCorrupt, "E2EE answer: " + why,
              "do not use this answer: somebody on the way changed it");
}

std::vector<std::string> names(const Json& inner, std::string_view member) {
  std::vector<std::string> out;
  const Json& list = json_member(inner, member, "_e2ee");
  if (!list.is_array() || list.size() > kMaxFields) bad(std::string(member) + " is no short list");
  for (const Json& name : list) {
    if (!name.is_string() || name == "_e2ee") bad(std::string(member) + " holds no field's name");
    out.push_back(name);
  }
  if (std::set<std::string>(out.begin(), out.end()).size() != out.size()) {
    bad(std::string(member) + " repeats a field");
  }
  return out;
}

// The checks that hold for both directions; returns the sealed fields' names.
std::vector<std::string> checked_fields(const Json& envelope, const Json& inner) {
  if (inner.contains("unbound_fields")) {
    for (const std::string& name : names(inner, "unbound_fields")) {
      if (!kMayBeUnbound.contains(name)) bad("leaves \"" + name + "\" open to changes on the way");
    }
  }
  std::vector<std::string> sealed = names(inner, "sealed_fields");
  if (sealed.empty()) bad("seals nothing");
  for (const std::string& name : sealed) {
    if (envelope.contains(name)) bad("has \"" + name + "\" both sealed and readable");
  }
  return sealed;
}

const Json& inner_of(const Json& envelope) {
  if (!envelope.is_object()) bad("not an object");
  const Json& inner = json_member(envelope, "_e2ee", "envelope");
  if (!inner.is_object()) bad("_e2ee is not an object");
  return inner;
}

FixedBytes<32> key_member(const Json& inner, std::string_view name) {
  Bytes key = from_base64url(json_string(inner, name, "_e2ee"), name);
  if (key.size() != 32) bad(std::string(name) + " does not have 32 bytes");
  return FixedBytes<32>::from(key);
}

// The object without the envelope, and the sealed fields in their place.
Json merged(const Json& envelope, const std::vector<std::string>& fields, const Json& plain) {
  if (!plain.is_object() || plain.size() != fields.size()) bad("does not hold what it lists");
  Json out = envelope;
  out.erase("_e2ee");
  for (const std::string& name : fields) {
    auto it = plain.find(name);
    if (it == plain.end()) bad("does not hold \"" + name + "\", which it lists");
    out[name] = *it;
  }
  return out;
}

std::vector<std::string> all_fields(const Json& object) {
  std::vector<std::string> out;
  for (const auto& [name, value] : object.items()) out.push_back(name);
  return out;
}

Json take(Json& object, const std::vector<std::string>& fields) {
  Json taken = Json::object();
  for (const std::string& name : fields) {
    auto it = object.find(name);
    if (it == object.end()) {
      throw Error(ErrorCode::kUsage, "the request has no \"" + name + "\" to seal");
    }
    taken[name] = std::move(*it);
    object.erase(it);
  }
  return taken;
}

}  // namespace

std::vector<std::string> default_sealed(const Json& request) {
  std::vector<std::string> fields = {"messages"};
  if (request.contains("tools")) fields.push_back("tools");
  return fields;
}

namespace {

struct Ephemerals {
  const crypto::X25519KeyPair* hpke = nullptr;
  const crypto::X25519KeyPair* client = nullptr;
};

SealedRequest seal(const Json& request, const Recipient& recipient,
                   const std::vector<std::string>& sealed_fields, Profile profile,
                   const Ephemerals& given = {}) {
  if (!request.is_object() || request.contains("_e2ee")) {
    throw Error(ErrorCode::kUsage, "a request is an object without \"_e2ee\"");
  }
  crypto::X25519KeyPair client_key =
      given.client ? given.client->clone() : crypto::X25519KeyPair::generate();
  crypto::HpkeSender sender =
      given.hpke ? crypto::HpkeSender(recipient.enc_pub, as_bytes(kRequestInfo), *given.hpke)
                 : crypto::HpkeSender(recipient.enc_pub, as_bytes(kRequestInfo));
  Json envelope = request;
  std::string plain = take(envelope, sealed_fields).dump();
  envelope["_e2ee"] = {{"v", 1u},
                       {"kem_id", kKemId},
                       {"key_id", recipient.key_id()},
                       {"signer_addr", crypto::checksum_address(recipient.signer)},
                       {"client_eph_pub", to_base64url(client_key.public_key.bytes)},
                       {"enc", to_base64url(sender.enc().bytes)},
                       {"sealed_fields", sealed_fields}};
  if (profile == Profile::kProtocol) envelope["_e2ee"]["unbound_fields"] = {"model"};
  Bytes sealed = sender.seal(as_bytes(envelope_aad(envelope)), as_bytes(plain));
  envelope["_e2ee"]["ciphertext"] = to_base64url(sealed);
  H256 hash = envelope_hash(envelope);
  return {std::move(envelope),
          ResponseOpener(std::move(client_key), hash, profile, recipient.signer)};
}

}  // namespace

SealedRequest seal_request(const Json& request, const Recipient& recipient,
                           const std::vector<std::string>& sealed_fields,
                           const crypto::X25519KeyPair* ephemeral,
                           const crypto::X25519KeyPair* client) {
  return seal(request, recipient, sealed_fields, Profile::kProtocol, {ephemeral, client});
}

SealedRequest seal_request_strictly(const Json& request, const Recipient& recipient) {
  return seal(request, recipient, all_fields(request), Profile::kStrict);
}

OpenedRequest open_request(const Json& envelope, const crypto::X25519KeyPair& key,
                           const Address& signer) {
  const Json& inner = inner_of(envelope);
  if (json_uint(inner, "v", "_e2ee") != 1 || json_string(inner, "kem_id", "_e2ee") != kKemId) {
    throw Error(ErrorCode::kUnsupported, "E2EE envelope of another version or suite");
  }
  Recipient self{key.public_key, signer};
  if (json_string(inner, "key_id", "_e2ee") != self.key_id() ||
      crypto::parse_address(json_string(inner, "signer_addr", "_e2ee")) != signer) {
    throw Error(ErrorCode::kKey, "the request is sealed to another enclave",
                "ask for this enclave's key again, and verify it");
  }
  std::vector<std::string> fields = checked_fields(envelope, inner);
  OpenedRequest out;
  out.sealed_fields = fields;
  if (inner.contains("unbound_fields")) out.unbound_fields = names(inner, "unbound_fields");
  out.client_key = key_member(inner, "client_eph_pub");
  Bytes sealed = from_base64url(json_string(inner, "ciphertext", "_e2ee"), "ciphertext");
  crypto::HpkeReceiver receiver(key, key_member(inner, "enc"), as_bytes(kRequestInfo));
  SecretBytes plain = receiver.open_secret(as_bytes(envelope_aad(envelope)), sealed);
  out.request = merged(envelope, fields, parse_json(as_text(plain.view()), "sealed request"));
  out.hash = envelope_hash(envelope);
  return out;
}

ResponseSealer::ResponseSealer(const OpenedRequest& request)
    : request_hash_(request.hash), sender_(request.client_key, as_bytes(kResponseInfo)) {}

ResponseSealer::ResponseSealer(const OpenedRequest& request, const crypto::X25519KeyPair& ephemeral)
    : request_hash_(request.hash),
      sender_(request.client_key, as_bytes(kResponseInfo), ephemeral) {}

ResponseSealer::ResponseSealer(const OpenedRequest& request, const crypto::PrivateKey& signer)
    : request_hash_(request.hash),
      sender_(request.client_key, as_bytes(kResponseInfo)),
      opening_(sign_proof(signer, opening_text(request.hash, sender_.enc()))) {}

Json ResponseSealer::seal(const Json& body, bool final) {
  if (complete_) throw Error(ErrorCode::kInternal, "the answer is complete already");
  if (!body.is_object() || body.contains("_e2ee") || body.empty()) {
    throw Error(ErrorCode::kBadInput, "an answer is an object");
  }
  if (!opening_ && !body.contains("choices")) {
    throw Error(ErrorCode::kBadInput, "an answer is an object with \"choices\"");
  }
  Json frame = body;
  const std::vector<std::string> fields =
      opening_ ? all_fields(body) : std::vector<std::string>{"choices"};
  std::string plain = take(frame, fields).dump();
  Json inner = {{"sealed_fields", fields}, {"final", final}};
  if (!opening_) inner["unbound_fields"] = {"model", "x_0g_trace"};
  if (frames_.empty()) {
    inner["v"] = 1u;
    inner["enc"] = to_base64url(sender_.enc().bytes);
    if (opening_) inner["opening"] = to_base64url(opening_->bytes);
  }
  frame["_e2ee"] = std::move(inner);
  Bytes sealed = sender_.seal(as_bytes(envelope_aad(frame)), as_bytes(plain));
  frame["_e2ee"]["ciphertext"] = to_base64url(sealed);
  frames_.push_back(envelope_hash(frame));
  complete_ = final;
  return frame;
}

std::string ResponseSealer::proof(bool streamed) const {
  if (!complete_ || (!streamed && frames_.size() != 1)) {
    throw Error(ErrorCode::kInternal, "the answer is not complete");
  }
  return streamed ? proof_text(Scheme::kCiphertextStream, request_hash_, stream_hash(frames_))
                  : proof_text(Scheme::kCiphertext, request_hash_, frames_.front());
}

ResponseOpener::ResponseOpener(crypto::X25519KeyPair key, const H256& request_hash, Profile profile,
                               const Address& signer)
    : key_(std::move(key)), request_hash_(request_hash), profile_(profile), signer_(signer) {}

void ResponseOpener::check_strict(const Json& frame, const Json& inner, bool first) const {
  if (frame.size() != 1) corrupt("something in it is not sealed");
  if (inner.contains("unbound_fields")) corrupt("it leaves something open to changes on the way");
  if (!first) return;
  const Bytes signature = from_base64url(json_string(inner, "opening", "_e2ee"), "opening");
  const std::string text = opening_text(request_hash_, key_member(inner, "enc"));
  if (signature.size() != 65 || proof_signer(text, crypto::Signature::from(signature)) != signer_) {
    corrupt("its beginning is not signed by the enclave");
  }
}

Json ResponseOpener::open(const Json& frame) {
  if (complete_) corrupt("a frame came after the final one");
  const Json& inner = inner_of(frame);
  bool first = !receiver_;
  if (inner.contains("enc") != first) {
    corrupt(first ? "its first frame is missing" : "its first frame came twice");
  }
  if ((first || inner.contains("v")) && json_uint(inner, "v", "_e2ee") != 1) {
    throw Error(ErrorCode::kUnsupported, "E2EE answer of another version");
  }
  const Json& final = json_member(inner, "final", "_e2ee");
  if (!final.is_boolean()) bad("final is neither true nor false");
  std::vector<std::string> fields = checked_fields(frame, inner);
  if (profile_ == Profile::kStrict) {
    check_strict(frame, inner, first);
  } else if (std::find(fields.begin(), fields.end(), "choices") == fields.end()) {
    corrupt("its choices are not sealed");
  }
  std::optional<crypto::HpkeReceiver> begun;
  if (first) begun.emplace(key_, key_member(inner, "enc"), as_bytes(kResponseInfo));
  crypto::HpkeReceiver& receiver = first ? *begun : *receiver_;
  Bytes sealed = from_base64url(json_string(inner, "ciphertext", "_e2ee"), "ciphertext");
  Bytes plain;
  try {
    plain = receiver.open(as_bytes(envelope_aad(frame)), sealed);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorrupt) throw;
    corrupt("frame " + std::to_string(frames_.size()) + " was altered, or is out of order");
  }
  Json out = merged(frame, fields, parse_json(as_text(plain), "sealed answer"));
  if (first) receiver_ = std::move(begun);
  frames_.push_back(envelope_hash(frame));
  complete_ = final.get<bool>();
  return out;
}

void ResponseOpener::check(std::string_view text, const crypto::Signature& signature, bool streamed,
                           const Address& signer) const {
  if (!complete_) corrupt("it was cut off before its end");
  if (!streamed && frames_.size() != 1) corrupt("it is a stream where one object was asked for");
  check_proof(text, signature, streamed ? Scheme::kCiphertextStream : Scheme::kCiphertext,
              request_hash_, streamed ? stream_hash(frames_) : frames_.front(), signer);
}

}  // namespace ffe::e2ee
