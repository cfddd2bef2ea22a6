// Any JSON is a chat request within its bounds or a Refusal; any bytes are a stream of events.
#include <cstdlib>

#include "fuzz/tolerate.hpp"
#include "inference/openai.hpp"
#include "inference/refusal.hpp"
#include "inference/sse.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tolerate([&] {
    const Json json = parse_json(text, "request");
    inference::refusal_from_answer(400, "7", json, "fuzz");
    const inference::ChatRequest chat = inference::parse_chat(json, 100);
    const lm::SamplingOptions& s = chat.sampling;
    if (chat.messages.empty() || s.max_new_tokens < 1 || s.max_new_tokens > 100 ||
        !(s.temperature >= 0 && s.temperature <= 2) || !(s.top_p > 0 && s.top_p <= 1)) {
      std::abort();
    }
  });
  tolerate([&] {
    inference::SseReader reader;
    for (size_t i = 0; i < size; i += 7) {
      reader.push(text.substr(i, 7), [](std::string_view) {});
    }
  });
  return 0;
}
