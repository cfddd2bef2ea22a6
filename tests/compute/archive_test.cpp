#include "compute/archive.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <zip.h>

#include "base/file.hpp"
#include "compute/zip_builder.hpp"
#include "support/error_of.hpp"

namespace ffe::compute {
namespace {

using namespace ffe::test;
namespace fs = std::filesystem;

ZipBuilder adapter() {
  ZipBuilder zip;
  zip.add("output_model/adapter_config.json", "{}");
  zip.add("output_model/adapter_model.safetensors", "weights");
  return zip;
}

class Archive : public ::testing::Test {
 protected:
  fs::path folder() const { return dir_.path() / "adapter"; }
  Unzipped unzip(ByteView zip, const UnzipLimits& limits = {}) {
    write_file_atomic(dir_.path() / "model.zip", zip);
    return unzip_adapter(dir_.path() / "model.zip", folder(), limits);
  }
  // Nothing of a refused archive is left, inside the target or beside it.
  std::string refusal(ByteView zip, const UnzipLimits& limits = {}) {
    std::string error = error_of([&] { unzip(zip, limits); });
    EXPECT_EQ(error.substr(0, 10), "bad_input:");
    size_t left = 0;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      left += entry.path().filename() != "model.zip";
    }
    EXPECT_EQ(left, 0u) << error;
    EXPECT_EQ(error_of([&] { adapter_files(zip, limits); }).substr(0, 10), "bad_input:");
    return error;
  }
  std::string refusal(const ZipEntry& entry, const UnzipLimits& limits = {}) {
    return refusal(adapter().add(entry).bytes(), limits);
  }
  bool refused(const ZipEntry& entry, std::string_view why, const UnzipLimits& limits = {}) {
    std::string error = refusal(entry, limits);
    EXPECT_NE(error.find(why), std::string::npos) << error;
    return error.find(why) != std::string::npos;
  }

  TempDir dir_;
};

TEST_F(Archive, InMemoryGivesTheSameFiles) {
  ZipBuilder zip = adapter();
  zip.add("output_model/training_args.bin", "pickle");
  zip.add("output_model/README.md", "");
  const Bytes bytes = zip.bytes();
  unzip(bytes);
  const auto files = adapter_files(bytes);
  EXPECT_EQ(files.size(), 3u);
  for (const auto& [name, content] : files) {
    EXPECT_EQ(read_text_file(folder() / name), as_text(content)) << name;
  }
  EXPECT_EQ(as_text(files.at("adapter_model.safetensors")), "weights");
}

TEST_F(Archive, TakesTheAdapterAndLeavesTheRest) {
  ZipBuilder zip = adapter();
  zip.add("output_model/tokenizer.json", "{\"version\":\"1.0\"}");
  zip.add("output_model/checkpoint-100/", "");
  zip.add("output_model/checkpoint-100/optimizer.pt", "pickle");
  zip.add("output_model/training_args.bin", "pickle");
  zip.add("elsewhere/adapter_config.json", "other");
  Unzipped got = unzip(zip.bytes());
  EXPECT_EQ(got.files, (std::vector<std::string>{"adapter_config.json", "adapter_model.safetensors",
                                                 "tokenizer.json"}));
  EXPECT_EQ(got.skipped.size(), 3u);
  EXPECT_EQ(read_text_file(folder() / "adapter_model.safetensors"), "weights");
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder())) files += entry.exists();
  EXPECT_EQ(files, 3u);
}

