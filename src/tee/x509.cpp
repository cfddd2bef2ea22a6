#include "tee/x509.hpp"

#include <cstdio>
#include <ctime>
#include <openssl/core_names.h>

#include "base/hex.hpp"

namespace ffe::tee {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----\n";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
constexpr size_t kColumns = 64;
constexpr size_t kMaxDer = 16 * 1024;

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
  throw Error(ErrorCode::kAttestation, message, hint);
}

[[noreturn]] void bad_pem(const std::string& message) {
  throw Error(ErrorCode::kBadInput, "PEM: " + message,
              "the chain must be plain PEM: certificates only, 64 columns, LF line ends");
}

int64_t unix_time_of(const ASN1_TIME* time) {
  tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) {
    throw Error(ErrorCode::kBadInput, "X.509: a date is missing or malformed");
  }
  return timegm(&parts);
}

// One base64 body: full lines of 64 characters and a shorter last one.
Bytes decode_body(std::string_view body) {
  std::string text;
  while (!body.empty()) {
    size_t end = body.find('\n');
    if (end == std::string_view::npos) bad_pem("a line has no end");
    std::string_view line = body.substr(0, end);
    body.remove_prefix(end + 1);
    bool last = body.empty();
    if (line.empty() || line.size() > kColumns || (!last && line.size() != kColumns)) {
      bad_pem("a line has " + std::to_string(line.size()) + " characters");
    }
    text += line;
  }
  return from_base64(text);
}

void check_key_usage(const Certificate& certificate, bool is_ca, const std::string& name) {
  uint32_t usage = X509_get_key_usage(certificate.handle());
  bool present = usage != UINT32_MAX;
  bool signs_certificates = (usage & KU_KEY_CERT_SIGN) != 0;
  bool right = is_ca ? signs_certificates && (usage & KU_CRL_SIGN) != 0
                     : (usage & KU_DIGITAL_SIGNATURE) != 0 && !signs_certificates;
  if (!present || !right) {
    refuse(name + ": key usage does not fit its place in the chain", "the chain is not genuine");
  }
}

void check_constraints(const Certificate& certificate, Role role, const std::string& name) {
  bool is_ca = role != Role::kLeaf;
  bool stated = X509_get_ext_by_NID(certificate.handle(), NID_basic_constraints, -1) >= 0;
  if (!stated || (X509_check_ca(certificate.handle()) == 1) != is_ca) {
    refuse(name + ": basic constraints do not fit its place in the chain",
           "the chain is not genuine");
  }
  check_key_usage(certificate, is_ca, name);
  if (!is_ca) return;
  long longest = role == Role::kRoot ? 1 : 0;
  long path = X509_get_pathlen(certificate.handle());
  if (path < 0 || path > longest) {
    refuse(name + ": path length constraint is missing or too large", "the chain is not genuine");
  }
}

void check_issuer(const Certificate& certificate, const Certificate& issuer,
                  const std::string& name) {
  if (X509_NAME_cmp(X509_get_issuer_name(certificate.handle()),
                    X509_get_subject_name(issuer.handle())) != 0) {
    refuse(name + ": issuer name is not that of " + issuer.common_name(),
           "the chain is not genuine");
  }
  const ASN1_OCTET_STRING* authority = X509_get0_authority_key_id(certificate.handle());
  const ASN1_OCTET_STRING* subject = X509_get0_subject_key_id(issuer.handle());
  if (authority == nullptr || subject == nullptr ||
      ASN1_OCTET_STRING_cmp(authority, subject) != 0) {
    refuse(name + ": authority key identifier is missing or not that of " + issuer.common_name(),
           "the chain is not genuine");
  }
  if (X509_verify(certificate.handle(), X509_get0_pubkey(issuer.handle())) != 1) {
    ERR_clear_error();
    refuse(name + ": signature of " + issuer.common_name() + " is wrong",
           "the chain is not genuine");
  }
}

KeyPtr public_key_from(const FixedBytes<64>& key) {
  uint8_t point[65] = {4};
  std::copy(key.begin(), key.end(), point + 1);
  char group[] = "prime256v1";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
      OSSL_PARAM_construct_end()};
  KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* out = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &out, EVP_PKEY_PUBLIC_KEY, params) != 1) {
    ERR_clear_error();  // not a point of the curve
    return nullptr;
  }
  return KeyPtr(out);
}

