// The client of 0G's inference brokers against the emulator: what is right is believed, what is not
// is refused, and a busy broker is waited out.
#include "inference/broker.hpp"

#include "compute/adapter_name.hpp"
#include "compute/session_token.hpp"
#include "provider/network.hpp"

namespace ffe::inference {
namespace {

using namespace ffe::provider::testing;
using provider::Fault;
using test::error_of;
using test::hint_of;

const Json kQuestion = {{"messages", {{{"role", "user"}, {"content", "What is FFE?"}}}},
                        {"max_tokens", 8}};

// A network with a broker and a user who has money for inference there.
class Inference {
 public:
  explicit Inference(std::set<Fault> faults = {}, bool funded = true) {
    contract_ = compute::deploy_inference(net_.chain_.sender(), artifact("InferenceServing"),
                                          net_.contracts_.ledger);
    provider::ProviderOptions options = net_.options();
    options.inference = contract_;
    options.inference_model = "tiny";
    options.faults = std::move(faults);
    net_.start(options);
    serving_ = std::make_unique<compute::InferenceServing>(*net_.rpc_, contract_);
    evm::Sender owner(*net_.rpc_, Network::testing_owner());
    serving_->acknowledge_signer_by_owner(owner, net_.provider_->address());
    if (funded) fund(*net_.user_);
  }

  void fund(evm::Sender& user) {
    const auto plan = compute::plan_funding(*net_.ledger_, compute::SubAccount{}, user.address(),
                                            evm::parse_ether("1"));
    compute::carry_out(plan, *net_.ledger_, contract_, user, net_.provider_->address());
  }
  static BrokerOptions quick() {
    BrokerOptions o;
    o.patience = std::chrono::seconds(10);
    o.first_pause = std::chrono::milliseconds(10);
    return o;
  }
  BrokerClient client(BrokerOptions options = quick()) { return client(*net_.user_, options); }
  BrokerClient client(evm::Sender& user, BrokerOptions options = quick()) {
    return {*net_.rpc_, contract_, net_.provider_->address(), user.key(), std::move(options)};
  }

