// The platform's side of 0G Tapp as a real gRPC server (tapp/fake_tapp.mjs): it makes runtime data
// and hashes it; its quotes come from whoever made the machine.
#pragma once

#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <signal.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/json.hpp"
#include "crypto/secp256k1.hpp"
#include "net/http_server.hpp"
#include "tee/provider.hpp"

namespace ffe::tee {

inline const std::filesystem::path kTappFolder = FFE_SOURCE_DIR "/tests/tee/tapp";

struct FakeOptions {
  std::string version = "0.9.1";
  Bytes event_log = {};
  std::string secret = "kms";
  std::function<Bytes(const FixedBytes<64>&)> quote;
};

// One Tapp machine: the server's process, and the quoting enclave that it asks.
class FakeTapp {
 public:
  explicit FakeTapp(FakeOptions options) : key_(crypto::PrivateKey::generate()) {
    quotes_.handle_regex("GET", "/quote/([0-9a-f]{128})",
                         [quote = options.quote](const net::ServerRequest& request) {
                           Bytes bytes = quote(fixed_from_hex<64>(request.captures.at(0)));
                           net::ServerResponse out;
                           out.content_type = "application/octet-stream";
                           out.body = as_text(bytes);
                           return out;
                         });
    quotes_.start();
    Json config = {{"socket", socket()},
                   {"version", options.version},
                   {"appId", "ffe"},
                   {"signer", to_hex(key_.address().bytes)},
                   {"appKey", to_hex(key_.secret())},
                   {"secret", options.secret},
                   {"quoteUrl", quotes_.url() + "/quote/"}};
    if (!options.event_log.empty()) config["eventLog"] = to_hex(options.event_log);
    write_file_atomic(folder_.path() / "config.json", as_bytes(config.dump()));
    start();
  }
  ~FakeTapp() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  std::string socket() const { return (folder_.path() / "tapp.sock").string(); }
  std::string url() const { return "http://127.0.0.1:" + port_; }
  const crypto::PrivateKey& key() const { return key_; }
  TappOptions options(const std::string& app = "ffe") const {
    TappOptions out{.endpoint = socket(), .app_id = app};
    out.tsm.root = folder_.path() / "absent";
    return out;
  }

 private:
  void start() {
    int out[2], in[2];
    ASSERT_EQ(pipe2(out, O_CLOEXEC) | pipe2(in, O_CLOEXEC), 0);
    std::string script = kTappFolder / "fake_tapp.mjs", config = folder_.path() / "config.json";
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(in[0], 0);
      dup2(out[1], 1);
      execlp("node", "node", script.c_str(), config.c_str(), nullptr);
      _exit(127);
    }
    close(out[1]);
    close(in[0]);
    for (char c; read(out[0], &c, 1) == 1 && c != '\n';) port_ += c;
    close(out[0]);
    input_ = in[1];
    ASSERT_FALSE(port_.empty()) << "the fake Tapp service did not start";
  }

  TempDir folder_;
  net::HttpServer quotes_;
  crypto::PrivateKey key_;
  pid_t pid_ = -1;
  int input_ = -1;
  std::string port_;
};

inline constexpr const char* kNoTapp = "NO gRPC SERVER: run scripts/setup-npm tests/tee/tapp";
inline bool fake_tapp_runs() {
  return std::filesystem::exists(kTappFolder / "node_modules/@grpc/grpc-js");
}

}  // namespace ffe::tee
