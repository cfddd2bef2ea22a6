// What the journal promises: once written stays written, across restarts and kill -9.
#include "aggregator/journal.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "support/error_of.hpp"
#include "tee/simulated.hpp"

namespace ffe::aggregator {
namespace {

namespace fs = std::filesystem;

Bytes bytes_of(std::string_view text) {
  ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() { write_file_atomic(folder_.path() / "program", as_bytes("the measured program")); }

  fs::path file() const { return folder_.path() / "journal.db"; }
  tee::SimulatedPlatform platform() const {
    return tee::SimulatedPlatform::open_or_create(folder_.path() / "platform",
                                                  folder_.path() / "program");
  }
  // Every byte that the journal left on disk, write-ahead log included.
  std::string on_disk() const {
    std::string out;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      if (entry.path().filename().string().starts_with("journal.db")) {
        out += as_text(read_file(entry.path()));
      }
    }
    return out;
  }

  TempDir folder_{"ffe-journal"};
};

TEST_F(JournalTest, AValueIsWrittenOnce) {
  Journal journal(file(), nullptr);
  journal.put("s", "step", as_bytes("done"));
  journal.put("s", "step", as_bytes("done"));
  EXPECT_EQ(test::error_of([&] { journal.put("s", "step", as_bytes("done differently")); }),
            "internal: journal: s/step is written already, with another value");
  EXPECT_EQ(journal.get("s", "step"), bytes_of("done"));
  journal.put("other", "step", as_bytes("elsewhere"));
  EXPECT_EQ(journal.get("other", "step"), bytes_of("elsewhere"));
}

TEST_F(JournalTest, EmptyAndBinaryValuesComeBackAsTheyWere) {
  Bytes binary(256);
  for (size_t i = 0; i < binary.size(); ++i) binary[i] = static_cast<uint8_t>(i);
  Journal journal(file(), nullptr);
  journal.put("s", "empty", {});
  journal.put("s", "empty", {});
  journal.put("s", "binary", binary);
  EXPECT_EQ(journal.get("s", "empty"), Bytes());
  EXPECT_EQ(journal.get("s", "binary"), binary);
  EXPECT_FALSE(journal.get("s", "absent").has_value());
  EXPECT_FALSE(journal.has("t", "empty"));
}

TEST_F(JournalTest, ProgressMayBeReplaced) {
  Journal journal(file(), nullptr);
  journal.set("s", "progress", as_bytes("1"));
  journal.set("s", "progress", as_bytes("2"));
  EXPECT_EQ(journal.get("s", "progress"), bytes_of("2"));
}

TEST_F(JournalTest, ListsScopesInOrderOfFirstUse) {
  Journal journal(file(), nullptr);
  journal.put("zebra", "a", as_bytes("1"));
  journal.put("apple", "b", as_bytes("2"));
  journal.put("zebra", "c", as_bytes("3"));
  EXPECT_EQ(journal.scopes(), (std::vector<std::string>{"zebra", "apple"}));
  auto entries = journal.entries("zebra");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].first, "a");
  EXPECT_EQ(entries[1], (std::pair<std::string, Bytes>("c", bytes_of("3"))));
}

TEST_F(JournalTest, ASealedSecretSurvivesARestartAndIsNotReadable) {
  const std::string secret = "the secret that nobody may read from the disk";
  {
    tee::SimulatedPlatform sealer = platform();
    Journal journal(file(), &sealer);
    journal.put_secret("enclave", "signer", as_bytes(secret));
    EXPECT_EQ(on_disk().find(secret), std::string::npos);
  }
  tee::SimulatedPlatform sealer = platform();
  Journal journal(file(), &sealer);
  std::optional<SecretBytes> found = journal.get_secret("enclave", "signer");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(as_text(found->view()), secret);
  EXPECT_FALSE(journal.get_secret("enclave", "other").has_value());
}

TEST_F(JournalTest, ASecretOfAnotherPlatformIsRefused) {
  {
    tee::SimulatedPlatform sealer = platform();
    Journal journal(file(), &sealer);
    journal.put_secret("enclave", "signer", as_bytes("secret"));
  }
  auto other = tee::SimulatedPlatform::create(folder_.path() / "other", folder_.path() / "program");
  Journal journal(file(), &other);
  EXPECT_TRUE(
      test::error_of([&] { journal.get_secret("enclave", "signer"); }).starts_with("corrupt: "));
}

TEST_F(JournalTest, WithoutASealerSecretsStayInThisProcess) {
  {
    Journal journal(file(), nullptr);
    journal.put_secret("enclave", "signer", as_bytes("never on disk"));
    ASSERT_TRUE(journal.get_secret("enclave", "signer").has_value());
    EXPECT_EQ(as_text(journal.get_secret("enclave", "signer")->view()), "never on disk");
    EXPECT_EQ(on_disk().find("never on disk"), std::string::npos);
  }
  Journal journal(file(), nullptr);
  EXPECT_FALSE(journal.get_secret("enclave", "signer").has_value());
}

TEST_F(JournalTest, ErasesForGood) {
  tee::SimulatedPlatform sealer = platform();
  {
    Journal journal(file(), &sealer);
    journal.put_secret("s", "secrets", as_bytes("key material"));
    journal.erase("s", "secrets");
    EXPECT_FALSE(journal.get_secret("s", "secrets").has_value());
    journal.erase("s", "never written");
  }
  Journal journal(file(), &sealer);
  EXPECT_FALSE(journal.has("s", "secrets"));
  EXPECT_TRUE(journal.scopes().empty());
}

TEST_F(JournalTest, OnlyItsOwnerMayReadTheFile) {
  Journal journal(file(), nullptr);
  journal.put("s", "k", as_bytes("v"));
  struct stat info {};
  ASSERT_EQ(stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(JournalTest, AFileThatIsNoJournalIsRefusedByName) {
  write_file_atomic(file(), as_bytes(std::string(4096, 'x')));
  EXPECT_TRUE(test::error_of([&] {
                Journal journal(file(), nullptr);
              }).starts_with("io: cannot open the journal " + file().string()));
}

// The child is killed right after put() returned, as the power may fail.
TEST_F(JournalTest, WhatPutReturnedFromSurvivesKill) {
  constexpr int kEntries = 20;
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Journal journal(file(), nullptr);
    for (int i = 0; i < kEntries; ++i) journal.put("s", std::to_string(i), as_bytes("written"));
    kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  Journal journal(file(), nullptr);
  for (int i = 0; i < kEntries; ++i) {
    EXPECT_EQ(journal.get("s", std::to_string(i)), bytes_of("written")) << i;
  }
}

}  // namespace
}  // namespace ffe::aggregator
