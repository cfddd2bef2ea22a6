// ffe train, eval, run, chat and model on a model of a few thousand weights.
#include <cstdlib>
#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "cli/loss_curve.hpp"
#include "cli/run_cli.hpp"
#include "crypto/hash.hpp"
#include "support/tiny_model.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;
using test::CliRun;
using test::contains;
using test::shown;
using Arguments = std::vector<std::string>;

class TrainerTest : public test::CliTest {
 protected:
  TrainerTest() {
    setenv("XDG_CACHE_HOME", (folder_.path() / "cache").c_str(), 1);
    setenv("XDG_STATE_HOME", (folder_.path() / "state").c_str(), 1);
    unsetenv("FFE_MODEL");
    model_ = test::write_tiny_model(folder_.path() / "tiny");
    rows_ = write("rows.jsonl", test::counting_rows(24));
  }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  CliRun train(Arguments more, const std::string& out = "out") const {
    Arguments all = {"train", rows_.string(), "--model",        model_.string(),
                     "--out", path(out),      "--threads",      "1",
                     "--lr",  "0.01",         "--batch-tokens", "200"};
    all.insert(all.end(), more.begin(), more.end());
    return ffe(all);
  }
  CliRun with_input(const std::string& input, const Arguments& arguments) const {
    const fs::path file = write("stdin", input);
    const int keyboard = dup(STDIN_FILENO);
    std::FILE* in = std::fopen(file.c_str(), "r");
    dup2(fileno(in), STDIN_FILENO);
    CliRun run = ffe(arguments);
    dup2(keyboard, STDIN_FILENO);
    close(keyboard);
    std::fclose(in);
    return run;
  }
  Bytes weights(const std::string& out) const {
    return read_file(path(out) + "/adapter_model.safetensors");
  }

  fs::path model_, rows_;
};

TEST_F(TrainerTest, TrainWritesAnAdapterThatIsBetter) {
  CliRun run = train({"--eval-split", "0.25", "--epochs", "4", "--json"});
  ASSERT_EQ(run.status, 0) << shown(run);
  const Json report = parse_json(run.out, "stdout");
  EXPECT_EQ(report.at("folder"), path("out"));
  EXPECT_EQ(report.at("data").at("rows"), 18);
  EXPECT_EQ(report.at("heldOut").at("rows"), 6);
  EXPECT_EQ(report.at("job").at("model").at("name"), "tiny");
  EXPECT_EQ(report.at("job").at("chatTemplate"), "chatml");
  EXPECT_EQ(report.at("job").at("numericPath"), report.at("machine").at("numericPath"));
  EXPECT_EQ(report.at("lossCurve").size(), report.at("steps"));
  EXPECT_EQ(report.at("evaluations").size(), 5u);
  EXPECT_LT(report.at("evaluations").back().at("loss").get<double>(),
            report.at("evaluations").front().at("loss").get<double>() - 0.2);
  EXPECT_EQ(report.at("adapterSha256"), to_hex(crypto::sha256(weights("out")).bytes));
  const Json config = parse_json(read_text_file(path("out/adapter_config.json")), "config");
  EXPECT_EQ(config.at("base_model_name_or_path"), "tiny");
  EXPECT_EQ(config.at("r"), 8);
  EXPECT_EQ(config.at("lora_alpha"), 16);
  const std::string card = read_text_file(path("out/README.md"));
  EXPECT_TRUE(card.starts_with("---\nbase_model: \"tiny\"\n")) << card;
  EXPECT_TRUE(contains(card, "18 rows (")) << card;
  EXPECT_TRUE(contains(card, "Held out: 6 rows")) << card;
  EXPECT_TRUE(fs::exists(path("out/adapter.gguf")));
  EXPECT_FALSE(fs::exists(path("out/checkpoint.ffe"))) << "it is of no use any more";

  run =
      ffe({"eval", rows_.string(), "--model", model_.string(), "--adapter", path("out"), "--json"});
  ASSERT_EQ(run.status, 0) << shown(run);
  const Json eval = parse_json(run.out, "stdout");
  ASSERT_EQ(eval.at("models").size(), 2u);
  EXPECT_LT(eval["models"][1]["loss"].get<double>(), eval["models"][0]["loss"].get<double>() - 0.2);
  EXPECT_NEAR(eval["models"][0]["perplexity"].get<double>(),
              std::exp(eval["models"][0]["loss"].get<double>()), 1e-6);
  ASSERT_EQ(eval.at("rowLosses").size(), 24u);
  EXPECT_EQ(eval["rowLosses"][2]["line"], 3);
  EXPECT_EQ(eval["rowLosses"][2]["losses"].size(), 2u);
}

