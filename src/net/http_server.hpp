// An HTTP/1.1 server for local services (cpp-httplib).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ffe::net {

// One part of a multipart/form-data body.
struct FormPart {
  std::string filename;  // as the peer named it: no path to use
  std::string content;
};

struct ServerRequest {
  std::string method;
  std::string path;                            // decoded, without the query
  std::map<std::string, std::string> query;    // of a repeated name, the first
  std::map<std::string, std::string> headers;  // keys in lower case; of a repeated one, the first
  std::string body;                            // empty for multipart/form-data
  std::map<std::string, FormPart> form;        // its parts; of a repeated name, the first
  std::string remote;                          // the peer's IP address
  std::vector<std::string> captures;           // groups of a regex route, the first at [0]
};

// A body that is written while it arises (server-sent events, large files).
class ServerStream {
 public:
  virtual ~ServerStream() = default;
  // False once the peer is gone or the server stops: end the stream then.
  virtual bool write(std::string_view data) = 0;
  virtual bool open() const = 0;
  // True once the peer has closed its side as well: for work that is worth nothing unless somebody
  // waits for it. (Who only ends its own sending looks the same; few clients do.)
  virtual bool abandoned() const = 0;
};

struct ServerResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  // If set, it is called after the headers went out (chunked) and `body` is ignored.
  std::function<void(ServerStream&)> stream = {};
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;                       // 0: the system picks one
  size_t max_body = size_t{8} << 20;  // larger requests get 413
  size_t threads = 16;                // each serves one connection at a time
  int read_timeout_ms = 15'000;       // for a request's head; then, for each silence in its body
  int request_timeout_ms = 120'000;   // until a request has arrived whole
  int write_timeout_ms = 15'000;      // for each silence of a peer that takes its answer
  int keep_alive_ms = 10'000;  // between requests; at once if other connections wait for a thread
  bool cors = false;           // answer any web origin, OPTIONS preflights included
};

// Answers 404 where nothing is registered, 405 for another method of a known path, 413 and 414 for
// what is too large, 415 for compressed bodies, 500 when a handler throws (its message goes to the
// log, not to the peer). Error bodies are {"error":"…"}. Ranges are not served.
class HttpServer {
 public:
  using Options = HttpServerOptions;
  using Handler = std::function<ServerResponse(const ServerRequest&)>;

  explicit HttpServer(Options options = {});
  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Register before start(). Handlers run on several threads at once.
  void handle(std::string method, std::string path, Handler handler);
  // The whole path must match the ECMAScript pattern. Exact paths go first, then in this order.
  void handle_regex(std::string method, const std::string& pattern, Handler handler);

  // Binds, serves in the background and returns the port. Throws Error{kIo}: "port N is in use".
  int start();
  // Ends open streams, waits for running handlers. May be called twice, and from any thread that is
  // not a handler.
  void stop();
  int port() const;         // 0 before start()
  std::string url() const;  // "http://127.0.0.1:port"

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::net
