// What of OpenAI's requests is understood, ignored and refused.
#include "inference/openai.hpp"

#include <gtest/gtest.h>

#include "inference/refusal.hpp"

namespace ffe::inference {
namespace {

Json request() {
  return {{"model", "ffe-17001"}, {"messages", {{{"role", "user"}, {"content", "hello"}}}}};
}

Json with(const char* name, const Json& value) {
  Json out = request();
  out[name] = value;
  return out;
}

std::string refusal_of(const Json& request) {
  try {
    parse_chat(request, 100);
  } catch (const Refusal& refusal) {
    return std::to_string(refusal.status()) + " " + refusal.what();
  }
  return "none";
}

TEST(OpenAi, ReadsWhatItUnderstands) {
  const ChatRequest r = parse_chat(
      {{"model", "ffe-17001"},
       {"messages",
        {{{"role", "developer"}, {"content", "be brief"}},
         {{"role", "user"},
          {"content", {{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}}}},
         {{"role", "assistant"}, {"content", "c"}, {"refusal", nullptr}, {"tool_calls", nullptr}},
         {{"role", "user"}, {"content", "d"}, {"name", "carol"}}}},
       {"temperature", 0.5},
       {"top_p", 0.25},
       {"top_k", 7},
       {"max_tokens", 50},
       {"max_completion_tokens", 20},
       {"stop", {"x", "yz"}},
       {"seed", -3},
       {"stream", true},
       {"stream_options", {{"include_usage", true}}}},
      100);
  EXPECT_EQ(r.token, evm::U256(17001));
  const std::vector<lm::Message> messages = {
      {"system", "be brief"}, {"user", "ab"}, {"assistant", "c"}, {"user", "d"}};
  EXPECT_EQ(r.messages, messages);
  EXPECT_EQ(r.sampling.temperature, 0.5);
  EXPECT_EQ(r.sampling.top_p, 0.25);
  EXPECT_EQ(r.sampling.top_k, 7u);
  EXPECT_EQ(r.sampling.max_new_tokens, 20u);
  EXPECT_EQ(r.stops, (std::vector<std::string>{"x", "yz"}));
  EXPECT_TRUE(r.stream && r.include_usage);
}

TEST(OpenAi, DefaultsAreOpenAisAndTheServicesLimitHolds) {
  const ChatRequest r = parse_chat(request(), 100);
  EXPECT_EQ(r.sampling.temperature, 1);
  EXPECT_EQ(r.sampling.top_p, 1);
  EXPECT_EQ(r.sampling.max_new_tokens, 100u);
  EXPECT_FALSE(r.stream);
  EXPECT_NE(r.sampling.seed, parse_chat(request(), 100).sampling.seed);
  EXPECT_EQ(parse_chat(with("seed", 5), 100).sampling.seed,
            parse_chat(with("seed", 5), 100).sampling.seed);
  EXPECT_EQ(parse_chat(with("max_tokens", 1'000'000), 100).sampling.max_new_tokens, 100u);
  EXPECT_EQ(parse_chat(with("stop", "one"), 100).stops, (std::vector<std::string>{"one"}));
}

TEST(OpenAi, WhatChangesNothingIsIgnored) {
  const std::pair<const char*, Json> harmless[] = {{"user", "u"},
                                                   {"metadata", {{"a", "b"}}},
                                                   {"service_tier", "auto"},
                                                   {"n", 1},
                                                   {"n", nullptr},
                                                   {"logprobs", false},
                                                   {"presence_penalty", 0},
                                                   {"frequency_penalty", 0.0},
                                                   {"logit_bias", Json::object()},
                                                   {"response_format", {{"type", "text"}}},
                                                   {"tools", Json::array()},
                                                   {"tool_choice", "none"},
                                                   {"store", false},
                                                   {"modalities", {"text"}}};
  for (const auto& [name, value] : harmless)
    EXPECT_EQ(refusal_of(with(name, value)), "none") << name;
}

TEST(OpenAi, WhatWouldChangeTheAnswerIsRefusedByName) {
  const std::pair<const char*, Json> asked[] = {{"n", 2},
                                                {"logprobs", true},
                                                {"presence_penalty", 0.5},
                                                {"logit_bias", {{"50256", -100}}},
                                                {"response_format", {{"type", "json_object"}}},
                                                {"tools", {{{"type", "function"}}}},
                                                {"tool_choice", "required"},
                                                {"store", true},
                                                {"modalities", {"audio"}},
                                                {"reasoning_effort", "high"},
                                                {"temprature", 0.5}};
  for (const auto& [name, value] : asked) {
    const std::string refusal = refusal_of(with(name, value));
    EXPECT_TRUE(refusal.starts_with("400 ")) << refusal;
    EXPECT_NE(refusal.find(name), refusal.npos) << refusal;
  }
}

TEST(OpenAi, HostileValuesAreRefused) {
  const std::pair<const char*, Json> hostile[] = {{"temperature", "hot"},
                                                  {"temperature", -1},
                                                  {"temperature", 3},
                                                  {"top_p", 0},
                                                  {"top_p", 1.5},
                                                  {"max_tokens", 0},
                                                  {"max_tokens", -5},
                                                  {"max_tokens", 1.5},
                                                  {"seed", "s"},
                                                  {"stop", 5},
                                                  {"stop", {""}},
                                                  {"stop", Json(std::vector<std::string>(9, "x"))},
                                                  {"stop", std::string(300, 'x')},
                                                  {"stream", 1},
                                                  {"stream_options", true},
                                                  {"messages", Json::array()},
                                                  {"messages", "hello"},
                                                  {"messages", {1}},
                                                  {"messages", {{{"role", "user"}}}},
                                                  {"messages", {{{"content", "x"}}}}};
  for (const auto& [name, value] : hostile) {
    EXPECT_TRUE(refusal_of(with(name, value)).starts_with("400 ")) << name << value;
  }
  const auto message = [](const Json& m) { return refusal_of(with("messages", Json::array({m}))); };
  EXPECT_NE(message({{"role", "tool"}, {"content", "x"}}).find("role"), std::string::npos);
  EXPECT_NE(message({{"role", "user"}, {"content", {{{"type", "image_url"}}}}}).find("not text"),
            std::string::npos);
  EXPECT_NE(
      message({{"role", "assistant"}, {"content", "x"}, {"tool_calls", {1}}}).find("tool_calls"),
      std::string::npos);
  EXPECT_TRUE(refusal_of(Json::array()).starts_with("400 "));
  EXPECT_TRUE(refusal_of(Json::object()).starts_with("400 "));
}

TEST(OpenAi, ModelsAreNamedAfterTokens) {
  EXPECT_EQ(model_name(evm::U256(17001)), "ffe-17001");
  for (const char* name : {"gpt-4", "ffe-", "ffe-0", "ffe-017", "ffe--1", "ffe-1e3", "17001",
                           "ffe-99999999999999999999999999999999999999999"}) {
    EXPECT_TRUE(refusal_of(with("model", name)).starts_with("404 ")) << name;
  }
}

}  // namespace
}  // namespace ffe::inference
