// JSON-RPC 2.0 over HTTP: the client.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "net/http_client.hpp"

namespace ffe::net {

// The peer answered with an error object. Its message names method and URL.
class JsonRpcError : public Error {
 public:
  JsonRpcError(const std::string& message, int64_t rpc_code, std::string rpc_message, Json data)
      : Error(ErrorCode::kNetwork, message),
        rpc_code(rpc_code),
        rpc_message(std::move(rpc_message)),
        data(std::move(data)) {}

  int64_t rpc_code;
  std::string rpc_message;  // the peer's own words, cut at 2 000 bytes
  Json data;                // null if the peer sent none
};

struct JsonRpcOptions {
  std::vector<std::pair<std::string, std::string>> headers = {};
  int connect_timeout_ms = 10'000;
  int timeout_ms = 60'000;
  size_t max_body = size_t{64} << 20;
  std::string unix_socket = {};
  std::shared_ptr<HttpClient> http = {};  // shared connections; own ones if null
};

// Thread-safe; copies share their connections. Sends each call once: whether to try again is for
// the caller to decide.
class JsonRpcClient {
 public:
  using Options = JsonRpcOptions;

  explicit JsonRpcClient(std::string url, Options options = {});

  // The `result`. Throws JsonRpcError for an error object (also under an HTTP error status), else
  // Error{kNetwork}: no answer, an HTTP status other than 2xx, not JSON-RPC, another id.
  Json call(std::string_view method, Json params = Json::array());

  struct Call {
    std::string method;
    Json params = Json::array();
  };
  struct Outcome {
    Json result;                        // when there is no error
    std::optional<JsonRpcError> error;  // of this call alone
  };
  // All calls in one request; outcomes in their order. An empty list sends nothing.
  std::vector<Outcome> batch(const std::vector<Call>& calls);

  const std::string& url() const { return url_; }

 private:
  HttpResponse post(const Json& request, std::string_view what);

  std::string url_;
  Options options_;
  std::shared_ptr<HttpClient> http_;
  std::shared_ptr<std::atomic<uint64_t>> next_id_;
};

}  // namespace ffe::net