  Network net_;
  Address contract_;
  std::unique_ptr<compute::InferenceServing> serving_;
};

class Broker : public WithNetwork {};

std::string code(const std::string& error) {
  return error.substr(0, error.find(':'));
}

TEST_F(Broker, AnswersSealedStreamedAndPlainAlike) {
  Inference net;
  BrokerClient client = net.client();
  EXPECT_EQ(client.service().model, "tiny");
  EXPECT_EQ(client.verify().level, compute::QuoteLevel::kNone);
  const SealedAnswer sealed = client.chat(kQuestion);
  const std::string text = sealed.body["choices"][0]["message"]["content"];
  EXPECT_EQ(sealed.body["model"], "tiny");
  EXPECT_TRUE(sealed.proof.text.starts_with("zg-sig-v1/e2ee-ct:"));

  std::string streamed;
  const AnswerProof proof = client.stream(kQuestion, [&](const Json& chunk) {
    streamed += chunk["choices"][0]["delta"].value("content", "");
    return true;
  });
  EXPECT_EQ(streamed, text);
  EXPECT_TRUE(proof.text.starts_with("zg-sig-v1/e2ee-ct-stream:"));

  const SealedAnswer plain = client.chat_plain(kQuestion);
  EXPECT_EQ(plain.body["choices"][0]["message"]["content"], text);
  EXPECT_TRUE(plain.proof.text.starts_with("zg-sig-v1/plain:"));
}

TEST_F(Broker, BusyAndLateOnesAreWaitedOut) {
  for (Fault fault : {Fault::kLimitedAnswers, Fault::kBusyAnswers, Fault::kLateSignatures}) {
    Inference net({fault});
    EXPECT_EQ(net.client().chat(kQuestion).body["model"], "tiny") << provider::fault_name(fault);
  }
}

TEST_F(Broker, PatienceHasAnEnd) {
  Inference net({Fault::kBusyAnswers});
  BrokerOptions options = Inference::quick();
  options.patience = std::chrono::seconds(0);
  const std::string error = error_of([&] { net.client(options).chat(kQuestion); });
  EXPECT_EQ(code(error), "network") << error;
  EXPECT_NE(error.find("the model is loading"), std::string::npos) << error;
}

// Without an answer nobody knows whether it was charged: it is not sent again.
TEST_F(Broker, ASlowOneIsGivenUpAndNotAskedTwice) {
  Inference net({Fault::kSlowAnswers});
  BrokerOptions options = Inference::quick();
  options.timeout_ms = 500;
  const auto start = std::chrono::steady_clock::now();
  const std::string error = error_of([&] { net.client(options).chat(kQuestion); });
  EXPECT_EQ(code(error), "network") << error;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

struct Lie {
  Fault fault;
  const char* why;
};
class Lies : public WithNetwork, public ::testing::WithParamInterface<Lie> {};

TEST_P(Lies, AreNotBelieved) {
  Inference net({GetParam().fault});
  BrokerClient client = net.client();
  const std::function<void()> ways[] = {
      [&] { client.chat(kQuestion); },
      [&] { client.chat_plain(kQuestion); },
      [&] { client.stream(kQuestion, [](const Json&) { return true; }); },
  };
  for (const auto& way : ways) {
    const std::string error = error_of(way);
    EXPECT_EQ(code(error), "corrupt") << error;
    EXPECT_NE(error.find(GetParam().why), std::string::npos) << error;
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, Lies,
                         ::testing::Values(Lie{Fault::kSwappedModel, "another-model"},
                                           Lie{Fault::kWrongAnswerSigner, "sign"},
                                           Lie{Fault::kOtherProof, ""},
                                           Lie{Fault::kUnsignedAnswers, "not signed"}),
                         [](const auto& info) {
                           std::string name(provider::fault_name(info.param.fault));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_F(Broker, AStreamThatBreaksOffIsNoAnswer) {
  Inference net({Fault::kCutStream});
  const std::string error =
      error_of([&] { net.client().stream(kQuestion, [](const Json&) { return true; }); });
  EXPECT_TRUE(code(error) == "network" || code(error) == "corrupt") << error;
}

TEST_F(Broker, TokensThatAreVoidAreRefusedAndMadeAnew) {
  Inference net;
  BrokerClient client = net.client();
  client.chat(kQuestion);
  // A revocation voids the token that the client has; it takes a new one of the new generation.
  net.serving_->revoke_all_tokens(*net.net_.user_, net.net_.provider_->address());
  client.chat(kQuestion);

  const Address provider = net.net_.provider_->address();
  const uint64_t now = static_cast<uint64_t>(std::time(nullptr)) * 1000;
  auto status = [&](compute::SessionToken token, const crypto::PrivateKey& key) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = net.net_.provider_->url() + "/v1/proxy/chat/completions";
    request.headers = {{"authorization", compute::authorization(token, key)}};
    Json body = kQuestion;
    body["model"] = "tiny";
    request.body = body.dump();
    return net::HttpClient().send(request).status;
  };
  compute::SessionToken token{
      net.net_.user_->address(),        provider, now - 7'200'000, now + 60'000, "0123-abc", 1,
      compute::SessionToken::kEphemeral};
  EXPECT_EQ(status(token, net.net_.user_->key()), 200);
  compute::SessionToken old = token;
  old.expires_at = now - 1000;
  EXPECT_EQ(status(old, net.net_.user_->key()), 401);
  old = token;
  old.generation = 0;
  EXPECT_EQ(status(old, net.net_.user_->key()), 401);
  old = token;
  old.provider[0] ^= 1;
  EXPECT_EQ(status(old, net.net_.user_->key()), 401);
  old = token;
  old.expires_at = token.timestamp + 86'400'001;
  EXPECT_EQ(status(old, net.net_.user_->key()), 401);
}

TEST_F(Broker, WithoutMoneyOrAcknowledgementNothingIsSent) {
  Inference net({}, false);
  std::string error = error_of([&] { net.client().chat(kQuestion); });
  EXPECT_EQ(code(error), "chain") << error;
  EXPECT_NE(hint_of([&] { net.client().chat(kQuestion); }).find("--inference"), std::string::npos);
  auto stranger = net.net_.funded();
  error = error_of(
      [&] { BrokerClient(*net.net_.rpc_, net.contract_, stranger->address(), stranger->key()); });
  EXPECT_EQ(code(error), "usage") << error;
  // Not acknowledged; then acknowledged, with another signer on the chain than in the quote.
  const compute::InferenceOffer offer{net.net_.provider_->url(), "tiny", 1, 1, "{}",
                                      stranger->address()};
  net.serving_->offer(*stranger, offer, evm::parse_ether("100"));
  const auto verify = [&] {
    BrokerClient(*net.net_.rpc_, net.contract_, stranger->address(), stranger->key()).verify();
  };
  error = error_of(verify);
  EXPECT_EQ(code(error), "attestation") << error;
  EXPECT_NE(error.find("not acknowledged"), std::string::npos) << error;
  evm::Sender owner(*net.net_.rpc_, Network::testing_owner());
  net.serving_->acknowledge_signer_by_owner(owner, stranger->address());
  error = error_of(verify);
  EXPECT_EQ(code(error), "attestation") << error;
  EXPECT_EQ(error.find("not acknowledged"), std::string::npos) << error;
}

TEST_F(Broker, AFineTunedAdapterIsDeployedAndIsItsOwnersAlone) {
  Inference net;
  net.net_.do_job();
  BrokerClient client = net.client();
  const std::vector<BrokerAdapter> list = client.adapters();
  ASSERT_EQ(list.size(), 1u);
  const auto task = compute::TaskId::parse(net.net_.journal("task"));
  EXPECT_EQ(list[0].name, compute::adapter_name("mock-model", task));
  EXPECT_EQ(list[0].state, "ready");
  Json question = kQuestion;
  question["model"] = list[0].name;
  EXPECT_EQ(code(error_of([&] { client.chat(question); })), "session");
  EXPECT_NE(client.deploy(list[0].name).find("deployed"), std::string::npos);
  EXPECT_EQ(client.adapters()[0].state, "active");
  EXPECT_EQ(client.chat(question).body["model"], list[0].name);
  EXPECT_EQ(code(error_of([&] { client.deploy("ft-none-0"); })), "session");

  auto other = net.net_.funded();
  net.fund(*other);
  EXPECT_EQ(code(error_of([&] { net.client(*other).chat(question); })), "key");
}

// The SDK's own example; the documentation's has a digit too many.
TEST(AdapterName, IsTheOfficialSdks) {
  EXPECT_EQ(compute::adapter_name("Qwen2.5-0.5B-Instruct",
                                  compute::TaskId::parse("1f6fef2b-e0fa-4bc9-b506-95f66b8cfa19")),
            "ft-Qwen2-5-0-5B-Instruct-1f6fef2b-e0f");
  EXPECT_EQ(compute::adapter_name("/a b.c/",
                                  compute::TaskId::parse("1f6fef2b-e0fa-4bc9-b506-95f66b8cfa19")),
            "ft-a-b-c-1f6fef2b-e0f");
}

}  // namespace
}  // namespace ffe::inference
