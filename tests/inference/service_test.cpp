// Sealed inference over real HTTP on a real model: who is answered, and what is refused.
#include "inference/service.hpp"

#include <gtest/gtest.h>
#include <thread>

#include "compute/session_token.hpp"
#include "lm/conversation.hpp"
#include "sealed_world.hpp"
#include "support/error_of.hpp"

namespace ffe::inference {
namespace {

using crypto::PrivateKey;

constexpr uint64_t kToken = 17001;

class SealedServiceTest : public ::testing::Test {
 protected:
  explicit SealedServiceTest(ServeOptions options = SealedWorld::quick_options(),
                             const test::TinyModel& tiny = {.positions = 1024})
      : world_(options, {}, tiny), artifact_(world_.add_token(kToken, owner_.address())) {}

  EnclaveLine line(const PrivateKey& user) {
    return EnclaveLine(world_.parts(kToken, user, artifact_));
  }
  void authorize(const Address& user) {
    std::lock_guard lock(world_.mutex());
    world_.token(kToken).users.insert(user);
  }
  static std::string text_of(const Json& completion) {
    return completion["choices"][0]["message"]["content"];
  }
  // What the model says by itself.
  std::string expected(const lm::LoraAdapter& adapter, const std::string& question, size_t tokens) {
    lm::Engine engine(world_.model(), {.numeric = lm::NumericPath::kF32, .threads = 1});
    lm::Generator generator(engine, &adapter);
    lm::SamplingOptions sampling;
    sampling.max_new_tokens = tokens;
    sampling.stop_tokens = world_.chat().stop_tokens();
    const auto prompt = world_.chat().encode_chat({{"user", question}}, true, false).tokens;
    return lm::generate_text(generator, world_.chat().tokenizer(), prompt, sampling, {}).text;
  }
  bool within(int seconds, const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
  }

  PrivateKey owner_ = PrivateKey::generate(), friend_ = PrivateKey::generate();
  SealedWorld world_;
  Artifact& artifact_;
};

TEST_F(SealedServiceTest, OwnerAndFriendAreAnsweredAndAStrangerIsTold) {
  authorize(friend_.address());
  EnclaveLine owner = line(owner_), other = line(friend_);
  EXPECT_EQ(refusal_of([&] { other.chat(SealedWorld::question("hi")); }), "409 not_loaded");
  const SealedAnswer answer = owner.chat(SealedWorld::question("hi"));
  EXPECT_EQ(text_of(answer.body), expected(artifact_.adapter, "hi", 8));
  EXPECT_EQ(answer.body["system_fingerprint"], to_hex(artifact_.root.bytes));
  EXPECT_EQ(answer.body["usage"]["completion_tokens"], 8);
  EXPECT_TRUE(answer.proof.text.starts_with("zg-sig-v1/e2ee-ct:")) << answer.proof.text;
  EXPECT_EQ(text_of(other.chat(SealedWorld::question("hi")).body), text_of(answer.body));
  EXPECT_EQ(owner.models()["data"][0]["id"], "ffe-17001");

  const PrivateKey stranger = PrivateKey::generate();
  EnclaveLine uninvited = line(stranger);
  try {
    uninvited.chat(SealedWorld::question("hi"));
    FAIL() << "a stranger was answered";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status(), 403);
    const std::string words = refusal.what();
    EXPECT_NE(words.find("may not use token 17001"), words.npos) << words;
    EXPECT_NE(words.find("ffe authorize 17001 " + crypto::checksum_address(stranger.address())),
              words.npos)
        << words;
  }
  EXPECT_TRUE(uninvited.models()["data"].empty());
}

TEST_F(SealedServiceTest, AStreamIsTheSameAnswerInPieces) {
  EnclaveLine owner = line(owner_);
  Json request = SealedWorld::question("tell me", 20);
  request["stream_options"] = {{"include_usage", true}};
  std::string text, finish;
  Json usage;
  const AnswerProof proof = owner.stream(request, [&](const Json& chunk) {
    EXPECT_FALSE(chunk.contains("obfuscation"));
    if (chunk.contains("usage")) usage = chunk["usage"];
    for (const Json& choice : chunk["choices"]) {
      text += choice["delta"].value("content", "");
      if (choice["finish_reason"].is_string()) finish = choice["finish_reason"];
    }
    return true;
  });
  EXPECT_EQ(text, expected(artifact_.adapter, "tell me", 20));
  EXPECT_EQ(finish, "length");
  EXPECT_EQ(usage["completion_tokens"], 20);
  EXPECT_TRUE(proof.text.starts_with("zg-sig-v1/e2ee-ct-stream:")) << proof.text;
}

TEST_F(SealedServiceTest, AStopTextEndsTheAnswer) {
  EnclaveLine owner = line(owner_);
  const std::string whole = expected(artifact_.adapter, "go", 30);
  Json request = SealedWorld::question("go", 30);
  // A whole character in the middle.
  const auto inside = [&](size_t i) { return (static_cast<uint8_t>(whole[i]) & 0xc0) == 0x80; };
  size_t first = whole.size() / 2;
  while (inside(first)) --first;
  size_t end = first + 1;
  while (end < whole.size() && inside(end)) ++end;
  const std::string stop = whole.substr(first, end - first);
  request["stop"] = stop;
  const Json body = owner.chat(request).body;
  EXPECT_EQ(text_of(body), whole.substr(0, whole.find(stop)));
  EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");
}

// Two models on one base, several owners at once: each gets its own.
TEST_F(SealedServiceTest, AdaptersAreNotMixedUp) {
  const PrivateKey second = PrivateKey::generate();
  Artifact& other = world_.add_token(18001, second.address(), 2);
  EnclaveLine a = line(owner_), b(world_.parts(18001, second, other));
  a.load();
  b.load();
  const std::string from_a = expected(artifact_.adapter, "who", 16);
  const std::string from_b = expected(other.adapter, "who", 16);
  ASSERT_NE(from_a, from_b);
  std::vector<std::thread> askers;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([&, i] {
      EnclaveLine& line = i % 2 == 0 ? a : b;
      const std::string text = text_of(line.chat(SealedWorld::question("who", 16)).body);
      right += text == (i % 2 == 0 ? from_a : from_b);
    });
  }
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(right, 4);
  EXPECT_EQ(world_.service().counts().models, 2u);
}

