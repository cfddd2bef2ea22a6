// What a devnet says when it cannot start. (That it starts and works is tested end to end.)
#include "devnet/devnet.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "net/http_server.hpp"
#include "support/error_of.hpp"

namespace ffe::devnet {
namespace {

TEST(DevnetStart, APortInUseIsNamed) {
  net::HttpServer other;
  int port = other.start();
  TempDir folder("ffe-devnet");
  DevnetOptions options;
  options.dir = folder.path() / "net";
  options.model = folder.path() / "model";
  write_file_atomic(options.model, as_bytes("looked at later"));
  options.rpc_port = port;
  EXPECT_EQ(test::error_of([&] { Devnet devnet(options); }),
            "io: port " + std::to_string(port) + " is in use");
  EXPECT_EQ(test::hint_of([&] { Devnet devnet(options); }),
            "choose another port, or end what is listening there");
  other.stop();
}

TEST(DevnetStart, AMissingModelSaysHowToGetIt) {
  TempDir folder("ffe-devnet");
  DevnetOptions options;
  options.dir = folder.path() / "net";
  options.model = folder.path() / "absent.gguf";
  std::string error = test::error_of([&] { Devnet devnet(options); });
  EXPECT_TRUE(error.starts_with("io: ")) << error;
  EXPECT_NE(test::hint_of([&] { Devnet devnet(options); }), "");
}

}  // namespace
}  // namespace ffe::devnet