TEST_F(TrainerTest, TheResultIsTheFolderAndProseIsNot) {
  CliRun run = train({"--epochs", "1", "--quiet", "--no-gguf"});
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out, path("out") + "\n");
  EXPECT_EQ(run.err, "");
  EXPECT_FALSE(fs::exists(path("out/adapter.gguf")));
}

TEST_F(TrainerTest, TheSameSeedGivesTheSameBitsOnAnyNumberOfThreads) {
  ASSERT_EQ(train({"--dropout", "0.1"}, "a").status, 0);
  ASSERT_EQ(train({"--dropout", "0.1", "--threads", "2"}, "b").status, 0);
  ASSERT_EQ(train({"--dropout", "0.1", "--seed", "2"}, "c").status, 0);
  EXPECT_EQ(weights("a"), weights("b"));
  EXPECT_NE(weights("a"), weights("c"));
  EXPECT_EQ(read_file(path("a/README.md")), read_file(path("b/README.md")));
}

TEST_F(TrainerTest, WhatIsThereIsNotOverwrittenUnasked) {
  ASSERT_EQ(train({"--epochs", "1"}).status, 0);
  const Bytes first = weights("out");
  CliRun run = train({"--epochs", "1", "--seed", "2"});
  EXPECT_EQ(run.status, 2) << shown(run);
  EXPECT_TRUE(contains(run.err, "holds an adapter already")) << shown(run);
  EXPECT_EQ(weights("out"), first);
  run = train({"--epochs", "1", "--resume"});
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_TRUE(contains(run.err, "complete already")) << shown(run);
  run = train({"--epochs", "1", "--seed", "2", "--resume"});
  EXPECT_EQ(run.status, 2) << shown(run);
  EXPECT_TRUE(contains(run.err, "recipe.seed was 1 and is now 2")) << shown(run);
  run = train({"--epochs", "1", "--seed", "2", "--force"});
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_NE(weights("out"), first);
}

TEST_F(TrainerTest, BrokenRowsAndEmptyFilesAreNamed) {
  const auto refused = [&](const std::string& text, Arguments more = {}) {
    rows_ = write("bad.jsonl", text);
    CliRun run = train(std::move(more));
    EXPECT_EQ(run.status, 1) << shown(run);
    EXPECT_EQ(run.out, "");
    EXPECT_FALSE(fs::exists(path("out"))) << "nothing is made for a training that cannot begin";
    return run.err;
  };
  const std::string at = path("bad.jsonl");
  EXPECT_TRUE(refused("{\"text\":\"a\"}\n{\"text\":7}\n")
                  .starts_with("error: " + at + ":2:1: \"text\" is not a text\nhint: "));
  EXPECT_TRUE(refused("{\"text\":\"a\"}\n{\"text\"}\n").starts_with("error: " + at + ":2:"));
  EXPECT_TRUE(refused("").starts_with("error: " + at + ": no rows"));
  EXPECT_TRUE(contains(refused(test::counting_rows(3), {"--max-tokens", "8"}),
                       "no row has an answer within its first 8 tokens"));
}

TEST_F(TrainerTest, CutRowsAreCounted) {
  CliRun run = train({"--max-tokens", "30", "--epochs", "1", "--json", "--system-prompt", "none"});
  ASSERT_EQ(run.status, 0) << shown(run);
  const Json data = parse_json(run.out, "stdout").at("data");
  EXPECT_GT(data.at("truncated").get<int>() + data.at("withoutTarget").get<int>(), 0);
  EXPECT_EQ(data.at("rows").get<int>() + data.at("withoutTarget").get<int>(), 24);
  EXPECT_TRUE(contains(run.err, "warning: rows.jsonl: ")) << shown(run);
}

TEST_F(TrainerTest, WrongUseIsToldBeforeWork) {
  for (const auto& [more, text] : std::vector<std::pair<Arguments, std::string>>{
           {{"--targets", "q,x"}, "\"x_proj\" is no projection"},
           {{"--schedule", "step"}, "unknown schedule"},
           {{"--warmup", "fast"}, "--warmup fast"},
           {{"--warmup", "101%"}, "--warmup 101%"},
           {{"--numeric", "f16"}, "unknown numeric path"},
           {{"--chat-template", "none"}, "unknown chat template"},
           {{"--model", "absent"}, "no model \"absent\""},
           {{"--rank", "0"}, "--rank"},
           {{"--lr", "-1"}, "--lr"},
           {{"--max-tokens", "4096"}, "the model has 512 positions"},
           {{"--resume", "--force"}, "--force"},
           {{"--eval", "x", "--eval-split", "0.1"}, "--eval"}}) {
    CliRun run = train(more);
    EXPECT_EQ(run.status, 2) << text << "\n" << shown(run);
    EXPECT_TRUE(contains(run.err, text)) << text << "\n" << shown(run);
    EXPECT_EQ(run.out, "");
  }
}

