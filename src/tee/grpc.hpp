// Unary gRPC calls over libcurl's HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
//
// The enclave's binary links libcurl anyway; a whole gRPC runtime would multiply what a quote
// measures for the sake of three calls to a local socket (docs/architecture.md).
#pragma once

#include <string>
#include <string_view>

#include "base/secret.hpp"
namespace ffe::tee {

class GrpcChannel {
 public:
  // `endpoint`: a Unix socket's path, http://host:port (HTTP/2 without TLS) or https://host:port.
  GrpcChannel(std::string endpoint, int timeout_ms);

  // `method` is "package.Service/Method", `request` an encoded message; returns the answer's.
  // Throws Error{kNetwork} if nothing answers or not in this protocol; where the service answers
  // with a status of its own, Error{kUnsupported} for UNIMPLEMENTED, kKey for UNAUTHENTICATED and
  // PERMISSION_DENIED, else kFailed, with the service's words.
  SecretBytes call(std::string_view method, ByteView request);

  const std::string& endpoint() const { return endpoint_; }

 private:
  std::string endpoint_;
  int timeout_ms_;
};

}  // namespace ffe::tee