Bytes der_signature(const FixedBytes<64>& signature) {
  BigPtr r(BN_bin2bn(signature.data(), 32, nullptr));
  BigPtr s(BN_bin2bn(signature.data() + 32, 32, nullptr));
  EcdsaPtr pair(ECDSA_SIG_new());
  if (!r || !s || !pair) throw Error(ErrorCode::kInternal, "out of memory");
  ECDSA_SIG_set0(pair.get(), r.release(), s.release());
  return to_der(i2d_ECDSA_SIG, pair.get());
}

}  // namespace

Certificate Certificate::from_der(ByteView der) {
  const std::string hint = "the file or chain is damaged";
  if (der.size() > kMaxDer) throw Error(ErrorCode::kBadInput, "X.509: certificate too large", hint);
  Certificate out;
  const unsigned char* at = der.data();
  out.x509_.reset(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  bool whole = out.x509_ && at == der.data() + der.size();
  if (whole) out.der_ = to_der(i2d_X509, out.x509_.get());
  if (!whole || !std::equal(der.begin(), der.end(), out.der_.begin(), out.der_.end())) {
    ERR_clear_error();
    throw Error(ErrorCode::kBadInput, "X.509: not a certificate in canonical DER", hint);
  }
  return out;
}

std::string Certificate::common_name() const {
  char text[256] = {};
  int size = X509_NAME_get_text_by_NID(X509_get_subject_name(x509_.get()), NID_commonName, text,
                                       sizeof text);
  return size < 0 ? std::string() : std::string(text);
}

std::string Certificate::serial() const {
  const ASN1_INTEGER* number = X509_get0_serialNumber(x509_.get());
  return to_hex({ASN1_STRING_get0_data(number), static_cast<size_t>(ASN1_STRING_length(number))});
}

FixedBytes<64> Certificate::public_key() const {
  EVP_PKEY* key = X509_get0_pubkey(x509_.get());
  char group[32] = {};
  uint8_t point[133] = {};
  size_t group_size = 0, size = 0;
  bool good = key != nullptr &&
              EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group,
                                             &group_size) == 1 &&
              std::string_view(group) == "prime256v1" &&
              EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
                                              &size) == 1 &&
              size == 65 && point[0] == 4;
  if (!good) {
    ERR_clear_error();
    refuse(common_name() + ": key is not an uncompressed P-256 point", "the chain is not genuine");
  }
  return FixedBytes<64>::from({point + 1, 64});
}

int64_t Certificate::not_before() const {
  return unix_time_of(X509_get0_notBefore(x509_.get()));
}

int64_t Certificate::not_after() const {
  return unix_time_of(X509_get0_notAfter(x509_.get()));
}

std::vector<Certificate> parse_pem_chain(std::string_view pem, size_t most) {
  std::vector<Certificate> out;
  while (!pem.empty()) {
    if (out.size() == most) bad_pem("more than " + std::to_string(most) + " certificates");
    if (!pem.starts_with(kBegin)) bad_pem("text that is not a certificate block");
    pem.remove_prefix(kBegin.size());
    size_t end = pem.find(kEnd);
    if (end == std::string_view::npos) bad_pem("a block has no end");
    out.push_back(Certificate::from_der(decode_body(pem.substr(0, end))));
    pem.remove_prefix(end + kEnd.size());
    if (!pem.empty() && pem.front() != '\n') bad_pem("text after a block");
    if (!pem.empty()) pem.remove_prefix(1);
  }
  return out;
}

std::string to_pem(const Certificate& certificate) {
  std::string body = to_base64(certificate.der());
  std::string out(kBegin);
  for (size_t i = 0; i < body.size(); i += kColumns) out += body.substr(i, kColumns) + "\n";
  return out + std::string(kEnd) + "\n";
}

void check_certificate(const Certificate& certificate, const Certificate& issuer, Role role,
                       int64_t now) {
  std::string name = certificate.common_name();
  if (X509_get_version(certificate.handle()) != X509_VERSION_3 ||
      X509_get_signature_nid(certificate.handle()) != NID_ecdsa_with_SHA256) {
    refuse(name + ": not X.509 v3 with ECDSA and SHA-256", "the chain is not genuine");
  }
  if (now < certificate.not_before() || now > certificate.not_after()) {
    refuse(name + ": valid from " + format_utc(certificate.not_before()) + " to " +
               format_utc(certificate.not_after()) + ", not at " + format_utc(now),
           "check this machine's clock; if it is right, the platform needs new certificates");
  }
  certificate.public_key();
  check_issuer(certificate, issuer, name);
  check_constraints(certificate, role, name);
}

