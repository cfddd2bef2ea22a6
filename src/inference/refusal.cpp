#include "inference/refusal.hpp"

#include <algorithm>
#include <charconv>

namespace ffe::inference {
namespace {

constexpr int kLongestWait = 3600;

// The project's codes, which decide exit statuses.
ErrorCode code_of(int status) {
  switch (status) {
    case 401:
    case 403:
      return ErrorCode::kKey;
    case 404:
    case 409:
      return ErrorCode::kSession;
    case 400:
    case 413:
    case 422:
      return ErrorCode::kBadInput;
    default:
      return ErrorCode::kNetwork;
  }
}

std::string_view type_of(int status) {
  if (status == 401) return "authentication_error";
  if (status == 403) return "permission_error";
  if (status == 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

// What a terminal may show of somebody's words.
std::string printable(std::string text) {
  constexpr size_t kMost = 600;
  if (text.size() > kMost) text.resize(kMost);
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

std::string member(const Json& error, const char* name) {
  const auto it = error.find(name);
  return it != error.end() && it->is_string() ? printable(it->get<std::string>()) : "";
}

}  // namespace

Refusal::Refusal(int status, std::string_view reason, const std::string& message, std::string hint,
                 int retry_after)
    : Error(code_of(status), message, std::move(hint)),
      status_(status),
      reason_(reason),
      retry_after_(retry_after) {}

Json to_json(const Refusal& r) {
  Json error = {
      {"message", r.hint().empty() ? std::string(r.what()) : r.what() + ("; " + r.hint())},
      {"type", type_of(r.status())},
      {"param", nullptr},
      {"code", r.reason()}};
  return {{"error", error}};
}

Refusal refusal_from_answer(int status, std::string_view retry_after, const Json& body,
                            std::string_view who) {
  std::string message, reason;
  if (body.is_object() && body.contains("error")) {
    const Json& error = body["error"];
    if (error.is_object()) {
      message = member(error, "message");
      reason = member(error, "code");
    } else if (error.is_string()) {
      message = printable(error.get<std::string>());
    }
  }
  if (message.empty()) message = "HTTP status " + std::to_string(status);
  int seconds = 0;
  std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
  seconds = std::clamp(seconds, 0, kLongestWait);
  const std::string hint =
      seconds > 0 ? "try again in " + std::to_string(seconds) + " s" : std::string();
  return {status, reason, std::string(who) + ": " + message, hint, seconds};
}

}  // namespace ffe::inference
