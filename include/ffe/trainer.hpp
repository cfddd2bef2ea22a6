// The trainer alone, in C++: one header. Link ffe::client.
//
//   ffe::ModelFile model = ffe::ModelFile::open("model.gguf");
//   ffe::Tokenizer tokenizer = ffe::Tokenizer::from(model);
//   ffe::ChatTemplate chat = ffe::ChatTemplate::from(model, tokenizer);
//   ffe::Dataset data = ffe::read_dataset("rows.jsonl", tokenizer, &chat, {});
//   ffe::Engine engine(model);
//   ffe::FineTune tuning(engine, ffe::FineTuneRecipe{}, data.examples, rng);
//   tuning.run({});
//   ffe::write_peft_folder("adapter", tuning.adapter(), "# My adapter\n");
#pragma once

#include "lm/adapter_file.hpp"
#include "lm/batch_generator.hpp"
#include "lm/conversation.hpp"
#include "lm/dataset.hpp"
#include "lm/engine.hpp"
#include "lm/fine_tune.hpp"
#include "lm/model_store.hpp"

namespace ffe {

using lm::Answer;
using lm::BatchGenerator;
using lm::ChatTemplate;
using lm::Dataset;
using lm::Engine;
using lm::EngineOptions;
using lm::Evaluation;
using lm::find_model;
using lm::FineTune;
using lm::FineTuneRecipe;
using lm::FineTuneRun;
using lm::generate_text;
using lm::Generator;
using lm::gguf_adapter;
using lm::hold_out;
using lm::LoraAdapter;
using lm::LoraConfig;
using lm::mean_loss;
using lm::ModelFile;
using lm::NumericPath;
using lm::OptimizerConfig;
using lm::read_dataset;
using lm::read_peft_folder;
using lm::SamplingOptions;
using lm::StreamEvent;
using lm::StreamId;
using lm::StreamRequest;
using lm::Tokenizer;
using lm::write_peft_folder;

}  // namespace ffe