RevocationList RevocationList::from_der(ByteView der) {
  RevocationList out;
  const unsigned char* at = der.data();
  out.crl_.reset(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
  if (!out.crl_ || at != der.data() + der.size()) {
    ERR_clear_error();
    throw Error(ErrorCode::kBadInput, "CRL: not a revocation list in DER",
                "fetch the collateral again");
  }
  return out;
}

void RevocationList::check(const Certificate& issuer, int64_t now) const {
  std::string name = "CRL of " + issuer.common_name();
  X509_CRL* crl = crl_.get();
  if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer.handle())) != 0) {
    refuse(name + ": issued by another authority", "fetch collateral for this quote's PCK issuer");
  }
  if (X509_CRL_verify(crl, X509_get0_pubkey(issuer.handle())) != 1) {
    ERR_clear_error();
    refuse(name + ": signature is wrong", "fetch the collateral again");
  }
  int64_t from = this_update();
  if (now < from || now > next_update()) {
    refuse(name + ": valid from " + format_utc(from) + " to " + format_utc(next_update()) +
               ", not at " + format_utc(now),
           "fetch fresh collateral, or check this machine's clock");
  }
  std::unique_ptr<AUTHORITY_KEYID, OpensslDelete<AUTHORITY_KEYID_free>> authority(
      static_cast<AUTHORITY_KEYID*>(
          X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, nullptr, nullptr)));
  const ASN1_OCTET_STRING* subject = X509_get0_subject_key_id(issuer.handle());
  bool same_key = authority && authority->keyid && subject &&
                  ASN1_OCTET_STRING_cmp(authority->keyid, subject) == 0;
  if (!same_key || X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1) < 0) {
    refuse(name + ": key identifier or CRL number is missing or foreign",
           "fetch the collateral again");
  }
}

bool RevocationList::revokes(const Certificate& certificate) const {
  X509_REVOKED* entry = nullptr;
  return X509_CRL_get0_by_cert(crl_.get(), &entry, certificate.handle()) != 0;
}

int64_t RevocationList::this_update() const {
  return unix_time_of(X509_CRL_get0_lastUpdate(crl_.get()));
}

int64_t RevocationList::next_update() const {
  return unix_time_of(X509_CRL_get0_nextUpdate(crl_.get()));
}

size_t RevocationList::entries() const {
  int count = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl_.get()));
  return count < 0 ? 0 : static_cast<size_t>(count);
}

std::vector<H256> RevocationList::serials() const {
  std::vector<H256> out;
  STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(crl_.get());
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const ASN1_INTEGER* number = X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, i));
    const int size = ASN1_STRING_length(number);
    if (size > 32) {
      throw Error(ErrorCode::kBadInput,
                  "CRL: a serial number of " + std::to_string(size) + " bytes",
                  "fetch the collateral again");
    }
    const unsigned char* data = ASN1_STRING_get0_data(number);
    std::copy(data, data + size, out.emplace_back().bytes.end() - size);
  }
  return out;
}

bool verify_p256(const FixedBytes<64>& key, ByteView message, const FixedBytes<64>& signature) {
  KeyPtr public_key = public_key_from(key);
  if (!public_key) return false;
  Bytes der = der_signature(signature);
  DigestPtr context(EVP_MD_CTX_new());
  bool good =
      context &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, public_key.get()) == 1 &&
      EVP_DigestVerify(context.get(), der.data(), der.size(), message.data(), message.size()) == 1;
  ERR_clear_error();
  return good;
}

int64_t parse_utc(std::string_view text) {
  tm parts{};
  std::string copy(text);
  int consumed = 0;
  int fields =
      std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &consumed);
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  int64_t out = fields == 6 ? timegm(&parts) : 0;
  // Formatting back refuses 31 February, spaces and signs in one go.
  if (fields != 6 || static_cast<size_t>(consumed) != copy.size() || format_utc(out) != copy) {
    throw Error(ErrorCode::kBadInput, "date \"" + copy.substr(0, 40) + "\" is not UTC in ISO 8601");
  }
  return out;
}

std::string format_utc(int64_t unix_time) {
  time_t seconds = unix_time;
  tm parts{};
  char text[40] = {};
  if (gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
    return std::to_string(unix_time);
  }
  return text;
}

}  // namespace ffe::tee
