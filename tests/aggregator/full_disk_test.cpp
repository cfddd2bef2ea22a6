// A disk that runs full: nothing half-written stays, and the message says what to do.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "aggregator/journal.hpp"
#include "base/file.hpp"
#include "support/error_of.hpp"

namespace ffe::aggregator {
namespace {

namespace fs = std::filesystem;

// A file system of 128 KiB, where this process may mount one.
class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    mounted_ = mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=128k,mode=0700") == 0;
    if (!mounted_) GTEST_SKIP() << "NO SMALL DISK: mounting a tmpfs needs root";
  }
  void TearDown() override {
    if (mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
  }

  TempDir folder_{"ffe-full-disk"};
  bool mounted_ = false;
};

TEST_F(FullDisk, AFileIsWrittenWholeOrNotAtAll) {
  fs::path file = folder_.path() / "model";
  write_file_atomic(file, Bytes(1000, 1));
  auto too_much = [&] { write_file_atomic(file, Bytes(200'000, 2)); };
  std::string error = test::error_of(too_much);
  EXPECT_TRUE(error.starts_with("io: ")) << error;
  EXPECT_NE(error.find(file.string()), std::string::npos) << error;
  EXPECT_TRUE(test::hint_of(too_much).starts_with("the disk is full")) << test::hint_of(too_much);
  EXPECT_EQ(read_file(file), Bytes(1000, 1));
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_.path())) ++files;
  EXPECT_EQ(files, 1u) << "a part of the new file was left behind";
}

TEST_F(FullDisk, TheJournalSaysSoAndKeepsWhatItHas) {
  fs::path file = folder_.path() / "journal.db";
  {
    Journal journal(file, nullptr);
    journal.put("s", "before", as_bytes("written"));
    auto too_much = [&] { journal.put("s", "large", Bytes(200'000, 7)); };
    std::string error = test::error_of(too_much);
    EXPECT_TRUE(error.starts_with("io: journal: cannot write: ")) << error;
    EXPECT_TRUE(test::hint_of(too_much).starts_with("the disk is full")) << test::hint_of(too_much);
    EXPECT_EQ(as_text(journal.get("s", "before").value()), "written");
  }
  Journal journal(file, nullptr);
  EXPECT_TRUE(journal.has("s", "before"));
  EXPECT_FALSE(journal.has("s", "large"));
}

}  // namespace
}  // namespace ffe::aggregator
