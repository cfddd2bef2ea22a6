// What the provider's two services answer with.
#pragma once

#include <stdexcept>
#include <string>

#include "base/json.hpp"
#include "net/http_server.hpp"

namespace ffe::provider {

// Ends a request with an error of this status.
struct Refusal : std::runtime_error {
  Refusal(int code, const std::string& what) : std::runtime_error(what), status(code) {}
  int status;
};

inline net::ServerResponse json(int status, const Json& body) {
  net::ServerResponse response;
  response.status = status;
  response.body = body.dump();
  return response;
}

}  // namespace ffe::provider
