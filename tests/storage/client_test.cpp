// Client and node together over real sockets and a real chain.
#include <future>
#include <thread>

#include "storage/network_fixture.hpp"

namespace ffe::storage {
namespace {

using testing::Process;
using testing::random_data;

class client : public testing::Network {};

TEST_F(client, sizes_around_every_boundary) {
  auto node = start(node_options("a"));
  uint64_t seq = 0;
  for (uint64_t size : {1, 255, 256, 257, 5000, 262'143, 262'144, 262'145, 1'048'577, 3'000'000}) {
    SCOPED_TRACE(size);
    const Bytes data = random_data(size, size);
    const UploadResult up = upload({node->url()}, data);
    EXPECT_EQ(up.root, data_root(data));
    EXPECT_EQ(up.tx_seq, seq++);
    EXPECT_FALSE(up.tx_hash.is_zero());
    EXPECT_EQ(download({node->url()}, up.root), data);
  }
}

TEST_F(client, trailing_zeros_keep_the_exact_size) {
  auto node = start(node_options("a"));
  for (uint64_t size : {1u, 700u, 300'000u}) {
    const Bytes zeros(size, 0);
    EXPECT_EQ(download({node->url()}, upload({node->url()}, zeros).root), zeros);
  }
}

TEST_F(client, empty_and_oversized_files_are_refused) {
  auto node = start(node_options("a"));
  try {
    upload({node->url()}, {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kBadInput);
  }
  const auto file = dir_.path() / "sparse";
  write_file_atomic(file, Bytes{1});
  std::filesystem::resize_file(file, kFragmentBytes + 1);
  try {
    Client(client_options({node->url()})).upload(file, chain_->sender());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kBadInput);
  }
  EXPECT_EQ(submissions(), 0u);
}

TEST_F(client, pays_once) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(600'000, 20);
  const UploadResult first = upload({node->url()}, data);
  const UploadResult again = upload({node->url()}, data);
  EXPECT_TRUE(again.tx_hash.is_zero());
  EXPECT_EQ(again.tx_seq, first.tx_seq);
  EXPECT_EQ(submissions(), 1u);
}

TEST_F(client, a_payment_that_no_node_has_seen_yet_counts) {
  NodeOptions options = node_options("a");
  options.confirmations = 3;
  auto node = start(options);
  const Bytes data = random_data(1000, 21);
  ClientOptions impatient = client_options({node->url()});
  impatient.log_entry_timeout_ms = 200;
  try {
    Client(impatient).upload(data, chain_->sender());
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNetwork) << e.what();
  }
  EXPECT_EQ(submissions(), 1u);
  chain_->rpc().raw("anvil_mine", Json::array({"0x3"}));
  EXPECT_TRUE(upload({node->url()}, data).tx_hash.is_zero());
  EXPECT_EQ(submissions(), 1u);
}

TEST_F(client, files_with_progress) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(2'000'000, 22);
  write_file_atomic(dir_.path() / "in", data);
  uint64_t last = 0;
  auto progress = [&](uint64_t done, uint64_t total) {
    EXPECT_GE(done, last);
    EXPECT_EQ(total, data.size());
    last = done;
  };
  Client c(client_options({node->url()}));
  const UploadResult up = c.upload(dir_.path() / "in", chain_->sender(), {.sending = progress});
  EXPECT_EQ(last, data.size());
  last = 0;
  c.download(up.root, dir_.path() / "out", progress);
  EXPECT_EQ(last, data.size());
  EXPECT_EQ(read_file(dir_.path() / "out"), data);
  // Nothing is left beside the file.
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    EXPECT_EQ(entry.path().string().find(".part"), std::string::npos);
  }
  const auto info = c.info(up.root);
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->finalized);
  EXPECT_EQ(info->size, data.size());
}

TEST_F(client, fragments) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(1'300'000, 23);
  write_file_atomic(dir_.path() / "in", data);
  Client c(client_options({node->url()}));
  const auto parts = c.upload_fragments(dir_.path() / "in", chain_->sender(), {}, 1 << 19);
  ASSERT_EQ(parts.size(), 3u);
  std::vector<H256> roots;
  for (size_t i = 0; i < parts.size(); ++i) {
    roots.push_back(parts[i].root);
    const auto part = ByteView(data).subspan(i << 19);
    EXPECT_EQ(parts[i].root, data_root(part.first(std::min<size_t>(part.size(), 1 << 19))));
  }
  EXPECT_EQ(fragment_roots(dir_.path() / "in", 1 << 19), roots);
  c.download_fragments(roots, dir_.path() / "out");
  EXPECT_EQ(read_file(dir_.path() / "out"), data);
  EXPECT_THROW(c.upload_fragments(dir_.path() / "in", chain_->sender(), {}, 1000), Error);
}

