#include "net/http_server.hpp"

#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <regex>
#include <sys/socket.h>
#include <thread>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "net/http_connection.hpp"

namespace ffe::net {
namespace {

// std::regex recurses once for each character it matches, so paths are kept short.
constexpr size_t kMaxPath = 1024;

struct Route {
  std::string method;
  std::string path;                 // of exact routes
  std::optional<std::regex> regex;  // of the others
  HttpServer::Handler handler;

  bool matches(const std::string& asked, std::vector<std::string>& captures) const {
    if (!regex) return asked == path;
    std::smatch match;
    if (!std::regex_match(asked, match, *regex)) return false;
    captures.clear();
    for (size_t i = 1; i < match.size(); ++i) captures.push_back(match[i].str());
    return true;
  }
};

ServerResponse error_response(int status, const std::string& what) {
  ServerResponse response;
  response.status = status;
  response.body = Json{{"error", what}}.dump();
  return response;
}

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

ServerRequest convert(const httplib::Request& from) {
  ServerRequest to;
  to.method = from.method;
  to.path = from.path;
  to.query = {from.params.begin(), from.params.end()};
  for (const auto& [name, value] : from.headers) to.headers.emplace(lower(name), value);
  to.body = from.body;
  for (const auto& [name, part] : from.files) {
    to.form.emplace(name, FormPart{part.filename, part.content});
  }
  to.remote = from.remote_addr;
  return to;
}

// httplib's pool, which also tells how many connections wait for a thread.
class Pool final : public httplib::TaskQueue {
 public:
  Pool(size_t threads, std::atomic<int>& waiting) : pool_(threads), waiting_(waiting) {}

  void enqueue(std::function<void()> job) override {
    ++waiting_;
    pool_.enqueue([this, job = std::move(job)] {
      --waiting_;
      job();
    });
  }
  void shutdown() override { pool_.shutdown(); }

 private:
  httplib::ThreadPool pool_;
  std::atomic<int>& waiting_;
};

class Stream final : public ServerStream {
 public:
  Stream(httplib::DataSink& sink, const std::atomic<bool>& stopping,
         const HttpConnection& connection)
      : sink_(sink), stopping_(stopping), connection_(connection) {}

  bool write(std::string_view data) override {
    // An empty chunk would end the body.
    ok_ = ok_ && open() && (data.empty() || sink_.write(data.data(), data.size()));
    return ok_;
  }
  bool open() const override { return ok_ && !stopping_; }
  bool abandoned() const override { return !open() || connection_.peer_closed(); }

