// Help, completion and man pages: all from one table, complete, and readable on a narrow terminal.
#include "cli/help.hpp"

#include <gtest/gtest.h>
#include <sstream>
#include <sys/wait.h>

#include "base/json.hpp"
#include "cli/manual.hpp"
#include "cli/run_cli.hpp"
#include "cli/text_layout.hpp"
#include "cli/topics.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;
using test::CliRun;
using test::CliTest;
using test::contains;
using test::shown;

// Every command of the program, as `ffe help --json` has it: path → usage.
void walk(const Json& command, const std::function<void(const Json&)>& visit) {
  visit(command);
  for (const Json& sub : command.at("commands")) walk(sub, visit);
}

std::vector<std::string> words(const std::string& path) {
  std::istringstream in(path);
  std::vector<std::string> out;
  for (std::string word; in >> word;) {
    if (word != "ffe" || !out.empty()) out.push_back(word);
  }
  return out;
}

// Without line breaks.
std::string joined(const std::string& text) {
  std::istringstream in(text);
  std::string out;
  for (std::string word; in >> word;) out += (out.empty() ? "" : " ") + word;
  return out;
}

bool has_program(const std::string& name) {
  return std::system(("command -v " + name + " > /dev/null 2>&1").c_str()) == 0;
}

// What a command of the shell prints.
std::string shell(const std::string& command) {
  std::string out;
  std::FILE* pipe = popen(command.c_str(), "r");
  char piece[4096];
  for (size_t n; (n = std::fread(piece, 1, sizeof piece, pipe)) > 0;) out.append(piece, n);
  const int status = pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n" << out;
  return out;
}

TEST_F(CliTest, EveryCommandHasHelpThatSaysWhatItAndItsArgumentsAre) {
  const Json root = parse_json(ffe({"help", "--json"}).out, "stdout");
  size_t commands = 0;
  walk(root, [&](const Json& command) {
    ++commands;
    const std::string path = command.at("command");
    EXPECT_FALSE(command.at("summary").get<std::string>().empty()) << path;
    for (const char* list : {"arguments", "options"}) {
      for (const Json& a : command.at(list)) {
        EXPECT_FALSE(a.at("help").get<std::string>().empty()) << path << " " << a;
      }
    }
    std::vector<std::string> arguments = words(path);
    arguments.insert(arguments.begin(), "help");
    CliRun help = ffe(arguments);
    EXPECT_EQ(help.status, 0) << shown(help);
    EXPECT_TRUE(contains(joined(help.out), command.at("summary"))) << shown(help);
    // The same as --help of the command itself.
    arguments.erase(arguments.begin());
    arguments.push_back("--help");
    EXPECT_EQ(ffe(arguments).out, help.out) << path;
  });
  EXPECT_GT(commands, 40u);
}

TEST_F(CliTest, EveryTopicHasAText) {
  for (const Topic& topic : topics()) {
    CliRun run = ffe({"help", std::string(topic.name)});
    EXPECT_EQ(run.status, 0) << shown(run);
    EXPECT_GT(run.out.size(), 200u) << topic.name;
    EXPECT_TRUE(contains(ffe({"help"}).out, std::string(topic.name)));
    EXPECT_EQ(parse_json(ffe({"help", std::string(topic.name), "--json"}).out, "").at("topic"),
              topic.name);
  }
  CliRun codes = ffe({"help", "exit-codes"});
  for (const char* code :
       {"  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  5  ", "  6  ", "  7  ", "130"}) {
    EXPECT_TRUE(contains(codes.out, code)) << shown(codes);
  }
  CliRun unknown = ffe({"help", "exit-code"});
  EXPECT_EQ(unknown.status, 2) << shown(unknown);
  EXPECT_TRUE(contains(unknown.err, "did you mean exit-codes?")) << shown(unknown);
  unknown = ffe({"help", "session", "opne"});
  EXPECT_EQ(unknown.status, 2) << shown(unknown);
  EXPECT_TRUE(contains(unknown.err, "did you mean open?")) << shown(unknown);
}

TEST_F(CliTest, HelpFitsFortyColumns) {
  setenv("COLUMNS", "40", 1);
  const Json root = parse_json(ffe({"help", "--json"}).out, "stdout");
  walk(root, [&](const Json& command) {
    std::vector<std::string> arguments = words(command.at("command"));
    arguments.insert(arguments.begin(), "help");
    CliRun run = ffe(arguments);
    std::istringstream lines(run.out.substr(0, run.out.find("\nExamples\n")));
    for (std::string line; std::getline(lines, line);) {
      // One word alone may be longer.
      const bool one_word = line.find(' ', line.find_first_not_of(' ')) == std::string::npos;
      const bool entry = line.starts_with("  -");
      EXPECT_TRUE(display_width(line) <= 40 || one_word || entry) << line;
    }
  });
  unsetenv("COLUMNS");
}

TEST_F(CliTest, AMistypedOptionGetsTheNearest) {
  const std::tuple<std::vector<std::string>, const char*> cases[] = {
      {{"check", "x", "--jsn"}, "did you mean --json?"},
      {{"session", "list", "--netwrok", "devnet"}, "did you mean --network?"},
      {{"submit", "1", "x", "--acount=alice"}, "did you mean --account?"},
      {{"session", "wach", "1"}, "did you mean watch?"}};
  for (const auto& [arguments, hint] : cases) {
    CliRun run = ffe(arguments);
    EXPECT_EQ(run.status, 2) << shown(run);
    EXPECT_TRUE(contains(run.err, hint)) << shown(run);
  }
  CliRun json = ffe({"sumbit", "--json"});
  EXPECT_EQ(json.status, 2);
  EXPECT_EQ(parse_json(json.out, "stdout").at("error").at("code"), "usage") << shown(json);
}

