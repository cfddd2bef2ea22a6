// JSON-RPC 2.0 over HTTP: the server's dispatcher (single calls, notifications, batches).
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "net/http_server.hpp"

namespace ffe::net {

inline constexpr int kRpcParseError = -32700;
inline constexpr int kRpcInvalidRequest = -32600;
inline constexpr int kRpcMethodNotFound = -32601;
inline constexpr int kRpcInvalidParams = -32602;
inline constexpr int kRpcInternalError = -32603;
inline constexpr int kRpcServerError = -32000;

// Thrown by a method: becomes the error object of the answer. `data` is left out if null.
class RpcFault : public std::runtime_error {
 public:
  RpcFault(int code, const std::string& message, Json data = nullptr)
      : std::runtime_error(message), code(code), data(std::move(data)) {}

  int code;
  Json data;
};

struct JsonRpcServerOptions {
  size_t max_batch = 100;
  JsonLimits limits = {};
};

// Answers with HTTP 200 whatever happened (204 if there is nothing to say: notifications only), and
// repeats each id exactly as it was written. From a method: an ffe::Error kBadInput becomes −32602,
// other Errors −32000 with their message, anything else −32603 "internal error" and a log line.
class JsonRpcServer {
 public:
  using Options = JsonRpcServerOptions;
  // `params` is an array or an object; an empty array if the peer sent none or null.
  using Method = std::function<Json(const Json& params)>;

  explicit JsonRpcServer(Options options = {}) : options_(options) {}

  // Register before serving; methods run on several threads at once.
  void on(std::string method, Method fn);

  // The body to answer `request` with; empty if there is nothing to say.
  std::string answer(std::string_view request) const;

  // Serves POST on `path`. This object must outlive the server's run.
  void attach(HttpServer& server, std::string path = "/") const;

 private:
  std::string answer_one(const Json& call, std::string raw_id) const;
  std::string invoke(const Json& call, const std::string& raw_id) const;

  Options options_;
  std::map<std::string, Method, std::less<>> methods_;
};

}  // namespace ffe::net
