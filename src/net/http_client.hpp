// HTTP/1.1 and HTTPS requests (libcurl).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ffe::net {

struct HttpRequest {
  std::string method = "GET";
  std::string url = {};  // http:// or https://
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  int connect_timeout_ms = 10'000;
  int timeout_ms = 60'000;             // for the whole exchange; 0 = no limit
  int idle_timeout_ms = 0;             // longest silence of the peer, to the second; 0 = no limit
  size_t max_body = size_t{64} << 20;  // of the answer
  std::string unix_socket = {};        // connect to this path instead of the URL's host
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // keys in lower case; repeated ones joined by ", "
  std::string body;

  bool ok() const { return status >= 200 && status < 300; }
};

// Receives the body of a 2xx answer piece by piece; false ends the transfer with an Error.
using BodySink = std::function<bool(std::string_view)>;

// Thread-safe. Keeps connections open and reuses them, so make one and share it. Never follows
// redirects; verifies certificates against the system's authorities.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any HTTP status is an answer, not an error. Throws Error{kNetwork} that names the URL (without
  // its user part and query) when there is no answer, it breaks off, is too large or too late;
  // Error{kUsage} for a URL that is neither http nor https.
  HttpResponse send(const HttpRequest& request);

  // As above, but the body of a 2xx answer goes to `sink` (still at most max_body bytes). An
  // exception of the sink ends the transfer and comes out here.
  HttpResponse send(const HttpRequest& request, const BodySink& sink);

 private:
  class Pool;

  HttpResponse run(const HttpRequest& request, const BodySink* sink);

  std::unique_ptr<Pool> pool_;
};

// `url` as error messages and logs show it: without user, password, query and fragment.
std::string printable_url(std::string_view url);

}  // namespace ffe::net