TEST_F(client, an_interrupted_upload_goes_on) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(4'000'000, 24);
  ClientOptions options = client_options({node->url()});
  options.workers = 1;
  options.segments_per_call = 1;
  Client c(options);
  auto stop_half_way = [](uint64_t done, uint64_t total) {
    if (done > total / 2) throw Error(ErrorCode::kInterrupted, "stopped");
  };
  EXPECT_THROW(c.upload(data, chain_->sender(), {.sending = stop_half_way}), Error);
  const auto half = c.info(data_root(data));
  ASSERT_TRUE(half);
  EXPECT_FALSE(half->finalized);
  std::optional<uint64_t> begins_at;
  const UploadResult up =
      c.upload(data, chain_->sender(), {.sending = [&](uint64_t done, uint64_t) {
                 if (!begins_at) begins_at = done;
               }});
  EXPECT_TRUE(up.tx_hash.is_zero());
  EXPECT_GT(*begins_at, data.size() / 2);
  EXPECT_EQ(submissions(), 1u);
  EXPECT_EQ(download({node->url()}, up.root), data);
}

TEST_F(client, an_interrupted_download_goes_on) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(4'000'000, 25);
  const H256 root = upload({node->url()}, data).root;
  ClientOptions options = client_options({node->url()});
  options.workers = 1;
  Client c(options);
  const auto out = dir_.path() / "out";
  EXPECT_THROW(c.download(root, out,
                          [](uint64_t done, uint64_t total) {
                            if (done > total / 2) throw Error(ErrorCode::kInterrupted, "stopped");
                          }),
               Error);
  EXPECT_FALSE(std::filesystem::exists(out));
  // A byte that changed meanwhile is fetched again.
  Bytes part = read_file(out.string() + ".part");
  part[300'000] ^= 1;
  write_file_atomic(out.string() + ".part", part);
  std::optional<uint64_t> begins_at;
  c.download(root, out, [&](uint64_t done, uint64_t) {
    if (!begins_at) begins_at = done;
  });
  EXPECT_GT(*begins_at, data.size() / 3);
  EXPECT_EQ(read_file(out), data);
}

TEST_F(client, unknown_roots_and_missing_nodes) {
  auto node = start(node_options("a"));
  const H256 unknown = data_root(as_bytes("nobody stored this"));
  auto code_of = [&](const std::vector<std::string>& nodes) {
    try {
      download(nodes, unknown);
    } catch (const Error& e) {
      EXPECT_FALSE(e.hint().empty());
      return e.code();
    }
    return ErrorCode::kFailed;
  };
  EXPECT_EQ(code_of({node->url()}), ErrorCode::kNetwork);
  EXPECT_EQ(code_of({"http://127.0.0.1:1"}), ErrorCode::kNetwork);
  EXPECT_EQ(code_of({}), ErrorCode::kUsage);
  EXPECT_EQ(Client(client_options({node->url()})).info(unknown), std::nullopt);
}

TEST_F(client, two_shards_found_through_the_indexer) {
  NodeOptions left = node_options("left"), right = node_options("right");
  left.num_shard = right.num_shard = 2;
  right.shard_id = 1;
  auto second = start(right);
  left.peers = {second->url()};
  auto first = start(left);
  ClientOptions options = client_options({});
  options.indexer_url = first->url();
  Client c(options);
  for (uint64_t size : {1u, 300'000u, 2'000'000u}) {
    const Bytes data = random_data(size, size);
    const UploadResult up = c.upload(data, chain_->sender());
    EXPECT_EQ(c.download(up.root, data.size()), data);
    EXPECT_THROW(c.download(up.root, data.size() - 1), Error);
  }
  const Bytes big = random_data(2'000'000, 2'000'000);
  try {
    download({first->url()}, data_root(big));
    FAIL() << "half of the shards";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNetwork);
  }
  EXPECT_THROW(upload({first->url()}, random_data(9, 9)), Error);
}

TEST_F(client, replicas_and_a_node_that_dies) {
  auto first = start(node_options("a")), second = start(node_options("b"));
  const std::vector<std::string> both{first->url(), second->url()};
  ClientOptions options = client_options(both);
  options.replicas = 2;
  const Bytes data = random_data(1'000'000, 26);
  const H256 root = Client(options).upload(data, chain_->sender()).root;
  first = nullptr;
  EXPECT_EQ(download(both, root), data);
  EXPECT_EQ(upload(both, random_data(1000, 27)).tx_seq, 1u);
}

TEST_F(client, back_pressure_is_waited_out) {
  NodeOptions options = node_options("a");
  options.max_writings = 1;
  auto node = start(options);
  ClientOptions many = client_options({node->url()});
  many.workers = 8;
  many.segments_per_call = 1;
  const Bytes data = random_data(5'000'000, 28);
  const H256 root = Client(many).upload(data, chain_->sender()).root;
  EXPECT_EQ(download({node->url()}, root), data);
}

// A node as a process of its own, to be killed and started again on the same port and folder.
class client_and_mortal_node : public client {
 protected:
  void SetUp() override {
    client::SetUp();
    if (!IsSkipped()) start_node();
  }

