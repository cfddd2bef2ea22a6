// Trains a small adapter with this engine, for other implementations to load:
//   ffe_adapter MODEL ROWS.jsonl OUT_DIR STEPS
// OUT_DIR becomes a PEFT folder with adapter.gguf, the same for llama.cpp, beside it.
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "lm/adapter_file.hpp"
#include "lm/chat_template.hpp"
#include "lm/lora.hpp"
#include "lm/rows.hpp"
#include "lm/trainer.hpp"

namespace {

using namespace ffe::lm;

void train(const char* model_path, const char* rows_path, const std::filesystem::path& out,
           uint32_t steps) {
  const ModelFile model = ModelFile::open(model_path);
  const Tokenizer tokenizer = Tokenizer::from(model);
  const ChatTemplate chat = ChatTemplate::from(model, tokenizer);
  std::vector<Example> examples;
  for (const Row& row : read_rows_file(rows_path))
    examples.push_back(to_example(row, tokenizer, &chat, {.max_tokens = 256}));

  const Engine engine(model);
  MultiTrainer trainer(engine);
  LoraAdapter start = make_adapter(engine.config(), {.rank = 4, .alpha = 8}, ffe::H256{});
  start.base_model = model.config().name;
  OptimizerConfig config;
  config.learning_rate = 5e-3;
  config.schedule = Schedule::kConstant;
  const uint32_t index = trainer.add(start, config);
  std::vector<TrainItem> items;
  for (const Example& example : examples) items.push_back({index, &example});
  for (uint32_t step = 0; step < steps; ++step)
    std::cerr << "step " << step << " loss " << trainer.step(items).at(0).loss << '\n';

  const LoraAdapter trained = trainer.adapter(index);
  write_peft_folder(out, trained, "# An adapter of the interoperability test\n");
  ffe::write_file_atomic(out / "adapter.gguf", gguf_adapter(trained, engine.config()));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 5)
      throw ffe::Error(ffe::ErrorCode::kUsage, "usage: ffe_adapter MODEL ROWS.jsonl OUT_DIR STEPS");
    train(argv[1], argv[2], argv[3], static_cast<uint32_t>(std::stoul(argv[4])));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "ffe_adapter: " << error.what() << '\n';
    return 1;
  }
}
