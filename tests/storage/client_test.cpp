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
  const UploadResult up = c.upload(dir_.path() / "in", chain_->sender(), progress);
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
  EXPECT_THROW(c.upload(data, chain_->sender(), stop_half_way), Error);
  const auto half = c.info(data_root(data));
  ASSERT_TRUE(half);
  EXPECT_FALSE(half->finalized);
  std::optional<uint64_t> begins_at;
  const UploadResult up = c.upload(data, chain_->sender(), [&](uint64_t done, uint64_t) {
    if (!begins_at) begins_at = done;
  });
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

TEST_F(client, a_node_killed_during_an_upload) {
  const int port = testing::free_port();
  const std::string url = "http://127.0.0.1:" + std::to_string(port);
  const std::vector<std::string> command{FFE_STORAGE_TOOL, "serve",
                                         "--rpc",          chain_->url(),
                                         "--flow",         to_hex0x(flow_.bytes),
                                         "--port",         std::to_string(port),
                                         "--dir",          (dir_.path() / "killed").string()};
  auto process = std::make_unique<Process>(command);
  ClientOptions options = client_options({url});
  options.workers = 2;
  options.segments_per_call = 1;
  const Bytes data = random_data(8'000'000, 29);
  std::atomic<bool> half_way{false};
  for (int i = 0; i < 200; ++i) {
    try {
      call(url, "zgs_getStatus");
      break;
    } catch (const Error&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  auto upload = std::async(std::launch::async, [&] {
    return Client(options).upload(data, chain_->sender(), [&](uint64_t done, uint64_t total) {
      if (done >= total / 2) half_way = true;
    });
  });
  // From this thread: the child ends with the thread that started it.
  while (!half_way &&
         upload.wait_for(std::chrono::milliseconds(1)) == std::future_status::timeout) {
  }
  process->kill();
  process = std::make_unique<Process>(command);
  const UploadResult up = upload.get();
  EXPECT_TRUE(half_way);
  EXPECT_EQ(submissions(), 1u);
  EXPECT_EQ(download({url}, up.root), data);
}

TEST(networks, by_name) {
  EXPECT_FALSE(network_options("devnet").nodes.empty());
  EXPECT_FALSE(network_options("galileo").indexer_url.empty());
  EXPECT_FALSE(network_options("aristotle").indexer_url.empty());
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