TEST_F(TrainerTest, AFolderThatCannotBeMadeIsNamed) {
  write("file", "x");
  CliRun run = train({}, "file/out");
  EXPECT_EQ(run.status, 1) << shown(run);
  EXPECT_TRUE(contains(run.err, "cannot create " + path("file/out"))) << shown(run);
}

TEST_F(TrainerTest, AModelWithoutATemplateTakesTextOnly) {
  model_ = test::write_tiny_model(folder_.path() / "plain", {.chat_template = false});
  CliRun run = train({"--epochs", "1"});
  EXPECT_EQ(run.status, 1) << shown(run);
  EXPECT_TRUE(contains(run.err, "--chat-template")) << shown(run);
  EXPECT_EQ(train({"--epochs", "1", "--chat-template", "chatml"}).status, 0);
  rows_ = write("text.jsonl", "{\"text\":\"abc abc abc\"}\n");
  EXPECT_EQ(train({"--epochs", "1"}, "text").status, 0);
}

TEST_F(TrainerTest, RunAnswersOnceAndRepeatably) {
  const Arguments base = {"run", "say 5", "--model", model_.string(), "--max-tokens", "12"};
  const auto with = [&](Arguments more) {
    Arguments all = base;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  CliRun greedy = ffe(with({}));
  ASSERT_EQ(greedy.status, 0) << shown(greedy);
  EXPECT_EQ(ffe(with({})).out, greedy.out);
  EXPECT_EQ(with_input("say 5\n", {"run", "--model", model_.string(), "--max-tokens", "12"}).out,
            greedy.out);
  const Json a = parse_json(ffe(with({"--json"})).out, "stdout");
  EXPECT_EQ(a.at("text").get<std::string>() + "\n", greedy.out);
  EXPECT_EQ(a.at("end"), "length");
  EXPECT_EQ(a.at("tokens"), 12);
  const Arguments warm = with({"--temperature", "1.5", "--seed", "3"});
  EXPECT_EQ(ffe(warm).out, ffe(warm).out);
  EXPECT_NE(ffe(warm).out, ffe(with({"--temperature", "1.5", "--seed", "4"})).out);
}

TEST_F(TrainerTest, AStopStringEndsTheTextBeforeIt) {
  // What it would say, and then stopped at a piece out of the middle.
  const Arguments base = {"run", "x", "--model", model_.string(), "--max-tokens", "40", "--json"};
  const std::string whole = parse_json(ffe(base).out, "stdout").at("text").get<std::string>();
  ASSERT_GT(whole.size(), 12u);
  size_t begin = 4;
  while ((static_cast<unsigned char>(whole[begin]) & 0xc0) == 0x80) ++begin;
  size_t end = begin + 3;
  while ((static_cast<unsigned char>(whole[end]) & 0xc0) == 0x80) ++end;
  const std::string stop = whole.substr(begin, end - begin);
  Arguments stopped = base;
  stopped.insert(stopped.end(), {"--stop", "never", "--stop", stop});
  const Json a = parse_json(ffe(stopped).out, "stdout");
  EXPECT_EQ(a.at("end"), "stop_string");
  EXPECT_EQ(a.at("stopString"), stop);
  EXPECT_EQ(a.at("text"), whole.substr(0, whole.find(stop)));
  EXPECT_EQ(ffe({"run", "x", "--model", model_.string(), "--stop", ""}).status, 2);
}

TEST_F(TrainerTest, ATrainedAdapterAnswersAsItWasTaught) {
  ASSERT_EQ(train({"--epochs", "40", "--rank", "16", "--system-prompt", "none"}).status, 0);
  CliRun run = ffe({"run", "say 7 17", "--model", model_.string(), "--adapter", path("out"),
                    "--system-prompt", "none", "--max-tokens", "8"});
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out, "7777\n") << shown(run);
}

