// A PCCS that serves recorded collateral of Intel's over real HTTP and
// HTTPS.
#include "tee/collateral_source.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <httplib.h>
#include <map>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <thread>

#include "base/hex.hpp"
#include "net/http_server.hpp"
#include "tee/openssl.hpp"
#include "tee/samples.hpp"
#include "tee/simulated.hpp"
#include "tee/tcb.hpp"
#include "tee/x509.hpp"

namespace ffe::tee {
namespace {

std::string percent_encoded(const std::string& text) {
  std::string out;
  for (char c : text) {
    bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    out += plain ? std::string(1, c) : "%" + to_hex({reinterpret_cast<uint8_t*>(&c), 1});
  }
  return out;
}

// The documents of a PCCS: what it answers to a path and query.
struct Document {
  std::multimap<std::string, std::string> query;
  std::string body, header, chain;
};

std::string authority_of(const Collateral& c) {
  const bool platform = parse_pem_chain(c.pck_crl_issuer_chain, 2)[0].common_name().find(
                            "Platform") != std::string::npos;
  return platform ? "platform" : "processor";
}

std::map<std::string, Document> documents(const Collateral& c) {
  auto text = [](const Bytes& bytes) { return std::string(bytes.begin(), bytes.end()); };
  auto signed_document = [](const char* member, const std::string& document,
                            const FixedBytes<64>& signature) {
    return std::string("{\"") + member + "\":" + document + ",\"signature\":\"" +
           to_hex(signature.bytes) + "\"}";
  };
  return {{"/sgx/certification/v4/pckcrl",
           {{{"ca", authority_of(c)}, {"encoding", "der"}},
            text(c.pck_crl),
            "SGX-PCK-CRL-Issuer-Chain",
            percent_encoded(c.pck_crl_issuer_chain)}},
          {"/tdx/certification/v4/tcb",
           {{{"fmspc", to_hex(parse_tcb_info(c.tcb_info).fmspc.bytes)}},
            signed_document("tcbInfo", c.tcb_info, c.tcb_info_signature),
            "TCB-Info-Issuer-Chain",
            percent_encoded(c.tcb_info_issuer_chain)}},
          {"/tdx/certification/v4/qe/identity",
           {{},
            signed_document("enclaveIdentity", c.qe_identity, c.qe_identity_signature),
            "SGX-Enclave-Identity-Issuer-Chain",
            percent_encoded(c.qe_identity_issuer_chain)}},
          {"/sgx/certification/v4/rootcacrl", {{}, to_hex(c.root_ca_crl), "X-Unused", ""}}};
}

class FakePccs {
 public:
  explicit FakePccs(const Collateral& c) {
    for (auto& [path, document] : documents(c)) {
      std::map<std::string, std::string> query(document.query.begin(), document.query.end());
      server_.handle("GET", path, [this, query, document](const net::ServerRequest& request) {
        ++requests_;
        net::ServerResponse out;
        out.status = request.query == query ? 200 : 404;
        out.content_type = "application/octet-stream";
        out.headers.emplace_back(document.header, document.chain);
        out.body = document.body;
        return out;
      });
    }
    server_.start();
  }

  std::string url() const { return server_.url(); }
  void stop() { server_.stop(); }
  int requests() const { return requests_; }

 private:
  net::HttpServer server_;
  std::atomic<int> requests_{0};
};

// The same over TLS, with an authority of its own.
class TlsPccs {
 public:
  explicit TlsPccs(const Collateral& c)
      : key_(EVP_EC_gen("P-256")), certificate_(localhost_certificate(key_.get())) {
    std::FILE* pem = std::fopen(ca_file().c_str(), "w");
    PEM_write_X509(pem, certificate_.get());
    std::fclose(pem);
    server_ = std::make_unique<httplib::SSLServer>(certificate_.get(), key_.get());
    for (auto& [path, document] : documents(c)) {
      server_->Get(path, [document](const httplib::Request& in, httplib::Response& out) {
        out.status = in.params == document.query ? 200 : 404;
        out.set_header(document.header, document.chain);
        out.set_content(document.body, "application/octet-stream");
      });
    }
    port_ = server_->bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_->listen_after_bind(); });
  }
  ~TlsPccs() {
    while (!server_->is_running()) std::this_thread::yield();
    server_->stop();
    thread_.join();
  }

  std::string url() const { return "https://localhost:" + std::to_string(port_); }
  std::filesystem::path ca_file() const { return folder_.path() / "ca.pem"; }

