// After a session nothing of the rows is left: not on disk, not in logs, not in the service's
// memory. What must be found is searched for as well, so that an empty result means something.
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>
#include <unordered_map>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "world.hpp"

namespace ffe::sessions {
namespace {

namespace fs = std::filesystem;

// Strings that stand in a file of rows and nowhere else: questions of 24 letters.
std::vector<std::string> markers(const fs::path& rows) {
  std::ifstream in(rows);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(Json::parse(line)["prompt"]);
  return out;
}

bool contains(std::string_view haystack, std::string_view needle) {
  return memmem(haystack.data(), haystack.size(), needle.data(), needle.size()) != nullptr;
}

// How often any of the needles (8 bytes or more) occurs; one pass over the haystack.
class Search {
 public:
  explicit Search(const std::vector<std::string>& needles) {
    for (const std::string& needle : needles) {
      begins_[pair(needle.data())] = true;
      needles_[needle.substr(0, 8)].push_back(needle);
    }
  }

  size_t count(std::string_view haystack) const {
    size_t found = 0;
    for (size_t i = 0; i + 8 <= haystack.size(); ++i) {
      if (!begins_[pair(haystack.data() + i)]) continue;
      auto candidates = needles_.find(std::string(haystack.substr(i, 8)));
      if (candidates == needles_.end()) continue;
      for (const std::string& needle : candidates->second) {
        found += haystack.substr(i).starts_with(needle) ? 1 : 0;
      }
    }
    return found;
  }

 private:
  static size_t pair(const char* at) {
    return static_cast<uint8_t>(at[0]) << 8 | static_cast<uint8_t>(at[4]);
  }
  std::vector<bool> begins_ = std::vector<bool>(1 << 16);
  std::unordered_map<std::string, std::vector<std::string>> needles_;
};

// The writable memory of a process; nothing without the right to read it.
std::string memory_of(pid_t pid) {
  const fs::path proc = "/proc/" + std::to_string(pid);
  std::ifstream maps(proc / "maps");
  std::ifstream memory(proc / "mem", std::ios::binary);
  std::string out;
  for (std::string line; std::getline(maps, line);) {
    unsigned long long first = 0, last = 0;
    char rights[5] = {};
    if (std::sscanf(line.c_str(), "%llx-%llx %4s", &first, &last, rights) != 3) continue;
    if (rights[0] != 'r' || rights[1] != 'w') continue;
    const size_t before = out.size();
    out.resize(before + (last - first));
    memory.seekg(static_cast<std::streamoff>(first));
    memory.read(out.data() + before, static_cast<std::streamsize>(last - first));
    out.resize(before + static_cast<size_t>(memory.gcount()));
    memory.clear();
  }
  return out;
}

// How the trainer holds the same text: one number of 32 bits for each byte, by the tiny model's
// vocabulary.
std::string as_token_ids(const std::string& text, const Json& vocabulary) {
  std::string out;
  for (const char c : text) {
    const int32_t id = vocabulary.at(std::string(1, c));
    out.append(reinterpret_cast<const char*>(&id), sizeof id);
  }
  return out;
}

std::vector<fs::path> files_below(const fs::path& dir) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file()) out.push_back(entry.path());
  }
  return out;
}

class Secrets : public ::testing::Test {
 protected:
  Secrets() : world_(learned_model()) {
    const Json tokenizer = parse_json(
        as_text(read_file(world_.model() / "model" / "tokenizer.json", 16 << 20)), "tokenizer");
    for (const char* name : {"alice.jsonl", "bob.jsonl", "carol.jsonl", "pool.jsonl"}) {
      for (const std::string& marker : markers(world_.model() / name)) {
        secret_.push_back(marker);
        secret_ids_.push_back(as_token_ids(marker, tokenizer["model"]["vocab"]));
      }
    }
    world_.net().kill(devnet::Part::kEnclave, SIGTERM);
    world_.net().launch(devnet::Part::kEnclave, {}, {"--log-level", "trace"});
    world_.net().wait_until_ready(devnet::Part::kEnclave);
  }

  World world_;
  std::vector<std::string> secret_, secret_ids_;
};

TEST_F(Secrets, NothingOfTheRowsIsLeftBehind) {
  world_.open(3);
  for (size_t i = 0; const char* name : {"alice.jsonl", "bob.jsonl", "carol.jsonl"}) {
    world_.submit(i++, name);
  }
  ASSERT_EQ(world_.finish().state, session::SessionState::kSettled);
  // The service must have noticed the end.
  const auto stage = [&] {
    return world_.opener().enclave_status(world_.session_id()).value("stage", "");
  };
  for (int i = 0; i < 50 && stage() != "over: settled"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  ASSERT_EQ(stage(), "over: settled");

  const Search rows(secret_), token_ids(secret_ids_);
  size_t searched = 0;
  bool public_sample_found = false;
  const std::string public_marker = markers(world_.model() / "sample.jsonl").front();
  for (const fs::path& file : files_below(world_.dir())) {
    const Bytes bytes = read_file(file, size_t{1} << 30);
    searched += bytes.size();
    public_sample_found |= contains(as_text(bytes), public_marker);
    EXPECT_EQ(rows.count(as_text(bytes)), 0u) << file;
  }
  EXPECT_GT(searched, size_t{100'000});
  EXPECT_TRUE(public_sample_found);

  const std::string memory = memory_of(world_.net().pid(devnet::Part::kEnclave));
  if (memory.empty()) GTEST_SKIP() << "no right to read another process's memory: run as root";
  const H256 id = world_.opener().coordinator().opened(world_.session_id()).terms.enclave_id;
  EXPECT_TRUE(contains(memory, as_text(id.bytes)));
  EXPECT_EQ(rows.count(memory), 0u);
  EXPECT_EQ(token_ids.count(memory), 0u);
}

}  // namespace
}  // namespace ffe::sessions
