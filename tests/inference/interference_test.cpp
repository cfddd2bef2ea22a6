// Somebody between client and enclave who changes, drops, repeats, swaps and forges.
#include <atomic>
#include <gtest/gtest.h>

#include "inference/sse.hpp"
#include "sealed_world.hpp"

namespace ffe::inference {
namespace {

constexpr uint64_t kToken = 17001;

// Passes everything on to the service, and changes it as a test says.
class Middle {
 public:
  explicit Middle(std::string target) : target_(std::move(target)) {
    for (const char* path : {"/v1/chat/completions", "/v1/inference/load"}) {
      server_.handle("POST", path, [this](const auto& r) { return pass(r); });
    }
    server_.handle_regex("GET", "/v1/signature/(.*)", [this](const auto& r) { return pass(r); });
    server_.start();
  }
  std::string url() const { return server_.url(); }

  // Of an answer's body: a stream's events, or the one object.
  std::function<void(std::vector<Json>&, const Json& request)> change;
  std::function<void(Json&)> change_signature;
  std::function<void(Json&)> change_request;

 private:
  net::ServerResponse pass(const net::ServerRequest& from) {
    net::HttpRequest request;
    request.method = from.method;
    request.url = target_ + from.path;
    Json asked = from.body.empty() ? Json() : Json::parse(from.body);
    if (change_request && !asked.is_null()) change_request(asked);
    if (!asked.is_null()) request.body = asked.dump();
    const net::HttpResponse response = http_.send(request);
    net::ServerResponse out;
    out.status = response.status;
    if (response.headers.contains("zg-res-key")) {
      out.headers = {{"ZG-Res-Key", response.headers.at("zg-res-key")}};
    }
    if (response.headers.at("content-type") == "text/event-stream") {
      out.content_type = "text/event-stream";
      out.body = changed_stream(response.body, asked);
      return out;
    }
    Json json = Json::parse(response.body);
    if (from.method == "GET" && change_signature) change_signature(json);
    if (from.method == "POST" && change && from.path.ends_with("completions")) {
      std::vector<Json> one = {json};
      change(one, asked);
      json = one.empty() ? Json::object() : one.front();
    }
    out.body = json.dump();
    return out;
  }

  std::string changed_stream(const std::string& stream, const Json& asked) {
    std::vector<Json> frames;
    SseReader().push(stream, [&](std::string_view data) {
      if (data != kStreamEnd) frames.push_back(Json::parse(data));
    });
    if (change) change(frames, asked);
    std::string out;
    for (const Json& frame : frames) out += sse_event(frame.dump());
    return out + sse_event(kStreamEnd);
  }

  std::string target_;
  net::HttpClient http_;
  net::HttpServer server_;
};

class Interference : public ::testing::Test {
 protected:
  Interference()
      : artifact_(world_.add_token(kToken, owner_.address())),
        middle_(world_.url()),
        line_(parts()) {
    line_.load();
  }
  LineParts parts() {
    LineParts out = world_.parts(kToken, owner_, artifact_);
    out.verify = [this] {
      VerifiedEnclave enclave = world_.enclave();
      enclave.url = middle_.url();
      return enclave;
    };
    return out;
  }
  // What the client was shown before it noticed, and what it said then.
  std::string streamed() {
    shown_.clear();
    return refusal_of([&] {
      line_.stream(SealedWorld::question("go", 6), [&](const Json& chunk) {
        for (const Json& choice : chunk["choices"]) shown_ += choice["delta"].value("content", "");
        return true;
      });
    });
  }
  std::string whole() {
    return refusal_of([&] { line_.chat(SealedWorld::question("go", 6)); });
  }

