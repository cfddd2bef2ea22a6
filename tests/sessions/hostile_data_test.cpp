// What contributors may send instead of rows. Each fault is the sender's alone: the honest beside
// it get their model.
#include <fstream>
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "session/blob.hpp"
#include "world.hpp"

namespace ffe::sessions {
namespace {

constexpr size_t kLimit = 64 << 10;

std::string settings() {
  return "[limits]\nmax_data_bytes = " + std::to_string(kLimit) + "\nblob_window_seconds = 3\n";
}

std::string repeated(const std::string& line, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += line + "\n";
  return out;
}

// An honest file, some of whose questions spell the chat template's control tokens.
std::string with_control_tokens(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string out, line;
  for (size_t i = 0; std::getline(in, line); ++i) {
    Json row = Json::parse(line);
    if (i % 16 == 0) row["prompt"] = row["prompt"].get<std::string>() + "<|im_end|>";
    out += row.dump() + "\n";
  }
  return out;
}

TEST(HostileData, EachFaultIsItsSendersAlone) {
  struct Case {
    const char* what;
    std::function<void(World&, size_t party)> send;
    std::vector<std::string> verdicts;  // any of them
  };
  const auto rows = [](const std::string& text) {
    return [text](World& world, size_t party) { world.submit_rows(party, text); };
  };
  const std::string invalid = "reject invalid", missing = "exclude not_available",
                    few = "exclude too_few_rows";
  const std::vector<Case> cases = {
      {"giant line", rows("{\"text\": \"" + std::string(kLimit - 64, 'a')), {invalid}},
      {"deep JSON", rows(std::string(kLimit / 2, '[')), {invalid}},
      {"deep JSON in a row",
       rows("{\"text\": " + std::string(30'000, '[') + std::string(30'000, ']') + "}"),
       {invalid}},
      {"not UTF-8", rows(repeated("{\"text\": \"\xff\xfe\xc0\x80\"}", 50)), {invalid}},
      {"compressed", rows("\x1f\x8b\x08" + std::string(4000, '\x5a')), {invalid}},
      {"NUL bytes", rows(std::string(4000, '\0')), {invalid}},
      {"blank lines", rows(repeated("", 5000)), {few}},
      {"one row a thousand times",
       rows(repeated(R"({"prompt": "abc", "completion": "ABC"})", 200)),
       {few}},
      {"more rows than a contribution may have",
       rows(repeated(R"({"text": "a"})", 2000)),
       {missing}},
      {"more bytes than a contribution may have",
       rows(repeated(R"({"text": "abcdefghijklmnopqrst"})", 4000)),
       {missing}},
      {"control tokens",
       [](World& world, size_t party) {
         world.submit_rows(party, with_control_tokens(world.model() / "carol.jsonl"));
       },
       {"accept"}},
      {"noise",
       [](World& world, size_t party) { world.submit_blob(party, noise_blob()); },
       {invalid}},
      {"a blob cut short",
       [](World& world, size_t party) {
         world.submit_blob(party, ByteView(noise_blob()).first(2000));
       },
       {missing}},
      {"a blob of one byte",
       [](World& world, size_t party) { world.submit_blob(party, Bytes{0x46}); },
       {missing}},
      {"a root that nobody stores",
       [](World& world, size_t party) {
         world.commit(party, H256{{1, 2, 3}});
       },
       {missing}},
  };

  World world(learned_model(), settings());
  world.open(2 + cases.size());
  world.submit(0, "alice.jsonl");
  world.submit(1, "bob.jsonl");
  for (size_t i = 0; i < cases.size(); ++i) cases[i].send(world, 2 + i);
  const Outcome outcome = world.finish();

  ASSERT_EQ(outcome.verdicts.size(), 2 + cases.size());
  EXPECT_EQ(outcome.verdicts[0], "accept");
  EXPECT_EQ(outcome.verdicts[1], "accept");
  const std::vector<session::GateFinding> findings = world.findings();
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_TRUE(std::ranges::count(cases[i].verdicts, outcome.verdicts[2 + i]))
        << cases[i].what << ": " << outcome.verdicts[2 + i] << ", " << findings[2 + i].text;
  }
}

// Highest resident memory of a process so far, in bytes.
size_t peak_memory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    size_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib << 10;
  }
  return 0;
}

TEST(HostileData, ABlobThatDoesNotOpenIsStreamed) {
  constexpr size_t kBlob = 128 << 20;
  World world(learned_model(), "[limits]\nmax_data_bytes = " + std::to_string(kBlob) + "\n");
  world.open(3);
  world.submit(0, "alice.jsonl");
  world.submit(1, "bob.jsonl");
  const pid_t service = world.net().pid(devnet::Part::kEnclave);
  const size_t before = peak_memory(service);
  world.submit_blob(2, noise_blob(kBlob));
  const Outcome outcome = world.finish();
  EXPECT_EQ(outcome.verdicts, (std::vector<std::string>{"accept", "accept", "reject invalid"}));
  const size_t after = peak_memory(service);
  EXPECT_GT(before, 0u);
  EXPECT_LT(after - before, kBlob / 2) << "model, trainer and download together";
}

// 255 is the most that the contract takes; by default fewer, because each costs three transactions.
TEST(HostileData, TwoHonestAmongMany) {
  const char* wanted = std::getenv("FFE_CONTRIBUTORS");
  const size_t all = wanted == nullptr ? 40 : std::stoul(wanted);
  World world(learned_model(), settings());
  world.open(all);
  world.submit(0, "alice.jsonl");
  world.submit(1, "bob.jsonl");
  for (size_t i = 2; i < all; ++i) world.commit(i, H256{{static_cast<uint8_t>(i), 1}});
  const Outcome outcome = world.finish(240);
  ASSERT_EQ(outcome.verdicts.size(), all);
  EXPECT_EQ(std::ranges::count(outcome.verdicts, "accept"), 2);
  EXPECT_EQ(std::ranges::count(outcome.verdicts, "exclude not_available"),
            static_cast<std::ptrdiff_t>(all - 2));
  EXPECT_EQ(outcome.tokens, 2u);
  EXPECT_EQ(outcome.slashes, 0u);
}

}  // namespace
}  // namespace ffe::sessions
