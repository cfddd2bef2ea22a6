// HTTP exchanges whose transport is not the usual one.
#pragma once

#include <filesystem>

#include "net/http_client.hpp"

namespace ffe::net {

struct HttpTransport {
  bool http2 = false;                  // HTTP/2; over http:// by prior knowledge (gRPC needs it)
  std::filesystem::path ca_file = {};  // PEM: trust these authorities instead of the system's
};

// As HttpClient::send, on a connection of its own. With HTTP/2 the answer's trailers are among its
// headers.
HttpResponse exchange(const HttpRequest& request, const HttpTransport& transport);

}  // namespace ffe::net
