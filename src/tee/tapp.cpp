#include "tee/tapp.hpp"

#include <charconv>

#include "base/hex.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "tee/event_log.hpp"
#include "tee/protobuf.hpp"
#include "tee/sealer.hpp"

namespace ffe::tee {
namespace {

constexpr const char* kSocket = "/run/tapp/tapp.sock";
constexpr const char* kService = "tapp_service.TappService/";
constexpr size_t kMaxEvidence = 4u << 20;
constexpr int kAttempts = 5;
constexpr std::string_view kSealContext = "ffe/tapp/seal/v1";

Bytes base64_member(const Json& json, const char* key) {
  try {
    return from_base64(json_string(json, key, "Tapp evidence"));
  } catch (const Error& error) {
    throw Error(ErrorCode::kBadInput, std::string("Tapp evidence: ") + key + ": " + error.what(),
                "fetch the evidence again");
  }
}

bool has_text(const Json& json, const char* key) {
  auto at = json.find(key);
  return at != json.end() && at->is_string() && !at->get_ref<const std::string&>().empty();
}

// An endpoint that was not named must exist, or the error of the socket's absence says little.
TappOptions filled(TappOptions options) {
  if (options.app_id.empty()) {
    throw Error(ErrorCode::kUsage, "the Tapp application's id is missing",
                "name it: enclave.app_id in the configuration");
  }
  if (!options.endpoint.empty()) return options;
  if (!std::filesystem::exists(kSocket)) {
    throw Error(ErrorCode::kUnsupported, std::string("no Tapp service: ") + kSocket + " is absent",
                "mount it into the container, or name the endpoint");
  }
  options.endpoint = kSocket;
  return options;
}

// The two leading numbers of a version text.
bool older_than_0_4(const std::string& version) {
  size_t dot = version.find('.');
  unsigned major = 0, minor = 0;
  const char* text = version.data();
  if (dot == std::string::npos || std::from_chars(text, text + dot, major).ptr != text + dot ||
      std::from_chars(text + dot + 1, text + version.size(), minor).ec != std::errc()) {
    throw Error(ErrorCode::kUnsupported,
                "Tapp service of unknown version \"" + version.substr(0, 20) + "\"",
                "versions 0.3 to 0.9 are known");
  }
  return major == 0 && minor < 4;
}

class Tapp final : public EvidenceProvider {
 public:
  explicit Tapp(const TappOptions& options) : client_(options), tsm_(options.tsm) {
    if (std::filesystem::exists(tsm_.root)) quotes_ = configfs_provider(tsm_);
  }

  std::string name() const override { return "tapp"; }

  Evidence quote(const FixedBytes<64>& report_data) override {
    if (quotes_) return quote_beside(report_data);
    bool chosen = client_.takes_report_data();
    // Newer services hash a text of their own; the binding's hash then travels as its nonce.
    ByteView nonce =
        chosen ? ByteView(report_data.bytes) : ByteView(report_data.bytes).subspan(20, 32);
    Evidence out = parse_tapp_evidence(client_.evidence(nonce));
    check_evidence(out, report_data);
    return out;
  }

  std::optional<SecretBytes> signing_key() override {
    // Where the container sees configfs the quote names our own key directly.
    if (quotes_) return std::nullopt;
    return client_.app_key();
  }

 private:
  // The TD's quote from configfs with the service's log; the log may grow between the two.
  Evidence quote_beside(const FixedBytes<64>& report_data) {
    for (int attempt = 1;; ++attempt) {
      Evidence out = quotes_->quote(report_data);
      Bytes nonce(16);
      crypto::random_bytes(nonce);
      Evidence theirs = parse_tapp_evidence(client_.evidence(nonce));
      out.provider = name();
      out.event_log = std::move(theirs.event_log);
      out.event_log_format = theirs.event_log_format;
      try {
        check_replay(parse_event_log(out.event_log_format, out.event_log),
                     parse_quote(out.quote).td);
        return out;
      } catch (const Error&) {
        if (attempt == kAttempts) throw;
      }
    }
  }