// ---------------------------------------------------------------------------- keys and access

TEST_F(SealedServiceTest, OnlyTheOwnersKeyOpensTheModel) {
  Artifact wrong = artifact_;
  wrong.key[0] ^= 1;
  EnclaveLine liar(world_.parts(kToken, owner_, wrong));
  EXPECT_EQ(refusal_of([&] { liar.load(); }), "403 wrong_key");
  // Who knows the key but not the token.
  LineParts parts = world_.parts(kToken, friend_, artifact_);
  parts.model_key = [&] { return ModelKey{SecretBytes(artifact_.key), {}}; };
  EnclaveLine thief(std::move(parts));
  EXPECT_EQ(refusal_of([&] { thief.load(); }), "403 not_owner");
  // Bytes that are not the artifact's.
  world_.stored(artifact_.root)[100] ^= 1;
  EnclaveLine owner = line(owner_);
  EXPECT_EQ(refusal_of([&] { owner.load(); }), "403 wrong_key");
  EXPECT_EQ(world_.service().counts().models, 0u);
}

// A host that shows the enclave a false chain cannot let anybody in.
TEST_F(SealedServiceTest, WhomTheOwnerDidNotNameIsRefusedWhateverTheChainSays) {
  EnclaveLine owner = line(owner_), other = line(friend_);
  owner.load();
  authorize(friend_.address());
  EXPECT_EQ(refusal_of([&] { other.chat(SealedWorld::question("hi")); }), "403 not_authorized");
  EXPECT_TRUE(owner.introduce_users());
  EXPECT_NO_THROW(other.chat(SealedWorld::question("hi")));
  {
    std::lock_guard lock(world_.mutex());
    world_.token(kToken).users.clear();
  }
  EXPECT_EQ(refusal_of([&] { other.chat(SealedWorld::question("hi")); }), "403 not_authorized");
}

TEST_F(SealedServiceTest, ASoldModelIsItsBuyersAlone) {
  EnclaveLine seller = line(owner_);
  seller.load();
  const PrivateKey buyer = PrivateKey::generate();
  {
    std::lock_guard lock(world_.mutex());
    world_.token(kToken).owner = buyer.address();
  }
  EXPECT_EQ(refusal_of([&] { seller.chat(SealedWorld::question("hi")); }), "403 not_authorized");
  EnclaveLine bought = line(buyer);
  EXPECT_NO_THROW(bought.chat(SealedWorld::question("hi")));
}

TEST_F(SealedServiceTest, TheOwnerTakesTheModelAway) {
  EnclaveLine owner = line(owner_), other = line(friend_);
  authorize(friend_.address());
  owner.load();
  EXPECT_EQ(refusal_of([&] { other.unload(); }), "403 not_owner");
  EXPECT_EQ(owner.unload()["unloaded"], true);
  EXPECT_FALSE(owner.introduce_users());
  EXPECT_EQ(world_.service().counts().models, 0u);
  EXPECT_EQ(refusal_of([&] { other.chat(SealedWorld::question("hi")); }), "409 not_loaded");
}

