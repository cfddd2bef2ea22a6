#include "net/json_rpc.hpp"

#include <algorithm>

#include "base/json_strings.hpp"

namespace ffe::net {
namespace {

constexpr size_t kMaxMessage = 2000;

[[noreturn]] void bad_answer(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kNetwork, std::string(what) + ": " + why,
              "check that the address belongs to a JSON-RPC service");
}

// The peer's words, fit for a terminal: one line, no escapes, not endless.
std::string tame(std::string text) {
  if (text.size() > kMaxMessage) {
    size_t end = kMaxMessage;
    while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
  }
  for (char& c : text) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

JsonRpcError make_error(const Json& error, std::string_view what) {
  std::string message = "no message";
  int64_t code = 0;
  Json data;
  if (error.is_object()) {
    if (auto it = error.find("message"); it != error.end() && it->is_string()) {
      message = tame(it->get<std::string>());
    }
    if (auto it = error.find("code"); it != error.end() && it->is_number_integer()) {
      code = it->get<int64_t>();
    }
    if (auto it = error.find("data"); it != error.end()) data = *it;
  } else if (error.is_string()) {
    message = tame(error.get<std::string>());
  }
  return {std::string(what) + ": " + message + " (code " + std::to_string(code) + ")", code,
          message, std::move(data)};
}

// The error object of an answer, or null.
const Json* error_of(const Json& answer) {
  if (!answer.is_object()) return nullptr;
  auto it = answer.find("error");
  return it == answer.end() || it->is_null() ? nullptr : &*it;
}

std::optional<Json> try_parse(const std::string& text) {
  try {
    return parse_json(text, "answer");
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

[[noreturn]] void refuse_status(const HttpResponse& response, std::string_view what) {
  // Some services put the error object under an HTTP error status.
  if (std::optional<Json> answer = try_parse(response.body)) {
    if (const Json* error = error_of(*answer)) throw make_error(*error, what);
  }
  const char* hint = response.status == 429   ? "the service limits requests: wait, then try again"
                     : response.status >= 500 ? "the service is in trouble: try again later"
                                              : "check the address and your access to it";
  throw Error(ErrorCode::kNetwork, std::string(what) + ": HTTP " + std::to_string(response.status),
              hint);
}

Json parse_answer(const HttpResponse& response, std::string_view what, size_t max_body) {
  try {
    return parse_json(response.body, "the answer", {.max_bytes = max_body});
  } catch (const std::exception& e) {
    bad_answer(what, e.what());
  }
}

Json request_object(std::string_view method, Json params, uint64_t id) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}};
}

}  // namespace

JsonRpcClient::JsonRpcClient(std::string url, Options options)
    : url_(std::move(url)),
      options_(std::move(options)),
      http_(options_.http ? options_.http : std::make_shared<HttpClient>()),
      next_id_(std::make_shared<std::atomic<uint64_t>>(1)) {}

HttpResponse JsonRpcClient::post(const Json& body, std::string_view what) {
  HttpRequest request;
  request.method = "POST";
  request.url = url_;
  request.headers = options_.headers;
  request.headers.emplace_back("Content-Type", "application/json");
  request.headers.emplace_back("Accept", "application/json");
  request.connect_timeout_ms = options_.connect_timeout_ms;
  request.timeout_ms = options_.timeout_ms;
  request.max_body = options_.max_body;
  request.unix_socket = options_.unix_socket;
  try {
    request.body = json_text(body);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::kBadInput, std::string(what) + ": the parameters are not UTF-8 text");
  }
  HttpResponse response = http_->send(request);
  if (!response.ok()) refuse_status(response, what);
  return response;
}

Json JsonRpcClient::call(std::string_view method, Json params) {
  const std::string what = std::string(method) + " at " + printable_url(url_);
  const uint64_t id = next_id_->fetch_add(1);
  HttpResponse response = post(request_object(method, std::move(params), id), what);
  Json answer = parse_answer(response, what, options_.max_body);
  if (!answer.is_object()) bad_answer(what, "the answer is not a JSON-RPC object");
  if (const Json* error = error_of(answer)) throw make_error(*error, what);
  auto answered = answer.find("id");
  if (answered == answer.end() || *answered != id) {
    bad_answer(what, "the answer belongs to another request");
  }
  auto result = answer.find("result");
  if (result == answer.end()) bad_answer(what, "the answer has neither a result nor an error");
  return std::move(*result);
}

std::vector<JsonRpcClient::Outcome> JsonRpcClient::batch(const std::vector<Call>& calls) {
  if (calls.empty()) return {};
  const std::string what =
      "a batch of " + std::to_string(calls.size()) + " calls at " + printable_url(url_);
  const uint64_t first = next_id_->fetch_add(calls.size());
  Json request = Json::array();
  for (size_t i = 0; i < calls.size(); ++i) {
    request.push_back(request_object(calls[i].method, calls[i].params, first + i));
  }
  Json answer = parse_answer(post(request, what), what, options_.max_body);
  if (const Json* error = error_of(answer)) throw make_error(*error, what);
  if (!answer.is_array()) bad_answer(what, "the answer is not an array");
  std::vector<Outcome> out(calls.size());
  std::vector<bool> seen(calls.size());
  for (Json& one : answer) {
    auto id = one.is_object() ? one.find("id") : one.end();
    if (!one.is_object() || id == one.end() || !id->is_number_unsigned() ||
        id->get<uint64_t>() < first || id->get<uint64_t>() - first >= calls.size()) {
      bad_answer(what, "an answer belongs to no call of the batch");
    }
    size_t i = id->get<uint64_t>() - first;
    if (seen[i]) bad_answer(what, "two answers to call " + std::to_string(i));
    seen[i] = true;
    if (const Json* error = error_of(one)) {
      out[i].error = make_error(*error, calls[i].method + " at " + printable_url(url_));
    } else if (auto result = one.find("result"); result != one.end()) {
      out[i].result = std::move(*result);
    } else {
      bad_answer(what, "answer " + std::to_string(i) + " has neither a result nor an error");
    }
  }
  if (size_t missing = std::count(seen.begin(), seen.end(), false); missing != 0) {
    bad_answer(what, std::to_string(missing) + " calls were not answered");
  }
  return out;
}

}  // namespace ffe::net
