#include "cli/train_options.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/error.hpp"

namespace ffe::cli {
namespace {

lm::ProjectionSet targets_of(const std::string& list) {
  if (list == "all") return lm::kAllProjections;
  if (list == "attention") return lm::ProjectionSet(0x0f);
  if (list == "mlp") return lm::ProjectionSet(0x70);
  lm::ProjectionSet out;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    std::string name = list.substr(begin, end - begin);
    if (!name.ends_with("_proj")) name += "_proj";
    out.set(static_cast<size_t>(lm::projection_from_name(name)));
    begin = end + 1;
  }
  return out;
}

// "10" steps or "3%" of all.
void read_warmup(const std::string& text, lm::FineTuneRecipe& recipe) {
  size_t used = 0;
  double value = -1;
  try {
    value = std::stod(text, &used);
  } catch (const std::logic_error&) {
  }
  if (used > 0 && text.substr(used) == "%" && value >= 0 && value <= 100) {
    recipe.warmup_share = value / 100;
  } else if (used > 0 && used == text.size() && value >= 0 && value <= 1e6 &&
             value == static_cast<uint32_t>(value)) {
    recipe.optimizer.warmup_steps = static_cast<uint32_t>(value);
  } else {
    throw Error(ErrorCode::kUsage, "--warmup " + text + " is neither steps nor a share",
                "for example --warmup 10, or --warmup 3%");
  }
}

void add_recipe_options(CLI::App& command, TrainOptions& o) {
  command.add_option("--rank", o.rank, "LoRA rank")->check(CLI::Range(1, 256));
  command.add_option("--alpha", o.alpha, "LoRA alpha (default: twice the rank)")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--dropout", o.dropout, "Of the adapter's input")
      ->check(CLI::Range(0.0, 0.99));
  command.add_option("--targets", o.targets,
                     "all, attention, mlp, or a list out of q,k,v,o,gate,up,down");
  command.add_option("--lr", o.learning_rate, "Highest learning rate")->check(CLI::PositiveNumber);
  command.add_option("--schedule", o.schedule, "cosine, linear or constant");
  command.add_option("--warmup", o.warmup, "Steps, or a share of all steps such as 3%");
  command.add_option("--weight-decay", o.weight_decay, "Decoupled")->check(CLI::NonNegativeNumber);
  command.add_option("--clip", o.clip, "Of the gradient's norm (0: none)")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--epochs", o.epochs, "Times through the rows")->check(CLI::Range(1, 10000));
  command.add_option("--batch-tokens", o.batch_tokens, "Tokens of one step")
      ->check(CLI::Range(size_t{1}, size_t{1} << 24));
  command.add_option("--micro-tokens", o.micro_tokens,
                     "Tokens computed at once, which bounds memory (0: chosen from the model)");
  command.add_option("--max-tokens", o.model.max_tokens,
                     "Longer rows are cut (default: 2048, or what the model can)");
  command.add_option("--seed", o.seed, "Of initial values, order, dropout and split");
}

}  // namespace

void add_train_options(CLI::App& command, TrainOptions& o) {
  command.add_option("data", o.data, "JSONL")->required();
  add_model_options(command, o.model);
  command.add_option("-o,--out", o.out, "Folder for the adapter (default: NAME-lora)");
  auto* file = command.add_option("--eval", o.held_out, "JSONL to evaluate on");
  command.add_option("--eval-split", o.split, "Hold out this share of the rows, such as 0.1")
      ->check(CLI::Range(0.0, 1.0))
      ->excludes(file);
  command.add_option("--eval-every", o.evaluate_every, "Steps (default: each epoch)");
  add_recipe_options(command, o);
  command.add_option("--checkpoint-seconds", o.checkpoint_seconds, "Time between checkpoints");
  command.add_option("--checkpoint-steps", o.checkpoint_steps, "Steps between checkpoints");
  command.add_option("--base-name", o.base_name,
                     "The base model's name in adapter_config.json (default: the model's own)");
  command.add_flag("--no-gguf", o.no_gguf, "Write no adapter.gguf for llama.cpp");
  auto* resume = command.add_flag("--resume", o.resume, "Go on from the checkpoint in the folder");
  command.add_flag("--force", o.force, "Begin again and replace what is in the folder")
      ->excludes(resume);
}

lm::FineTuneRecipe recipe_of(const TrainOptions& o) {
  lm::FineTuneRecipe r;
  r.lora = {o.rank, o.alpha > 0 ? o.alpha : 2.0 * o.rank, o.dropout, targets_of(o.targets)};
  r.optimizer.learning_rate = o.learning_rate;
  r.optimizer.weight_decay = o.weight_decay;
  r.optimizer.clip = o.clip;
  r.optimizer.schedule = lm::schedule_from_name(o.schedule);
  read_warmup(o.warmup, r);
  r.epochs = o.epochs;
  r.tokens_per_step = o.batch_tokens;
  return r;
}

}  // namespace ffe::cli