 private:
  static X509Ptr localhost_certificate(EVP_PKEY* key) {
    X509Ptr out(X509_new());
    X509_set_version(out.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(out.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), 3600);
    X509_set_pubkey(out.get(), key);
    X509_NAME* name = X509_get_subject_name(out.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(out.get(), name);
    X509_EXTENSION* names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(out.get(), names, -1);
    X509_EXTENSION_free(names);
    X509_sign(out.get(), key, EVP_sha256());
    return out;
  }

  TempDir folder_;
  KeyPtr key_;
  X509Ptr certificate_;
  std::unique_ptr<httplib::SSLServer> server_;
  std::thread thread_;
  int port_ = 0;
};

TEST(CollateralSource, FetchesWhatVerifies) {
  FFE_NEED_SAMPLES();
  Bytes blob = sample("dcap-qvl/tdx_quote");
  Quote quote = parse_quote(blob);
  Collateral recorded = sample_collateral("dcap-qvl/tdx_quote_collateral.json");
  FakePccs pccs(recorded);
  TempDir cache;
  CollateralSourceOptions options{.url = pccs.url(), .root_crl_url = "", .cache_dir = cache.path()};
  CollateralSource source(options);

  Collateral fetched = source.get(quote, kIntelTime);
  EXPECT_TRUE(verify(blob, fetched, intel_root(), kIntelTime, Policy{}).accepted);
  EXPECT_EQ(to_json(fetched), to_json(recorded));
  EXPECT_EQ(pccs.requests(), 4);
  source.get(quote, kIntelTime + 60);
  EXPECT_EQ(pccs.requests(), 4) << "a fresh copy is not fetched again";
  source.get(quote, kIntelTime + options.refresh_after);
  EXPECT_EQ(pccs.requests(), 8);

  pccs.stop();
  EXPECT_EQ(to_json(source.get(quote, kIntelTime + 3 * 86400)), to_json(recorded));
  EXPECT_THROW(source.get(quote, collateral_expiry(recorded) + 1), Error);
  options.offline = true;
  EXPECT_EQ(to_json(CollateralSource(options).get(quote, collateral_expiry(recorded))),
            to_json(recorded));
  EXPECT_THROW(CollateralSource(options).get(quote, collateral_expiry(recorded) + 1), Error);
}

TEST(CollateralSource, FetchesOverHttpsFromAnAuthorityThatIsTrusted) {
  FFE_NEED_SAMPLES();
  Quote quote = parse_quote(sample("dcap-qvl/tdx_quote"));
  Collateral recorded = sample_collateral("dcap-qvl/tdx_quote_collateral.json");
  TlsPccs pccs(recorded);
  CollateralSourceOptions options{.url = pccs.url(), .root_crl_url = ""};
  EXPECT_THROW(CollateralSource(options).get(quote, kIntelTime), Error)
      << "nobody vouches for this server's certificate";
  options.ca_file = pccs.ca_file();
  EXPECT_EQ(to_json(CollateralSource(options).get(quote, kIntelTime)), to_json(recorded));
}

// A server that falls back, or is made to, does not take a client's newer copy from it.
TEST(CollateralSource, AServerThatGoesBackIsNotFollowed) {
  TempDir folder;
  write_file_atomic(folder.path() / "program", as_bytes(std::string("program")));
  const SimulatedPlatform platform =
      SimulatedPlatform::create(folder.path() / "p", folder.path() / "program");
  const Quote quote = parse_quote(platform.quote_bytes({}));
  const auto served = [&](uint32_t number, int64_t issued) {
    return platform.collateral(
        SimulatedCollateralOptions{.issued = issued, .evaluation_number = number});
  };
  const int64_t issued = kSimulatedTime - 5 * 86400;
  int64_t now = kSimulatedTime;
  const auto got = [&](const Collateral& answers) {
    FakePccs pccs(answers);
    CollateralSource source(
        {.url = pccs.url(), .root_crl_url = "", .cache_dir = folder.path() / "cache"});
    Collateral out = source.get(quote, now += 86400);
    EXPECT_EQ(pccs.requests(), 4);
    return to_json(out);
  };
  const Collateral first = served(7, issued), later = served(7, issued + 86400),
                   raised = served(8, issued + 86400);
  EXPECT_EQ(got(first), to_json(first));
  EXPECT_EQ(got(later), to_json(later)) << "issued again";
  EXPECT_EQ(got(first), to_json(later)) << "issued earlier";
  EXPECT_EQ(got(raised), to_json(raised));
  EXPECT_EQ(got(served(7, issued + 2 * 86400)), to_json(raised)) << "a lower number";
  now = collateral_expiry(raised);
  const Collateral old = served(6, now);
  EXPECT_EQ(got(old), to_json(old)) << "the copy has expired; a verifier judges by what it saw";
}

TEST(CollateralSource, UnknownMachineAndDamagedCache) {
  FFE_NEED_SAMPLES();
  Collateral recorded = sample_collateral("dcap-qvl/tdx_quote_collateral.json");
  FakePccs pccs(recorded);
  TempDir cache;
  CollateralSourceOptions options{.url = pccs.url(), .root_crl_url = "", .cache_dir = cache.path()};
  Quote other = parse_quote(sample("dcap-qvl/tdx_quote_outdated"));
  try {
    CollateralSource(options).get(other, kIntelTime);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNetwork);
  }
  Quote quote = parse_quote(sample("dcap-qvl/tdx_quote"));
  std::string junk = "{\"fetched\":";
  write_file_atomic(cache.path() / "b0c06f000000-platform.json", as_bytes(junk));
  EXPECT_EQ(to_json(CollateralSource(options).get(quote, kIntelTime)), to_json(recorded));
  options.offline = true;
  options.cache_dir = cache.path() / "empty";
  EXPECT_THROW(CollateralSource(options).get(quote, kIntelTime), Error);
}

}  // namespace
}  // namespace ffe::tee