TEST_F(CliTest, BashCompletesCommandsOptionsAndFiles) {
  const fs::path script = write("ffe.bash", ffe({"completion", "bash"}).out);
  auto complete = [&](const std::string& line) {
    return shell("bash -c 'source " + script.string() + "; COMP_WORDS=(" + line +
                 "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _ffe; echo \"${COMPREPLY[@]}\"'");
  };
  EXPECT_EQ(complete("ffe sub"), "submit\n");
  EXPECT_EQ(complete("ffe session o"), "open\n");
  EXPECT_EQ(complete("ffe session watch --int"), "--interval\n");
  EXPECT_EQ(complete("ffe -q session watch --js"), "--json\n");
  EXPECT_EQ(complete("ffe storage put --max-price x --no"), "--node --no-wait --no-input\n");
  EXPECT_EQ(complete("ffe submit 1 rows"), "\n");  // bash completes files then
}

TEST_F(CliTest, ZshAndFishReadTheirScripts) {
  const fs::path zsh = write("_ffe", ffe({"completion", "zsh"}).out);
  const fs::path fish = write("ffe.fish", ffe({"completion", "fish"}).out);
  if (!has_program("zsh") && !has_program("fish")) GTEST_SKIP() << "neither zsh nor fish is here";
  if (has_program("zsh")) shell("zsh -n " + zsh.string() + " 2>&1");
  if (has_program("fish")) {
    EXPECT_EQ(shell("fish -c 'source " + fish.string() + "; complete -C \"ffe session op\"'"),
              "open\tOpen a session with these terms\n");
    EXPECT_TRUE(
        contains(shell("fish -c 'source " + fish.string() + "; complete -C \"ffe submit --acc\"'"),
                 "--account"));
  }
}

TEST_F(CliTest, AnUnknownShellIsAUsageError) {
  CliRun run = ffe({"completion", "tcsh"});
  EXPECT_EQ(run.status, 2) << shown(run);
  EXPECT_TRUE(contains(run.err, "bash, zsh or fish")) << shown(run);
}

TEST_F(CliTest, ManPagesExistForEveryCommandAndTopic) {
  const fs::path folder = folder_.path() / "man";
  CliRun run = ffe({"help", "--manual", folder.string()});
  ASSERT_EQ(run.status, 0) << shown(run);
  EXPECT_TRUE(fs::exists(folder / "man1" / "ffe.1"));
  EXPECT_TRUE(fs::exists(folder / "man1" / "ffe-session-open.1"));
  EXPECT_TRUE(fs::exists(folder / "man7" / "ffe-exit-codes.7"));
  const std::string page = read_text_file(folder / "man1" / "ffe-submit.1");
  EXPECT_TRUE(contains(page, "\\fB\\-\\-account\\fR \\fIACCOUNT\\fR")) << page;
  if (!has_program("groff")) GTEST_SKIP() << "no groff to check the pages with";
  const std::string complaints =
      shell("for f in " + folder.string() +
            "/man?/*; do groff -K utf8 -man -Tutf8 -ww \"$f\" 2>&1 >/dev/null; done");
  EXPECT_EQ(complaints, "");
}

TEST_F(CliTest, TheConfigFileGivesDefaults) {
  fs::create_directories(folder_.path() / "config" / "ffe");
  write("config/ffe/config.toml", "[defaults]\nnetwork = \"nowhere\"\naccount = \"alice\"\n");
  CliRun run = ffe({"session", "list"});
  EXPECT_EQ(run.status, 2) << shown(run);
  EXPECT_TRUE(contains(run.err, "unknown network \"nowhere\"")) << shown(run);
  run = ffe({"session", "list", "--network", "elsewhere"});
  EXPECT_TRUE(contains(run.err, "unknown network \"elsewhere\"")) << shown(run);
  write("config/ffe/config.toml", "[defaults]\nnetwrok = \"nowhere\"\n");
  run = ffe({"session", "list"});
  EXPECT_EQ(run.status, 2) << shown(run);
  EXPECT_TRUE(contains(run.err, "config.toml: defaults.netwrok")) << shown(run);
}

TEST(TextLayout, WrapsAndCutsByColumns) {
  EXPECT_EQ(wrap("one two three four", 9), "one two\nthree\nfour");
  EXPECT_EQ(wrap("one two three", 9, 2, 2), "one two\n  three");
  EXPECT_EQ(wrap("unbreakable-word x", 5), "unbreakable-word\nx");
  EXPECT_EQ(display_width("▕██▏→"), 5u);
  EXPECT_EQ(display_width("\x1b[1mab\x1b[0m"), 2u);
  EXPECT_EQ(fit("abcdef", 6), "abcdef");
  EXPECT_EQ(fit("abcdefg", 6), "abcde…");
  EXPECT_EQ(fit("█████", 3), "██…");
  EXPECT_EQ(to_ascii("5.20 → 2.96 · █▏…"), "5.20 -> 2.96 - #....");
}

}  // namespace
}  // namespace ffe::cli
