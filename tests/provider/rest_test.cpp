#include "compute/dataset.hpp"
#include "compute/provider_client.hpp"
#include "compute/quote.hpp"
#include "crypto/keccak.hpp"
#include "provider/network.hpp"

namespace ffe::provider {
namespace {

using namespace ffe::provider::testing;
using test::error_of;

class ComputeRest : public WithNetwork {
 protected:
  void SetUp() override {
    WithNetwork::SetUp();
    if (IsSkipped()) return;
    net_ = std::make_unique<Network>();
    ProviderOptions o = net_->options();
    o.poll = std::chrono::milliseconds(400);  // leaves time to look at early states
    net_->start(o);
    user_ = crypto::checksum_address(net_->user_->address());
  }

  net::HttpResponse send(const std::string& method, const std::string& path,
                         const std::string& body = "") {
    net::HttpRequest request;
    request.method = method;
    request.url = net_->provider_->url() + path;
    request.body = body;
    return http_.send(request);
  }
  Json task_body() {
    compute::TaskRequest r;
    std::string hash = client().upload_dataset(net_->user_->key(), "a.jsonl", as_bytes(kRows));
    evm::U256 nonce(17);
    H256 message = compute::create_task_message(net_->user_->address(), nonce, hash);
    return {{"userAddress", user_},
            {"preTrainedModelHash",
             "0xcb42b5ca9e998c82dd239ef2d20d22a4ae16b3dc0ce0a855c93b52c7c2bab6dc"},
            {"datasetHash", hash},
            {"trainingParams", compute::to_json(net_->spec().params)},
            {"fee", "0"},
            {"nonce", "17"},
            {"signature", to_hex0x(compute::sign_message(net_->user_->key(), message).bytes)},
            {"wait", false}};
  }
  compute::ProviderClient& client() {
    compute::ProviderOptions impatient;
    impatient.attempts = 1;
    if (!client_) {
      client_ = std::make_unique<compute::ProviderClient>(net_->provider_->url(), impatient);
    }
    return *client_;
  }
  std::string refusal(const Json& body, int status) {
    net::HttpResponse answer = send("POST", "/v1/user/" + user_ + "/task", body.dump());
    EXPECT_EQ(answer.status, status) << answer.body;
    return Json::parse(answer.body).at("error");
  }

