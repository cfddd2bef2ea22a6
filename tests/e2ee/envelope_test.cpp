#include "e2ee/envelope.hpp"

#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "support/error_of.hpp"

namespace ffe::e2ee {
namespace {

using test::error_of;

std::string code_of(const std::function<void()>& run) {
  std::string error = error_of(run);
  return error.substr(0, error.find(':'));
}

struct Exchange : ::testing::Test {
  crypto::X25519KeyPair enclave = crypto::X25519KeyPair::generate();
  crypto::PrivateKey signer = crypto::PrivateKey::generate();
  Recipient recipient{enclave.public_key, signer.address()};
  Json request = Json::parse(
      R"({"model":"ft","messages":[{"role":"user","content":"secret"}],"temperature":0.7,)"
      R"("stop":null,"stream":true})");

  SealedRequest sealed() const { return seal_request(request, recipient, default_sealed(request)); }
  OpenedRequest opened(const Json& envelope) const {
    return open_request(envelope, enclave, signer.address());
  }
  static Json chunk(const std::string& text) {
    return {{"id", "c1"},
            {"model", "ft"},
            {"choices", {{{"delta", {{"content", text}}}, {"index", 0}}}}};
  }
};

TEST_F(Exchange, RequestArrivesWholeAndUnread) {
  SealedRequest s = sealed();
  std::string wire = s.envelope.dump();
  EXPECT_EQ(wire.find("secret"), std::string::npos);
  EXPECT_EQ(s.envelope["temperature"], 0.7);
  EXPECT_EQ(opened(Json::parse(wire)).request, request);
}

TEST_F(Exchange, RouterMayRenameTheModelAndNothingElse) {
  Json e = sealed().envelope;
  e["model"] = "other";
  Json got = opened(e).request;
  EXPECT_EQ(got["model"], "other");
  for (auto [member, value] : {std::pair{"temperature", Json(0.8)},
                               {"stop", Json("x")},
                               {"stream", Json(false)},
                               {"added", Json(1)}}) {
    Json bad = sealed().envelope;
    bad[member] = value;
    EXPECT_EQ(code_of([&] { opened(bad); }), "corrupt") << member;
  }
}

TEST_F(Exchange, RefusesEveryChangeOfTheHeader) {
  for (const char* member : {"v", "kem_id", "key_id", "signer_addr", "client_eph_pub", "enc",
                             "sealed_fields", "unbound_fields", "ciphertext"}) {
    Json missing = sealed().envelope;
    missing["_e2ee"].erase(member);
    EXPECT_THROW(opened(missing), Error) << member;
    for (const Json& value : {Json(nullptr), Json(7), Json(""), Json("AAAA"), Json::array(),
                              Json::array({"model"}), Json::object(), Json("A")}) {
      Json bad = sealed().envelope;
      if (bad["_e2ee"][member] == value) continue;
      bad["_e2ee"][member] = value;
      EXPECT_THROW(opened(bad), Error) << member << value;
    }
  }
  Json e = sealed().envelope;
  e["messages"] = Json::array();
  EXPECT_EQ(code_of([&] { opened(e); }), "bad_input");
  e = sealed().envelope;
  e["_e2ee"]["unbound_fields"] = {"model", "temperature"};
  EXPECT_EQ(code_of([&] { opened(e); }), "bad_input");
  e = sealed().envelope;
  e["_e2ee"]["sealed_fields"] = {"messages", "messages"};
  EXPECT_EQ(code_of([&] { opened(e); }), "bad_input");
}

TEST_F(Exchange, IsForOneEnclave) {
  Json e = sealed().envelope;
  auto other = crypto::X25519KeyPair::generate();
  EXPECT_EQ(code_of([&] { open_request(e, other, signer.address()); }), "key");
  EXPECT_EQ(code_of([&] { open_request(e, enclave, Address{}); }), "key");
  // Its name forged for the other enclave: the ciphertext still does not open there.
  e["_e2ee"]["key_id"] = Recipient{other.public_key, signer.address()}.key_id();
  EXPECT_EQ(code_of([&] { open_request(e, other, signer.address()); }), "corrupt");
}

TEST_F(Exchange, StreamComesBackInOrderWithItsProof) {
  SealedRequest s = sealed();
  ResponseSealer server(opened(s.envelope));
  for (int i = 0; i < 3; ++i) {
    Json body = chunk("part " + std::to_string(i));
    Json frame = server.seal(body, i == 2);
    EXPECT_EQ(frame.dump().find("part"), std::string::npos);
    EXPECT_FALSE(s.opener.complete());
    EXPECT_EQ(s.opener.open(Json::parse(frame.dump())), body);
  }
  EXPECT_TRUE(s.opener.complete());
  std::string text = server.proof(true);
  s.opener.check(text, sign_proof(signer, text), true, signer.address());
  EXPECT_EQ(
      code_of([&] { s.opener.check(text, sign_proof(signer, text), false, signer.address()); }),
      "corrupt");
  auto liar = crypto::PrivateKey::generate();
  EXPECT_EQ(code_of([&] { s.opener.check(text, sign_proof(liar, text), true, signer.address()); }),
            "corrupt");
}

TEST_F(Exchange, WholeAnswerIsOneFrame) {
  SealedRequest s = sealed();
  ResponseSealer server(opened(s.envelope));
  Json frame = server.seal(chunk("all"), true);
  Json routed = frame;
  routed["model"] = "renamed by the router";
  routed["x_0g_trace"] = {{"provider", "p"}};
  EXPECT_EQ(s.opener.open(routed)["choices"], chunk("all")["choices"]);
  std::string text = server.proof(false);
  s.opener.check(text, sign_proof(signer, text), false, signer.address());
  EXPECT_EQ(code_of([&] { server.seal(chunk("more"), true); }), "internal");
}

TEST_F(Exchange, RefusesReorderedRepeatedAndMissingFrames) {
  auto frames = [&](SealedRequest& s) {
    ResponseSealer server(opened(s.envelope));
    return std::vector<Json>{server.seal(chunk("0"), false), server.seal(chunk("1"), false),
                             server.seal(chunk("2"), true)};
  };
  for (std::vector<size_t> order :
       std::vector<std::vector<size_t>>{{1}, {0, 2}, {0, 0}, {0, 1, 1}, {0, 1, 0}, {0, 1, 2, 2}}) {
    SealedRequest s = sealed();
    std::vector<Json> all = frames(s);
    for (size_t i = 0; i + 1 < order.size(); ++i) s.opener.open(all[order[i]]);
    EXPECT_EQ(code_of([&] { s.opener.open(all[order.back()]); }), "corrupt");
  }
  SealedRequest s = sealed();
  std::vector<Json> all = frames(s);
  s.opener.open(all[0]);
  EXPECT_EQ(code_of([&] { s.opener.check("", {}, true, signer.address()); }), "corrupt");
}

TEST_F(Exchange, RefusesAlteredFramesAndThoseOfOthers) {
  SealedRequest s = sealed(), other = sealed();
  Json good = ResponseSealer(opened(s.envelope)).seal(chunk("x"), true);
  Json foreign = ResponseSealer(opened(other.envelope)).seal(chunk("x"), true);
  EXPECT_EQ(code_of([&] { s.opener.open(foreign); }), "corrupt");
  auto refused = [&](const std::function<void(Json&)>& change) {
    Json bad = good;
    change(bad);
    SealedRequest copy{s.envelope, ResponseOpener(crypto::X25519KeyPair::generate(), H256{})};
    EXPECT_THROW(s.opener.open(bad), Error) << bad;
  };
  refused([](Json& f) { f["usage"] = {{"total_tokens", 1}}; });
  refused([](Json& f) { f["id"] = "c2"; });
  refused([](Json& f) { f["choices"] = Json::array(); });
  refused([](Json& f) { f["_e2ee"]["final"] = false; });
  refused([](Json& f) { f["_e2ee"]["final"] = 1; });
  refused([](Json& f) { f["_e2ee"]["v"] = 2; });
  refused([](Json& f) { f["_e2ee"].erase("enc"); });
  refused([](Json& f) { f["_e2ee"]["sealed_fields"] = {"model"}; });
  refused([](Json& f) { f["_e2ee"]["sealed_fields"] = Json::array(); });
  refused([](Json& f) { f["_e2ee"]["unbound_fields"] = {"id"}; });
  refused([](Json& f) { f["_e2ee"]["ciphertext"] = "AAAA"; });
  refused([](Json& f) { f = Json::array(); });
  // None of these spoilt the opener: the true frame still opens.
  EXPECT_EQ(s.opener.open(good), chunk("x"));
}

TEST_F(Exchange, ResealedAnswerFailsTheProof) {
  SealedRequest s = sealed();
  OpenedRequest o = opened(s.envelope);
  ResponseSealer server(o), forger(o);
  server.seal(chunk("true"), true);
  // Whoever knows the client's public key can seal an answer of his own, but not sign for it.
  s.opener.open(forger.seal(chunk("false"), true));
  std::string text = server.proof(false);
  EXPECT_EQ(
      code_of([&] { s.opener.check(text, sign_proof(signer, text), false, signer.address()); }),
      "corrupt");
}

// FFE's own enclaves: nothing is open, and each frame is known to be the enclave's when it comes.
TEST_F(Exchange, StrictlyEverythingIsSealedAndSignedFromTheBeginning) {
  SealedRequest s = seal_request_strictly(request, recipient);
  EXPECT_EQ(s.envelope.size(), 1u);
  OpenedRequest o = opened(Json::parse(s.envelope.dump()));
  EXPECT_EQ(o.request, request);
  EXPECT_TRUE(o.unbound_fields.empty());
  EXPECT_EQ(o.sealed_fields.size(), request.size());
  ResponseSealer server(o, signer);
  const Json answer = {{"object", "list"}, {"data", {1, 2}}};
  const Json first = server.seal(chunk("a"), false), last = server.seal(answer, true);
  EXPECT_EQ(first.size(), 1u);
  EXPECT_EQ(s.opener.open(Json::parse(first.dump())), chunk("a"));
  EXPECT_EQ(s.opener.open(Json::parse(last.dump())), answer);
  const std::string text = server.proof(true);
  s.opener.check(text, sign_proof(signer, text), true, signer.address());
}

TEST_F(Exchange, StrictlyAForgersFirstFrameIsRefused) {
  SealedRequest s = seal_request_strictly(request, recipient);
  const OpenedRequest o = opened(s.envelope);
  const auto refused = [&](const Json& frame) {
    EXPECT_NE(code_of([&] { s.opener.open(frame); }), "") << frame;
  };
  refused(ResponseSealer(o, crypto::PrivateKey::generate()).seal(chunk("x"), true));
  refused(ResponseSealer(o).seal(chunk("x"), true));
  // Another exchange's opening, in front of this one's frame.
  SealedRequest other = seal_request_strictly(request, recipient);
  Json spliced = ResponseSealer(o, crypto::PrivateKey::generate()).seal(chunk("x"), true);
  spliced["_e2ee"]["opening"] =
      ResponseSealer(opened(other.envelope), signer).seal(chunk("x"), true)["_e2ee"]["opening"];
  refused(spliced);
  const Json good = ResponseSealer(o, signer).seal(chunk("x"), true);
  for (const Json& open : {Json("model"), Json("x_0g_trace")}) {
    Json loose = good;
    loose["_e2ee"]["unbound_fields"] = {open};
    refused(loose);
  }
  Json more = good;
  more["added"] = 1;
  refused(more);
  EXPECT_EQ(s.opener.open(good), chunk("x"));
}

TEST_F(Exchange, SealsOnlyWhatIsThere) {
  EXPECT_EQ(code_of([&] { seal_request(request, recipient, {"messages", "tools"}); }), "usage");
  EXPECT_EQ(code_of([&] { seal_request(Json::array(), recipient, {"messages"}); }), "usage");
  EXPECT_EQ(code_of([&] { seal_request(sealed().envelope, recipient, {"model"}); }), "usage");
  request["tools"] = Json::array();
  EXPECT_EQ(default_sealed(request), (std::vector<std::string>{"messages", "tools"}));
  EXPECT_EQ(opened(sealed().envelope).request, request);
}

}  // namespace
}  // namespace ffe::e2ee
