#include <algorithm>
#include <ctime>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "client/client.hpp"
#include "client/release.hpp"
#include "crypto/keccak.hpp"
#include "tee/binding.hpp"
#include "tee/collateral_source.hpp"
#include "tee/evidence.hpp"
#include "tee/tapp.hpp"

namespace ffe::client {
namespace {

using tee::Check;

// Links are judged in order; after the first failure the rest are not evaluated.
class Chain {
 public:
  explicit Chain(std::vector<Check>& links, bool intact) : links_(links), intact_(intact) {}

  void link(std::string name, bool holds, std::string detail, std::string advice) {
    Check check;
    check.name = std::move(name);
    if (intact_) {
      check.state = holds ? Check::passed : Check::failed;
      check.detail = std::move(detail);
      if (!holds) check.advice = std::move(advice);
      intact_ = holds;
    }
    links_.push_back(std::move(check));
  }

 private:
  std::vector<Check>& links_;
  bool intact_;
};

std::string short_hex(const H256& h) {
  return to_hex0x(h.bytes);
}

// Whether the quote is about this signer and this ext.
bool binds(const tee::Evidence& evidence, const tee::Quote& quote, const Address& signer,
           ByteView ext) {
  if (evidence.runtime_data.empty()) {
    return tee::report_data(signer, ext) == quote.td.report_data;
  }
  // That the text is the one the quote was made over is a check of its own.
  const tee::TappRuntimeData says = tee::parse_tapp_runtime_data(evidence.runtime_data);
  return says.signer == signer && std::ranges::equal(says.nonce, crypto::keccak256(ext).bytes);
}

std::optional<ContributionLimits> limits_from(const Json& answer, const std::string& url) {
  if (!answer.contains("limits")) return std::nullopt;  // the operator need not say
  const Json& limits = answer["limits"];
  return ContributionLimits{json_uint(limits, "contributionBytes", url),
                            json_uint(limits, "sessionBytes", url)};
}

// Which release this code is, as a sentence; empty if none.
std::string release_of(const Network& network, const H256& code, bool simulated) {
  for (const Release& release : published_releases()) {
    if (release.code_hash == code && (release.platform == "simulator") == simulated) {
      return "the code is release " + release.version + ", commit " + release.commit;
    }
  }
  if (std::ranges::count(network.releases, code) == 0) return {};
  return "the code is a release that the network file names";
}

}  // namespace

uint64_t ContributionLimits::each_of(size_t participants) const {
  return std::min(contribution, session / participants);
}

bool EnclaveVerification::accepted() const {
  return quote.accepted &&
         std::ranges::all_of(links, [](const Check& c) { return c.state == Check::passed; });
}

void EnclaveVerification::require() const {
  quote.require();
  for (const Check& c : links) {
    if (c.state == Check::failed) {
      throw Error(ErrorCode::kAttestation, c.name + ": " + c.detail, c.advice);
    }
  }
}

Client::OnChain Client::on_chain(const H256& id) {
  OnChain out;
  out.older = registry_.registration_transactions(id);
  while (!out.older.empty()) {
    auto read = registry_.registration(out.older.front());
    out.older.erase(out.older.begin());
    if (!read) continue;
    out.newest = std::move(*read);
    return out;
  }
  throw Error(ErrorCode::kAttestation, "enclave " + to_hex0x(id.bytes) + " is not registered",
              "do not encrypt to it; ask the opener for a session with a registered enclave");
}

Bytes Client::whole_quote(const OnChain& chain) {
  const Bytes& quote = chain.newest.quote;
  if (tee::cut_quote(quote).size() < quote.size()) return quote;
  for (const H256& tx : chain.older) {
    const auto earlier = registry_.registration(tx);
    if (!earlier || tee::cut_quote(earlier->quote).size() == earlier->quote.size()) continue;
    try {
      return tee::complete_quote(quote, earlier->quote);
    } catch (const Error&) {
      continue;  // by another key
    }
  }
  throw Error(ErrorCode::kAttestation, "nothing on chain vouches for the newest quote's key",
              "ask the operator to register the enclave again, with its certificates");
}

// What the quote's report data is about: spelled out by a registration, told in parts by a renewal.
Bytes Client::ext_of(const session::Registry::Registration& newest, const Address& signer) {
  if (!newest.ext.empty()) return newest.ext;
  const auto block = rpc_.block(newest.block_number);
  if (!block) {
    throw Error(
        ErrorCode::kNetwork,
        "block " + std::to_string(newest.block_number) + " is not known at " + network_.rpc_url,
        "use a provider that keeps old blocks");
  }
  return tee::enclave_ext(network_.chain_id, network_.registry, signer, newest.app_hash,
                          newest.block_number, block->hash);
}

EnclaveVerification Client::verify_enclave(const H256& id, const session::SessionTerms* terms) {
  EnclaveVerification out;
  out.enclave_id = id;
  session::EnclaveRecord record = registry_.enclave(id);
  const OnChain known = on_chain(id);
  out.signer = record.signer;
  out.code_hash = record.code_hash;

  tee::Policy policy = network_.development_root ? tee::Policy::development() : tee::Policy{};
  tee::TrustAnchor anchor = network_.development_root
                                ? tee::development_root(*network_.development_root)
                                : tee::intel_root();
  // The quote is the newest one on chain; its operator adds what the chain does not hold.
  OperatorsPart theirs = ask_operator(id, known);
  const tee::Quote quote = tee::parse_quote(theirs.evidence.quote);
  auto guard = tee::file_rollback_guard(data_dir() / "attestation.json");
  out.quote = tee::verify(theirs.evidence, theirs.collateral, anchor, std::time(nullptr), policy,
                          guard.get());
  out.simulated = out.quote.simulated;
  out.limits = theirs.limits;

  Chain chain(out.links, out.quote.accepted);
  const Bytes ext_bytes = ext_of(known.newest, record.signer);
  const tee::EnclaveExt ext = tee::parse_enclave_ext(ext_bytes);
  chain.link("binding",
             binds(theirs.evidence, quote, record.signer, ext_bytes) &&
                 ext.signer == record.signer && ext.registry == network_.registry &&
                 ext.chain_id == network_.chain_id,
             "the quote names signer " + crypto::checksum_address(ext.signer) + " for chain " +
                 std::to_string(ext.chain_id),
             "the quote belongs to another enclave, registry or chain: refuse it");
  // Where the registry knows the platform alone, the event log says which application runs there.
  const bool from_log = !theirs.evidence.runtime_data.empty();
  const std::optional<H256> code =
      from_log ? out.quote.code_hash : std::optional(tee::workload_id(quote));
  chain.link("code", code == record.code_hash && tee::enclave_id(record.signer, *code) == id,
             code ? "measured code " + short_hex(*code)
                  : "no event log came with the quote, so nothing says which application runs",
             code ? "the registry holds another code hash than the quote proves: refuse it"
                  : "ask the operator to serve the event log of this quote");
  // Where RTMR3 grows the event log names the code; otherwise the registers do.
  const H256 measured = out.quote.code_hash.value_or(code.value_or(H256{}));
  std::string release = release_of(network_, measured, out.simulated);
  chain.link(
      "release", !release.empty(),
      release.empty() ? "the code " + short_hex(measured) + " is no published release" : release,
      "update this client, or ask the operator which release runs there");
  chain.link("registry",
             record.status == session::EnclaveStatus::kActive &&
                 record.development == network_.development_root.has_value(),
             "the registration is " + std::string(session::name(record.status)),
             record.status == session::EnclaveStatus::kExpired
                 ? "wait until the operator renews it, or use another enclave"
                 : "use another enclave");
  if (terms != nullptr) {
    chain.link("terms", terms->enclave_id == id && terms->code_hash == code,
               "the session's terms name this enclave and this code",
               "the session was opened for another enclave or other code: do not submit");
  }
  return out;
}

Client::OperatorsPart Client::ask_operator(const H256& enclave_id, const OnChain& chain) {
  std::optional<OperatorsPart> said;
  std::string why = "no enclave service is configured";
  for (const std::string& url : network_.enclave_urls) {
    try {
      const Json answer = ask_enclave(url, "/v1/enclave");
      if (h256_from_hex(json_string(answer, "enclaveId", url)) != enclave_id) continue;
      said = OperatorsPart{tee::evidence_from_json(answer),
                           tee::collateral_from_json(json_member(answer, "collateral", url)),
                           limits_from(answer, url)};
      break;
    } catch (const Error& e) {
      why = e.what();
    }
  }
  if (!said && network_.development_root) {
    throw Error(ErrorCode::kNetwork, "no collateral for the enclave's quote: " + why,
                "check enclaveUrls in the network file");
  }
  OperatorsPart out = said.value_or(OperatorsPart{});
  // A log belongs to one quote. That of another is left out, and the quote stands alone.
  if (!tee::same_quote(out.evidence.quote, chain.newest.quote)) out.evidence = {};
  if (out.evidence.quote.empty()) out.evidence.quote = whole_quote(chain);
  out.evidence.runtime_data = chain.newest.runtime_data;
  if (!said) {
    tee::CollateralSource intel({.cache_dir = cache_dir() / "collateral"});
    out.collateral = intel.get(tee::parse_quote(out.evidence.quote), std::time(nullptr));
  }
  return out;
}

Json Client::ask_enclave(const std::string& url, const std::string& path, const Json* body) {
  net::HttpRequest request;
  request.url = url + path;
  request.max_body = 4 << 20;
  if (body != nullptr) {
    request.method = "POST";
    request.headers = {{"content-type", "application/json"}};
    request.body = body->dump();
  }
  net::HttpResponse response = http_.send(request);
  Json answer = parse_json(response.body, url + path);
  if (response.ok()) return answer;
  if (answer.is_object() && answer.contains("error") && answer["error"].is_object()) {
    const Json& e = answer["error"];
    throw Error(ErrorCode::kSession, "the enclave refused: " + e.value("message", "no reason"),
                e.value("hint", ""));
  }
  throw Error(ErrorCode::kNetwork,
              url + path + " answered with HTTP status " + std::to_string(response.status));
}

Json Client::enclave_status(const evm::U256& session_id) {
  for (const std::string& url : network_.enclave_urls) {
    try {
      net::HttpRequest request;
      request.url = url + "/v1/sessions/" + session_id.to_string();
      request.timeout_ms = 5'000;  // nobody waits long for what is only good to know
      const net::HttpResponse response = http_.send(request);
      if (response.ok()) return parse_json(response.body, request.url);
    } catch (const Error&) {
      continue;  // another service may run this session
    }
  }
  return nullptr;
}

}  // namespace ffe::client
