// TLS: a certificate that no authority of this system signed must stop the exchange.
#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "net/http_client.hpp"
#include "peers.hpp"

namespace ffe::net {
namespace {

using namespace ffe::test;

struct SelfSigned {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();

  SelfSigned() {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_sign(certificate, key, EVP_sha256());
  }
  ~SelfSigned() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

TEST(Https, RefusesACertificateNobodyVouchesFor) {
  SelfSigned identity;
  httplib::SSLServer server(identity.certificate, identity.key);
  std::atomic<bool> reached{false};
  server.Get("/", [&](const httplib::Request&, httplib::Response&) { reached = true; });
  int port = server.bind_to_any_port("127.0.0.1");
  ASSERT_GT(port, 0);
  std::thread thread([&] { server.listen_after_bind(); });
  HttpRequest request;
  request.url = "https://localhost:" + std::to_string(port) + "/";
  Error e = error_from([&] { HttpClient().send(request); });
  EXPECT_EQ(e.code(), ErrorCode::kNetwork);
  EXPECT_NE(std::string(e.what()).find("certificate"), std::string::npos) << e.what();
  EXPECT_NE(e.hint().find("not trusted"), std::string::npos) << e.hint();
  EXPECT_FALSE(reached);
  while (!server.is_running()) std::this_thread::yield();
  server.stop();
  thread.join();
}

}  // namespace
}  // namespace ffe::net
