// The command line: results on stdout, prose on stderr, exit codes that scripts can rely on.
#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "cli/run_cli.hpp"
#include "cli/terminal.hpp"
#include "crypto/address.hpp"
#include "storage/merkle.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;
using test::CliRun;
using test::CliTest;
using test::contains;
using test::shown;

constexpr const char* kRow = "{\"prompt\":\"a\",\"completion\":\"b\"}\n";

TEST_F(CliTest, AnUnknownCommandGetsASuggestion) {
  const std::pair<const char*, const char*> cases[] = {{"demoo", "did you mean demo?"},
                                                       {"sumbit", "did you mean submit?"},
                                                       {"stroage", "did you mean storage?"}};
  for (const auto& [typed, hint] : cases) {
    CliRun run = ffe({typed});
    EXPECT_EQ(run.status, 2) << shown(run);
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(contains(run.err, "error: unknown argument " + std::string(typed))) << shown(run);
    EXPECT_TRUE(contains(run.err, hint)) << shown(run);
  }
  CliRun far = ffe({"xylophone-concerto"});
  EXPECT_EQ(far.status, 2);
  EXPECT_TRUE(contains(far.err, "hint: ffe --help")) << shown(far);
}

TEST_F(CliTest, AnUnknownSubcommandOrOptionGetsASuggestion) {
  CliRun run = ffe({"storage", "rot"});
  EXPECT_EQ(run.status, 2);
  EXPECT_TRUE(contains(run.err, "did you mean root?")) << shown(run);
  run = ffe({"storage", "root", "file", "--jsn"});
  EXPECT_EQ(run.status, 2);
  EXPECT_TRUE(contains(run.err, "unknown argument --jsn")) << shown(run);
}

TEST_F(CliTest, NoCommandAndMissingArgumentsAreUsageErrors) {
  using Arguments = std::vector<std::string>;
  for (const Arguments& arguments : {Arguments{}, Arguments{"check"}, Arguments{"key"},
                                     Arguments{"attest", "verify"}, Arguments{"submit", "1"}}) {
    CliRun run = ffe(arguments);
    EXPECT_EQ(run.status, 2) << shown(run);
    EXPECT_EQ(run.out, "");
    EXPECT_TRUE(run.err.starts_with("error: ")) << shown(run);
  }
}