// The key of a process dies with it: the client verifies the new one, and sends the model again.
TEST_F(SealedServiceTest, ARestartIsVerifiedAnew) {
  EnclaveLine owner = line(owner_);
  const std::string before = text_of(owner.chat(SealedWorld::question("hi")).body);
  const std::string old_url = world_.url();
  world_.restart();
  // The service came back at another port: only verification finds it again.
  EXPECT_NE(world_.url(), old_url);
  EnclaveLine again = line(owner_);
  EXPECT_EQ(text_of(again.chat(SealedWorld::question("hi")).body), before);
  EXPECT_EQ(world_.verified(), 2);
}

TEST_F(SealedServiceTest, ARequestToAnOldKeyIsToldAndSealedAnew) {
  VerifiedEnclave old = world_.enclave();
  old.recipient.enc_pub = crypto::X25519KeyPair::generate().public_key;
  LineParts parts = world_.parts(kToken, owner_, artifact_);
  int verified = 0;
  parts.verify = [&] { return ++verified == 1 ? old : world_.enclave(); };
  EnclaveLine owner(std::move(parts));
  EXPECT_NO_THROW(owner.chat(SealedWorld::question("hi")));
  EXPECT_EQ(verified, 2);
}

// ------------------------------------------------------------------------------------ envelopes

class RawRequests : public SealedServiceTest {
 protected:
  RawRequests() { line(owner_).load(); }

  compute::SessionToken token() const {
    compute::SessionToken t;
    t.user = owner_.address();
    t.provider = world_.signer().address();
    t.timestamp = now();
    t.expires_at = now() + 60'000;
    t.nonce = "n";
    return t;
  }
  static uint64_t now() { return static_cast<uint64_t>(std::time(nullptr)) * 1000; }
  Json body(const std::string& authorization) const {
    Json out = SealedWorld::question("hi");
    out["model"] = "ffe-17001";
    out["x_ffe"] = {{"authorization", authorization}, {"time", now()}};
    return out;
  }
  Json good() const { return body(compute::authorization(token(), owner_)); }
  net::HttpResponse post(const std::string& text,
                         const std::string& path = "/v1/chat/completions") {
    net::HttpRequest request;
    request.method = "POST";
    request.url = world_.url() + path;
    request.body = text;
    return http_.send(request);
  }
  // Status and reason, whether or not the refusal came sealed.
  std::string sent(const Json& request) {
    e2ee::SealedRequest s = e2ee::seal_request_strictly(request, world_.enclave().recipient);
    return told(post(s.envelope.dump()), &s.opener);
  }
  static std::string told(const net::HttpResponse& response,
                          e2ee::ResponseOpener* opener = nullptr) {
    Json json = parse_json(response.body, "answer");
    if (json.contains("_e2ee") && opener != nullptr) json = opener->open(json);
    std::string reason;
    if (json.contains("error")) reason = " " + json["error"]["code"].get<std::string>();
    return std::to_string(response.status) + reason;
  }

  net::HttpClient http_;
};

TEST_F(RawRequests, PlaintextIsRefused) {
  Json open = SealedWorld::question("a secret");
  open["model"] = "ffe-17001";
  const net::HttpResponse response = post(open.dump());
  EXPECT_EQ(told(response), "400 unsealed");
  EXPECT_NE(response.body.find("ffe proxy"), std::string::npos);
  net::HttpRequest get;
  get.url = world_.url() + "/v1/models";
  EXPECT_EQ(told(http_.send(get)), "400 unsealed");
}