TEST_F(Archive, ReadsEntriesWhoseSizesFollowTheData) {
  ZipBuilder zip;
  zip.add({.name = "output_model/adapter_config.json", .content = "{}", .flags = 8});
  zip.add({.name = "output_model/adapter_model.safetensors",
           .content = std::string(100'000, 'w'),
           .flags = 8,
           .attributes = 0100644u << 16});
  unzip(zip.bytes());
  EXPECT_EQ(read_text_file(folder() / "adapter_model.safetensors"), std::string(100'000, 'w'));
}

TEST_F(Archive, ReadsWhatItWrites) {
  fs::path made = dir_.path() / "made";
  fs::create_directories(made / "checkpoint-1");
  write_file_atomic(made / "adapter_config.json", as_bytes("{}"));
  write_file_atomic(made / "adapter_model.safetensors", as_bytes("weights"));
  write_file_atomic(made / "checkpoint-1" / "x", as_bytes("x"));
  zip_folder(made, "output_model", dir_.path() / "made.zip");
  Unzipped got = unzip_adapter(dir_.path() / "made.zip", folder());
  EXPECT_EQ(got.files.size(), 2u);
  EXPECT_EQ(got.skipped, std::vector<std::string>{"output_model/checkpoint-1/x"});
}

TEST_F(Archive, RefusesPathsThatLeave) {
  for (const char* name :
       {"/etc/passwd", "../adapter_config.json", "output_model/../../x", "output_model/..",
        "output_model\\..\\x", "C:/x", "output_model/../adapter_config.json"}) {
    SCOPED_TRACE(name);
    refusal(ZipEntry{.name = name, .content = "x"});
  }
}

TEST_F(Archive, RefusesLinksEncryptionAndOtherMethods) {
  EXPECT_TRUE(refused(
      {.name = "output_model/README.md", .content = "/etc/passwd", .attributes = 0120777u << 16},
      "link or device"));
  EXPECT_TRUE(refused({.name = "output_model/README.md", .content = "x", .flags = 1}, "encrypted"));
  EXPECT_TRUE(
      refused({.name = "output_model/README.md", .content = "x", .method = 12}, "method 12"));
}

TEST_F(Archive, RefusesRepeatedNames) {
  refusal(ZipEntry{.name = "output_model/adapter_config.json", .content = "{\"other\":1}"});
}

TEST_F(Archive, RefusesFalseSizesAndChecksums) {
  ZipEntry bomb{.name = "output_model/README.md",
                .content = "not really deflated",
                .method = 8,
                .claimed_size = 4'000'000'000};
  EXPECT_TRUE(refused(bomb, "times"));
  bomb.claimed_size = 40'000;
  refusal(bomb);
  EXPECT_TRUE(refused({.name = "output_model/README.md", .content = std::string(5000, 'x')},
                      "too large", {.max_bytes = 4000}));
  refusal(ZipEntry{.name = "output_model/README.md", .content = "x", .wrong_crc = true});
  refusal(ZipEntry{.name = "output_model/README.md", .content = "xy", .claimed_size = 1});
  refusal(ZipEntry{.name = "output_model/README.md", .content = "xy", .claimed_packed = 4000});
}

TEST_F(Archive, RefusesADeflateBomb) {
  fs::path path = dir_.path() / "bomb.zip";
  std::string zeros(8 << 20, '\0');
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE, nullptr);
  for (const char* name :
       {"output_model/adapter_config.json", "output_model/adapter_model.safetensors"}) {
    zip_file_add(zip, name, zip_source_buffer(zip, zeros.data(), zeros.size(), 0), 0);
  }
  ASSERT_EQ(zip_close(zip), 0);
  ASSERT_LT(fs::file_size(path), 20'000u);
  Bytes bomb = read_file(path);
  fs::remove(path);
  EXPECT_NE(refusal(bomb).find("times"), std::string::npos);
  // With the size it claims made smaller, it stops there.
  EXPECT_EQ(unzip(bomb, {.max_ratio = 2000}).files.size(), 2u);
  fs::remove_all(folder());
  EXPECT_NE(refusal(bomb, {.max_bytes = 9 << 20, .max_ratio = 2000}).find("too large"),
            std::string::npos);
  size_t directory = as_text(bomb).find("PK\x01\x02");
  bomb[directory + 24 + 2] = 0;  // 8 MiB becomes nothing in the first entry's size
  fs::remove_all(folder());
  refusal(bomb, {.max_ratio = 2000});
}

TEST_F(Archive, RefusesWhatIsNoAdapter) {
  ZipBuilder only_config;
  only_config.add("output_model/adapter_config.json", "{}");
  EXPECT_NE(refusal(only_config.bytes()).find("adapter_model.safetensors"), std::string::npos);
  refusal(ZipBuilder().bytes());
  refusal(as_bytes("PK but not really"));
  refusal(ByteView());
  EXPECT_NE(refusal(adapter().bytes(), {.max_entries = 1}).find("entries"), std::string::npos);
}

TEST_F(Archive, RefusesEveryCut) {
  Bytes good = adapter().bytes();
  for (size_t size = 0; size < good.size(); ++size) refusal(ByteView(good).first(size));
}

TEST_F(Archive, LeavesAFolderThatHoldsSomethingAlone) {
  fs::create_directories(folder());
  write_file_atomic(folder() / "mine", as_bytes("mine"));
  EXPECT_EQ(error_of([&] { unzip(adapter().bytes()); }).substr(0, 6), "usage:");
  EXPECT_EQ(read_text_file(folder() / "mine"), "mine");
}

}  // namespace
}  // namespace ffe::compute
