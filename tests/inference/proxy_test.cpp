// An OpenAI client on this machine, which knows nothing of enclaves.
#include "inference/proxy.hpp"

#include <gtest/gtest.h>

#include "inference/sse.hpp"
#include "sealed_world.hpp"

namespace ffe::inference {
namespace {

class ProxyTest : public ::testing::Test {
 protected:
  ProxyTest()
      : artifact_(world_.add_token(17001, owner_.address())),
        line_(world_.parts(17001, owner_, artifact_)),
        proxy_(line_, {.port = 0, .key = "local-key"}) {}

  net::HttpResponse send(const std::string& method, const std::string& path, const Json& body = {},
                         std::vector<std::pair<std::string, std::string>> headers = {
                             {"Authorization", "Bearer local-key"}}) {
    net::HttpRequest request;
    request.method = method;
    request.url = proxy_.url() + path;
    request.headers = std::move(headers);
    if (!body.is_null()) request.body = body.is_string() ? body.get<std::string>() : body.dump();
    return http_.send(request);
  }
  net::HttpResponse chat(const Json& more = Json::object()) {
    Json body = SealedWorld::question("hi", 6);
    body["model"] = "ffe-17001";
    body.update(more);
    return send("POST", "/chat/completions", body);
  }

  crypto::PrivateKey owner_ = crypto::PrivateKey::generate();
  SealedWorld world_;
  Artifact& artifact_;
  EnclaveLine line_;
  Proxy proxy_;
  net::HttpClient http_;
};

TEST_F(ProxyTest, AnswersWholeAndStreamedAlike) {
  const Json whole = parse_json(chat().body, "answer");
  const std::string said = whole["choices"][0]["message"]["content"];
  EXPECT_FALSE(said.empty());
  EXPECT_FALSE(whole.contains("obfuscation"));
  const net::HttpResponse response = chat({{"stream", true}});
  EXPECT_EQ(response.headers.at("content-type"), "text/event-stream");
  std::string text, last;
  SseReader().push(response.body, [&](std::string_view data) {
    last = data;
    if (data == kStreamEnd) return;
    const Json chunk = parse_json(data, "chunk");
    for (const Json& choice : chunk["choices"]) text += choice["delta"].value("content", "");
  });
  EXPECT_EQ(text, said);
  EXPECT_EQ(last, kStreamEnd);
}

TEST_F(ProxyTest, ListsItsOneModel) {
  const Json list = parse_json(send("GET", "/models").body, "models");
  EXPECT_EQ(list["data"][0]["id"], "ffe-17001");
  EXPECT_EQ(parse_json(send("GET", "/models/ffe-17001").body, "model"), list["data"][0]);
  EXPECT_EQ(send("GET", "/models/gpt-4").status, 404);
}

TEST_F(ProxyTest, OnlyForThisMachineAndItsKey) {
  EXPECT_EQ(send("GET", "/models", {}, {}).status, 401);
  EXPECT_EQ(send("GET", "/models", {}, {{"Authorization", "Bearer local-keys"}}).status, 401);
  const std::pair<std::string, std::string> key = {"Authorization", "Bearer local-key"};
  for (const char* host : {"evil.example", "127.0.0.1.evil.example:80", "[::2]:80", ""}) {
    EXPECT_EQ(send("GET", "/models", {}, {key, {"Host", host}}).status / 100, 4) << host;
  }
  for (const char* host : {"localhost:1234", "127.0.0.1", "[::1]:80"}) {
    EXPECT_EQ(send("GET", "/models", {}, {key, {"Host", host}}).status, 200) << host;
  }
}

TEST_F(ProxyTest, RefusalsKeepTheirStatusAndWords) {
  EXPECT_EQ(chat({{"n", 2}}).status, 400);
  EXPECT_EQ(chat({{"n", 2}, {"stream", true}}).status, 400);
  EXPECT_EQ(chat({{"model", "gpt-4"}}).status, 404);
  EXPECT_EQ(chat({{"stream", "yes"}}).status, 400);
  EXPECT_EQ(chat({{"x_ffe", 1}}).status, 400);
  EXPECT_EQ(send("POST", "/chat/completions", "not json").status, 400);
  {
    std::lock_guard lock(world_.mutex());
    world_.token(17001).owner = Address{};
  }
  const net::HttpResponse sold = chat();
  EXPECT_EQ(sold.status, 403);
  EXPECT_NE(sold.body.find("may not use token 17001"), std::string::npos) << sold.body;
}

TEST_F(ProxyTest, AnEnclaveThatDoesNotProveItselfIsNotAsked) {
  LineParts parts = world_.parts(17001, owner_, artifact_);
  parts.verify = []() -> VerifiedEnclave {
    throw Error(ErrorCode::kAttestation, "the code is no published release");
  };
  EnclaveLine line(std::move(parts));
  Proxy proxy(line, {.port = 0, .key = "k"});
  net::HttpRequest request;
  request.method = "POST";
  request.url = proxy.url() + "/chat/completions";
  request.headers = {{"Authorization", "Bearer k"}};
  for (const bool stream : {false, true}) {
    Json body = SealedWorld::question("hi");
    body["stream"] = stream;
    request.body = body.dump();
    const net::HttpResponse response = http_.send(request);
    EXPECT_EQ(response.status, 502);
    EXPECT_NE(response.body.find("not_proven"), std::string::npos);
  }
}

// An answer that turns out not to be signed ends without [DONE].
TEST_F(ProxyTest, AnUnprovenStreamIsNotWhole) {
  net::HttpServer deaf;  // passes requests on, and has no signatures
  deaf.handle("POST", "/v1/chat/completions", [&](const net::ServerRequest& r) {
    net::HttpRequest on;
    on.method = "POST";
    on.url = world_.url() + r.path;
    on.body = r.body;
    const net::HttpResponse response = http_.send(on);
    net::ServerResponse out;
    out.status = response.status;
    out.content_type = response.headers.at("content-type");
    out.headers = {{"ZG-Res-Key", "none"}};
    out.body = response.body;
    return out;
  });
  deaf.start();
  line_.load();
  LineParts parts = world_.parts(17001, owner_, artifact_);
  parts.verify = [&] { return VerifiedEnclave{deaf.url(), world_.enclave().recipient}; };
  EnclaveLine line(std::move(parts));
  Proxy proxy(line, {.port = 0, .key = "k"});
  net::HttpRequest request;
  request.method = "POST";
  request.url = proxy.url() + "/chat/completions";
  request.headers = {{"Authorization", "Bearer k"}};
  Json body = SealedWorld::question("hi");
  request.body = body.dump();
  EXPECT_EQ(http_.send(request).status, 502);
  body["stream"] = true;
  request.body = body.dump();
  const std::string stream = http_.send(request).body;
  EXPECT_NE(stream.find("not_proven"), std::string::npos) << stream;
  EXPECT_EQ(stream.find(kStreamEnd), std::string::npos) << stream;
}

}  // namespace
}  // namespace ffe::inference