  void start_node() {
    process_ = std::make_unique<Process>(std::vector<std::string>{
        FFE_STORAGE_TOOL, "serve", "--rpc", chain_->url(), "--flow", to_hex0x(flow_.bytes),
        "--port", std::to_string(port_), "--dir", (dir_.path() / "mortal").string()});
    for (int i = 0; i < 500; ++i) {
      try {
        call(url_, "zgs_getStatus");
        return;
      } catch (const Error&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    }
    FAIL() << "the node does not answer";
  }

  // Runs `work` with a progress that tells when half is done; then the node dies and comes back.
  template <class Work>
  void kill_half_way(Work work) {
    std::atomic<bool> half_way{false};
    auto running = std::async(std::launch::async, [&] {
      work([&](uint64_t done, uint64_t total) {
        if (done >= total / 2) half_way = true;
      });
    });
    // From this thread: the child ends with the thread that started it.
    while (!half_way &&
           running.wait_for(std::chrono::milliseconds(1)) == std::future_status::timeout) {
    }
    process_->kill();
    start_node();
    running.get();
    EXPECT_TRUE(half_way);
  }

  const int port_ = testing::free_port();
  const std::string url_ = "http://127.0.0.1:" + std::to_string(port_);
  std::unique_ptr<Process> process_;
};

TEST_F(client_and_mortal_node, dies_during_an_upload_and_a_download) {
  ClientOptions options = client_options({url_});
  options.workers = 2;
  options.segments_per_call = 1;
  options.attempts = 20;
  const Bytes data = random_data(8'000'000, 29);
  H256 root;
  kill_half_way([&](const Progress& progress) {
    root = Client(options).upload(data, chain_->sender(), {.sending = progress}).root;
  });
  EXPECT_EQ(submissions(), 1u);
  const auto out = dir_.path() / "out";
  kill_half_way([&](const Progress& progress) { Client(options).download(root, out, progress); });
  EXPECT_EQ(read_file(out), data);
}

TEST_F(client, nodes_of_another_contract_and_absurd_prices_are_refused) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(1000, 30);
  auto code_of = [&](const ClientOptions& options) {
    try {
      Client(options).upload(data, chain_->sender());
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::kInternal;
  };
  ClientOptions other = client_options({node->url()});
  other.flow = Address{};
  EXPECT_EQ(code_of(other), ErrorCode::kNetwork);
  ClientOptions thrifty = client_options({node->url()});
  thrifty.max_price = 999;  // the test's contract asks 1000 wei for a sector
  EXPECT_EQ(code_of(thrifty), ErrorCode::kChain);
  EXPECT_EQ(submissions(), 0u);
  thrifty.max_price = 1000;
  evm::U256 told;
  const UploadResult up = Client(thrifty).upload(
      data, chain_->sender(), {.paying = [&](const H256&, const evm::U256& fee) { told = fee; }});
  EXPECT_EQ(up.fee, evm::U256(4'000));
  EXPECT_EQ(told, up.fee);
}

// A node that has not seen the transaction gets a small file by its root and finalizes it alone.
TEST_F(client, small_files_go_ahead_of_their_transaction) {
  NodeOptions options = node_options("a");
  options.poll_ms = 3'000;
  auto node = start(options);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // its first look at the chain
  const Bytes data = random_data(1000, 31);
  auto uploading = std::async(std::launch::async, [&] { return upload({node->url()}, data); });
  const H256 root = data_root(data);
  const std::string name = to_hex(root.bytes);
  const auto cached = dir_.path() / "a/segments" / name.substr(0, 2) / name / "0";
  bool ahead = false;
  for (int i = 0; i < 200 && !ahead; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ahead = std::filesystem::exists(cached) &&
            call(node->url(), "zgs_getFileInfo", {to_hex0x(root.bytes), true}).is_null();
  }
  EXPECT_TRUE(ahead);
  uploading.get();
  EXPECT_EQ(download({node->url()}, root), data);
}

TEST_F(client, locations_tell_each_nodes_state) {
  auto whole = start(node_options("a")), empty = start(node_options("b"));
  const Bytes data = random_data(600'000, 32);
  const H256 root = upload({whole->url()}, data).root;
  wait_for_tx(empty->url(), 1);
  const auto found = Client(client_options({empty->url(), whole->url()})).locations(root);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].url, whole->url());
  EXPECT_TRUE(found[0].info.finalized);
  EXPECT_EQ(found[1].url, empty->url());
  EXPECT_EQ(found[1].info.uploaded_segments, 0u);
}

TEST(networks, by_name) {
  EXPECT_FALSE(network_options("devnet").nodes.empty());
  for (const char* name : {"galileo", "aristotle"}) {
    EXPECT_FALSE(network_options(name).indexer_url.empty());
    EXPECT_FALSE(network_options(name).rpc_url.empty());
    EXPECT_TRUE(network_options(name).flow);
  }
  EXPECT_THROW(network_options("newton"), Error);
}

TEST(official_encryption, headers) {
  EXPECT_EQ(official_encryption(Bytes{1, 9, 9}, 100), 1);
  EXPECT_EQ(official_encryption(Bytes{2, 3, 9}, 100), 2);
  EXPECT_EQ(official_encryption(Bytes{2, 4, 9}, 100), std::nullopt);
  EXPECT_EQ(official_encryption(Bytes{1, 9, 9}, 17), std::nullopt);
  EXPECT_EQ(official_encryption(Bytes{}, 0), std::nullopt);
}

}  // namespace
}  // namespace ffe::storage