  std::unique_ptr<Network> net_;
  std::unique_ptr<compute::ProviderClient> client_;
  net::HttpClient http_;
  std::string user_;
};

TEST_F(ComputeRest, TaskHasThePublishedFields) {
  Json body = task_body();
  net::HttpResponse answer = send("POST", "/v1/user/" + user_ + "/task", body.dump());
  ASSERT_EQ(answer.status, 201) << answer.body;
  std::string id = Json::parse(answer.body).at("id");
  Json task = Json::parse(send("GET", "/v1/user/" + user_ + "/task/" + id).body);
  for (const char* name : {"id", "createdAt", "updatedAt", "userAddress", "preTrainedModelHash",
                           "datasetHash", "trainingParams", "fee", "nonce", "signature", "progress",
                           "deliverIndex", "deliverTime", "modelType", "wait"}) {
    EXPECT_TRUE(task.contains(name)) << name;
  }
  EXPECT_EQ(send("GET", "/v1/task/pending").body, "1");
  // A second one has to wait for the first.
  EXPECT_EQ(refusal(body, 400), "cannot create a new task while there is an unfinished task");
  EXPECT_EQ(send("GET", "/v1/user/" + user_ + "/task/" + id + "/log").status, 200);
  Address other = crypto::PrivateKey::generate().address();
  std::string foreign = "/v1/user/" + crypto::checksum_address(other) + "/task/" + id;
  EXPECT_EQ(send("GET", foreign).status, 403);
  EXPECT_EQ(send("GET", "/v1/user/" + user_ + "/task/7").status, 400);
  EXPECT_EQ(send("GET", "/v1/user/" + user_ + "/task/" + compute::TaskId::random().text()).status,
            404);
  // Not ready, and signed by nobody.
  compute::TaskId task_id = compute::TaskId::parse(id);
  EXPECT_EQ(send("POST", "/v1/user/" + user_ + "/task/" + id + "/lora",
                 R"({"signature":"0x00","timestamp":1})")
                .status,
            401);
  EXPECT_EQ(error_of([&] {
              client().download(net_->user_->key(), task_id, net_->dir_.path() / "x");
            }).find("network"),
            0u);
  EXPECT_EQ(send("POST", "/v1/user/" + user_ + "/task/" + id + "/cancel", R"({"signature":"0x00"})")
                .status,
            401);
}

TEST_F(ComputeRest, RefusesInTheBrokersWords) {
  Json body = task_body();
  auto with = [&](const char* name, const Json& value) {
    Json changed = body;
    changed[name] = value;
    return changed;
  };
  EXPECT_EQ(refusal(with("preTrainedModelHash", "0x" + std::string(64, '1')), 400),
            "unsupported model: not found in predefined models");
  EXPECT_EQ(refusal(with("trainingParams", "{}"), 400),
            "training config missing required parameter 'neftune_noise_alpha'");
  for (const char* name : {"userAddress", "preTrainedModelHash", "datasetHash", "trainingParams",
                           "fee", "nonce", "signature"}) {
    refusal(with(name, ""), 400);
    refusal(with(name, 5), 400);
  }
  refusal(with("nonce", "-1"), 400);
  refusal(with("datasetHash", "../../etc/passwd"), 400);
  refusal(Json::array(), 400);
  EXPECT_EQ(send("POST", "/v1/user/" + user_ + "/task", "{").status, 400);
  net_->serving_->acknowledge_signer(*net_->user_, net_->provider_->address(), true);
  evm::Sender owner(*net_->rpc_, Network::testing_owner());
  net_->serving_->revoke_signer_by_owner(owner, net_->provider_->address());
  EXPECT_EQ(refusal(body, 400), "service TEE signer has not been acknowledged by 0G team");
}

TEST_F(ComputeRest, BadSignatureFailsTheTaskLater) {
  Json body = task_body();
  body["nonce"] = "18";  // signed for 17
  net::HttpResponse answer = send("POST", "/v1/user/" + user_ + "/task", body.dump());
  ASSERT_EQ(answer.status, 201);
  compute::TaskId id = compute::TaskId::parse(Json::parse(answer.body).at("id").get<std::string>());
  std::string state;
  for (int i = 0; i < 100 && state != "Failed"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    state = client().task(net_->user_->address(), id).state;
  }
  EXPECT_EQ(state, "Failed");
  EXPECT_NE(client().log(net_->user_->address(), id).find("signature error"), std::string::npos);
}

TEST_F(ComputeRest, CancelWorksUntilTraining) {
  compute::TaskId id = compute::TaskId::parse(
      Json::parse(send("POST", "/v1/user/" + user_ + "/task", task_body().dump()).body)
          .at("id")
          .get<std::string>());
  client().cancel(net_->user_->key(), id);
  EXPECT_EQ(client().task(net_->user_->address(), id).state, "Failed");
  EXPECT_NE(error_of([&] {
              client().cancel(net_->user_->key(), id);
            }).find("cannot be cancelled in its current state (Failed)"),
            std::string::npos);
}

TEST_F(ComputeRest, DatasetIsCheckedAndNamedByItsHash) {
  auto upload = [&](const char* name, std::string_view content) {
    return error_of([&] { client().upload_dataset(net_->user_->key(), name, as_bytes(content)); });
  };
  EXPECT_EQ(client().upload_dataset(net_->user_->key(), "../../a.jsonl", as_bytes(kRows)),
            to_hex0x(crypto::keccak256(std::string_view(kRows)).bytes));
  EXPECT_NE(upload("a.txt", kRows).find("Only JSONL/JSON files are allowed"), std::string::npos);
  EXPECT_NE(upload("a.jsonl", "{}\nnope\n").find("line 2 is not valid JSON"), std::string::npos);
  EXPECT_EQ(upload("a.jsonl", "").substr(0, 6), "usage:");
  // Somebody else's name on it.
  compute::ProviderClient other(net_->provider_->url(),
                                {.attempts = 1, .now = [] { return uint64_t{1}; }});
  EXPECT_NE(error_of([&] {
              other.upload_dataset(net_->user_->key(), "a.jsonl", as_bytes(kRows));
            }).find("401"),
            std::string::npos);
}

TEST_F(ComputeRest, QuoteHasBothLayouts) {
  Address signer = mock_tee_key().address();
  compute::QuoteCheck now = compute::check_quote(client().quote(), signer, true);
  compute::QuoteCheck legacy = compute::check_quote(client().quote(true), signer, true);
  EXPECT_TRUE(now.report.enc_pub);
  EXPECT_FALSE(legacy.report.enc_pub);
  EXPECT_EQ(now.level, compute::QuoteLevel::kNone);
  EXPECT_EQ(error_of([&] { compute::check_quote(client().quote(), signer, false); }).substr(0, 12),
            "attestation:");
  EXPECT_EQ(
      error_of([&] { compute::check_quote(client().quote(), Address{}, true); }).substr(0, 12),
      "attestation:");
}

TEST(ComputeDataset, SaysWhatTheProviderDrops) {
  const char* chat =
      R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},)"
      R"({"role":"assistant","content":"b"},{"role":"user","content":"c"},)"
      R"({"role":"assistant","content":"d"}]})";
  compute::TrainingRows rows = compute::training_rows(chat, compute::DatasetWay::kUpload, "x");
  ASSERT_EQ(rows.rows.size(), 1u);
  EXPECT_EQ(rows.rows[0].instruction, "c");
  EXPECT_EQ(rows.rows[0].output, "d");
  EXPECT_EQ(rows.lost_system_prompts, 1u);
  EXPECT_EQ(rows.lost_turns, 2u);
  EXPECT_EQ(compute::training_text(rows.rows[0]), "### Instruction:\nc\n\n### Response:\nd");
  rows = compute::training_rows("\n{\"text\":\"t\"}\r\n", compute::DatasetWay::kUpload, "x");
  EXPECT_EQ(rows.lost_texts, 1u);
  rows = compute::training_rows("{\"text\":\"t\"}", compute::DatasetWay::kStorage, "x");
  EXPECT_EQ(compute::training_text(rows.rows[0]), "t");
  auto each = [](std::string_view) { return size_t{1}; };
  EXPECT_EQ(compute::count_tokens(
                compute::training_rows(kRows, compute::DatasetWay::kUpload, "x").rows, each),
            6u);
  for (const char* bad : {"", "\n\n", "[]", "{", "{\"a\":1}", "{\"text\":\"a\"}\n7"}) {
    EXPECT_EQ(error_of([&] {
                compute::training_rows(bad, compute::DatasetWay::kUpload, "x");
              }).substr(0, 10),
              "bad_input:")
        << bad;
  }
}

}  // namespace
}  // namespace ffe::provider