TEST_F(RawRequests, HostileBytesAreRefused) {
  const e2ee::SealedRequest s = e2ee::seal_request_strictly(good(), world_.enclave().recipient);
  const std::string whole = s.envelope.dump();
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string("null"), std::string("{\"_e2ee\":7}"),
        std::string("{\"_e2ee\":{}}"), std::string(100'000, '['), whole.substr(0, 300)}) {
    EXPECT_EQ(told(post(text)).substr(0, 3), "400") << text.substr(0, 40);
  }
  for (const char* member : {"ciphertext", "enc", "client_eph_pub", "sealed_fields", "key_id"}) {
    Json bad = s.envelope;
    bad["_e2ee"][member] = "AAAA";
    EXPECT_EQ(told(post(bad.dump()))[0], '4') << member;
  }
  EXPECT_EQ(sent(good()), "200");
}

TEST_F(RawRequests, AReplayIsNotAnswered) {
  e2ee::SealedRequest s = e2ee::seal_request_strictly(good(), world_.enclave().recipient);
  EXPECT_EQ(told(post(s.envelope.dump())), "200");
  EXPECT_EQ(told(post(s.envelope.dump()), &s.opener), "409 replayed");
  EXPECT_EQ(told(post(s.envelope.dump(), "/v1/proxy/chat/completions")).substr(0, 3), "409");
  Json late = good();
  late["x_ffe"]["time"] = now() - 600'000;
  EXPECT_EQ(sent(late), "400 bad_time");
}

TEST_F(RawRequests, ATokenIsForOneEnclaveAndItsTime) {
  const auto with = [&](auto change) {
    compute::SessionToken t = token();
    change(t);
    return sent(body(compute::authorization(t, owner_)));
  };
  EXPECT_EQ(with([](auto& t) { t.expires_at = now() - 1000; }), "401 invalid_token");
  EXPECT_EQ(with([](auto& t) { t.expires_at = now() + 200'000'000; }), "401 invalid_token");
  EXPECT_EQ(with([](auto& t) { t.provider.bytes[0] ^= 1; }), "401 invalid_token");
  EXPECT_EQ(with([](auto& t) { t.token_id = 3; }), "401 invalid_token");
  EXPECT_EQ(sent(body("Bearer app-sk-AAAA")), "401 invalid_token");
  EXPECT_EQ(sent(body("")), "401 invalid_token");
  Json foreign = good();
  foreign["x_ffe"]["authorization"] = 7;
  EXPECT_EQ(sent(foreign), "401 invalid_token");
  Json none = good();
  none.erase("x_ffe");
  EXPECT_EQ(sent(none), "400 open_fields");
}

// As 0G's clients seal by default: the token would be readable, the model's name open to change.
TEST_F(RawRequests, NothingMayStayOpen) {
  e2ee::SealedRequest s = e2ee::seal_request(good(), world_.enclave().recipient, {"messages"});
  EXPECT_EQ(told(post(s.envelope.dump()), nullptr).substr(0, 3), "400");
  e2ee::SealedRequest t =
      e2ee::seal_request(good(), world_.enclave().recipient, {"messages", "x_ffe"});
  EXPECT_EQ(told(post(t.envelope.dump()), nullptr).substr(0, 3), "400");
}

TEST_F(RawRequests, NothingOfAnExchangeIsReadable) {
  e2ee::SealedRequest s = e2ee::seal_request_strictly(good(), world_.enclave().recipient);
  const net::HttpResponse response = post(s.envelope.dump());
  for (const std::string& text : {s.envelope.dump(), response.body}) {
    for (const char* word : {"17001", "app-sk", "assistant", "total_tokens"}) {
      EXPECT_EQ(text.find(word), std::string::npos) << word;
    }
  }
  // Answers of one to five tokens have one length, or are on both sides of one.
  std::set<size_t> lengths;
  for (size_t tokens = 1; tokens <= 5; ++tokens) {
    Json request = good();
    request["max_tokens"] = tokens;
    s = e2ee::seal_request_strictly(request, world_.enclave().recipient);
    lengths.insert(post(s.envelope.dump()).body.size());
  }
  EXPECT_LE(lengths.size(), 2u);
}

TEST_F(RawRequests, ALongConversationIsRefusedWithNumbers) {
  Json request = good();
  request["messages"][0]["content"] = std::string(5000, 'x');
  EXPECT_EQ(sent(request), "400 context_length_exceeded");
  request["messages"][0]["content"] = std::string(200, 'x');
  EXPECT_EQ(sent(request), "200");
}

TEST_F(RawRequests, ADocumentOfTheKeyIsZeroGsAndSigned) {
  net::HttpRequest get;
  get.url = world_.url() + "/v1/e2ee/pubkey";
  const Json json = parse_json(http_.send(get).body, "key");
  EXPECT_EQ(e2ee::recipient_from_json(json), world_.enclave().recipient);
  EXPECT_TRUE(json.contains("enclaveId"));
  get.url = world_.url() + "/v1/proxy/signature/chatcmpl-nothing";
  EXPECT_EQ(http_.send(get).status, 404);
}

// ------------------------------------------------------------------------------------ limits

class Narrow : public SealedServiceTest {
 protected:
  static ServeOptions options() {
    ServeOptions o = SealedWorld::quick_options();
    o.max_streams = 2;
    o.owner_streams = 1;
    o.owner_tokens_per_minute = 600;
    o.max_context = 1000;
    o.max_tokens = 900;
    o.idle_seconds = 1;
    return o;
  }
  Narrow()
      : SealedServiceTest(
            options(),
            {.hidden = 128, .intermediate = 256, .layers = 4, .positions = 1024, .ends = false}) {}

  // An answer of many tokens that its reader leaves when told to.
  struct Slow {
    Slow(EnclaveLine& line) {
      thread = std::thread([this, &line] {
        line.stream(SealedWorld::question("long", 900), [this](const Json&) {
          begun = true;
          return !leave;
        });
      });
      while (!begun) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ~Slow() {
      leave = true;
      thread.join();
    }
    std::atomic<bool> begun{false}, leave{false};
    std::thread thread;
  };
};

TEST_F(Narrow, OneOwnerCannotTakeEverything) {
  EnclaveLine owner = line(owner_);
  {
    Slow slow(owner);
    try {
      owner.chat(SealedWorld::question("hi"));
      FAIL() << "a second answer at once";
    } catch (const Refusal& refusal) {
      EXPECT_EQ(refusal.status(), 429);
      EXPECT_GT(refusal.retry_after(), 0);
    }
  }
  // Who leaves frees the place.
  EXPECT_TRUE(within(5, [&] { return world_.service().counts().streams == 0; }));
}

TEST_F(Narrow, AFullEnclaveSaysWhenToComeBack) {
  std::vector<std::unique_ptr<PrivateKey>> users;
  std::vector<std::unique_ptr<EnclaveLine>> lines;
  for (uint64_t i = 0; i < 3; ++i) {
    users.push_back(std::make_unique<PrivateKey>(PrivateKey::generate()));
    Artifact& artifact = world_.add_token(20001 + i, users.back()->address(), 1);
    lines.push_back(
        std::make_unique<EnclaveLine>(world_.parts(20001 + i, *users.back(), artifact)));
    lines.back()->load();
  }
  Slow first(*lines[0]), second(*lines[1]);
  try {
    lines[2]->chat(SealedWorld::question("hi"));
    FAIL() << "there were two places";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status(), 503);
    EXPECT_GT(refusal.retry_after(), 0);
  }
}

TEST_F(Narrow, TokensOfAMinuteAreCountedAndRunOut) {
  EnclaveLine owner = line(owner_);
  owner.chat(SealedWorld::question("hi", 700));  // a minute has 600
  EXPECT_EQ(refusal_of([&] { owner.chat(SealedWorld::question("hi")); }),
            "429 rate_limit_exceeded");
}

TEST_F(Narrow, AnIdleModelIsWipedAndComesBack) {
  EnclaveLine owner = line(owner_);
  const std::string before = text_of(owner.chat(SealedWorld::question("hi")).body);
  EXPECT_TRUE(within(10, [&] { return world_.service().counts().models == 0; }));
  EXPECT_EQ(text_of(owner.chat(SealedWorld::question("hi")).body), before);
}

// The peer of a whole answer goes away: nobody works on for it.
TEST_F(Narrow, AClientThatHangsUpIsNoticed) {
  EnclaveLine owner = line(owner_);
  owner.load();
  LineParts parts = world_.parts(kToken, owner_, artifact_);
  const VerifiedEnclave enclave = world_.enclave();
  SealedEndpoint endpoint = world_.endpoint();
  endpoint.timeout_ms = 10;  // far less than 900 tokens take
  SealedClient impatient(endpoint);
  compute::SessionToken token;
  token.user = owner_.address();
  token.provider = enclave.recipient.signer;
  token.timestamp = static_cast<uint64_t>(std::time(nullptr)) * 1000;
  token.expires_at = token.timestamp + 60'000;
  token.nonce = "n";
  Json request = SealedWorld::question("long", 900);
  request["model"] = "ffe-17001";
  request["x_ffe"] = {{"authorization", compute::authorization(token, owner_)},
                      {"time", token.timestamp}};
  EXPECT_THROW(impatient.ask(request), Error);
  EXPECT_TRUE(within(5, [&] { return world_.service().counts().streams == 0; }));
}

TEST(SealedServiceOptions, MemoryMustHoldTheStreams) {
  ServeOptions o = SealedWorld::quick_options();
  o.max_streams = 200;
  o.max_context = 1024;
  o.memory_bytes = 16 << 20;
  EXPECT_EQ(test::error_of([&] { SealedWorld world(o); }).substr(0, 5), "usage");
}

}  // namespace
}  // namespace ffe::inference
