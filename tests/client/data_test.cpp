// What `ffe check` promises about a file of rows before anything is staked on it.
#include <cstdlib>
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "client/client.hpp"
#include "support/error_of.hpp"

namespace ffe::client {
namespace {

namespace fs = std::filesystem;

class CheckData : public ::testing::Test {
 protected:
  fs::path write(const std::string& text) const {
    fs::path file = folder_.path() / "rows.jsonl";
    write_file_atomic(file, as_bytes(text));
    return file;
  }

  TempDir folder_{"ffe-rows"};
};

constexpr const char* kRow = "{\"prompt\":\"a\",\"completion\":\"b\"}\n";

TEST_F(CheckData, CountsRowsBytesAndRepetitions) {
  std::string text = std::string(kRow) + "{\"text\":\"some text\"}\n\n" + kRow +
                     "{\"prompt\":\"a\",\"completion\":\"c\"}\n" +
                     // The same content, written differently, is the same row.
                     "{ \"completion\": \"b\", \"prompt\": \"\\u0061\" }\n";
  DataCheck data = check_data(write(text));
  EXPECT_EQ(data.rows, 5u);
  EXPECT_EQ(data.bytes, text.size());
  EXPECT_EQ(data.duplicates, 2u);
}

TEST_F(CheckData, ContentOnTheOtherSideOfAFieldIsAnotherRow) {
  DataCheck data =
      check_data(write("{\"prompt\":\"ab\",\"completion\":\"c\"}\n"
                       "{\"prompt\":\"a\",\"completion\":\"bc\"}\n"));
  EXPECT_EQ(data.rows, 2u);
  EXPECT_EQ(data.duplicates, 0u);
}

TEST_F(CheckData, ABrokenRowIsNamedByFileLineAndColumn) {
  fs::path file = write(std::string(kRow) + "\n" + "{\"prompt\":\"a\" \"completion\":\"b\"}\n");
  std::string error = test::error_of([&] { check_data(file); });
  const std::string place = "bad_input: " + file.string() + ":3:";
  ASSERT_TRUE(error.starts_with(place)) << error;
  // Inside the text that should have been a comma: columns 14 to 26.
  int column = std::atoi(error.c_str() + place.size());
  EXPECT_TRUE(column >= 14 && column <= 27) << error;
}

TEST_F(CheckData, ARowWithoutAnAnswerIsNamed) {
  fs::path file = write(std::string(kRow) + "{\"prompt\":\"only a question\"}\n");
  std::string error = test::error_of([&] { check_data(file); });
  EXPECT_TRUE(error.starts_with("bad_input: " + file.string() + ":2:1: ")) << error;
  EXPECT_EQ(error.find("only a question"), std::string::npos) << "errors never quote rows";
}

TEST_F(CheckData, BytesThatAreNotUtf8AreRefused) {
  fs::path file = write("{\"prompt\":\"\xff\xfe\",\"completion\":\"b\"}\n");
  std::string error = test::error_of([&] { check_data(file); });
  EXPECT_TRUE(error.starts_with("bad_input: " + file.string() + ":1:")) << error;
}

TEST_F(CheckData, AnEmptyFileIsRefused) {
  for (const char* text : {"", "\n", " \n\n\t\n"}) {
    fs::path file = write(text);
    EXPECT_EQ(test::error_of([&] { check_data(file); }),
              "bad_input: " + file.string() + ": no rows");
  }
}

TEST_F(CheckData, AMissingFileIsNamed) {
  fs::path file = folder_.path() / "absent.jsonl";
  EXPECT_EQ(test::error_of([&] { check_data(file); }), "io: cannot open " + file.string());
}

TEST_F(CheckData, AFolderIsNoFile) {
  EXPECT_EQ(test::error_of([&] { check_data(folder_.path()); }),
            "io: cannot open " + folder_.path().string());
}

}  // namespace
}  // namespace ffe::client
