// Certificates, revocation lists and raw P-256 signatures as DCAP uses them. Every check is
// explicit (no X509_verify_cert): the clock is the caller's, and the rules are Intel's, not the
// Web's.
//
// Failures throw Error{kAttestation} (or kBadInput for undecodable bytes) with a sentence that
// names the certificate.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "tee/openssl.hpp"

namespace ffe::tee {

class Certificate {
 public:
  // The encoding must be canonical: re-encoding gives the same bytes.
  static Certificate from_der(ByteView der);

  const Bytes& der() const { return der_; }
  std::string common_name() const;
  std::string serial() const;         // hexadecimal, lower case
  FixedBytes<64> public_key() const;  // x ‖ y; throws unless P-256
  int64_t not_before() const;
  int64_t not_after() const;
  X509* handle() const { return x509_.get(); }

 private:
  Bytes der_;
  X509Ptr x509_;
};

// Certificates of a PEM text, strictly: only blocks, 64 columns, canonical base64, LF line ends;
// the last line end may be missing. Throws Error{kBadInput} for anything else or more than `most`
// blocks.
std::vector<Certificate> parse_pem_chain(std::string_view pem, size_t most);
std::string to_pem(const Certificate& certificate);

enum class Role { kRoot, kIntermediate, kLeaf };

// Version, algorithm, validity, names, key identifiers (both present), basic constraints, path
// length, key usage, key type, and the issuer's signature.
void check_certificate(const Certificate& certificate, const Certificate& issuer, Role role,
                       int64_t now);

class RevocationList {
 public:
  static RevocationList from_der(ByteView der);

  // Issuer name, signature, validity, AKI (equal to the issuer's SKI) and cRLNumber present.
  void check(const Certificate& issuer, int64_t now) const;
  bool revokes(const Certificate& certificate) const;
  int64_t this_update() const;
  int64_t next_update() const;
  size_t entries() const;
  // What it revokes: serial numbers as 32 bytes, big-endian. Throws Error{kBadInput} for a longer
  // one.
  std::vector<H256> serials() const;

 private:
  CrlPtr crl_;
};

// ECDSA over P-256 with SHA-256; key = x ‖ y, signature = r ‖ s. False for a wrong signature, an r
// or s out of range, or a key that is not on the curve. A high s is valid: Intel makes them.
bool verify_p256(const FixedBytes<64>& key, ByteView message, const FixedBytes<64>& signature);

// "2026-11-23T14:00:00Z", both ways. Parsing throws Error{kBadInput} for any other form.
int64_t parse_utc(std::string_view text);
std::string format_utc(int64_t unix_time);

}  // namespace ffe::tee
