// Which platform serves: named, found out, or none; and never a simulator that nobody asked for.
#include "tee/platform.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "tee/samples.hpp"

namespace ffe::tee {
namespace {

class PlatformTest : public ::testing::Test {
 protected:
  PlatformTest() {
    unsetenv("DSTACK_SIMULATOR_ENDPOINT");
    options_.configfs.root = folder_.path() / "report";
    options_.configfs.entry = "report0";
    options_.simulator_dir = folder_.path() / "simulator";
  }
  // The kernel's directory with this name behind it.
  void serve(const std::string& provider) {
    std::filesystem::create_directories(options_.configfs.root / "report0");
    write_file_atomic(options_.configfs.root / "report0/provider", as_bytes(provider + "\n"));
  }

  TempDir folder_;
  PlatformOptions options_;
};

TEST_F(PlatformTest, ATdxGuestIsFoundOut) {
  serve("tdx_guest");
  Platform platform = open_platform(options_);
  EXPECT_EQ(platform.provider->name(), "configfs-tsm");
  EXPECT_EQ(platform.sealer, nullptr);
}

TEST_F(PlatformTest, AnotherGuestIsNotAndNoSimulatorTakesItsPlace) {
  serve("sev_guest");
  for (int i = 0; i < 2; ++i) {
    try {
      Platform platform = open_platform(options_);
      FAIL() << platform.provider->name();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_NE(error.hint().find("simulator"), std::string::npos);
    }
    std::filesystem::remove_all(options_.configfs.root);
  }
  EXPECT_FALSE(std::filesystem::exists(options_.simulator_dir));
}

TEST_F(PlatformTest, TheSimulatorIsForcedAndSeals) {
  options_.provider = "simulator";
  Platform platform = open_platform(options_);
  EXPECT_TRUE(platform.provider->simulated());
  Bytes sealed = platform.sealer->seal(as_bytes(std::string_view("x")));
  EXPECT_EQ(as_text(open_platform(options_).sealer->open(sealed).view()), "x");
}

TEST_F(PlatformTest, ANamedPlatformThatIsAbsentIsAnError) {
  for (const char* name : {"dstack", "tapp", "nothing"}) {
    options_.provider = name;
    options_.app_id = "ffe";
    EXPECT_THROW(open_platform(options_), Error) << name;
  }
  EXPECT_TRUE(known_provider("auto"));
  EXPECT_FALSE(known_provider("nothing"));
}

}  // namespace
}  // namespace ffe::tee
