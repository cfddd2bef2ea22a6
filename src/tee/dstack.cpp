// dstack's guest agent, JSON over a Unix socket: POST /GetQuote {"report_data":"<hex>"}, and POST
// /GetKey {"path","purpose","algorithm"} of its key service.
#include <array>
#include <cstdlib>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "net/http_client.hpp"
#include "tee/provider.hpp"
#include "tee/sealer.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kMaxAnswer = 16u << 20;
constexpr std::array<const char*, 3> kSockets = {"/var/run/dstack.sock", "/run/dstack.sock",
                                                 "/var/run/dstack/dstack.sock"};
constexpr std::string_view kSealContext = "ffe/dstack/seal/v1";
constexpr const char* kWhat = "answer of the dstack guest agent";

class Agent {
 public:
  explicit Agent(DstackOptions options) : options_(std::move(options)) {
    if (options_.endpoint.empty()) options_.endpoint = find_dstack();
    if (options_.endpoint.empty()) {
      throw Error(ErrorCode::kUnsupported, "no dstack guest agent: none of its sockets exists",
                  "mount /var/run/dstack.sock into the container, or name the endpoint");
    }
  }

  Json ask(const std::string& path, const Json& question) {
    bool is_url = options_.endpoint.starts_with("http://");
    net::HttpRequest request;
    request.method = "POST";
    request.url = (is_url ? options_.endpoint : "http://dstack") + path;
    if (!is_url) request.unix_socket = options_.endpoint;
    request.headers = {{"content-type", "application/json"}};
    request.body = question.dump();
    request.timeout_ms = options_.timeout_ms;
    request.max_body = kMaxAnswer;
    net::HttpResponse response = http_.send(request);
    if (!response.ok()) {
      throw Error(ErrorCode::kNetwork,
                  "the dstack guest agent at " + options_.endpoint + " answers " + path +
                      " with HTTP " + std::to_string(response.status),
                  "it must be version 0.5 or newer; older ones speak another protocol");
    }
    return parse_json(response.body, kWhat, {.max_bytes = kMaxAnswer});
  }

 private:
  DstackOptions options_;
  net::HttpClient http_;
};

class Dstack final : public EvidenceProvider {
 public:
  explicit Dstack(DstackOptions options) : agent_(std::move(options)) {}

  std::string name() const override { return "dstack"; }

  Evidence quote(const FixedBytes<64>& report_data) override {
    Json answer = agent_.ask("/GetQuote", {{"report_data", to_hex(report_data.bytes)}});
    Evidence out;
    out.provider = name();
    out.quote = from_hex(json_string(answer, "quote", kWhat));
    out.event_log_format = EventLogFormat::kDstack;
    std::string log = json_string(answer, "event_log", kWhat);
    out.event_log.assign(log.begin(), log.end());
    check_evidence(out, report_data);
    return out;
  }

 private:
  Agent agent_;
};

}  // namespace

std::string find_dstack() {
  const char* set = std::getenv("DSTACK_SIMULATOR_ENDPOINT");
  if (set != nullptr && *set != '\0') return set;
  for (const char* path : kSockets) {
    if (std::filesystem::exists(path)) return path;
  }
  return {};
}

std::unique_ptr<EvidenceProvider> dstack_provider(DstackOptions options) {
  return std::make_unique<Dstack>(std::move(options));
}

std::unique_ptr<PlatformSealer> dstack_sealer(DstackOptions options) {
  Json answer =
      Agent(std::move(options))
          .ask("/GetKey",
               {{"path", "ffe/journal"}, {"purpose", "ffe-seal"}, {"algorithm", "secp256k1"}});
  std::string text = json_string(answer, "key", kWhat);
  Bytes key = from_hex(text);
  wipe(text.data(), text.size());
  if (key.size() != 32) {
    throw Error(ErrorCode::kBadInput, std::string(kWhat) + ": the key has not 32 bytes",
                "the agent speaks another protocol or version");
  }
  SecretBytes seal = crypto::hkdf_sha256(key, {}, as_bytes(kSealContext), 32);
  wipe(key.data(), key.size());
  return std::make_unique<KeySealer>(std::move(seal), std::string(kSealContext));
}

}  // namespace ffe::tee
