// Any request text has an answer that is JSON, or none; ids come back as they were written.
#include <cstdlib>

#include "base/json_strings.hpp"
#include "net/json_rpc_ids.hpp"
#include "net/json_rpc_server.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  static const net::JsonRpcServer server = [] {
    net::JsonRpcServer s;
    s.on("echo", [](const Json& params) { return params; });
    s.on("fail", [](const Json&) -> Json { throw Error(ErrorCode::kBadInput, "no"); });
    return s;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  net::raw_ids(text);
  const std::string answer = server.answer(text);
  if (!answer.empty() && !Json::accept(answer)) std::abort();
  try {
    const Json parsed = parse_json(text, "fuzz");
    if (json_text(parsed) != parsed.dump()) std::abort();
    if (parsed != Json::parse(text)) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
