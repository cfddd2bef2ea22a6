#include "base/toml_reader.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/file.hpp"

namespace ffe {
namespace {

class TomlReaderTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& text) {
    write_file_atomic(file_, as_bytes(text));
    return file_;
  }
  // What the reader says after the file's name.
  template <class Read>
  std::string refusal(const std::string& text, Read read) {
    try {
      TomlReader in(write(text));
      read(in);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kUsage);
      const std::string what = e.what();
      EXPECT_TRUE(what.starts_with(file_.string())) << what;
      return what.substr(file_.string().size());
    }
    return "accepted";
  }

  TempDir folder_{"ffe-toml"};
  std::filesystem::path file_ = folder_.path() / "settings.toml";
};

TEST_F(TomlReaderTest, ReadsEveryKindOfValue) {
  TomlReader in(
      write("[a]\ntext = \"t\"\nnumber = 7\nreal = 0.5\nwhole = 2\ntime = \"90m\"\n"
            "list = [\"x\", \"y\"]\nfile = \"sub/data\"\n"));
  EXPECT_EQ(in.text("a.text"), "t");
  EXPECT_EQ(in.text_or("a.none", "fallback"), "fallback");
  EXPECT_EQ(in.number_or("a.number", 1, 10), 7u);
  EXPECT_EQ(in.number_or("a.none", 3, 10), 3u);
  EXPECT_EQ(in.real_or("a.real", 0, 0, 1), 0.5);
  EXPECT_EQ(in.real_or("a.whole", 0, 0, 5), 2.0);
  EXPECT_EQ(in.seconds_or("a.time", 0, 86400), 5400u);
  EXPECT_EQ(in.texts("a.list"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(in.path("a.file"), folder_.path() / "sub" / "data");
  EXPECT_NO_THROW(in.refuse_unknown());
}

TEST_F(TomlReaderTest, NamesFileAndKey) {
  EXPECT_EQ(refusal("[a]\nx = 1\n", [](TomlReader& in) { in.text("a.x"); }),
            ": a.x has the wrong type");
  EXPECT_EQ(refusal("[a]\n", [](TomlReader& in) { in.text("a.x"); }), ": a.x is missing");
  EXPECT_EQ(refusal("[a]\nx = -1\n", [](TomlReader& in) { in.number_or("a.x", 0, 9); }),
            ": a.x must be between 0 and 9");
  EXPECT_EQ(refusal("[a]\nx = 2.5\n", [](TomlReader& in) { in.real_or("a.x", 0, 0, 1); }),
            ": a.x must be between 0 and 1");
  EXPECT_EQ(refusal("[a]\nx = nan\n", [](TomlReader& in) { in.real_or("a.x", 0, 0, 1); }),
            ": a.x must be between 0 and 1");
  EXPECT_EQ(refusal("[a]\nx = [1]\n", [](TomlReader& in) { in.texts("a.x"); }),
            ": a.x must be a list of strings");
  EXPECT_EQ(refusal("[a]\nx = 1\n", [](TomlReader& in) { in.refuse_unknown(); }),
            ": a.x is not a known setting");
  EXPECT_EQ(refusal("x = 1\n", [](TomlReader& in) { in.refuse_unknown(); }),
            ": x is not inside a table");
  EXPECT_EQ(refusal("[a\n", [](TomlReader&) {}).substr(0, 3), ":1:");
}

TEST_F(TomlReaderTest, TimesNeedAUnitAndABound) {
  const auto seconds = [](TomlReader& in) { in.seconds_or("a.x", 0, 14 * 86400); };
  for (const char* bad : {"90", "h", "1w", "-1h", "1.5h", "15d", "99999999999999999999d", ""}) {
    EXPECT_NE(refusal("[a]\nx = \"" + std::string(bad) + "\"\n", seconds), "accepted") << bad;
  }
  EXPECT_EQ(refusal("[a]\nx = \"14d\"\n", seconds), "accepted");
}

}  // namespace
}  // namespace ffe
