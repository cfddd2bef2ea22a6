// Owners for OpenSSL objects, inside this room only.
#pragma once

#include <memory>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/bytes.hpp"

namespace ffe::tee {

template <auto Free>
struct OpensslDelete {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslDelete<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslDelete<X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, OpensslDelete<X509_CRL_free>>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, OpensslDelete<EVP_MD_CTX_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, OpensslDelete<EVP_PKEY_CTX_free>>;
using EcdsaPtr = std::unique_ptr<ECDSA_SIG, OpensslDelete<ECDSA_SIG_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, OpensslDelete<ASN1_OBJECT_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, OpensslDelete<ASN1_INTEGER_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, OpensslDelete<ASN1_TIME_free>>;
using OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, OpensslDelete<ASN1_OCTET_STRING_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpensslDelete<X509_EXTENSION_free>>;
using NamePtr = std::unique_ptr<X509_NAME, OpensslDelete<X509_NAME_free>>;
using BigPtr = std::unique_ptr<BIGNUM, OpensslDelete<BN_free>>;

// The DER of an object through its i2d function.
template <class T>
Bytes to_der(int (*encode)(const T*, unsigned char**), const T* object) {
  unsigned char* der = nullptr;
  int size = encode(object, &der);
  if (size < 0) throw Error(ErrorCode::kInternal, "DER encoding failed");
  Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

}  // namespace ffe::tee
