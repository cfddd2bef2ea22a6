#include "net/http_client.hpp"

#include <chrono>
#include <cstdlib>

#include "base/file.hpp"
#include "peers.hpp"

namespace ffe::net {
namespace {

using namespace ffe::test;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

HttpRequest get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(HttpClient, ReadsStatusHeadersAndBody) {
  RawServer server(answering(
      "HTTP/1.1 404 Gone Fishing\r\nX-One: a\r\nx-ONE:  b \r\nContent-Length: 4\r\n\r\nbody"));
  HttpResponse response = HttpClient().send(get(server.url("/x")));
  EXPECT_EQ(response.status, 404);
  EXPECT_FALSE(response.ok());
  EXPECT_EQ(response.headers.at("x-one"), "a, b");
  EXPECT_EQ(response.body, "body");
}

TEST(HttpClient, SendsWhatItIsTold) {
  std::string seen;
  RawServer server([&](const Socket& peer) {
    seen = peer.receive("the body");
    peer.send(ok(""));
  });
  HttpRequest request = get(server.url("/p?q=1"));
  request.method = "PUT";
  request.headers = {{"X-Key", "value"}, {"X-Empty", ""}};
  request.body = "the body";
  EXPECT_EQ(HttpClient().send(request).status, 200);
  EXPECT_TRUE(seen.starts_with("PUT /p?q=1 HTTP/1.1\r\n")) << seen;
  EXPECT_NE(seen.find("X-Key: value\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("X-Empty:\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("Content-Length: 8\r\n"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("Expect"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("Content-Type"), std::string::npos) << seen;
}

TEST(HttpClient, PostsBodiesWithZeroBytesAndEmptyOnes) {
  std::string seen;
  RawServer server([&](const Socket& peer) {
    seen = peer.receive("\r\n\r\n");
    if (seen.find("Content-Length: 3") != std::string::npos &&
        !seen.ends_with(std::string("a\0b", 3)))
      seen += peer.receive("b");
    peer.send(ok(""));
  });
  HttpRequest request = get(server.url());
  request.method = "POST";
  request.body = std::string("a\0b", 3);
  HttpClient client;
  client.send(request);
  EXPECT_TRUE(seen.ends_with(request.body)) << seen;
  request.body.clear();
  client.send(request);
  EXPECT_NE(seen.find("Content-Length: 0\r\n"), std::string::npos) << seen;
}

TEST(HttpClient, ReusesConnections) {
  RawServer server([](const Socket& peer) {
    while (!peer.receive("\r\n\r\n").empty()) {
      if (!peer.send(ok("x"))) return;
    }
  });
  {
    HttpClient client;
    for (int i = 0; i < 20; ++i) EXPECT_EQ(client.send(get(server.url())).body, "x");
    EXPECT_EQ(server.connections(), 1);
  }
}

TEST(HttpClient, ServesManyThreads) {
  std::atomic<int> good{0};
  std::vector<std::unique_ptr<RawServer>> servers;
  servers.reserve(4);
  for (int i = 0; i < 4; ++i) servers.push_back(std::make_unique<RawServer>(answering(ok("x"))));
  HttpClient client;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 25; ++k) good += client.send(get(servers[i]->url())).body == "x";
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(good, 100);
}

TEST(HttpClient, DoesNotFollowRedirects) {
  RawServer server(answering(
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(HttpClient().send(get(server.url())).status, 302);
}

TEST(HttpClient, SpeaksOverUnixSockets) {
  TempDir dir;
  std::string path = (dir.path() / "s").string();
  RawServer server(answering(ok("over a path")), path);
  HttpRequest request = get("http://enclave.local/quote");
  request.unix_socket = path;
  EXPECT_EQ(HttpClient().send(request).body, "over a path");
}

TEST(HttpClient, IgnoresProxiesForThisMachine) {
  RawServer server(answering(ok("direct")));
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  std::string body = HttpClient().send(get(server.url())).body;
  unsetenv("http_proxy");
  EXPECT_EQ(body, "direct");
}

TEST(HttpClient, StreamsTheBody) {
  std::string big(3'000'000, 'z');
  RawServer server(answering(ok(big)));
  std::string got;
  HttpResponse response = HttpClient().send(get(server.url()), [&](std::string_view piece) {
    got += piece;
    return true;
  });
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body.empty());
  EXPECT_EQ(got, big);
}

TEST(HttpClient, TheBodyOfAnErrorDoesNotReachTheSink) {
  RawServer server(answering("HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nwhy"));
  HttpResponse response = HttpClient().send(get(server.url()), [](std::string_view) {
    ADD_FAILURE() << "the sink was called";
    return true;
  });
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body, "why");
}

TEST(HttpClient, ASinkCanEndTheTransfer) {
  RawServer server(answering(ok(std::string(1'000'000, 'z'))));
  HttpClient client;
  Error e =
      error_from([&] { client.send(get(server.url()), [](std::string_view) { return false; }); });
  EXPECT_EQ(e.code(), ErrorCode::kNetwork);
  EXPECT_THROW(client.send(get(server.url()),
                           [](std::string_view) -> bool { throw std::out_of_range("mine"); }),
               std::out_of_range);
}

void expect_network_error(const HttpRequest& request, const std::string& part) {
  Error e = error_from([&] { HttpClient().send(request); });
  EXPECT_EQ(e.code(), ErrorCode::kNetwork);
  EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  EXPECT_NE(std::string(e.what()).find("GET http://127.0.0.1:"), std::string::npos) << e.what();
}

TEST(HttpClient, NobodyListens) {
  int port = RawServer([](const Socket&) {}).port();
  HttpRequest request =
      get("http://user:secret@127.0.0.1:" + std::to_string(port) + "/a?key=secret");
  Error e = error_from([&] { HttpClient().send(request); });
  EXPECT_EQ(e.code(), ErrorCode::kNetwork);
  EXPECT_FALSE(e.hint().empty());
  EXPECT_EQ(std::string(e.what()).find("secret"), std::string::npos) << e.what();
}

TEST(HttpClient, HostilePeers) {
  RawServer silent([](const Socket&) {});
  expect_network_error(get(silent.url()), "");
  RawServer early(answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"));
  expect_network_error(get(early.url()), "");
  RawServer garbage(answering("no HTTP at all\r\n\r\n"));
  expect_network_error(get(garbage.url()), "");
  RawServer bad_chunk(answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
  expect_network_error(get(bad_chunk.url()), "");
}

TEST(HttpClient, HoldsAnswersToTheLimit) {
  RawServer declared(answering(ok(std::string(1001, 'x'))));
  HttpRequest request = get(declared.url());
  request.max_body = 1000;
  expect_network_error(request, "larger than 1000 bytes");
  request.max_body = 1001;
  EXPECT_EQ(HttpClient().send(request).body.size(), 1001u);

  RawServer endless([](const Socket& peer) {
    peer.receive("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\n\r\n");
    while (peer.send(std::string(65536, 'x'))) {
    }
  });
  request = get(endless.url());
  request.max_body = 5'000'000;
  expect_network_error(request, "larger than");

  RawServer endless_head([](const Socket& peer) {
    peer.receive("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\n");
    while (peer.send("X-A: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  expect_network_error(get(endless_head.url()), "headers are larger");
}

TEST(HttpClient, SlowPeersRunIntoTheTimeouts) {
  RawServer slow([](const Socket& peer) {
    peer.receive("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    while (peer.send("x")) std::this_thread::sleep_for(milliseconds(20));
  });
  HttpRequest request = get(slow.url());
  request.timeout_ms = 300;
  auto start = steady_clock::now();
  expect_network_error(request, "");
  EXPECT_LT(steady_clock::now() - start, milliseconds(3000));

  RawServer stuck([](const Socket& peer) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx");
    peer.receive();
  });
  request = get(stuck.url());
  request.timeout_ms = 0;
  request.idle_timeout_ms = 1000;
  start = steady_clock::now();
  expect_network_error(request, "");
  EXPECT_LT(steady_clock::now() - start, milliseconds(4500));
}

TEST(HttpClient, RefusesOtherSchemesAndInjection) {
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/", "", "gopher://x"}) {
    EXPECT_EQ(error_from([&] { HttpClient().send(get(url)); }).code(), ErrorCode::kUsage) << url;
  }
  RawServer server(answering(ok("")));
  HttpRequest request = get(server.url());
  request.headers = {{"X", "a\r\nY: b"}};
  EXPECT_EQ(error_from([&] { HttpClient().send(request); }).code(), ErrorCode::kUsage);
  request.headers.clear();
  request.method = "GET / HTTP/1.1\r\nX: y";
  EXPECT_EQ(error_from([&] { HttpClient().send(request); }).code(), ErrorCode::kUsage);
}

TEST(HttpClient, PrintableUrl) {
  EXPECT_EQ(printable_url("https://u:p@h.x:1/a/b?c=d#e"), "https://h.x:1/a/b");
  EXPECT_EQ(printable_url("http://h/a@b"), "http://h/a@b");
  EXPECT_EQ(printable_url("http://h?u@x"), "http://h");
  EXPECT_EQ(printable_url("\x1b[31m"), "?[31m");
  EXPECT_EQ(printable_url(""), "");
}

}  // namespace
}  // namespace ffe::net
