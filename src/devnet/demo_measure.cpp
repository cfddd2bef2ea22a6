#include "devnet/demo_measure.hpp"

#include <algorithm>

#include "aggregator/model.hpp"
#include "aggregator/training.hpp"
#include "base/interrupt.hpp"
#include "crypto/hash.hpp"
#include "lm/generate.hpp"
#include "lm/rows.hpp"

namespace ffe::devnet {
namespace {

constexpr size_t kRows = 96;
constexpr size_t kSamples = 3;

double mean_loss(const lm::Engine& engine, const lm::LoraAdapter* adapter,
                 const std::vector<lm::Example>& rows) {
  std::vector<lm::EvalItem> items;
  for (const lm::Example& e : rows) items.push_back({adapter, &e});
  double sum = 0;
  for (float loss : engine.row_losses(items)) sum += loss;
  return sum / static_cast<double>(rows.size());
}

std::string answer(const lm::Engine& engine, const aggregator::BaseModel& model,
                   const lm::LoraAdapter* adapter, const std::string& question) {
  lm::ChatTokens prompt = model.chat().encode_chat({{"user", question}}, true, false);
  lm::SamplingOptions options;
  options.max_new_tokens = 28;
  options.stop_tokens = model.chat().stop_tokens();
  lm::Generated text = lm::Generator(engine, adapter).generate(prompt.tokens, options);
  std::string out = model.tokenizer().decode(text.tokens, true);
  if (text.reason == lm::StopReason::kLength) out += " …";
  return out;
}

}  // namespace

Comparison compare(const std::filesystem::path& model_path,
                   const std::filesystem::path& adapter_dir, const DemoData& data,
                   const std::vector<std::string>& parties, const session::Recipe& recipe,
                   int threads, const DemoEvents& events) {
  aggregator::BaseModel model(model_path, "demo", threads);
  lm::Engine& engine = model.engine(lm::numeric_from_name(recipe.numeric_path));
  lm::ExampleOptions options = model.example_options(recipe);
  auto examples = [&](const std::filesystem::path& file, size_t at_most) {
    std::vector<lm::Row> rows = lm::read_rows_file(file);
    // Evenly spaced, so that every topic is among them.
    std::vector<lm::Example> out;
    size_t n = std::min(at_most, rows.size());
    for (size_t i = 0; i < n; ++i) {
      out.push_back(
          lm::to_example(rows[i * rows.size() / n], model.tokenizer(), &model.chat(), options));
    }
    return out;
  };

  std::vector<lm::Example> held_out = examples(data.pool, kRows);
  lm::LoraAdapter joint = lm::read_peft_folder(adapter_dir, engine.config());
  Comparison out;
  out.rows = held_out.size();
  uint64_t total = parties.size() + 2 + kSamples;
  uint64_t done = 0;
  auto advance = [&] {
    check_interrupt();
    if (events.progress) events.progress("Comparing", ++done, total, "steps");
  };
  out.base = mean_loss(engine, nullptr, held_out);
  advance();
  out.joint = mean_loss(engine, &joint, held_out);
  advance();
  for (const PartyData& party : data.parties) {
    if (!std::ranges::count(parties, party.name)) continue;
    std::vector<lm::Example> rows = examples(party.file, SIZE_MAX);
    auto own = aggregator::train_joint(
        engine, recipe, rows, crypto::ChaChaRng(crypto::sha256(as_bytes(party.name)).bytes));
    out.own[party.name] = mean_loss(engine, &own.adapter, held_out);
    advance();
  }
  for (size_t i = 0; i < kSamples; ++i) {
    // The first row of each third of the pool: one animal, one plant, one food.
    const Definition& d = data.pool_rows.at(i * data.pool_rows.size() / kSamples + 2);
    std::string question = "Define: " + d.word;
    out.samples.push_back({question, d.gloss, answer(engine, model, nullptr, question),
                           answer(engine, model, &joint, question)});
    advance();
  }
  return out;
}

}  // namespace ffe::devnet
