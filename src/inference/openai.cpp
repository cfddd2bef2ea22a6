#include "inference/openai.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "crypto/random.hpp"
#include "inference/refusal.hpp"

namespace ffe::inference {
namespace {

constexpr std::string_view kPrefix = "ffe-";
constexpr size_t kMaxMessages = 1000;
constexpr size_t kMaxStops = 8;
constexpr size_t kMaxStop = 256;  // bytes

[[noreturn]] void bad(const std::string& message, const std::string& hint = {}) {
  throw Refusal(400, "bad_request", message, hint);
}

// Of each known field: it is read; it changes nothing here; or it would change the answer, and only
// the values listed ask for nothing.
enum class Kind { kRead, kIgnored, kNeutralOnly };
struct Field {
  Kind kind = Kind::kRead;
  std::vector<Json> neutral = {};
};

const std::map<std::string, Field, std::less<>>& fields() {
  const auto only = [](std::vector<Json> values) {
    return Field{Kind::kNeutralOnly, std::move(values)};
  };
  const Field ignored{Kind::kIgnored, {}};
  static const std::map<std::string, Field, std::less<>> kFields = {
      {"model", {}},
      {"messages", {}},
      {"temperature", {}},
      {"top_p", {}},
      {"top_k", {}},
      {"repetition_penalty", {}},
      {"max_tokens", {}},
      {"max_completion_tokens", {}},
      {"stop", {}},
      {"seed", {}},
      {"stream", {}},
      {"stream_options", {}},
      {"user", ignored},
      {"metadata", ignored},
      {"service_tier", ignored},
      {"safety_identifier", ignored},
      {"prompt_cache_key", ignored},
      {"prompt_cache_retention", ignored},
      {"prediction", ignored},
      {"parallel_tool_calls", ignored},
      {"n", only({1})},
      {"logprobs", only({false})},
      {"top_logprobs", only({0})},
      {"frequency_penalty", only({0})},
      {"presence_penalty", only({0})},
      {"logit_bias", only({Json::object()})},
      {"response_format", only({{{"type", "text"}}})},
      {"modalities", only({Json::array({"text"})})},
      {"tools", only({Json::array()})},
      {"tool_choice", only({"none", "auto"})},
      {"functions", only({Json::array()})},
      {"function_call", only({"none", "auto"})},
      {"store", only({false})},
      {"reasoning_effort", only({"none"})},
  };
  return kFields;
}

void check_fields(const Json& request) {
  for (const auto& [name, value] : request.items()) {
    const auto it = fields().find(name);
    if (it == fields().end()) {
      bad("unknown field \"" + name.substr(0, 64) + "\"", "leave it out");
    }
    if (value.is_null() || it->second.kind != Kind::kNeutralOnly) continue;
    if (std::ranges::find(it->second.neutral, value) == it->second.neutral.end()) {
      bad("\"" + name + "\" is not supported here, and would change the answer", "leave it out");
    }
  }
}

const Json* find(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

double number(const Json& request, const char* name, double otherwise, double least, double most) {
  const Json* value = find(request, name);
  if (value == nullptr) return otherwise;
  const double n = value->is_number() ? value->get<double>() : std::nan("");
  if (!(n >= least && n <= most)) {
    std::string range = std::to_string(least) + " to " + std::to_string(most);
    bad(std::string(name) + " must be a number from " + range);
  }
  return n;
}

uint64_t integer(const Json& request, const char* name, uint64_t otherwise, uint64_t least) {
  const Json* value = find(request, name);
  if (value == nullptr) return otherwise;
  const bool whole =
      value->is_number_integer() && (value->is_number_unsigned() || value->get<int64_t>() >= 0);
  if (!whole || value->get<uint64_t>() < least) {
    bad(std::string(name) + " must be a whole number of at least " + std::to_string(least));
  }
  return value->get<uint64_t>();
}

bool flag(const Json& object, const char* name) {
  const Json* value = find(object, name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) bad(std::string(name) + " must be true or false");
  return value->get<bool>();
}

// Text, or a list of text parts.
std::string content_of(const Json& message, const std::string& where) {
  const Json* content = find(message, "content");
  if (content == nullptr) bad(where + ".content is missing");
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) bad(where + ".content is neither text nor a list of parts");
  std::string out;
  for (const Json& part : *content) {
    const bool text = part.is_object() && part.value("type", Json()) == "text" &&
                      part.contains("text") && part["text"].is_string();
    if (!text) bad(where + ".content has a part that is not text", "this model reads text only");
    out += part["text"].get<std::string>();
  }
  return out;
}

std::string role_of(const Json& message, const std::string& where) {
  const Json* role = find(message, "role");
  if (role == nullptr || !role->is_string()) bad(where + ".role is missing");
  if (*role == "developer") return "system";  // OpenAI's newer word for it
  if (*role == "system" || *role == "user" || *role == "assistant") return role->get<std::string>();
  bad(where + ".role must be system, developer, user or assistant");
}

lm::Message message_of(const Json& message, size_t index) {
  const std::string where = "messages[" + std::to_string(index) + "]";
  if (!message.is_object()) bad(where + " is not an object");
  for (const auto& [name, value] : message.items()) {
    const bool known = name == "role" || name == "content" || name == "name";
    // What an earlier answer brought along and was empty.
    const bool empty = value.is_null() || value == Json::array();
    if (!known && !empty) bad(where + "." + name.substr(0, 64) + " is not supported");
  }
  return {role_of(message, where), content_of(message, where)};
}

std::vector<std::string> stops_of(const Json& request) {
  const Json* stop = find(request, "stop");
  if (stop == nullptr) return {};
  const Json list = stop->is_string() ? Json::array({*stop}) : *stop;
  if (!list.is_array() || list.size() > kMaxStops) {
    bad("stop must be a text or a list of at most " + std::to_string(kMaxStops));
  }
  std::vector<std::string> out;
  for (const Json& text : list) {
    if (!text.is_string() || text.get_ref<const std::string&>().empty() ||
        text.get_ref<const std::string&>().size() > kMaxStop) {
      bad("stop has something other than texts of 1 to " + std::to_string(kMaxStop) + " bytes");
    }
    out.push_back(text);
  }
  return out;
}

lm::SamplingOptions sampling_of(const Json& request, size_t max_tokens) {
  lm::SamplingOptions s;
  s.temperature = number(request, "temperature", 1, 0, 2);
  s.top_p = number(request, "top_p", 1, 0, 1);
  if (s.top_p <= 0) bad("top_p must be above 0");
  s.top_k = static_cast<uint32_t>(std::min<uint64_t>(integer(request, "top_k", 0, 0), 1 << 20));
  s.repetition_penalty = number(request, "repetition_penalty", 1, 0.1, 10);
  uint64_t most = integer(request, "max_tokens", max_tokens, 1);
  most = std::min(most, integer(request, "max_completion_tokens", max_tokens, 1));
  s.max_new_tokens = std::min<uint64_t>(most, max_tokens);
  if (const Json* seed = find(request, "seed"); seed == nullptr) {
    crypto::random_bytes(s.seed.bytes);
  } else if (seed->is_number_integer()) {
    put_be64(s.seed.data(), static_cast<uint64_t>(seed->get<int64_t>()));
  } else {
    bad("seed must be a whole number");
  }
  return s;
}

Json object_of(const AnswerHead& head, const char* kind, const Json& choices) {
  return {{"id", head.id},
          {"object", kind},
          {"created", head.created},
          {"model", head.model},
          {"system_fingerprint", head.fingerprint},
          {"choices", choices}};
}

Json chunk(const AnswerHead& head, const Json& delta, const Json& reason) {
  const Json choice = {
      {"index", 0u}, {"delta", delta}, {"logprobs", nullptr}, {"finish_reason", reason}};
  return object_of(head, "chat.completion.chunk", Json::array({choice}));
}

Json usage_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt},
          {"completion_tokens", usage.completion},
          {"total_tokens", usage.prompt + usage.completion}};
}

}  // namespace

