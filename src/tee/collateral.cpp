#include "tee/collateral.hpp"

#include "base/file.hpp"
#include "base/hex.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kMaxText = 256 * 1024;
constexpr size_t kMaxCrl = 4u << 20;
constexpr const char* kHint = "fetch the collateral again";

std::string text_member(const Json& json, const char* key) {
  std::string text = json_string(json, key, "collateral");
  if (text.size() > kMaxText) {
    throw Error(ErrorCode::kBadInput, std::string("collateral.") + key + ": too long", kHint);
  }
  return text;
}

Bytes hex_member(const Json& json, const char* key, size_t max_bytes) {
  std::string text = json_string(json, key, "collateral");
  if (text.size() > 2 * max_bytes) {
    throw Error(ErrorCode::kBadInput, std::string("collateral.") + key + ": too long", kHint);
  }
  try {
    return from_hex(text);
  } catch (const Error& error) {
    throw Error(ErrorCode::kBadInput, std::string("collateral.") + key + ": " + error.what(),
                kHint);
  }
}

FixedBytes<64> signature_member(const Json& json, const char* key) {
  Bytes bytes = hex_member(json, key, 64);
  if (bytes.size() != 64) {
    throw Error(ErrorCode::kBadInput,
                std::string("collateral.") + key + ": a signature has 64 bytes", kHint);
  }
  return FixedBytes<64>::from(bytes);
}

// The end of the JSON object that starts at text[begin]: the brace that balances the first one.
size_t object_end(std::string_view text, size_t begin) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = begin; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  throw Error(ErrorCode::kBadInput, "signed document: braces do not balance", kHint);
}

}  // namespace

Collateral collateral_from_json(const Json& json) {
  Collateral out;
  out.pck_crl_issuer_chain = text_member(json, "pck_crl_issuer_chain");
  out.root_ca_crl = hex_member(json, "root_ca_crl", kMaxCrl);
  out.pck_crl = hex_member(json, "pck_crl", kMaxCrl);
  out.tcb_info_issuer_chain = text_member(json, "tcb_info_issuer_chain");
  out.tcb_info = text_member(json, "tcb_info");
  out.tcb_info_signature = signature_member(json, "tcb_info_signature");
  out.qe_identity_issuer_chain = text_member(json, "qe_identity_issuer_chain");
  out.qe_identity = text_member(json, "qe_identity");
  out.qe_identity_signature = signature_member(json, "qe_identity_signature");
  return out;
}

Json to_json(const Collateral& c) {
  return {{"pck_crl_issuer_chain", c.pck_crl_issuer_chain},
          {"root_ca_crl", to_hex(c.root_ca_crl)},
          {"pck_crl", to_hex(c.pck_crl)},
          {"tcb_info_issuer_chain", c.tcb_info_issuer_chain},
          {"tcb_info", c.tcb_info},
          {"tcb_info_signature", to_hex(c.tcb_info_signature.bytes)},
          {"qe_identity_issuer_chain", c.qe_identity_issuer_chain},
          {"qe_identity", c.qe_identity},
          {"qe_identity_signature", to_hex(c.qe_identity_signature.bytes)}};
}

Collateral read_collateral(const std::filesystem::path& file) {
  return collateral_from_json(
      parse_json(read_text_file(file, 16u << 20), "collateral " + file.string()));
}

SignedDocument split_signed_document(std::string_view body, std::string_view member) {
  std::string what(member);
  // The parse refuses duplicates, so the textual search below finds the member that was meant.
  Json json = parse_json(body, what, {.max_bytes = kMaxText});
  std::string prefix = "{\"" + what + "\":";
  if (!body.starts_with(prefix) || body.size() <= prefix.size() || body[prefix.size()] != '{') {
    throw Error(ErrorCode::kBadInput, what + ": does not begin with " + prefix + "{", kHint);
  }
  SignedDocument out;
  size_t end = object_end(body, prefix.size());
  out.text = body.substr(prefix.size(), end - prefix.size());
  out.signature = signature_member(json, "signature");
  return out;
}

}  // namespace ffe::tee
