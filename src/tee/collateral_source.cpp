#include "tee/collateral_source.hpp"

#include <algorithm>
#include <optional>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "net/http_transport.hpp"
#include "tee/pck_extension.hpp"
#include "tee/tcb.hpp"
#include "tee/x509.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kMaxAnswer = 8u << 20;

// Issuer chains come percent-encoded in a header.
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(from_hex(text.substr(i + 1, 2))[0]);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string chain_header(const net::HttpResponse& response, const std::string& name,
                         const std::string& url) {
  auto at = response.headers.find(name);
  if (at == response.headers.end()) {
    throw Error(ErrorCode::kNetwork, url + ": the answer has no header " + name,
                "the server is no PCCS of version 4");
  }
  return percent_decoded(at->second);
}

// Intel's service sends DER, some PCCS versions hexadecimal.
Bytes der_of(const std::string& body) {
  if (!body.empty() && body[0] == 0x30 && (body.size() < 2 || (body[1] & 0x80) != 0)) {
    return Bytes(body.begin(), body.end());
  }
  std::string_view text = body;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return from_hex(text);
}

struct Cached {
  int64_t fetched = 0;
  Collateral collateral;
};

std::optional<Cached> read_cache(const std::filesystem::path& file) {
  if (file.empty() || !std::filesystem::exists(file)) return std::nullopt;
  try {
    Json json = parse_json(read_text_file(file, 32u << 20), file.string());
    return Cached{static_cast<int64_t>(json_uint(json, "fetched", "cache")),
                  collateral_from_json(json_member(json, "collateral", "cache"))};
  } catch (const Error& error) {
    log::warn("ignoring damaged collateral cache: {}", error.what());
    return std::nullopt;
  }
}

void write_cache(const std::filesystem::path& file, const Collateral& collateral, int64_t now) {
  if (file.empty()) return;
  std::filesystem::create_directories(file.parent_path());
  std::string text = Json{{"fetched", static_cast<uint64_t>(std::max<int64_t>(now, 0))},
                          {"collateral", to_json(collateral)}}
                         .dump();
  write_file_atomic(file, as_bytes(text));
}

// Whether a part of `a` was issued before that of `b`: a service that goes back is not followed.
bool older(const Collateral& a, const Collateral& b) {
  const auto crl = [](const Bytes& der) { return RevocationList::from_der(der).this_update(); };
  const TcbInfo tcb_a = parse_tcb_info(a.tcb_info), tcb_b = parse_tcb_info(b.tcb_info);
  const QeIdentity qe_a = parse_qe_identity(a.qe_identity), qe_b = parse_qe_identity(b.qe_identity);
  return tcb_a.evaluation_number < tcb_b.evaluation_number || tcb_a.issued < tcb_b.issued ||
         qe_a.evaluation_number < qe_b.evaluation_number || qe_a.issued < qe_b.issued ||
         crl(a.root_ca_crl) < crl(b.root_ca_crl) || crl(a.pck_crl) < crl(b.pck_crl);
}

}  // namespace

int64_t collateral_expiry(const Collateral& c) {
  return std::min({RevocationList::from_der(c.root_ca_crl).next_update(),
                   RevocationList::from_der(c.pck_crl).next_update(),
                   parse_tcb_info(c.tcb_info).next_update,
                   parse_qe_identity(c.qe_identity).next_update});
}

Collateral CollateralSource::get(const Quote& quote, int64_t unix_time) {
  std::vector<Certificate> chain = parse_pem_chain(quote.pck_chain, 3);
  if (chain.size() != 3) {
    throw Error(ErrorCode::kBadInput, "quote: no complete PCK chain",
                "the platform must put its PCK certificate chain into the quote");
  }
  std::string fmspc = to_hex(pck_extension(chain[0]).fmspc.bytes);
  bool platform = chain[1].common_name().find("Platform") != std::string::npos;
  std::string ca = platform ? "platform" : "processor";
  std::filesystem::path file;
  if (!options_.cache_dir.empty()) file = options_.cache_dir / (fmspc + "-" + ca + ".json");

  std::optional<Cached> cached = read_cache(file);
  bool usable = cached && unix_time <= collateral_expiry(cached->collateral);
  bool fresh = usable && unix_time - cached->fetched < options_.refresh_after;
  if (fresh || (usable && options_.offline)) return cached->collateral;
  if (options_.offline) {
    throw Error(ErrorCode::kNetwork,
                cached ? "the cached collateral of FMSPC " + fmspc + " has expired"
                       : "no collateral of FMSPC " + fmspc + " is cached",
                "run once with network access, or pass a collateral file");
  }
  try {
    Collateral out = fetch(fmspc, ca);
    if (usable && older(out, cached->collateral)) {
      log::warn("{} answers with older collateral than before; the newer is kept",
                net::printable_url(options_.url));
      return cached->collateral;
    }
    write_cache(file, out, unix_time);
    return out;
  } catch (const Error& error) {
    if (!usable) throw;
    log::warn("using cached collateral: {}", error.what());
    return cached->collateral;
  }
}

net::HttpResponse CollateralSource::request(const std::string& url) {
  net::HttpRequest request;
  request.url = url;
  request.timeout_ms = options_.timeout_ms;
  request.max_body = kMaxAnswer;
  net::HttpResponse response = options_.ca_file.empty()
                                   ? http_.send(request)
                                   : net::exchange(request, {.ca_file = options_.ca_file});
  if (!response.ok()) {
    throw Error(ErrorCode::kNetwork,
                net::printable_url(url) + " answers HTTP " + std::to_string(response.status),
                response.status == 404 ? "the service does not know this machine's FMSPC"
                                       : "try later, or use another PCCS");
  }
  return response;
}

Collateral CollateralSource::fetch(const std::string& fmspc, const std::string& ca) {
  const std::string sgx = options_.url + "/sgx/certification/v4/";
  const std::string tdx = options_.url + "/tdx/certification/v4/";
  Collateral out;

  std::string url = sgx + "pckcrl?ca=" + ca + "&encoding=der";
  net::HttpResponse answer = request(url);
  out.pck_crl = der_of(answer.body);
  out.pck_crl_issuer_chain = chain_header(answer, "sgx-pck-crl-issuer-chain", url);

  url = tdx + "tcb?fmspc=" + fmspc;
  answer = request(url);
  SignedDocument document = split_signed_document(answer.body, "tcbInfo");
  out.tcb_info = document.text;
  out.tcb_info_signature = document.signature;
  out.tcb_info_issuer_chain = chain_header(answer, "tcb-info-issuer-chain", url);

  url = tdx + "qe/identity";
  answer = request(url);
  document = split_signed_document(answer.body, "enclaveIdentity");
  out.qe_identity = document.text;
  out.qe_identity_signature = document.signature;
  out.qe_identity_issuer_chain = chain_header(answer, "sgx-enclave-identity-issuer-chain", url);

  out.root_ca_crl = der_of(
      request(options_.root_crl_url.empty() ? sgx + "rootcacrl" : options_.root_crl_url).body);
  return out;
}

}  // namespace ffe::tee
