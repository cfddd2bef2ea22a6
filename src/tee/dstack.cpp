// dstack's guest agent: POST /GetQuote {"report_data":"<hex>"} over a Unix socket.
#include <array>
#include <cstdlib>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "net/http_client.hpp"
#include "tee/provider.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kMaxAnswer = 16u << 20;
constexpr std::array<const char*, 3> kSockets = {"/var/run/dstack.sock", "/run/dstack.sock",
                                                 "/var/run/dstack/dstack.sock"};

std::string default_endpoint() {
  const char* set = std::getenv("DSTACK_SIMULATOR_ENDPOINT");
  if (set != nullptr && *set != '\0') return set;
  for (const char* path : kSockets) {
    if (std::filesystem::exists(path)) return path;
  }
  throw Error(ErrorCode::kUnsupported, "no dstack guest agent: none of its sockets exists",
              "mount /var/run/dstack.sock into the container, or name the endpoint");
}

class Dstack final : public EvidenceProvider {
 public:
  explicit Dstack(DstackOptions options) : options_(std::move(options)) {
    if (options_.endpoint.empty()) options_.endpoint = default_endpoint();
  }

  std::string name() const override { return "dstack"; }

  Evidence quote(const FixedBytes<64>& report_data) override {
    const std::string what = "answer of the dstack guest agent";
    Json request = {{"report_data", to_hex(report_data.bytes)}};
    Json answer = parse_json(post("/GetQuote", request.dump()), what, {.max_bytes = kMaxAnswer});
    Evidence out;
    out.provider = name();
    out.quote = from_hex(json_string(answer, "quote", what));
    out.event_log_format = EventLogFormat::kDstack;
    std::string log = json_string(answer, "event_log", what);
    out.event_log.assign(log.begin(), log.end());
    check_evidence(out, report_data);
    return out;
  }

 private:
  std::string post(const std::string& path, std::string body) {
    bool is_url = options_.endpoint.starts_with("http://");
    net::HttpRequest request;
    request.method = "POST";
    request.url = (is_url ? options_.endpoint : "http://dstack") + path;
    if (!is_url) request.unix_socket = options_.endpoint;
    request.headers = {{"content-type", "application/json"}};
    request.body = std::move(body);
    request.timeout_ms = options_.timeout_ms;
    request.max_body = kMaxAnswer;
    net::HttpResponse response = http_.send(request);
    if (!response.ok()) {
      throw Error(ErrorCode::kNetwork,
                  "the dstack guest agent at " + options_.endpoint + " answers HTTP " +
                      std::to_string(response.status),
                  "it must be version 0.5 or newer; older ones speak another protocol");
    }
    return response.body;
  }

  DstackOptions options_;
  net::HttpClient http_;
};

}  // namespace

std::unique_ptr<EvidenceProvider> dstack_provider(DstackOptions options) {
  return std::make_unique<Dstack>(std::move(options));
}

}  // namespace ffe::tee