TEST_F(TrainerTest, ChatReadsAPipe) {
  const Arguments chat = {"chat",   "--model", model_.string(), "--max-tokens", "6",
                          "--seed", "1",       "--json"};
  CliRun run = with_input("hello\n\n/set max-tokens 3\nagain\n/reset\nhello\n/exit\nnever\n", chat);
  ASSERT_EQ(run.status, 0) << shown(run);
  std::vector<Json> answers;
  for (size_t begin = 0; begin < run.out.size();) {
    const size_t end = run.out.find('\n', begin);
    answers.push_back(parse_json(run.out.substr(begin, end - begin), "answer"));
    begin = end + 1;
  }
  ASSERT_EQ(answers.size(), 3u) << shown(run);
  EXPECT_EQ(answers[0].at("tokens"), 6);
  EXPECT_EQ(answers[1].at("tokens"), 3);
  EXPECT_GT(answers[1].at("promptTokens"), answers[0].at("promptTokens"));
  EXPECT_EQ(answers[2].at("promptTokens"), answers[0].at("promptTokens")) << "after /reset";

  run = with_input("/fly\n", chat);
  EXPECT_EQ(run.status, 2) << shown(run);
  EXPECT_TRUE(contains(run.err, "unknown command /fly")) << shown(run);
  run = with_input(std::string(600, 'a') + "\n", chat);
  EXPECT_EQ(run.status, 1) << shown(run);
  EXPECT_TRUE(contains(run.err, "512 positions")) << shown(run);
}

TEST_F(TrainerTest, ASavedConversationIsARow) {
  CliRun run = with_input("hello\n/save " + path("saved.jsonl") + "\n",
                          {"chat", "--model", model_.string(), "--max-tokens", "4", "--system",
                           "be brief", "--seed", "1"});
  ASSERT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(ffe({"check", path("saved.jsonl")}).out, "1\n");
  const Json row = parse_json(read_text_file(path("saved.jsonl")), "row");
  ASSERT_EQ(row.at("messages").size(), 3u);
  EXPECT_EQ(row["messages"][0]["content"], "be brief");
  EXPECT_EQ(row["messages"][1]["content"], "hello");
}

TEST_F(TrainerTest, ModelsArePulledListedAndInspected) {
  EXPECT_EQ(ffe({"model", "list"}).out, "");
  CliRun run = ffe({"model", "pull", model_.string()});
  ASSERT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out, path("cache/ffe/models/tiny") + "\n");
  EXPECT_TRUE(contains(ffe({"model", "list"}).out, "  tiny")) << shown(run);
  const Json facts = parse_json(ffe({"model", "inspect", "tiny", "--json"}).out, "stdout");
  EXPECT_EQ(facts.at("architecture"), "llama");
  EXPECT_EQ(facts.at("layers"), 2);
  EXPECT_EQ(facts.at("tokenizer").at("chatTemplate"), "chatml");
  const std::string sha256 = facts.at("sha256").get<std::string>();
  // The same again is welcome, another model under the name is not.
  EXPECT_EQ(ffe({"model", "pull", model_.string(), "--sha256", sha256}).status, 0);
  const fs::path other =
      test::write_tiny_model(folder_.path() / "other", test::TinyModel{.seed = 2});
  run = ffe({"model", "pull", other.string(), "--name", "tiny"});
  EXPECT_EQ(run.status, 2) << shown(run);
  EXPECT_TRUE(contains(run.err, "another model named tiny")) << shown(run);
  run = ffe({"model", "pull", other.string(), "--sha256", sha256});
  EXPECT_EQ(run.status, 1) << shown(run);
  EXPECT_TRUE(contains(run.err, "SHA-256 is ")) << shown(run);
  EXPECT_FALSE(fs::exists(path("cache/ffe/models/other")));
  EXPECT_EQ(ffe({"model", "pull", other.string(), "--link"}).status, 0);
  EXPECT_TRUE(fs::is_symlink(path("cache/ffe/models/other")));
  EXPECT_EQ(ffe({"model", "pull", other.string(), "--name", "../x"}).status, 2);
  EXPECT_EQ(ffe({"model", "pull", path("absent")}).status, 1);
  EXPECT_EQ(ffe({"model", "pull", other.string(), "--sha256", "12"}).status, 2);
  // A cached name serves wherever a model is asked for.
  EXPECT_EQ(ffe({"run", "x", "--model", "tiny", "--max-tokens", "2"}).status, 0);
}

TEST_F(TrainerTest, WithoutADefaultModelItSaysWhatToDo) {
  CliRun run = ffe({"run", "x"});
  EXPECT_EQ(run.status, 2) << shown(run);
  EXPECT_TRUE(contains(run.err, "hint: name one with --model")) << shown(run);
}

TEST(Sparkline, ShowsHighAndLow) {
  EXPECT_EQ(sparkline(std::vector<double>{}), "");
  EXPECT_EQ(sparkline(std::vector<double>{1, 1}), "▁▁");
  EXPECT_EQ(sparkline(std::vector<double>{8, 1, 4.5}), "█▁▅");
  EXPECT_EQ(sparkline(std::vector<double>{4, 4, 0, 0}, 2), "█▁");
}

}  // namespace
}  // namespace ffe::cli
