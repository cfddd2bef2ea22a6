#include "tee/dev_pki.hpp"

#include <initializer_list>
#include <openssl/ec.h>

#include "crypto/random.hpp"

namespace ffe::tee {
namespace {

constexpr const char* kNotBefore = "20240101000000Z";
constexpr const char* kNotAfter = "20491231235959Z";

void need(bool good, const char* what) {
  if (!good) {
    ERR_clear_error();
    throw Error(ErrorCode::kInternal, std::string("development PKI: ") + what + " failed");
  }
}

Bytes tlv(uint8_t tag, const Bytes& value) {
  Bytes out{tag};
  size_t size = value.size();
  if (size >= 0x100) {
    out.insert(out.end(), {0x82, static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)});
  } else if (size >= 0x80) {
    out.insert(out.end(), {0x81, static_cast<uint8_t>(size)});
  } else {
    out.push_back(static_cast<uint8_t>(size));
  }
  append(out, value);
  return out;
}

Bytes octets(ByteView value) {
  return tlv(0x04, Bytes(value.begin(), value.end()));
}

Bytes integer(unsigned value) {
  Bytes out;
  if (value > 0xff) out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
  if (out[0] & 0x80) out.insert(out.begin(), 0);
  return tlv(0x02, out);
}

// SEQUENCE { 1.2.840.113741.1.13.1.<suffix>, value }
Bytes item(std::initializer_list<uint8_t> suffix, const Bytes& value) {
  Bytes oid = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
  oid.insert(oid.end(), suffix);
  return tlv(0x30, concat({tlv(0x06, oid), value}));
}

NamePtr make_name(const std::string& common_name) {
  NamePtr name(X509_NAME_new());
  const std::pair<const char*, std::string> parts[] = {{"CN", common_name},
                                                       {"O", "Development Corporation"},
                                                       {"L", "Santa Clara"},
                                                       {"ST", "CA"},
                                                       {"C", "US"}};
  for (const auto& [field, value] : parts) {
    need(X509_NAME_add_entry_by_txt(name.get(), field, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1,
                                    0) == 1,
         "name");
  }
  return name;
}

void set_serial(X509* x509) {
  std::array<uint8_t, 20> serial{};
  crypto::random_bytes(serial);
  serial[0] = static_cast<uint8_t>((serial[0] & 0x3f) | 0x40);  // positive, always 20 bytes
  BigPtr number(BN_bin2bn(serial.data(), serial.size(), nullptr));
  need(number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509)) != nullptr,
       "serial");
}

void add_extension(X509* x509, X509V3_CTX& context, int nid, const std::string& value) {
  ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  need(extension && X509_add_ext(x509, extension.get(), -1) == 1, "extension");
}

void add_sgx_extension(X509* x509, const Bytes& der) {
  ObjectPtr oid(OBJ_txt2obj("1.2.840.113741.1.13.1", 1));
  OctetsPtr data(ASN1_OCTET_STRING_new());
  need(data && ASN1_OCTET_STRING_set(data.get(), der.data(), static_cast<int>(der.size())) == 1,
       "SGX extension");
  ExtensionPtr extension(X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), 0, data.get()));
  need(extension && X509_add_ext(x509, extension.get(), -1) == 1, "SGX extension");
}

TimePtr time_of(int64_t unix_time) {
  TimePtr out(ASN1_TIME_set(nullptr, unix_time));
  need(out != nullptr, "date");
  return out;
}

void add_revoked(X509_CRL* crl, const Certificate& certificate, int64_t when) {
  X509_REVOKED* entry = X509_REVOKED_new();
  need(entry != nullptr, "CRL entry");
  TimePtr date = time_of(when);
  need(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.handle())) == 1 &&
           X509_REVOKED_set_revocationDate(entry, date.get()) == 1 &&
           X509_CRL_add0_revoked(crl, entry) == 1,
       "CRL entry");
}

}  // namespace

DevKey DevKey::generate() {
  DevKey out;
  out.key_.reset(EVP_EC_gen("P-256"));
  need(out.key_ != nullptr, "key generation");
  return out;
}

DevKey DevKey::from_der(ByteView der) {
  DevKey out;
  const unsigned char* at = der.data();
  out.key_.reset(d2i_PrivateKey(EVP_PKEY_EC, nullptr, &at, static_cast<long>(der.size())));
  if (!out.key_) {
    ERR_clear_error();
    throw Error(ErrorCode::kCorrupt, "simulator: a key file is damaged",
                "delete the simulator's folder and create it again");
  }
  return out;
}

Bytes DevKey::der() const {
  return to_der(i2d_PrivateKey, key_.get());
}

FixedBytes<64> DevKey::public_key() const {
  Bytes spki = to_der(i2d_PUBKEY, key_.get());
  need(spki.size() == 91, "public key");
  return FixedBytes<64>::from(ByteView(spki).last(64));
}

FixedBytes<64> DevKey::sign(ByteView message) const {
  DigestPtr context(EVP_MD_CTX_new());
  uint8_t der[80];
  size_t size = sizeof der;
  need(context &&
           EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
           EVP_DigestSign(context.get(), der, &size, message.data(), message.size()) == 1,
       "signing");
  const unsigned char* at = der;
  EcdsaPtr pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  FixedBytes<64> out;
  need(pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out.data(), 32) == 32 &&
           BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out.data() + 32, 32) == 32,
       "signing");
  return out;
}

