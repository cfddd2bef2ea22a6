// The dstack guest agent's side as a Unix socket that answers with recorded responses.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "base/hex.hpp"
#include "tee/event_log.hpp"
#include "tee/provider.hpp"
#include "tee/samples.hpp"

namespace ffe::tee {
namespace {

// Answers one request with a fixed HTTP response and keeps what was asked.
class FakeAgent {
 public:
  explicit FakeAgent(std::string status, std::string body)
      : answer_("HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().string().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeAgent() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::filesystem::path path() const { return folder_.path() / "agent.sock"; }
  std::string request;

 private:
  void serve() {
    int peer = ::accept(listener_, nullptr, nullptr);
    if (peer < 0) return;
    char block[4096];
    while (request.find("\"}") == std::string::npos) {
      ssize_t size = ::read(peer, block, sizeof block);
      if (size <= 0) break;
      request.append(block, static_cast<size_t>(size));
    }
    for (size_t done = 0; done < answer_.size();) {
      ssize_t size = ::send(peer, answer_.data() + done, answer_.size() - done, MSG_NOSIGNAL);
      if (size <= 0) break;
      done += static_cast<size_t>(size);
    }
    ::close(peer);
  }

  TempDir folder_;
  std::string answer_;
  int listener_ = -1;
  std::thread thread_;
};

TEST(Dstack, RecordedAnswersReplay) {
  FFE_NEED_SAMPLES();
  for (const char* name : {"dstack/quote-report.json", "dstack/tdx-lite-getquote.json"}) {
    std::string recorded = read_text_file(samples_dir() / name);
    FixedBytes<64> wanted =
        fixed_from_hex<64>(json_string(parse_json(recorded, name), "report_data", name));
    FakeAgent agent("200 OK", recorded);
    Evidence evidence = dstack_provider({.endpoint = agent.path()})->quote(wanted);
    EXPECT_EQ(evidence.provider, "dstack");
    Quote quote = parse_quote(evidence.quote);
    EXPECT_NO_THROW(
        check_replay(parse_event_log(evidence.event_log_format, evidence.event_log), quote.td));
    EXPECT_TRUE(agent.request.starts_with("POST /GetQuote HTTP/1.1\r\n")) << agent.request;
    EXPECT_NE(agent.request.find(to_hex(wanted.bytes)), std::string::npos);
  }
}

TEST(Dstack, WrongAnswersAreErrors) {
  FFE_NEED_SAMPLES();
  std::string recorded = read_text_file(samples_dir() / "dstack/quote-report.json");
  struct Row {
    const char* status;
    std::string body;
    ErrorCode code;
  };
  for (const Row& row :
       {Row{"200 OK", recorded, ErrorCode::kAttestation},  // other report data
        Row{"500 Internal Server Error", "{}", ErrorCode::kNetwork},
        Row{"200 OK", "{}", ErrorCode::kBadInput}, Row{"200 OK", "no json", ErrorCode::kBadInput},
        Row{"200 OK", R"({"quote":"00","event_log":"[]"})", ErrorCode::kBadInput}}) {
    FakeAgent agent(row.status, row.body);
    try {
      dstack_provider({.endpoint = agent.path()})->quote({});
      FAIL() << row.body.substr(0, 40);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), row.code) << error.what();
    }
  }
  TempDir empty;
  EXPECT_THROW(dstack_provider({.endpoint = empty.path() / "absent.sock"})->quote({}), Error);
}

TEST(Dstack, SealsUnderTheKeyServicesKey) {
  auto answer = [](char c) {
    return R"({"key":")" + std::string(64, c) + R"(","signature_chain":[]})";
  };
  FakeAgent agent("200 OK", answer('a'));
  auto sealer = dstack_sealer({.endpoint = agent.path()});
  std::string text = "journal";
  Bytes sealed = sealer->seal(as_bytes(text));
  EXPECT_TRUE(agent.request.starts_with("POST /GetKey HTTP/1.1\r\n")) << agent.request;
  EXPECT_NE(agent.request.find(R"("path":"ffe/journal")"), std::string::npos) << agent.request;

  FakeAgent again("200 OK", answer('a')), other("200 OK", answer('b')), bad("200 OK", answer('g'));
  FakeAgent shorter("200 OK", R"({"key":"aa"})");
  EXPECT_EQ(as_text(dstack_sealer({.endpoint = again.path()})->open(sealed).view()), text);
  EXPECT_THROW(dstack_sealer({.endpoint = other.path()})->open(sealed), Error);
  EXPECT_THROW(dstack_sealer({.endpoint = bad.path()}), Error);
  EXPECT_THROW(dstack_sealer({.endpoint = shorter.path()}), Error);
}

}  // namespace
}  // namespace ffe::tee