std::string model_name(const evm::U256& token) {
  return std::string(kPrefix) + token.to_string();
}

evm::U256 token_of_model(std::string_view model) {
  const std::string_view digits = model.starts_with(kPrefix) ? model.substr(kPrefix.size()) : "";
  const bool number = !digits.empty() && digits.size() <= 40 && digits.front() != '0' &&
                      digits.find_first_not_of("0123456789") == digits.npos;
  if (!number) {
    throw Refusal(404, "model_not_found", "no such model",
                  "models are named after their tokens: \"ffe-17001\"");
  }
  return evm::U256::parse(digits);
}

ChatRequest parse_chat(const Json& request, size_t max_tokens) {
  if (!request.is_object()) bad("the request is not an object");
  check_fields(request);
  const Json* model = find(request, "model");
  if (model == nullptr || !model->is_string()) bad("model is missing");
  ChatRequest out;
  out.token = token_of_model(model->get_ref<const std::string&>());
  const Json* messages = find(request, "messages");
  if (messages == nullptr || !messages->is_array() || messages->empty() ||
      messages->size() > kMaxMessages) {
    bad("messages must be a list of 1 to " + std::to_string(kMaxMessages));
  }
  for (const Json& message : *messages) {
    out.messages.push_back(message_of(message, out.messages.size()));
  }
  out.sampling = sampling_of(request, max_tokens);
  out.stops = stops_of(request);
  out.stream = flag(request, "stream");
  if (const Json* options = find(request, "stream_options")) {
    if (!options->is_object()) bad("stream_options is not an object");
    out.include_usage = flag(*options, "include_usage");
  }
  return out;
}

std::string_view finish_reason(lm::AnswerEnd end) {
  return end == lm::AnswerEnd::kLength || end == lm::AnswerEnd::kContext ? "length" : "stop";
}

Json completion(const AnswerHead& head, const std::string& text, lm::AnswerEnd end,
                const Usage& usage) {
  const Json choice = {
      {"index", 0u},
      {"message", {{"role", "assistant"}, {"content", text}, {"refusal", nullptr}}},
      {"logprobs", nullptr},
      {"finish_reason", finish_reason(end)}};
  Json out = object_of(head, "chat.completion", Json::array({choice}));
  out["usage"] = usage_json(usage);
  return out;
}

Json first_chunk(const AnswerHead& head) {
  return chunk(head, {{"role", "assistant"}, {"content", ""}}, nullptr);
}

Json text_chunk(const AnswerHead& head, const std::string& text) {
  return chunk(head, {{"content", text}}, nullptr);
}

Json last_chunk(const AnswerHead& head, lm::AnswerEnd end) {
  return chunk(head, Json::object(), finish_reason(end));
}

Json usage_chunk(const AnswerHead& head, const Usage& usage) {
  Json out = object_of(head, "chat.completion.chunk", Json::array());
  out["usage"] = usage_json(usage);
  return out;
}

}  // namespace ffe::inference