  TappClient client_;
  ConfigfsOptions tsm_;
  std::unique_ptr<EvidenceProvider> quotes_;
};

}  // namespace

Evidence parse_tapp_evidence(std::string_view text) {
  Json json = parse_json(text, "Tapp evidence", {.max_bytes = kMaxEvidence});
  Evidence out;
  out.provider = "tapp";
  out.quote = base64_member(json, "quote");
  if (has_text(json, "cc_eventlog")) {
    out.event_log = base64_member(json, "cc_eventlog");
    out.event_log_format = EventLogFormat::kCcel;
  }
  if (has_text(json, "runtime_data")) out.runtime_data = base64_member(json, "runtime_data");
  return out;
}

TappRuntimeData parse_tapp_runtime_data(ByteView text) {
  const std::string what = "Tapp runtime data";
  Json json = parse_json(as_text(text), what, {.max_bytes = 4096});
  TappRuntimeData out;
  out.nonce = from_hex(json_string(json, "nonce", what));
  out.signer = address_from_hex(json_string(json, "signer", what));
  return out;
}

TappClient::TappClient(TappOptions options)
    : options_(filled(std::move(options))), channel_(options_.endpoint, options_.timeout_ms) {}

SecretBytes TappClient::call(const char* method, ByteView request) {
  SecretBytes answer = channel_.call(std::string(kService) + method, request);
  ProtoReader fields(answer.view(), method);
  if (!fields.boolean(1)) {
    throw Error(
        ErrorCode::kFailed,
        std::string("the Tapp service refuses ") + method + ": " + fields.text(2).substr(0, 300),
        "see the service's log on that machine");
  }
  return answer;
}

std::string TappClient::version() {
  if (version_.empty()) {
    // The one answer without success and message: {config=1?, version=4}.
    SecretBytes answer = channel_.call(std::string(kService) + "GetTappInfo", {});
    version_ = ProtoReader(answer.view(), "GetTappInfo").text(4);
  }
  return version_;
}

bool TappClient::takes_report_data() {
  return older_than_0_4(version());
}

std::string TappClient::evidence(ByteView nonce) {
  ProtoWriter request;
  if (takes_report_data()) {
    request.bytes(1, nonce);
  } else {
    request.text(1, options_.app_id).bytes(2, nonce);
  }
  SecretBytes answer = call("GetEvidence", request.done());
  ProtoReader fields(answer.view(), "GetEvidence");
  if (std::string kind = fields.text(4); !kind.empty() && kind != "tdx") {
    throw Error(ErrorCode::kUnsupported, "Tapp evidence of kind \"" + kind.substr(0, 20) + "\"",
                "only Intel TDX is supported");
  }
  return fields.text(3);
}

SecretBytes TappClient::app_key() {
  SecretBytes answer =
      call("GetAppSecretKey", ProtoWriter().text(1, options_.app_id).text(2, "ethereum").done());
  ByteView key = ProtoReader(answer.view(), "GetAppSecretKey").bytes(3);
  if (key.size() != 32) {
    throw Error(ErrorCode::kBadInput,
                "GetAppSecretKey: the key has " + std::to_string(key.size()) + " bytes, not 32",
                "the service speaks another protocol or version");
  }
  return SecretBytes(key);
}

SecretBytes TappClient::secret_resource(std::string_view label) {
  SecretBytes answer =
      call("GetSecretResource",
           ProtoWriter().text(1, options_.app_id).text(2, to_hex(as_bytes(label))).done());
  ByteView secret = ProtoReader(answer.view(), "GetSecretResource").bytes(3);
  if (secret.size() < 32) {
    throw Error(ErrorCode::kBadInput,
                "GetSecretResource: only " + std::to_string(secret.size()) + " bytes of secret",
                "the service speaks another protocol or version");
  }
  return SecretBytes(secret);
}

std::unique_ptr<EvidenceProvider> tapp_provider(TappOptions options) {
  return std::make_unique<Tapp>(std::move(options));
}

std::unique_ptr<PlatformSealer> tapp_sealer(TappOptions options) {
  SecretBytes secret = TappClient(std::move(options)).secret_resource(kSealContext);
  return std::make_unique<KeySealer>(
      crypto::hkdf_sha256(secret.view(), {}, as_bytes(kSealContext), 32),
      std::string(kSealContext));
}

}  // namespace ffe::tee
