// Prints, as one JSON object, what this engine computes for rows under an adapter, so that another
// implementation can be held against it: ffe_losses MODEL ADAPTER_DIR ROWS.jsonl [LIMIT].
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <iostream>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "lm/adapter_file.hpp"
#include "lm/chat_template.hpp"
#include "lm/engine.hpp"
#include "lm/generate.hpp"
#include "lm/rows.hpp"
#include "lm/tokenizer.hpp"
#include "lm/weights.hpp"

namespace {

using ffe::Error;
using ffe::ErrorCode;
using ffe::Json;
using ffe::lm::Engine;
using ffe::lm::EvalItem;
using ffe::lm::Example;
using ffe::lm::LoraAdapter;
using ffe::lm::Row;

constexpr size_t kTop = 5;
constexpr size_t kGreedy = 16;

size_t parse_limit(std::string_view text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0)
    throw Error(ErrorCode::kUsage, "LIMIT is not a positive number: " + std::string(text));
  return value;
}

// The position whose logits choose the first target token.
size_t last_prompt_position(const Example& example) {
  const auto first = std::find(example.target.begin(), example.target.end(), 1);
  if (first == example.target.begin() || first == example.target.end())
    throw Error(ErrorCode::kBadInput, "a row without a prompt or without a target");
  return static_cast<size_t>(first - example.target.begin()) - 1;
}

// [[token id, logit], …], greatest first; the smaller id first among equals.
Json top_logits(std::span<const float> logits) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const size_t n = std::min(kTop, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n), ids.end(),
                    [&](int32_t a, int32_t b) {
                      const float x = logits[static_cast<size_t>(a)];
                      const float y = logits[static_cast<size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  Json top = Json::array();
  for (size_t i = 0; i < n; ++i)
    top.push_back(Json::array({ids[i], logits[static_cast<size_t>(ids[i])]}));
  return top;
}

// What the model writes by itself after the prompt of a row.
Json continuation(ffe::lm::Generator& generator, const Example& example, size_t position) {
  const std::span<const int32_t> prompt = std::span(example.tokens).first(position + 1);
  ffe::lm::SamplingOptions options;
  options.max_new_tokens = kGreedy;
  return generator.generate(prompt, options).tokens;
}

Json messages_of(const Row& row) {
  Json messages = Json::array();
  for (const auto& message : row.messages)
    messages.push_back(Json{{"role", message.role}, {"content", message.content}});
  return messages;
}

Json compute(const char* model_path, const char* adapter_path, const char* rows_path,
             size_t limit) {
  const auto model = ffe::lm::ModelFile::open(model_path);
  const auto tokenizer = ffe::lm::Tokenizer::from(model);
  const auto chat = ffe::lm::ChatTemplate::from(model, tokenizer);
  const LoraAdapter adapter = ffe::lm::read_peft_folder(adapter_path, model.config());
  std::vector<Row> rows = ffe::lm::read_rows_file(rows_path);
  if (rows.size() > limit) rows.resize(limit);

  std::vector<Example> examples;
  for (const Row& row : rows) examples.push_back(ffe::lm::to_example(row, tokenizer, &chat, {}));
  const Engine engine(model);
  std::vector<EvalItem> items;
  for (const Example& example : examples) items.push_back({nullptr, &example});
  for (const Example& example : examples) items.push_back({&adapter, &example});
  const std::vector<float> losses = engine.row_losses(items);

  const size_t vocab = tokenizer.vocab_size();
  ffe::lm::Generator generator(engine, &adapter);
  Json out = Json::array();
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t position = last_prompt_position(examples[i]);
    const std::vector<float> logits = engine.logits(examples[i].tokens, &adapter);
    const size_t width = logits.size() / examples[i].tokens.size();
    if (width < vocab) throw Error(ErrorCode::kInternal, "fewer logits than tokens");
    out.push_back(
        Json{{"messages", messages_of(rows[i])},
             {"rendered", rows[i].messages.empty() ? rows[i].text
                                                   : chat.render(rows[i].messages, false, false)},
             {"text", rows[i].text},
             {"tokens", examples[i].tokens},
             {"target", examples[i].target},
             {"base_loss", losses[i]},
             {"adapter_loss", losses[rows.size() + i]},
             {"position", position},
             {"greedy", continuation(generator, examples[i], position)},
             {"top", top_logits(std::span(logits).subspan(position * width, width))}});
  }
  return Json{{"numeric", ffe::lm::numeric_name(engine.numeric())},
              {"instruction_set", engine.instruction_set()},
              {"chat_style", ffe::lm::chat_style_name(chat.style())},
              {"rows", std::move(out)}};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 4 && argc != 5)
      throw Error(ErrorCode::kUsage, "usage: ffe_losses MODEL ADAPTER_DIR ROWS.jsonl [LIMIT]");
    const size_t limit = argc == 5 ? parse_limit(argv[4]) : std::numeric_limits<size_t>::max();
    std::cout << compute(argv[1], argv[2], argv[3], limit).dump() << '\n';
    return 0;
  } catch (const Error& error) {
    std::cerr << "ffe_losses: " << error.what() << '\n';
    return ffe::exit_status(error.code());
  } catch (const std::exception& error) {
    std::cerr << "ffe_losses: " << error.what() << '\n';
    return 1;
  }
}