TEST_F(CliTest, HelpAndVersionAreResults) {
  CliRun help = ffe({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_TRUE(contains(help.out, "submit")) << shown(help);
  EXPECT_TRUE(contains(help.out, "Exit codes:")) << shown(help);
  EXPECT_EQ(help.err, "");
  CliRun version = ffe({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(version.out.starts_with("ffe ")) << shown(version);
}

TEST_F(CliTest, CheckPrintsTheNumberOfRowsAlone) {
  fs::path file = write("rows.jsonl", std::string(kRow) + kRow + "{\"text\":\"x\"}\n");
  CliRun run = ffe({"check", file.string()});
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out, "3\n");
  EXPECT_TRUE(contains(run.err, "rows.jsonl  3 rows · 1 repeated")) << shown(run);
  CliRun quiet = ffe({"check", file.string(), "--quiet"});
  EXPECT_EQ(quiet.out, "3\n");
  EXPECT_EQ(quiet.err, "");
}

TEST_F(CliTest, CheckAsJsonIsOneDocument) {
  std::string text = std::string(kRow) + kRow;
  fs::path file = write("rows.jsonl", text);
  using Arguments = std::vector<std::string>;
  for (const Arguments& arguments :
       {Arguments{"check", file.string(), "--json"}, Arguments{"--json", "check", file.string()}}) {
    CliRun run = ffe(arguments);
    EXPECT_EQ(run.status, 0) << shown(run);
    const Json found = parse_json(run.out, "stdout");
    EXPECT_EQ(found.at("rows"), 2);
    EXPECT_EQ(found.at("bytes"), text.size());
    EXPECT_EQ(found.at("duplicates"), 1);
    EXPECT_EQ(found.at("nearCopies"), 1);
    EXPECT_EQ(found.at("usable"), 1);
    EXPECT_EQ(found.at("personal"), Json::array());
  }
}

TEST_F(CliTest, ABrokenRowIsShownByFileAndLine) {
  fs::path file = write("rows.jsonl", std::string(kRow) + "{\"prompt\":\n");
  CliRun run = ffe({"check", file.string()});
  EXPECT_EQ(run.status, 1) << shown(run);
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(run.err.starts_with("error: " + file.string() + ":2:")) << shown(run);

  run = ffe({"check", file.string(), "--json"});
  EXPECT_EQ(run.status, 1);
  Json error = parse_json(run.out, "stdout").at("error");
  EXPECT_EQ(error.at("code"), "bad_input");
  EXPECT_TRUE(error.at("message").get<std::string>().starts_with(file.string() + ":2:"));
}

TEST_F(CliTest, AnEmptyOrMissingFileIsRefused) {
  CliRun run = ffe({"check", write("empty.jsonl", "").string()});
  EXPECT_EQ(run.status, 1);
  EXPECT_TRUE(contains(run.err, "empty.jsonl: no rows")) << shown(run);
  run = ffe({"check", (folder_.path() / "absent.jsonl").string()});
  EXPECT_EQ(run.status, 1);
  EXPECT_TRUE(contains(run.err, "absent.jsonl")) << shown(run);
}

TEST_F(CliTest, StorageRootIsTheRootOfTheFile) {
  for (size_t size : {size_t{1}, size_t{256}, size_t{1000}, size_t{300'000}}) {
    std::string content(size, 'x');
    fs::path file = write("file.bin", content);
    std::string root = to_hex0x(storage::data_root(as_bytes(content)).bytes);
    CliRun run = ffe({"storage", "root", file.string()});
    EXPECT_EQ(run.status, 0) << shown(run);
    EXPECT_EQ(run.out, root + "\n");
    EXPECT_TRUE(contains(run.err, "Hashing file.bin")) << shown(run);
    EXPECT_EQ(ffe({"storage", "root", file.string(), "-q"}).err, "");
    EXPECT_EQ(parse_json(ffe({"storage", "root", file.string(), "--json"}).out, "stdout"),
              (Json{{"root", root}}));
  }
  CliRun run = ffe({"storage", "root", (folder_.path() / "absent").string()});
  EXPECT_EQ(run.status, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(contains(run.err, "absent")) << shown(run);
}

TEST_F(CliTest, AKeyIsMadeListedAndOpensOnlyWithItsPassword) {
  fs::path password = write("password", "correct horse\n");
  CliRun made = ffe({"key", "new", "alice", "--password-file", password.string()});
  ASSERT_EQ(made.status, 0) << shown(made);
  ASSERT_EQ(made.out.size(), 43u) << shown(made);
  std::string address = made.out.substr(0, 42);
  EXPECT_EQ(crypto::checksum_address(address_from_hex(address)), address);
  EXPECT_TRUE(contains(made.err, "Created")) << shown(made);

  CliRun list = ffe({"key", "list"});
  EXPECT_EQ(list.status, 0);
  EXPECT_EQ(list.out, address + "  alice\n");
  Json entries = parse_json(ffe({"key", "list", "--json"}).out, "stdout");
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].at("name"), "alice");
  EXPECT_EQ(entries[0].at("address"), address);
  fs::path key_file = entries[0].at("path").get<std::string>();
  EXPECT_EQ(fs::status(key_file).permissions() & fs::perms::all,
            fs::perms::owner_read | fs::perms::owner_write);

  // The password is asked for by a command that signs; the network need not answer for that.
  fs::path network = write("network.json", Json{{"name", "none"},
                                                {"chainId", 31337},
                                                {"rpcUrl", "http://127.0.0.1:1"},
                                                {"coordinator", "0x" + std::string(40, '1')},
                                                {"registry", "0x" + std::string(40, '2')},
                                                {"inft", "0x" + std::string(40, '3')},
                                                {"fromBlock", 0},
                                                {"storageNodes", Json::array()},
                                                {"enclaveUrls", Json::array()},
                                                {"releases", Json::array()}}
                                               .dump());
  fs::path wrong = write("wrong", "battery staple\n");
  std::vector<std::string> claim = {"claim",     "1",     "--network",      network.string(),
                                    "--account", "alice", "--password-file"};
  auto with = [&](const fs::path& file) {
    std::vector<std::string> out = claim;
    out.push_back(file.string());
    return out;
  };
  CliRun refused = ffe(with(wrong));
  EXPECT_EQ(refused.status, 4) << shown(refused);
  EXPECT_EQ(refused.out, "");
  EXPECT_FALSE(contains(refused.err, "battery")) << "a password is never shown";
  // The right one gets as far as the network, which does not answer.
  CliRun unreachable = ffe(with(password));
  EXPECT_EQ(unreachable.status, 6) << shown(unreachable);
  EXPECT_TRUE(contains(unreachable.err, "127.0.0.1:1")) << shown(unreachable);
}

TEST_F(CliTest, ANameIsNotTakenTwice) {
  fs::path password = write("password", "correct horse\n");
  CliRun first = ffe({"key", "new", "bob", "--password-file", password.string()});
  ASSERT_EQ(first.status, 0) << shown(first);
  CliRun second = ffe({"key", "new", "bob", "--password-file", password.string()});
  EXPECT_NE(second.status, 0);
  EXPECT_EQ(second.out, "");
  EXPECT_TRUE(contains(ffe({"key", "list"}).out, first.out.substr(0, 42)));
}

TEST_F(CliTest, WithoutAPasswordOrATerminalThereIsNoKey) {
  int keyboard = dup(STDIN_FILENO);
  std::FILE* nothing = std::fopen("/dev/null", "r");
  dup2(fileno(nothing), STDIN_FILENO);
  CliRun run = ffe({"key", "new", "carol"});
  dup2(keyboard, STDIN_FILENO);
  close(keyboard);
  std::fclose(nothing);
  EXPECT_EQ(run.status, 4) << shown(run);
  EXPECT_TRUE(contains(run.err, "--password-file")) << shown(run);
  EXPECT_EQ(ffe({"key", "list"}).out, "");
}

TEST_F(CliTest, AnImportedKeyHasItsAddress) {
  // The first account of a test mnemonic that everybody knows.
  fs::path key =
      write("key.hex", "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n");
  fs::path password = write("password", "pw\n");
  CliRun run = ffe({"key", "import", "zero", key.string(), "--password-file", password.string()});
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n");
  fs::path bad = write("bad.hex", "0x12\n");
  run = ffe({"key", "import", "bad", bad.string(), "--password-file", password.string()});
  EXPECT_NE(run.status, 0);
  EXPECT_EQ(run.out, "");
}

TEST_F(CliTest, AnUnknownNetworkListsTheKnownOnes) {
  CliRun run = ffe({"session", "status", "1", "--network", "nowhere"});
  EXPECT_EQ(run.status, 2) << shown(run);
  EXPECT_TRUE(contains(run.err, "unknown network \"nowhere\"")) << shown(run);
  EXPECT_TRUE(contains(run.err, "known: devnet")) << shown(run);
}

TEST_F(CliTest, NoColourReachesAPipe) {
  CliRun run = ffe({"check", write("rows.jsonl", kRow).string()});
  EXPECT_FALSE(contains(run.err + run.out, "\x1b")) << shown(run);
}

TEST(Format, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(4'100'000), "4.1 MB");
  EXPECT_EQ(format_bytes(2'500'000'000), "2.5 GB");
  EXPECT_EQ(format_bytes(7'000'000'000'000'000), "7000.0 TB");
  EXPECT_EQ(format_bytes(999'960), "1.0 MB");
}

TEST(Format, Count) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1204), "1,204");
  EXPECT_EQ(format_count(1'234'567), "1,234,567");
}

TEST(Format, Duration) {
  EXPECT_EQ(format_duration(0), "0.0s");
  EXPECT_EQ(format_duration(6.44), "6.4s");
  EXPECT_EQ(format_duration(59.97), "1m00s");
  EXPECT_EQ(format_duration(61), "1m01s");
  EXPECT_EQ(format_duration(3599.9), "1h00m");
  EXPECT_EQ(format_duration(2 * 3600 + 13 * 60 + 5), "2h13m");
}

}  // namespace
}  // namespace ffe::cli
