// A PCCS that serves recorded collateral of Intel's over real HTTP.
#include "tee/collateral_source.hpp"

#include <atomic>
#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "net/http_server.hpp"
#include "tee/samples.hpp"

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

class FakePccs {
 public:
  explicit FakePccs(const Collateral& c) {
    auto text = [](const Bytes& bytes) { return std::string(bytes.begin(), bytes.end()); };
    auto signed_document = [](const char* member, const std::string& document,
                              const FixedBytes<64>& signature) {
      return std::string("{\"") + member + "\":" + document + ",\"signature\":\"" +
             to_hex(signature.bytes) + "\"}";
    };
    serve("/sgx/certification/v4/pckcrl", {{"ca", "platform"}, {"encoding", "der"}},
          text(c.pck_crl), "SGX-PCK-CRL-Issuer-Chain", c.pck_crl_issuer_chain);
    serve("/tdx/certification/v4/tcb", {{"fmspc", "b0c06f000000"}},
          signed_document("tcbInfo", c.tcb_info, c.tcb_info_signature), "TCB-Info-Issuer-Chain",
          c.tcb_info_issuer_chain);
    serve("/tdx/certification/v4/qe/identity", {},
          signed_document("enclaveIdentity", c.qe_identity, c.qe_identity_signature),
          "SGX-Enclave-Identity-Issuer-Chain", c.qe_identity_issuer_chain);
    serve("/sgx/certification/v4/rootcacrl", {}, to_hex(c.root_ca_crl), "X-Unused", "");
    server_.start();
  }

  std::string url() const { return server_.url(); }
  void stop() { server_.stop(); }
  int requests() const { return requests_; }

 private:
  void serve(const char* path, std::map<std::string, std::string> query, std::string body,
             const char* header, const std::string& chain) {
    server_.handle("GET", path,
                   [this, query, body, header = std::string(header),
                    chain = percent_encoded(chain)](const net::ServerRequest& request) {
                     ++requests_;
                     net::ServerResponse out;
                     out.status = request.query == query ? 200 : 404;
                     out.content_type = "application/octet-stream";
                     out.headers.emplace_back(header, chain);
                     out.body = body;
                     return out;
                   });
  }

  net::HttpServer server_;
  std::atomic<int> requests_{0};
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