 private:
  httplib::DataSink& sink_;
  const std::atomic<bool>& stopping_;
  const HttpConnection& connection_;
  bool ok_ = true;
};

}  // namespace

class HttpServer::Impl final : public httplib::Server {
 public:
  explicit Impl(HttpServerOptions options) : options_(std::move(options)) {
    set_payload_max_length(options_.max_body);
    // Without SO_REUSEPORT, which httplib sets by itself: a port in use must be an error.
    set_socket_options([](socket_t sock) {
      int yes = 1;
      setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    new_task_queue = [this] { return new Pool(std::max<size_t>(1, options_.threads), waiting_); };
    if (options_.cors) set_default_headers({{"Access-Control-Allow-Origin", "*"}});
    set_pre_routing_handler([this](const auto& req, auto& res) { return screen(req, res); });
    set_error_handler([](const httplib::Request&, httplib::Response& res) {
      if (res.body.empty())
        write(error_response(res.status, "HTTP " + std::to_string(res.status)), res);
    });
    auto serve = [this](const httplib::Request& req, httplib::Response& res) {
      dispatch(req, res);
    };
    const std::string anything = "[\\s\\S]*";
    Get(anything, serve).Post(anything, serve).Put(anything, serve);
    Patch(anything, serve).Delete(anything, serve).Options(anything, serve);
  }

  void add(Route route) {
    if (thread_.joinable()) throw Error(ErrorCode::kInternal, "a route was added after start()");
    auto& list = route.regex ? patterns_ : exact_;
    list.push_back(std::move(route));
  }

  int start() {
    if (thread_.joinable()) throw Error(ErrorCode::kInternal, "the HTTP server was started twice");
    stopping_ = false;
    errno = 0;
    port_ = options_.port == 0 ? bind_to_any_port(options_.host)
                               : (bind_to_port(options_.host, options_.port) ? options_.port : -1);
    if (port_ <= 0) fail_to_bind(errno);
    // httplib's backlog of 5 drops connections of a burst; a second listen() only raises it.
    ::listen(svr_sock_, 256);
    thread_ = std::thread([this] { listen_after_bind(); });
    while (!is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return port_;
  }

  void halt() {
    std::lock_guard lock(halting_);
    if (!thread_.joinable()) return;
    stopping_ = true;
    httplib::Server::stop();
    thread_.join();
    port_ = 0;
  }

  int port() const { return port_; }
  const std::string& host() const { return options_.host; }

 private:
  [[noreturn]] void fail_to_bind(int err) {
    port_ = 0;
    std::string port = std::to_string(options_.port);
    if (err == EADDRINUSE) {
      throw Error(ErrorCode::kIo, "port " + port + " is in use",
                  "stop the program that listens there, or choose another port");
    }
    if (err == EACCES) {
      throw Error(ErrorCode::kIo, "no permission to listen on port " + port,
                  "choose a port above 1023");
    }
    throw Error(ErrorCode::kIo,
                "cannot listen on " + options_.host + " port " + port +
                    (err != 0 ? std::string(": ") + std::strerror(err) : ""),
                "check the host name");
  }

  bool process_and_close_socket(socket_t sock) override {
    HttpConnection connection(sock, options_, stopping_);
    connection_ = &connection;
    while (connection.await_request([this] { return waiting_ > 0; })) {
      bool parsed = false, chunked = false, closed = false;
      size_t declared = 0;
      bool ok = process_request(connection, false, closed, [&](httplib::Request& request) {
        parsed = true;
        chunked = request.has_header("Transfer-Encoding");
        declared = request.get_header_value<uint64_t>("Content-Length");
        request.ranges.clear();
      });
      // What was not read of a request must not be taken for the next one.
      bool whole =
          ok && parsed && !connection.failed() && !chunked && connection.body_read() == declared;
      if (!whole) connection.drain();
      if (!whole || closed) break;
    }
    return true;
  }

  HandlerResponse screen(const httplib::Request& req, httplib::Response& res) {
    if (req.path.size() > kMaxPath) {
      write(error_response(414, "the path is longer than 1024 bytes"), res);
      return HandlerResponse::Handled;
    }
    // Unpacking would make a body larger than the limit it was held to.
    std::string encoding = lower(req.get_header_value("Content-Encoding"));
    if (!encoding.empty() && encoding != "identity") {
      write(error_response(415, "compressed bodies are not accepted"), res);
      return HandlerResponse::Handled;
    }
    return HandlerResponse::Unhandled;
  }

  const Route* find(const std::string& method, ServerRequest& request) const {
    for (const auto* list : {&exact_, &patterns_}) {
      for (const Route& route : *list) {
        if (route.method == method && route.matches(request.path, request.captures)) return &route;
      }
    }
    return nullptr;
  }

  std::string methods_of(const ServerRequest& request) const {
    std::string out;
    std::vector<std::string> captures;
    for (const auto* list : {&exact_, &patterns_}) {
      for (const Route& route : *list) {
        if (!route.matches(request.path, captures) || out.find(route.method) != out.npos) continue;
        out += (out.empty() ? "" : ", ") + route.method;
      }
    }
    return out;
  }

  ServerResponse no_route(const ServerRequest& request) const {
    std::string methods = methods_of(request);
    if (methods.empty()) return error_response(404, "nothing is served at this path");
    if (options_.cors && request.method == "OPTIONS") {
      ServerResponse response;
      response.status = 204;
      response.headers = {{"Access-Control-Allow-Methods", methods},
                          {"Access-Control-Allow-Headers", "*"},
                          {"Access-Control-Allow-Private-Network", "true"},
                          {"Access-Control-Max-Age", "600"}};
      return response;
    }
    ServerResponse response = error_response(405, "this path is served for " + methods);
    response.headers = {{"Allow", methods}};
    return response;
  }

  void dispatch(const httplib::Request& req, httplib::Response& res) {
    ServerRequest request = convert(req);
    try {
      const Route* route = find(req.method == "HEAD" ? "GET" : req.method, request);
      ServerResponse response = route != nullptr ? route->handler(request) : no_route(request);
      if (response.stream && req.method != "HEAD") {
        write_stream(std::move(response), printable(req.path), res);
      } else {
        write(response, res);
      }
    } catch (const std::exception& e) {
      log::error("{} {}: {}", req.method, printable(req.path), printable(e.what()));
      write(error_response(500, "internal error"), res);
    }
  }

  static void write_head(const ServerResponse& from, httplib::Response& to) {
    to.status = from.status;
    for (const auto& [name, value] : from.headers) to.set_header(name, value);
  }

  static void write(const ServerResponse& from, httplib::Response& to) {
    write_head(from, to);
    if (from.status != 204) to.set_content(from.body, from.content_type);
  }

  void write_stream(ServerResponse from, const std::string& path, httplib::Response& to) {
    write_head(from, to);
    to.set_chunked_content_provider(from.content_type, [this, path, run = std::move(from.stream)](
                                                           size_t, httplib::DataSink& sink) {
      Stream stream(sink, stopping_, *connection_);
      try {
        run(stream);
      } catch (const std::exception& e) {
        log::error("stream {}: {}", path, printable(e.what()));
        return false;
      }
      // A stream that was cut off must not look complete to the peer.
      if (!stream.open()) return false;
      sink.done();
      return true;
    });
  }

  // That of this thread: httplib hands it to no handler.
  static inline thread_local const HttpConnection* connection_ = nullptr;
  const HttpServerOptions options_;
  std::vector<Route> exact_;
  std::vector<Route> patterns_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> waiting_{0};
  std::atomic<int> port_{0};
  std::mutex halting_;
  std::thread thread_;
};

HttpServer::HttpServer(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpServer::~HttpServer() {
  stop();
}

void HttpServer::handle(std::string method, std::string path, Handler handler) {
  impl_->add({std::move(method), std::move(path), std::nullopt, std::move(handler)});
}

void HttpServer::handle_regex(std::string method, const std::string& pattern, Handler handler) {
  impl_->add({std::move(method), pattern, std::regex(pattern), std::move(handler)});
}

int HttpServer::start() {
  return impl_->start();
}
void HttpServer::stop() {
  impl_->halt();
}
int HttpServer::port() const {
  return impl_->port();
}

std::string HttpServer::url() const {
  bool v6 = impl_->host().find(':') != std::string::npos;
  std::string host = v6 ? "[" + impl_->host() + "]" : impl_->host();
  return "http://" + host + ":" + std::to_string(impl_->port());
}

}  // namespace ffe::net
