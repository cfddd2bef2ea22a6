#include "net/json_rpc_server.hpp"

#include "base/json_strings.hpp"
#include "base/log.hpp"
#include "net/json_rpc_ids.hpp"

namespace ffe::net {
namespace {

std::string text_of(const Json& value) {
  return json_text(value, Json::error_handler_t::replace);
}

std::string reply(const std::string& raw_id, const char* member, const Json& value) {
  return R"({"jsonrpc":"2.0","id":)" + raw_id + ",\"" + member + "\":" + text_of(value) + "}";
}

std::string fault(const std::string& raw_id, int code, const std::string& message,
                  const Json& data = nullptr) {
  Json error = {{"code", code}, {"message", message}};
  if (!data.is_null()) error["data"] = data;
  return reply(raw_id, "error", error);
}

bool is_id(const Json& id) {
  return id.is_null() || id.is_string() || id.is_number();
}

}  // namespace

void JsonRpcServer::on(std::string method, Method fn) {
  methods_.insert_or_assign(std::move(method), std::move(fn));
}

std::string JsonRpcServer::answer(std::string_view text) const {
  Json request;
  try {
    request = parse_json(text, "the request", options_.limits);
  } catch (const std::exception& e) {
    return fault("null", kRpcParseError, e.what());
  }
  std::vector<std::string> ids = raw_ids(text);
  if (!request.is_array()) return answer_one(request, ids.empty() ? "" : ids[0]);
  if (request.empty()) return fault("null", kRpcInvalidRequest, "the batch is empty");
  if (request.size() > options_.max_batch || ids.size() != request.size()) {
    return fault("null", kRpcInvalidRequest,
                 "a batch holds at most " + std::to_string(options_.max_batch) + " calls");
  }
  std::string out;
  for (size_t i = 0; i < request.size(); ++i) {
    std::string one = answer_one(request[i], ids[i]);
    if (one.empty()) continue;
    out += (out.empty() ? "[" : ",") + one;
  }
  return out.empty() ? out : out + "]";
}

std::string JsonRpcServer::answer_one(const Json& call, std::string raw_id) const {
  if (!call.is_object()) return fault("null", kRpcInvalidRequest, "a call is an object");
  auto id = call.find("id");
  if (id != call.end() && !is_id(*id)) {
    return fault("null", kRpcInvalidRequest, "an id is a string, a number or null");
  }
  if (raw_id.empty()) raw_id = id == call.end() ? "null" : text_of(*id);
  if (auto version = call.find("jsonrpc"); version == call.end() || *version != "2.0") {
    return fault(raw_id, kRpcInvalidRequest, "\"jsonrpc\" must be \"2.0\"");
  }
  if (auto method = call.find("method"); method == call.end() || !method->is_string()) {
    return fault(raw_id, kRpcInvalidRequest, "\"method\" must be a string");
  }
  std::string out = invoke(call, raw_id);
  return id == call.end() ? std::string() : out;
}

std::string JsonRpcServer::invoke(const Json& call, const std::string& raw_id) const {
  static const Json kNoParams = Json::array();
  const auto& name = call.at("method").get_ref<const std::string&>();
  auto method = methods_.find(name);
  if (method == methods_.end()) {
    return fault(raw_id, kRpcMethodNotFound, "no method \"" + name.substr(0, 100) + "\"");
  }
  auto params = call.find("params");
  bool none = params == call.end() || params->is_null();
  if (!none && !params->is_structured()) {
    return fault(raw_id, kRpcInvalidParams, "\"params\" must be an array or an object");
  }
  try {
    return reply(raw_id, "result", method->second(none ? kNoParams : *params));
  } catch (const RpcFault& e) {
    return fault(raw_id, e.code, e.what(), e.data);
  } catch (const Error& e) {
    return fault(raw_id, e.code() == ErrorCode::kBadInput ? kRpcInvalidParams : kRpcServerError,
                 e.what());
  } catch (const std::exception& e) {
    log::error("JSON-RPC method {}: {}", name, e.what());
    return fault(raw_id, kRpcInternalError, "internal error");
  }
}

void JsonRpcServer::attach(HttpServer& server, std::string path) const {
  server.handle("POST", std::move(path), [this](const ServerRequest& request) {
    ServerResponse response;
    response.body = answer(request.body);
    if (response.body.empty()) response.status = 204;
    return response;
  });
}

}  // namespace ffe::net
