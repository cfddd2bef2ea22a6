#include "tee/grpc.hpp"

#include <charconv>

#include "base/hex.hpp"
#include "net/http_transport.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kPrefix = 5;  // compressed flag(1) ‖ length(4, big-endian)
constexpr size_t kMaxMessage = 4u << 20;
constexpr int kPermissionDenied = 7, kUnimplemented = 12, kUnauthenticated = 16;

std::string framed(ByteView message) {
  uint8_t prefix[kPrefix] = {};
  put_be32(prefix + 1, static_cast<uint32_t>(message.size()));
  return std::string(as_text(prefix)) + std::string(as_text(message));
}

// A status message is percent-encoded; it is shown to people, so control characters go.
std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size() && out.size() < 300; ++i) {
    char c = text[i];
    if (c == '%' && i + 2 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        std::isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      c = static_cast<char>(from_hex(text.substr(i + 1, 2))[0]);
      i += 2;
    }
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return out;
}

ErrorCode code_of(int status) {
  if (status == kUnimplemented) return ErrorCode::kUnsupported;
  if (status == kUnauthenticated || status == kPermissionDenied) return ErrorCode::kKey;
  return ErrorCode::kFailed;
}

void check_status(const net::HttpResponse& response, const std::string& where) {
  auto header = [&](const char* name) {
    auto at = response.headers.find(name);
    return at == response.headers.end() ? std::string() : at->second;
  };
  std::string text = header("grpc-status");
  int status = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  bool number = error == std::errc() && end == text.data() + text.size() && status >= 0;
  if (!response.ok() || !header("content-type").starts_with("application/grpc") || !number) {
    throw Error(ErrorCode::kNetwork,
                where + ": not a gRPC answer (HTTP status " + std::to_string(response.status) + ")",
                "check the endpoint; the service must speak gRPC");
  }
  if (status != 0) {
    throw Error(code_of(status), where + ": the service answers with gRPC status " +
                                     std::to_string(status) + ": " +
                                     printable(header("grpc-message")));
  }
}

}  // namespace

GrpcChannel::GrpcChannel(std::string endpoint, int timeout_ms)
    : endpoint_(std::move(endpoint)), timeout_ms_(timeout_ms) {}

SecretBytes GrpcChannel::call(std::string_view method, ByteView message) {
  bool is_url = endpoint_.find("://") != std::string::npos;
  net::HttpRequest request;
  request.method = "POST";
  request.url = (is_url ? endpoint_ : "http://localhost") + "/" + std::string(method);
  if (!is_url) request.unix_socket = endpoint_;
  request.headers = {{"content-type", "application/grpc+proto"}, {"te", "trailers"}};
  request.body = framed(message);
  request.timeout_ms = timeout_ms_;
  request.max_body = kMaxMessage + kPrefix;
  const std::string where = std::string(method) + " at " + endpoint_;

  net::HttpResponse response = net::exchange(request, {.http2 = true});
  check_status(response, where);
  ByteView body = as_bytes(response.body);
  if (body.size() < kPrefix || body[0] != 0 || get_be32(&body[1]) != body.size() - kPrefix) {
    throw Error(ErrorCode::kNetwork,
                where + ": the answer is compressed, cut off, or more than one message",
                "the service does not keep to the protocol");
  }
  SecretBytes out(body.subspan(kPrefix));
  wipe(response.body.data(), response.body.size());
  return out;
}

}  // namespace ffe::tee