Certificate make_certificate(const CertificateRequest& request, const DevKey& key,
                             const Certificate* issuer, const DevKey& issuer_key) {
  X509Ptr made(X509_new());
  X509* x509 = made.get();
  need(x509 != nullptr && X509_set_version(x509, X509_VERSION_3) == 1, "certificate");
  set_serial(x509);
  need(ASN1_TIME_set_string_X509(X509_getm_notBefore(x509), kNotBefore) == 1 &&
           ASN1_TIME_set_string_X509(X509_getm_notAfter(x509), kNotAfter) == 1,
       "dates");
  NamePtr name = make_name(request.common_name);
  X509_NAME* issuer_name = issuer ? X509_get_subject_name(issuer->handle()) : name.get();
  need(X509_set_subject_name(x509, name.get()) == 1 &&
           X509_set_issuer_name(x509, issuer_name) == 1 && X509_set_pubkey(x509, key.handle()) == 1,
       "names");

  // A self-signed certificate's authority key id is its own subject key id, which the library can
  // only copy once it is there; hence it is made first and moved behind, to Intel's order.
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer ? issuer->handle() : x509, x509, nullptr, nullptr, 0);
  add_extension(x509, context, NID_subject_key_identifier, "hash");
  ExtensionPtr subject_key(X509_delete_ext(x509, 0));
  if (!issuer) need(X509_add_ext(x509, subject_key.get(), -1) == 1, "extension");
  add_extension(x509, context, NID_authority_key_identifier, "keyid:always");
  if (!issuer) subject_key.reset(X509_delete_ext(x509, 0));
  add_extension(x509, context, NID_crl_distribution_points, "URI:http://localhost/development.crl");
  need(X509_add_ext(x509, subject_key.get(), -1) == 1, "extension");
  bool leaf = request.role == Role::kLeaf;
  add_extension(x509, context, NID_key_usage,
                leaf ? "critical,digitalSignature,nonRepudiation" : "critical,keyCertSign,cRLSign");
  add_extension(x509, context, NID_basic_constraints,
                leaf                          ? "critical,CA:FALSE"
                : request.role == Role::kRoot ? "critical,CA:TRUE,pathlen:1"
                                              : "critical,CA:TRUE,pathlen:0");
  if (!request.sgx_extension.empty()) add_sgx_extension(x509, request.sgx_extension);
  need(X509_sign(x509, issuer_key.handle(), EVP_sha256()) > 0, "signing");
  return Certificate::from_der(to_der(i2d_X509, x509));
}

Bytes make_crl(const Certificate& issuer, const DevKey& issuer_key, int64_t issued,
               int64_t next_update, const std::vector<const Certificate*>& revoked) {
  CrlPtr made(X509_CRL_new());
  X509_CRL* crl = made.get();
  need(crl != nullptr && X509_CRL_set_version(crl, 1) == 1 &&
           X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer.handle())) == 1 &&
           X509_CRL_set1_lastUpdate(crl, time_of(issued).get()) == 1 &&
           X509_CRL_set1_nextUpdate(crl, time_of(next_update).get()) == 1,
       "CRL");
  for (const Certificate* certificate : revoked) add_revoked(crl, *certificate, issued);

  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer.handle(), nullptr, nullptr, crl, 0);
  IntegerPtr number(ASN1_INTEGER_new());
  need(number && ASN1_INTEGER_set(number.get(), 1) == 1 &&
           X509_CRL_add1_ext_i2d(crl, NID_crl_number, number.get(), 0, 0) == 1,
       "CRL number");
  ExtensionPtr authority(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  need(authority && X509_CRL_add_ext(crl, authority.get(), -1) == 1, "CRL extension");
  need(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, issuer_key.handle(), EVP_sha256()) > 0,
       "CRL signing");
  return to_der(i2d_X509_CRL, crl);
}

Bytes make_sgx_extension(const PckExtension& values) {
  Bytes tcb;
  for (uint8_t i = 0; i < 16; ++i) {
    append(tcb, item({2, static_cast<uint8_t>(i + 1)}, integer(values.components[i])));
  }
  append(tcb, item({2, 17}, integer(values.pce_svn)));
  append(tcb, item({2, 18}, octets(values.cpu_svn.bytes)));
  Bytes configuration;
  for (uint8_t i = 1; i <= 3; ++i) append(configuration, item({7, i}, tlv(0x01, {0xff})));
  constexpr uint8_t kScalable = 1;
  return tlv(0x30, concat({item({1}, octets(values.ppid.bytes)), item({2}, tlv(0x30, tcb)),
                           item({3}, octets(values.pce_id.bytes)),
                           item({4}, octets(values.fmspc.bytes)), item({5}, tlv(0x0a, {kScalable})),
                           item({6}, octets(values.platform_instance_id.bytes)),
                           item({7}, tlv(0x30, configuration))}));
}

}  // namespace ffe::tee
