// ffe chat: a conversation with a model.
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/interrupt.hpp"
#include "cli/command.hpp"
#include "cli/generation.hpp"
#include "cli/line_editor.hpp"
#include "cli/sealed_answerer.hpp"
#include "cli/standard_input.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp =
    "  /help             this list\n"
    "  /reset            forget the conversation\n"
    "  /undo             forget the last question and its answer\n"
    "  /retry            answer the last question again\n"
    "  /system [TEXT]    set the system prompt and begin anew; without TEXT: show it\n"
    "  /set [NAME VALUE] temperature, top-p, top-k, repetition-penalty or max-tokens\n"
    "  /save FILE        append the conversation to FILE as a row of training data\n"
    "  /exit             leave (or Ctrl-D)\n"
    "A line that ends with \\ goes on in the next one. // at the beginning sends one /.\n"
    "Ctrl-C stops an answer.";

struct Options {
  GenerationOptions generation;
  SealedOptions sealed;
  std::string prompt;
  bool no_history = false;
};

std::unique_ptr<Answerer> answerer(const Options& o, Terminal& terminal) {
  if (!o.sealed.token.empty()) {
    if (!o.generation.adapter.empty() || !o.generation.model.model.empty()) {
      throw Error(ErrorCode::kUsage,
                  "--sealed talks with a model in its enclave, not with one here",
                  "leave out the adapter and --model");
    }
    return std::make_unique<SealedAnswerer>(o.sealed, o.generation, terminal);
  }
  auto here = std::make_unique<Responder>(o.generation, terminal);
  here->model().chat();  // a model without a template is told at once
  return here;
}

// XDG: state is what a user may lose without harm but would miss.
fs::path history_file() {
  fs::path base;
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && state[0] == '/') {
    base = state;
  } else if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    base = fs::path(home) / ".local" / "state";
  }
  return base.empty() ? base : base / "ffe" / "chat-history";
}

// Where the questions come from.
class Input {
 public:
  explicit Input(const Options& o) {
    if (!o.prompt.empty()) prompt_ = o.prompt;
    if (prompt_ || isatty(STDIN_FILENO) != 1) return;
    editor_.emplace(o.no_history ? fs::path() : history_file());
  }
  bool interactive() const { return editor_.has_value(); }

  // A question of one or, with backslashes, several lines.
  std::optional<std::string> next() {
    if (prompt_) return given_ ? std::nullopt : (given_ = true, prompt_);
    std::string out;
    for (bool first = true;; first = false) {
      std::optional<std::string> line =
          editor_ ? editor_->read(first ? "> " : "… ") : lines_.next();
      if (!line) return first ? std::nullopt : std::optional(out);
      if (editor_) editor_->remember(*line);
      const bool more = line->ends_with('\\');
      if (more) line->pop_back();
      out += (first ? "" : "\n") + *line;
      if (!more) return out;
    }
  }

 private:
  std::optional<std::string> prompt_;  // the only one
  bool given_ = false;
  std::optional<LineEditor> editor_;
  StdinLines lines_;
};

class Chat {
 public:
  Chat(const Options& o, Terminal& terminal)
      : t_(terminal), answerer_(answerer(o, terminal)), input_(o) {}

  void run() {
    if (input_.interactive()) t_.note("/help lists the commands, Ctrl-D leaves");
    while (!left_) {
      const std::optional<std::string> line = input_.next();
      if (!line) break;
      if (line->find_first_not_of(" \t\r") == line->npos) continue;
      if (!input_.interactive()) {
        handle(*line);
        continue;
      }
      take_interrupt();
      try {
        handle(*line);
      } catch (const Error& e) {
        t_.error(e);
      }
    }
  }

 private:
  void handle(const std::string& line) {
    if (line.starts_with("//")) return ask(line.substr(1));
    if (line.starts_with('/')) return command(line);
    ask(line);
  }

  void ask(const std::string& question) {
    messages_.push_back({"user", question});
    answer();
  }

  void answer() {
    bool stopped = false;
    const lm::OnText show = [&](std::string_view text) {
      if (take_interrupt()) {
        stopped = true;
        if (!input_.interactive()) throw Error(ErrorCode::kInterrupted, "interrupted");
        return false;
      }
      if (!t_.json()) write_stdout(text);
      return true;
    };
    lm::Answer a;
    try {
      a = answerer_->answer(messages_, show);
    } catch (const Error& e) {
      messages_.pop_back();  // so that the next question finds the conversation whole
      if (e.code() != ErrorCode::kBadInput) throw;
      throw Error(e.code(), e.what(), "/reset forgets the conversation");
    }
    messages_.push_back({"assistant", a.text});
    if (t_.json()) {
      Json out = {{"role", "assistant"},
                  {"content", a.text},
                  {"end", lm::answer_end_name(a.end)},
                  {"promptTokens", a.prompt_tokens},
                  {"tokens", a.tokens}};
      if (Json proof = answerer_->proof(); !proof.is_null()) out["proof"] = std::move(proof);
      t_.result(out.dump());
      return;
    }
    write_stdout("\n");
    if (stopped) t_.note("(stopped)");
    if (a.end == lm::AnswerEnd::kLength) t_.note("(the longest answer allowed: /set max-tokens N)");
  }

