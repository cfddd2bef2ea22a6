// Nodes that misbehave cost time, never a wrong byte.
#include "storage/network_fixture.hpp"

namespace ffe::storage {
namespace {

using testing::random_data;

class faulty : public testing::Network {
 protected:
  std::unique_ptr<Node> node_with(const std::string& name, const Faults& faults) {
    NodeOptions options = node_options(name);
    options.faults = faults;
    return start(options);
  }

  ClientOptions hasty(const std::vector<std::string>& nodes) {
    ClientOptions o = client_options(nodes);
    o.slow_ms = 300;
    o.request_timeout_ms = 2'000;
    o.attempts = 20;
    return o;
  }
};

TEST_F(faulty, a_lying_node_alone_is_named) {
  auto good = start(node_options("a"));
  const Bytes data = random_data(600'000, 40);
  const H256 root = upload({good->url()}, data).root;
  good = nullptr;
  NodeOptions options = node_options("a");
  options.faults.corrupt = 1;
  auto liar = start(options);
  ClientOptions once = client_options({liar->url()});
  once.attempts = 2;
  try {
    Client(once).download(root, dir_.path() / "out");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kCorrupt);
    EXPECT_NE(std::string(e.what()).find(liar->url()), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("segment "), std::string::npos);
  }
  EXPECT_FALSE(std::filesystem::exists(dir_.path() / "out"));
}

TEST_F(faulty, a_lying_node_among_honest_ones) {
  Faults lies;
  lies.corrupt = 1;
  auto good = start(node_options("a")), liar = node_with("b", lies);
  ClientOptions options = hasty({liar->url(), good->url()});
  options.replicas = 2;
  Client c(options);
  const Bytes data = random_data(3'000'000, 41);
  const H256 root = c.upload(data, chain_->sender()).root;
  EXPECT_EQ(c.download(root, data.size()), data);
}

TEST_F(faulty, a_stalling_node_among_good_ones) {
  Faults stalls;
  stalls.stall = 0.5;
  stalls.stall_ms = 60'000;
  auto good = start(node_options("a")), slow = start(node_options("b"));
  ClientOptions options = hasty({slow->url(), good->url()});
  options.replicas = 2;
  const Bytes data = random_data(2'000'000, 42);
  const H256 root = Client(options).upload(data, chain_->sender()).root;
  slow = nullptr;
  slow = node_with("b", stalls);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Client(hasty({slow->url(), good->url()})).download(root, data.size()), data);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
}

// Everything at once, several seeds: each download is right or an error, and with these
// probabilities it is right. FFE_FAULT_RUNS asks for more.
TEST_F(faulty, no_wrong_byte_in_random_faults) {
  const char* asked = std::getenv("FFE_FAULT_RUNS");
  const int runs = asked != nullptr ? std::atoi(asked) : 4;
  const Bytes data = random_data(1'500'000, 43);
  auto a = start(node_options("a")), b = start(node_options("b"));
  ClientOptions both = client_options({a->url(), b->url()});
  both.replicas = 2;
  const H256 root = Client(both).upload(data, chain_->sender()).root;
  std::mt19937_64 random(99);
  int right = 0;
  for (int run = 0; run < runs; ++run) {
    a = nullptr;
    b = nullptr;
    auto some = [&](double most) {
      return std::uniform_real_distribution<double>(0, most)(random);
    };
    for (std::unique_ptr<Node>* node : {&a, &b}) {
      Faults f;
      f.seed = random();
      f.drop = some(0.3);
      f.delay = some(0.3);
      f.corrupt = some(0.5);
      f.stall = some(0.1);
      f.delay_ms = 30;
      f.stall_ms = 1'000;
      *node = node_with(node == &a ? "a" : "b", f);
    }
    try {
      ASSERT_EQ(Client(hasty({a->url(), b->url()})).download(root, data.size()), data);
      ++right;
    } catch (const Error& e) {
      ADD_FAILURE() << "run " << run << ": " << e.what();
    }
  }
  EXPECT_EQ(right, runs);
}

TEST_F(faulty, uploads_get_through_drops_and_delays) {
  Faults f;
  f.drop = 0.2;
  f.delay = 0.3;
  f.delay_ms = 50;
  auto node = node_with("a", f);
  const Bytes data = random_data(3'000'000, 44);
  Client c(hasty({node->url()}));
  const H256 root = c.upload(data, chain_->sender()).root;
  EXPECT_EQ(submissions(), 1u);
  EXPECT_EQ(c.download(root, data.size()), data);
}

}  // namespace
}  // namespace ffe::storage