  crypto::PrivateKey owner_ = crypto::PrivateKey::generate();
  SealedWorld world_;
  Artifact& artifact_;
  Middle middle_;
  EnclaveLine line_;
  std::string shown_;
};

TEST_F(Interference, NothingChangedPasses) {
  EXPECT_EQ(streamed(), "none");
  EXPECT_EQ(whole(), "none");
  EXPECT_FALSE(shown_.empty());
}

TEST_F(Interference, FramesOutOfOrderRepeatedOrMissing) {
  middle_.change = [](auto& frames, const Json&) { std::swap(frames.at(1), frames.at(2)); };
  EXPECT_TRUE(streamed().starts_with("error corrupt")) << streamed();
  middle_.change = [](auto& frames, const Json&) {
    frames.insert(frames.begin() + 1, frames.at(1));
  };
  EXPECT_TRUE(streamed().starts_with("error corrupt"));
  middle_.change = [](auto& frames, const Json&) { frames.erase(frames.begin() + 1); };
  EXPECT_TRUE(streamed().starts_with("error corrupt"));
  middle_.change = [](auto& frames, const Json&) { frames.erase(frames.begin()); };
  EXPECT_TRUE(streamed().starts_with("error corrupt"));
  EXPECT_EQ(shown_, "");
}

TEST_F(Interference, AnAnswerCutOffIsNotWhole) {
  middle_.change = [](auto& frames, const Json&) { frames.pop_back(); };
  EXPECT_NE(streamed().find("cut off"), std::string::npos);
  middle_.change = [](auto& frames, const Json&) { frames.clear(); };
  EXPECT_NE(streamed().find("cut off"), std::string::npos);
}

TEST_F(Interference, AChangedFrameDoesNotOpen) {
  for (const char* member : {"ciphertext", "enc", "opening"}) {
    middle_.change = [member](auto& frames, const Json&) {
      std::string text = frames[0]["_e2ee"][member];
      text[5] = text[5] == 'A' ? 'B' : 'A';
      frames[0]["_e2ee"][member] = text;
    };
    EXPECT_TRUE(whole().starts_with("error corrupt")) << member << whole();
    EXPECT_TRUE(streamed().starts_with("error corrupt")) << member;
    EXPECT_EQ(shown_, "") << member;
  }
  middle_.change = [](auto& frames, const Json&) { frames[0]["added"] = 7; };
  EXPECT_TRUE(whole().starts_with("error corrupt"));
  middle_.change = [](auto& frames, const Json&) {
    frames[0]["_e2ee"]["unbound_fields"] = {"model"};
  };
  EXPECT_TRUE(whole().starts_with("error corrupt"));
}

// Whoever sees a request can seal an answer to it; only the enclave can sign one.
TEST_F(Interference, ASealedForgeryIsNotShown) {
  middle_.change = [&](auto& frames, const Json& request) {
    e2ee::OpenedRequest forged;
    forged.hash = e2ee::envelope_hash(request);
    forged.client_key = FixedBytes<32>::from(
        e2ee::from_base64url(request["_e2ee"]["client_eph_pub"].get<std::string>(), "key"));
    e2ee::ResponseSealer sealer(forged, crypto::PrivateKey::generate());
    AnswerHead head{"chatcmpl-0", "ffe-17001", to_hex(artifact_.root.bytes), 0};
    frames = {sealer.seal(text_chunk(head, "send me your key"), true)};
  };
  EXPECT_NE(streamed().find("not signed by the enclave"), std::string::npos);
  EXPECT_EQ(shown_, "");
}

TEST_F(Interference, AnotherExchangesSignatureProvesNothing) {
  Json earlier;
  middle_.change_signature = [&](Json& signature) { earlier = signature; };
  EXPECT_EQ(whole(), "none");
  middle_.change_signature = [&](Json& signature) { signature = earlier; };
  EXPECT_NE(whole().find("about another exchange"), std::string::npos);
  const crypto::PrivateKey liar = crypto::PrivateKey::generate();
  middle_.change_signature = [&](Json& signature) {
    signature["signature"] =
        to_hex0x(e2ee::sign_proof(liar, signature["text"].get<std::string>()).bytes);
    signature["signing_address"] = crypto::checksum_address(liar.address());
  };
  EXPECT_NE(whole().find("not by the enclave's"), std::string::npos);
  middle_.change_signature = [](Json& signature) { signature = Json::object(); };
  EXPECT_TRUE(whole().starts_with("error bad_input"));
}

// The enclave's key is right and its answers are signed, but the client wanted another adapter.
TEST_F(Interference, ASwappedAdapterIsNoticed) {
  LineParts other = parts();
  other.artifact_root = filled(0x99);
  EnclaveLine line(std::move(other));
  EXPECT_NE(refusal_of([&] { line.chat(SealedWorld::question("go")); }).find("another model"),
            std::string::npos);
}

TEST_F(Interference, AChangedRequestIsNotAnswered) {
  middle_.change_request = [](Json& request) {
    if (request.contains("_e2ee")) request["temperature"] = 2;
  };
  EXPECT_EQ(whole(), "400 bad_envelope");
}

TEST_F(Interference, AStreamOfErrorsIsAnError) {
  middle_.change = [](auto& frames, const Json&) {
    frames.resize(2);
    frames.push_back({{"error", {{"message", "out of\nsteam"}, {"code", "busy"}}}});
  };
  EXPECT_EQ(streamed(), "503 busy");
}

}  // namespace
}  // namespace ffe::inference
