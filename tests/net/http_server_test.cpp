#include "net/http_server.hpp"

#include <chrono>
#include <mutex>

#include "base/json.hpp"
#include "net/http_client.hpp"
#include "peers.hpp"

namespace ffe::net {
namespace {

using namespace ffe::test;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

HttpResponse send(HttpServer& server, const std::string& method, const std::string& path,
                  const std::string& body = {},
                  std::vector<std::pair<std::string, std::string>> headers = {}) {
  HttpRequest request;
  request.method = method;
  request.url = server.url() + path;
  request.body = body;
  request.headers = std::move(headers);
  return HttpClient().send(request);
}

ServerResponse text(const std::string& body) {
  ServerResponse response;
  response.content_type = "text/plain";
  response.body = body;
  return response;
}

TEST(HttpServer, RoutesExactAndRegexPaths) {
  HttpServer server;
  server.handle_regex("GET", "/f/(\\w+)/(\\d+)", [](const ServerRequest& r) {
    return text(r.captures.at(0) + "-" + r.captures.at(1));
  });
  server.handle("GET", "/f/exact/1", [](const ServerRequest&) { return text("exact"); });
  server.handle("GET", "/a.b", [](const ServerRequest& r) {
    return text(r.query.at("x") + r.headers.at("x-y") + r.remote);
  });
  server.handle("POST", "/a.b", [](const ServerRequest& r) { return text("got " + r.body); });
  EXPECT_GT(server.start(), 0);
  EXPECT_EQ(send(server, "GET", "/f/abc/12").body, "abc-12");
  EXPECT_EQ(send(server, "GET", "/f/exact/1").body, "exact");
  EXPECT_EQ(send(server, "GET", "/a.b?x=1%202&x=3", "", {{"X-Y", "z"}}).body, "1 2z127.0.0.1");
  EXPECT_EQ(send(server, "POST", "/a.b", "body").body, "got body");
  EXPECT_EQ(send(server, "GET", "/aXb").status, 404);
  EXPECT_EQ(send(server, "GET", "/f/abc/12x").status, 404);
  EXPECT_EQ(send(server, "HEAD", "/f/exact/1").status, 200);
  HttpResponse other = send(server, "PUT", "/a.b", "x");
  EXPECT_EQ(other.status, 405);
  EXPECT_EQ(other.headers.at("allow"), "GET, POST");
  EXPECT_EQ(send(server, "GET", "/f/exact/1", "", {{"Range", "bytes=1-2"}}).body, "exact");
}

TEST(HttpServer, AHandlersExceptionStaysInside) {
  HttpServer server;
  server.handle("GET", "/", [](const ServerRequest&) -> ServerResponse {
    throw std::runtime_error("the password is 1234");
  });
  server.start();
  HttpResponse response = send(server, "GET", "/");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(parse_json(response.body, "answer").at("error"), "internal error");
  EXPECT_EQ(send(server, "GET", "/").status, 500);
}

TEST(HttpServer, SaysThatAPortIsInUse) {
  HttpServer first;
  int port = first.start();
  HttpServer second({.port = port});
  Error e = error_from([&] { second.start(); });
  EXPECT_EQ(e.code(), ErrorCode::kIo);
  EXPECT_EQ(std::string(e.what()), "port " + std::to_string(port) + " is in use");
  EXPECT_FALSE(e.hint().empty());
  first.stop();
  EXPECT_EQ(second.start(), port);
  HttpServer elsewhere({.host = "203.0.113.7", .port = port});
  EXPECT_EQ(error_from([&] { elsewhere.start(); }).code(), ErrorCode::kIo);
}

TEST(HttpServer, HoldsBodiesToTheLimit) {
  HttpServer server({.max_body = 1000});
  server.handle("POST", "/",
                [](const ServerRequest& r) { return text(std::to_string(r.body.size())); });
  server.start();
  EXPECT_EQ(send(server, "POST", "/", std::string(1000, 'x')).body, "1000");
  HttpResponse refused = send(server, "POST", "/", std::string(1001, 'x'));
  EXPECT_EQ(refused.status, 413);
  EXPECT_TRUE(parse_json(refused.body, "answer").contains("error"));
  EXPECT_EQ(send(server, "POST", "/", std::string(3'000'000, 'x')).status, 413);
  EXPECT_EQ(send(server, "POST", "/", "x", {{"Content-Encoding", "gzip"}}).status, 415);
  EXPECT_EQ(send(server, "GET", "/" + std::string(2000, 'a')).status, 414);
  EXPECT_EQ(send(server, "POST", "/", "still there").body, "11");
}

TEST(HttpServer, ChunkedRequestsAreHeldToTheLimitToo) {
  HttpServer server({.max_body = 1000});
  std::atomic<size_t> largest{0};
  server.handle("POST", "/", [&](const ServerRequest& r) {
    largest = std::max<size_t>(largest, r.body.size());
    return text("ok");
  });
  int port = server.start();
  Socket good = Socket::connect(port);
  good.send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_TRUE(good.receive().starts_with("HTTP/1.1 200"));
  Socket endless = Socket::connect(port);
  endless.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
  size_t sent = 0;
  while (sent < (size_t{64} << 20) && endless.send(chunk)) sent += chunk.size();
  EXPECT_LT(sent, size_t{64} << 20) << "the server swallows an endless body";
  EXPECT_LE(largest, 1000u);
}

TEST(HttpServer, EndlessHeadsAndLinesEnd) {
  HttpServer server;
  int port = server.start();
  for (std::string start : {"GET /", "GET / HTTP/1.1\r\nX: ", ""}) {
    Socket peer = Socket::connect(port);
    peer.send(start);
    size_t sent = 0;
    while (sent < (size_t{64} << 20) && peer.send(std::string(65536, 'a'))) sent += 65536;
    EXPECT_LT(sent, size_t{64} << 20) << "the server swallows an endless line after " << start;
  }
}

TEST(HttpServer, PeersThatDawdleAreLeft) {
  HttpServer server({.threads = 1, .read_timeout_ms = 300, .keep_alive_ms = 300});
  server.handle("GET", "/", [](const ServerRequest&) { return text("ok"); });
  server.handle("POST", "/", [](const ServerRequest&) { return text("ok"); });
  int port = server.start();
  for (std::string part : {"", "GET / HT", "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"}) {
    Socket peer = Socket::connect(port);
    peer.send(part);
    auto start = steady_clock::now();
    EXPECT_EQ(peer.receive().find("HTTP/1.1 200"), std::string::npos);
    EXPECT_LT(steady_clock::now() - start, milliseconds(3000)) << part;
  }
  Socket drip = Socket::connect(port);
  auto start = steady_clock::now();
  while (drip.send("x") && steady_clock::now() - start < milliseconds(4000)) {
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_LT(steady_clock::now() - start, milliseconds(3000))
      << "a byte now and then holds a thread";
  EXPECT_EQ(send(server, "GET", "/").body, "ok");
}

TEST(HttpServer, SurvivesRudePeers) {
  HttpServer server;
  server.handle("GET", "/", [](const ServerRequest&) { return text(std::string(1'000'000, 'x')); });
  int port = server.start();
  for (std::string said :
       {"\r\n\r\n", "BREW / HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\0\0\0",
        "GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "GET /%00%ff%zz HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"}) {
    Socket peer = Socket::connect(port);
    peer.send(said);
    peer.shutdown_write();
    if (said.size() % 2 == 0) peer.receive();
  }
  EXPECT_EQ(send(server, "GET", "/").body.size(), 1'000'000u);
}

// A body that a GET carries must not be read as the next request.
TEST(HttpServer, UnreadBodiesAreNotRequests) {
  HttpServer server;
  std::atomic<int> reached{0};
  server.handle("GET", "/", [](const ServerRequest&) { return text("ok"); });
  server.handle("GET", "/smuggled", [&](const ServerRequest&) {
    ++reached;
    return text("no");
  });
  Socket peer = Socket::connect(server.start());
  std::string inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
  peer.send("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(inner.size()) +
            "\r\n\r\n" + inner);
  EXPECT_TRUE(peer.receive().starts_with("HTTP/1.1 200"));
  EXPECT_EQ(reached, 0);
}

TEST(HttpServer, KeepsConnectionsAndServesPipelines) {
  HttpServer server;
  server.handle("GET", "/", [](const ServerRequest&) { return text("ok"); });
  Socket peer = Socket::connect(server.start());
  peer.send(
      "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string all = peer.receive();
  size_t second = all.find("HTTP/1.1 200", 1);
  EXPECT_NE(second, std::string::npos) << all;
}

TEST(HttpServer, IdleConnectionsDoNotBlockNewOnes) {
  HttpServer server({.threads = 2, .keep_alive_ms = 60'000});
  server.handle("GET", "/", [](const ServerRequest&) { return text("ok"); });
  int port = server.start();
  std::vector<Socket> idle;
  for (int i = 0; i < 6; ++i) {
    idle.push_back(Socket::connect(port));
    auto start = steady_clock::now();
    idle.back().send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(idle.back().receive("\r\n\r\nok").starts_with("HTTP/1.1 200"));
    EXPECT_LT(steady_clock::now() - start, milliseconds(2000));
  }
  auto start = steady_clock::now();
  server.stop();
  EXPECT_LT(steady_clock::now() - start, milliseconds(2000));
}

TEST(HttpServer, StreamsUntilTheEndAndUntilTheStop) {
  HttpServer server;
  std::atomic<bool> ended{false};
  server.handle("GET", "/count", [](const ServerRequest&) {
    ServerResponse response;
    response.content_type = "text/event-stream";
    response.stream = [](ServerStream& stream) {
      for (int i = 0; i < 3; ++i) stream.write("data: " + std::to_string(i) + "\n\n");
      stream.write("");
    };
    return response;
  });
  server.handle("GET", "/forever", [&](const ServerRequest&) {
    ServerResponse response;
    response.stream = [&](ServerStream& stream) {
      while (stream.write("x")) std::this_thread::sleep_for(milliseconds(10));
      ended = true;
    };
    return response;
  });
  server.start();
  EXPECT_EQ(send(server, "GET", "/count").body, "data: 0\n\ndata: 1\n\ndata: 2\n\n");
  std::atomic<bool> started{false};
  std::thread reader([&] {
    HttpRequest request;
    request.url = server.url() + "/forever";
    // Cut off by the stop: the client must not take it for a whole body.
    Error e = error_from([&] {
      HttpClient().send(request, [&](std::string_view) { return started = true, true; });
    });
    EXPECT_EQ(e.code(), ErrorCode::kNetwork);
  });
  while (!started) std::this_thread::sleep_for(milliseconds(5));
  server.stop();
  reader.join();
  EXPECT_TRUE(ended);
}

TEST(HttpServer, AStreamEndsWhenThePeerIsGone) {
  HttpServer server;
  std::atomic<bool> ended{false};
  server.handle("GET", "/", [&](const ServerRequest&) {
    ServerResponse response;
    response.stream = [&](ServerStream& stream) {
      while (stream.write("x")) std::this_thread::sleep_for(milliseconds(5));
      ended = true;
    };
    return response;
  });
  int port = server.start();
  {
    Socket peer = Socket::connect(port);
    peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    peer.receive("x\r\n");
  }
  auto start = steady_clock::now();
  while (!ended && steady_clock::now() - start < milliseconds(5000)) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(ended);
}

// Before anything is written: work for a peer that has gone can stop.
TEST(HttpServer, AStreamKnowsThatItsPeerHasGone) {
  HttpServer server;
  std::atomic<bool> ended{false}, stayed{false};
  server.handle("GET", "/", [&](const ServerRequest&) {
    ServerResponse response;
    response.stream = [&](ServerStream& stream) {
      stayed = !stream.abandoned();
      while (!stream.abandoned()) std::this_thread::sleep_for(milliseconds(5));
      ended = true;
    };
    return response;
  });
  int port = server.start();
  {
    Socket peer = Socket::connect(port);
    peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!stayed) std::this_thread::sleep_for(milliseconds(5));
  }
  auto start = steady_clock::now();
  while (!ended && steady_clock::now() - start < milliseconds(5000)) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(ended);
}

TEST(HttpServer, Cors) {
  HttpServer server({.cors = true});
  server.handle("POST", "/", [](const ServerRequest&) { return text("ok"); });
  server.start();
  HttpResponse preflight = send(server, "OPTIONS", "/");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.at("access-control-allow-origin"), "*");
  EXPECT_EQ(preflight.headers.at("access-control-allow-methods"), "POST");
  EXPECT_EQ(send(server, "POST", "/", "x").headers.at("access-control-allow-origin"), "*");
  EXPECT_EQ(send(server, "GET", "/none").headers.at("access-control-allow-origin"), "*");
  HttpServer closed;
  closed.handle("POST", "/", [](const ServerRequest&) { return text("ok"); });
  closed.start();
  EXPECT_EQ(send(closed, "OPTIONS", "/").status, 405);
  EXPECT_FALSE(send(closed, "POST", "/", "x").headers.contains("access-control-allow-origin"));
}

TEST(HttpServer, ManyClientsAtOnce) {
  HttpServer server({.threads = 4});
  server.handle("POST", "/", [](const ServerRequest& r) { return text(r.body); });
  server.start();
  HttpClient client;
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  threads.reserve(12);
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 20; ++k) {
        HttpRequest request;
        request.method = "POST";
        request.url = server.url();
        request.body = std::string(1 + 1000 * k, static_cast<char>('a' + i));
        good += client.send(request).body == request.body;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(good, 240);
}

TEST(HttpServer, StartsAndStopsOften) {
  HttpServer server;
  server.handle("GET", "/", [](const ServerRequest&) { return text("ok"); });
  server.stop();
  for (int i = 0; i < 5; ++i) {
    EXPECT_GT(server.start(), 0);
    EXPECT_EQ(send(server, "GET", "/").body, "ok");
    server.stop();
    server.stop();
    EXPECT_EQ(server.port(), 0);
  }
}

}  // namespace
}  // namespace ffe::net