  void command(const std::string& line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string name = line.substr(0, space);
    const size_t begin = line.find_first_not_of(' ', space);
    const std::string rest = begin == line.npos ? "" : line.substr(begin);
    if (name == "/help" || name == "/?") {
      t_.note(kHelp);
    } else if (name == "/exit" || name == "/quit" || name == "/bye") {
      left_ = true;
    } else if (name == "/reset") {
      messages_.clear();
      t_.note("the conversation is forgotten");
    } else if (name == "/undo") {
      undo();
    } else if (name == "/retry") {
      retry();
    } else if (name == "/system") {
      set_system(rest);
    } else if (name == "/set") {
      set(rest);
    } else if (name == "/save") {
      save(rest);
    } else {
      throw Error(ErrorCode::kUsage, "unknown command " + name, "/help lists them");
    }
  }

  void undo() {
    if (messages_.size() < 2) throw Error(ErrorCode::kUsage, "there is nothing to undo");
    messages_.resize(messages_.size() - 2);
  }

  void retry() {
    if (messages_.empty()) throw Error(ErrorCode::kUsage, "there is nothing to answer");
    messages_.pop_back();
    answer();
  }

  void set_system(const std::string& text) {
    std::string& system = answerer_->options().system;
    if (text.empty()) {
      t_.note(system.empty() ? "no system prompt was set" : system);
      return;
    }
    system = text;
    messages_.clear();
    t_.note("system prompt set; a new conversation");
  }

  void set(const std::string& text) {
    lm::SamplingOptions& s = answerer_->options().sampling;
    const size_t space = text.find(' ');
    if (space == text.npos) {
      t_.note(
          fmt::format("temperature {}  top-p {}  top-k {}  repetition-penalty {}  max-tokens {}",
                      s.temperature, s.top_p, s.top_k, s.repetition_penalty, s.max_new_tokens));
      return;
    }
    const std::string name = text.substr(0, space);
    char* end = nullptr;
    const double value = std::strtod(text.c_str() + space, &end);
    if (*end != '\0' || !(value >= 0 && value <= 1e6)) {
      throw Error(ErrorCode::kUsage, "\"" + text.substr(space + 1) + "\" is no value for " + name);
    }
    if (name == "temperature") {
      s.temperature = value;
    } else if (name == "top-p" && value > 0 && value <= 1) {
      s.top_p = value;
    } else if (name == "top-k") {
      s.top_k = static_cast<uint32_t>(value);
    } else if (name == "repetition-penalty" && value > 0) {
      s.repetition_penalty = value;
    } else if (name == "max-tokens" && value >= 1) {
      s.max_new_tokens = static_cast<size_t>(value);
    } else {
      throw Error(ErrorCode::kUsage, "cannot set " + text, "/help lists what can be set");
    }
  }

  void save(const std::string& file) {
    if (file.empty()) throw Error(ErrorCode::kUsage, "/save needs a file");
    if (messages_.empty()) throw Error(ErrorCode::kUsage, "there is nothing to save");
    Json list = Json::array();
    const std::string& system = answerer_->options().system;
    if (!system.empty()) list.push_back({{"role", "system"}, {"content", system}});
    for (const lm::Message& m : messages_) {
      list.push_back({{"role", m.role}, {"content", m.content}});
    }
    std::error_code ec;
    std::string text = fs::exists(file, ec) ? read_text_file(file) : "";
    if (!text.empty() && text.back() != '\n') text += '\n';
    text += Json{{"messages", list}}.dump() + "\n";
    write_file_atomic(file, as_bytes(text), 0600);
    t_.note("saved to " + file);
  }

  Terminal& t_;
  std::unique_ptr<Answerer> answerer_;
  Input input_;
  std::vector<lm::Message> messages_;
  bool left_ = false;
};

}  // namespace

void add_chat(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("chat", "Talk with a model; reads questions from a pipe too");
  auto o = std::make_shared<Options>();
  o->generation.sampling.temperature = 0.7;
  o->generation.sampling.top_p = 0.95;
  o->generation.sampling.max_new_tokens = 1024;
  add_generation_options(*command, o->generation);
  command->add_option("adapter", o->generation.adapter, "PEFT folder, as --adapter");
  command
      ->add_option("--sealed", o->sealed.token,
                   "Talk with the model of this token in its enclave, end to end encrypted")
      ->type_name("TOKEN");
  command->add_option("--prompt", o->prompt, "One question; its answer ends the command");
  add_account_options(*command, o->sealed.account);
  command->add_flag("--no-history", o->no_history, "Keep the lines you type in memory only");
  command->footer("ffe chat adapter\nffe chat --sealed 17001 --account alice");
  command->callback([&context, o] { context.chosen = [o](Terminal& t) { Chat(*o, t).run(); }; });
}

}  // namespace ffe::cli
