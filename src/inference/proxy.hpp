// An OpenAI endpoint on loopback in front of a sealed one: any OpenAI client talks plain HTTP to
// this machine, and nothing leaves it unsealed. Fails closed: what was not proven to come from the
// enclave is not passed on.
#pragma once

#include <memory>
#include <string>

#include "inference/enclave_line.hpp"
#include "net/http_server.hpp"

namespace ffe::inference {

struct ProxyOptions {
  int port = 0;     // 0: the system picks one
  std::string key;  // what local clients must send as bearer token
};

// The line must outlive the proxy.
class Proxy {
 public:
  Proxy(EnclaveLine& line, const ProxyOptions& options);  // starts serving on 127.0.0.1
  ~Proxy();

  int port() const { return server_.port(); }
  std::string url() const { return server_.url() + "/v1"; }

 private:
  net::HttpServer::Handler guarded(net::HttpServer::Handler handler) const;
  void admit(const net::ServerRequest& request) const;
  net::ServerResponse models();
  net::ServerResponse chat(const net::ServerRequest& request);
  net::ServerResponse streamed(const Json& request);

  EnclaveLine& line_;
  std::string key_;
  net::HttpServer server_;
};

}  // namespace ffe::inference
