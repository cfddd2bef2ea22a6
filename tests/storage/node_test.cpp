// The node's interface, call by call, as the official node answers.
#include "storage/network_fixture.hpp"
#include "storage/shards.hpp"

namespace ffe::storage {
namespace {

using testing::random_data;

class node : public testing::Network {
 protected:
  // Pays for `data` without uploading it.
  Submission pay(ByteView data) {
    const FileTree tree = FileTree::of(*memory_source(data));
    return submit(chain_->sender(), flow_, data.size(), tree.nodes(),
                  1'000 * tree.shape().padded_chunks);
  }

  static Json segment(ByteView data, uint64_t index) {
    const FileTree tree = FileTree::of(*memory_source(data));
    WireSegment s;
    s.root = tree.root();
    s.index = index;
    s.file_size = data.size();
    s.proof = tree.proof(index);
    const auto part = data.subspan(index * kSegmentBytes);
    s.data.assign(part.begin(), part.end());
    s.data.resize(tree.shape().segment_bytes(index));
    return to_json(s);
  }
};

TEST_F(node, status_and_shard_config) {
  auto node = start(node_options("a"));
  chain_->rpc().raw("anvil_mine", Json::array({"0x5"}));
  for (int i = 0; i < 200; ++i) {
    if (call(node->url(), "zgs_getStatus")["logSyncHeight"].get<uint64_t>() >= 6) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const Json status = call(node->url(), "zgs_getStatus");
  EXPECT_GE(status["logSyncHeight"].get<uint64_t>(), 6u);
  EXPECT_EQ(status["networkIdentity"]["chainId"], 31337);
  EXPECT_EQ(status["networkIdentity"]["flowAddress"], to_hex0x(flow_.bytes));
  EXPECT_EQ(status["nextTxSeq"], 0);
  EXPECT_EQ(status["logSyncBlock"].get<std::string>().size(), 66u);
  EXPECT_EQ(call(node->url(), "zgs_getShardConfig"), Json({{"shardId", 0}, {"numShard", 1}}));
}

TEST_F(node, transport_is_json_rpc_over_post) {
  auto node = start(node_options("a"));
  net::HttpClient http;
  net::HttpRequest get;
  get.url = node->url() + "/";
  EXPECT_EQ(http.send(get).status, 405);
  net::HttpRequest post = get;
  post.method = "POST";
  // No params at all, and an id beyond 2^53, as the official SDK sends it.
  post.body = R"({"jsonrpc":"2.0","method":"zgs_getShardConfig","id":18446744073709551557})";
  const auto answer = http.send(post);
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("18446744073709551557"), std::string::npos);
  post.body = R"({"jsonrpc":"2.0","method":"zgs_nothing","params":[],"id":1})";
  EXPECT_NE(http.send(post).body.find("-32601"), std::string::npos);
}

TEST_F(node, a_file_goes_through_its_states) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(300'000, 1);
  const std::string root = to_hex0x(data_root(data).bytes);
  EXPECT_TRUE(call(node->url(), "zgs_getFileInfo", {root, false}).is_null());
  EXPECT_TRUE(call(node->url(), "zgs_checkFileFinalized", {root}).is_null());
  EXPECT_TRUE(call(node->url(), "zgs_downloadSegment", {root, 0, 1}).is_null());
  EXPECT_EQ(error_of(node->url(), "indexer_getFileLocations", {root}), "-32000 file not found");

  EXPECT_EQ(pay(data).start_entry, 1024u);
  wait_for_tx(node->url(), 1);
  Json info = call(node->url(), "zgs_getFileInfo", {root, true});
  EXPECT_EQ(info["tx"]["dataMerkleRoot"], root);
  EXPECT_EQ(info["tx"]["merkleNodes"][0][0], 11);
  EXPECT_EQ(info["tx"]["merkleNodes"][1][0], 9);
  EXPECT_EQ(info["tx"]["startEntryIndex"], 1024);
  EXPECT_EQ(info["tx"]["size"], 300'000);
  EXPECT_EQ(info["tx"]["seq"], 0);
  EXPECT_EQ(info["tx"]["data"], Json::array());
  EXPECT_EQ(info["finalized"], false);
  EXPECT_EQ(info["uploadedSegNum"], 0);
  EXPECT_TRUE(call(node->url(), "indexer_getFileLocations", {root}).is_null());

  EXPECT_TRUE(call(node->url(), "zgs_uploadSegmentByTxSeq", {segment(data, 1), 0}).is_null());
  EXPECT_EQ(call(node->url(), "zgs_getFileInfoByTxSeq", {0})["uploadedSegNum"], 1);
  EXPECT_EQ(call(node->url(), "zgs_checkFileFinalized", {0}), false);
  EXPECT_TRUE(call(node->url(), "zgs_downloadSegmentByTxSeq", {0, 0, 1024}).is_null());
  EXPECT_EQ(error_of(node->url(), "zgs_uploadSegmentByTxSeq", {segment(data, 1), 0}),
            "-32000 segment has already been uploaded or is being uploaded");
  const Json both = Json::array({segment(data, 0), segment(data, 1)});
  EXPECT_TRUE(call(node->url(), "zgs_uploadSegmentsByTxSeq", {both, 0}).is_null());
  EXPECT_EQ(call(node->url(), "zgs_checkFileFinalized", {root}), true);
  EXPECT_EQ(call(node->url(), "zgs_getFileInfo", {root, true})["uploadedSegNum"], 2);
  EXPECT_EQ(error_of(node->url(), "zgs_uploadSegmentsByTxSeq", {both, 0}),
            "-32602 Invalid params: root | already uploaded and finalized");

  const Json locations = call(node->url(), "indexer_getFileLocations", {root});
  EXPECT_EQ(locations[0]["url"], node->url());
  EXPECT_EQ(locations[0]["config"]["numShard"], 1);
}

TEST_F(node, downloads) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(300'000, 2);
  const UploadResult up = upload({node->url()}, data);
  const std::string root = to_hex0x(up.root.bytes);
  auto range = [&](uint64_t from, uint64_t to) {
    return from_base64(
        call(node->url(), "zgs_downloadSegment", {root, from, to}).get<std::string>());
  };
  auto expected = [&](uint64_t from, uint64_t to) {
    Bytes out(data.begin() + static_cast<ptrdiff_t>(from * 256),
              data.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(to * 256, data.size())));
    out.resize((to - from) * 256);
    return out;
  };
  for (auto [from, to] : {std::pair(0, 1), {0, 1024}, {1024, 1172}, {1000, 1100}, {1171, 1172}}) {
    EXPECT_EQ(range(from, to), expected(from, to)) << from << " to " << to;
  }
  EXPECT_EQ(error_of(node->url(), "zgs_downloadSegment", {root, 5, 5}),
            "-32602 Invalid params: end_index | invalid chunk index");
  EXPECT_EQ(error_of(node->url(), "zgs_downloadSegment", {root, 0, 1025}),
            "-32602 Invalid params: end_index | exceeds maximum chunks 1024");
  EXPECT_EQ(error_of(node->url(), "zgs_downloadSegment", {root, 1000, 1173}).substr(0, 39),
            "-32000 end entry index exceeds tx size:");
  EXPECT_EQ(error_of(node->url(), "zgs_downloadSegmentWithProof", {root, 2}),
            "-32602 Invalid params: index | index out of bound");
  EXPECT_EQ(call(node->url(), "zgs_downloadSegmentWithProof", {root, 1}), segment(data, 1));
  EXPECT_EQ(call(node->url(), "zgs_downloadSegmentWithProofByTxSeq", {0, 0}), segment(data, 0));
  EXPECT_TRUE(call(node->url(), "zgs_downloadSegmentWithProofByTxSeq", {9, 0}).is_null());
}

TEST_F(node, wrong_segments_are_refused) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(600'000, 3);
  pay(data);
  pay(random_data(5, 3));
  wait_for_tx(node->url(), 2);
  auto refused = [&](const std::function<void(Json&)>& change, uint64_t seq = 0) {
    Json s = segment(data, 1);
    change(s);
    return error_of(node->url(), "zgs_uploadSegmentByTxSeq", {s, seq});
  };
  EXPECT_EQ(refused([](Json& s) { s["data"] = ""; }), "-32000 data is empty");
  EXPECT_EQ(refused([](Json& s) { s["data"] = to_base64(Bytes(255)); }),
            "-32000 invalid data length");
  EXPECT_EQ(refused([](Json&) {}, 1), "-32603 Internal error | data root and tx seq not match");
  EXPECT_EQ(refused([](Json& s) { s["fileSize"] = 600'001; }),
            "-32602 Invalid params: file_size | segment file size not matched with tx file size");
  EXPECT_EQ(refused([](Json& s) { s["index"] = 3; }),
            "-32602 Invalid params: index | index out of bound");
  EXPECT_EQ(refused([](Json& s) { s["data"] = to_base64(Bytes(256)); }),
            "-32602 Invalid params: data | invalid data length");
  EXPECT_EQ(refused([](Json& s) { s["data"] = to_base64(Bytes(kSegmentBytes)); }),
            "-32602 Invalid params: proof | validation failed");
  EXPECT_EQ(refused([](Json& s) { s["proof"]["path"] = Json::array(); }),
            "-32602 Invalid params: proof | invalid proof");
  EXPECT_EQ(refused([](Json& s) { s["index"] = 0; }), "-32000 wrong position: segment 0");
  EXPECT_EQ(refused([](Json& s) { s["fileSize"] = 11'000'000; }, 77),
            "-32602 Invalid params: file_size | caching of large file when tx is unavailable is not"
            " supported");
  for (const char* member : {"root", "data", "index", "proof", "fileSize"}) {
    EXPECT_EQ(refused([&](Json& s) { s.erase(member); }).substr(0, 30),
              "-32602 Invalid params: segment");
    EXPECT_EQ(refused([&](Json& s) { s[member] = Json::object(); }).substr(0, 30),
              "-32602 Invalid params: segment");
  }
  EXPECT_EQ(call(node->url(), "zgs_getFileInfoByTxSeq", {0})["uploadedSegNum"], 0);
}

TEST_F(node, caches_segments_that_come_before_their_transaction) {
  NodeOptions options = node_options("a");
  options.max_cache_bytes = 400'000;
  auto node = start(options);
  const Bytes data = random_data(1000, 4);
  const std::string root = to_hex0x(data_root(data).bytes);
  EXPECT_TRUE(call(node->url(), "zgs_uploadSegments", {Json::array({segment(data, 0)})}).is_null());
  EXPECT_TRUE(call(node->url(), "zgs_getFileInfo", {root, true}).is_null());
  pay(data);
  wait_for_tx(node->url(), 1);
  EXPECT_EQ(call(node->url(), "zgs_checkFileFinalized", {root}), true);
  EXPECT_EQ(download({node->url()}, data_root(data)), data);

  const Bytes one = random_data(200'000, 5), two = random_data(250'000, 6);
  EXPECT_TRUE(call(node->url(), "zgs_uploadSegment", Json::array({segment(one, 0)})).is_null());
  EXPECT_EQ(
      error_of(node->url(), "zgs_uploadSegment", Json::array({segment(two, 0)})).substr(0, 28),
      "-32000 too many data writing");
}

TEST_F(node, the_same_file_twice_is_stored_once) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(3000, 7);
  upload({node->url()}, data);
  EXPECT_EQ(pay(data).tx_seq, 1u);
  wait_for_tx(node->url(), 2);
  EXPECT_EQ(call(node->url(), "zgs_checkFileFinalized", {1}), true);
  // The first finalized transaction answers for the root.
  EXPECT_EQ(
      call(node->url(), "zgs_getFileInfo", {to_hex0x(data_root(data).bytes), true})["tx"]["seq"],
      0);
}

TEST_F(node, survives_a_restart) {
  const NodeOptions options = node_options("a");
  auto node = start(options);
  EXPECT_THROW(start(options), Error) << "two nodes in one folder";
  const Bytes data = random_data(700'000, 8);
  pay(data);
  wait_for_tx(node->url(), 1);
  call(node->url(), "zgs_uploadSegmentByTxSeq", {segment(data, 0), 0});
  node->stop();
  pay(random_data(10, 8));
  node = start(options);
  wait_for_tx(node->url(), 2);
  EXPECT_EQ(call(node->url(), "zgs_getFileInfoByTxSeq", {0})["uploadedSegNum"], 1);
  upload({node->url()}, data);
  node = nullptr;
  node = start(options);
  EXPECT_EQ(download({node->url()}, data_root(data)), data);

  NodeOptions other = options;
  other.flow_address[0] ^= 1;
  node = nullptr;
  EXPECT_THROW(start(other), Error) << "another contract's folder";
}

TEST_F(node, damaged_files_are_noticed_and_taken_again) {
  auto node = start(node_options("a"));
  const Bytes data = random_data(600'000, 9);
  const H256 root = upload({node->url()}, data).root;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(dir_.path() / "a/segments")) {
    if (entry.path().filename() != "1") continue;
    Bytes bytes = read_file(entry.path());
    bytes[1000] ^= 1;
    write_file_atomic(entry.path(), bytes);
  }
  EXPECT_TRUE(
      call(node->url(), "zgs_downloadSegmentWithProof", {to_hex0x(root.bytes), 1}).is_null());
  EXPECT_EQ(call(node->url(), "zgs_checkFileFinalized", {0}), false);
  EXPECT_TRUE(upload({node->url()}, data).tx_hash.is_zero());
  EXPECT_EQ(download({node->url()}, root), data);
}

TEST_F(node, follows_a_reorganised_chain) {
  auto node = start(node_options("a"));
  const Bytes kept = random_data(1000, 10), lost = random_data(2000, 11);
  upload({node->url()}, kept);
  const Json snapshot = chain_->rpc().raw("evm_snapshot");
  upload({node->url()}, lost);
  chain_->rpc().raw("evm_revert", Json::array({snapshot}));
  chain_->rpc().raw("anvil_mine", Json::array({"0x3"}));
  for (int i = 0; i < 500; ++i) {
    if (call(node->url(), "zgs_getStatus")["nextTxSeq"] == 1) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(call(node->url(), "zgs_getStatus")["nextTxSeq"], 1);
  EXPECT_TRUE(
      call(node->url(), "zgs_getFileInfo", {to_hex0x(data_root(lost).bytes), true}).is_null());
  EXPECT_EQ(download({node->url()}, data_root(kept)), kept);
  // Its bytes are still there, so paying again is enough.
  pay(lost);
  wait_for_tx(node->url(), 2);
  EXPECT_EQ(download({node->url()}, data_root(lost)), lost);
}

TEST_F(node, waits_for_a_chain_that_starts_later_and_notices_a_new_one) {
  NodeOptions options = node_options("a");
  const int port = testing::free_port();
  options.rpc_url = "http://127.0.0.1:" + std::to_string(port);
  auto node = start(options);
  EXPECT_EQ(call(node->url(), "zgs_getStatus")["nextTxSeq"], 0);
  chain_ = std::make_unique<testing::LocalChain>(port);
  ASSERT_EQ(chain_->deploy_flow(), flow_);
  const Bytes data = random_data(1000, 12);
  upload({node->url()}, data);

  chain_ = nullptr;
  chain_ = std::make_unique<testing::LocalChain>(port);
  ASSERT_EQ(chain_->deploy_flow(), flow_);
  for (int i = 0; i < 1000; ++i) {
    if (call(node->url(), "zgs_getStatus")["nextTxSeq"] == 0) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(call(node->url(), "zgs_getStatus")["nextTxSeq"], 0);
  EXPECT_FALSE(upload({node->url()}, data).tx_hash.is_zero());
}

TEST_F(node, limits_on_requests) {
  NodeOptions options = node_options("a");
  options.max_body_bytes = 100'000;
  auto node = start(options);
  net::HttpClient http;
  net::HttpRequest post;
  post.method = "POST";
  post.url = node->url() + "/";
  post.body = std::string(200'000, ' ');
  EXPECT_EQ(http.send(post).status, 413);
  post.body = std::string(50'000, '[');
  EXPECT_NE(http.send(post).body.find("-32700"), std::string::npos);
}

TEST(node_options, impossible_ones_are_refused) {
  NodeOptions o;
  o.dir = "x";
  o.rpc_url = "http://127.0.0.1:1";
  for (auto [id, count] : {std::pair(0u, 0u), {0u, 3u}, {2u, 2u}}) {
    o.shard_id = id;
    o.num_shard = count;
    EXPECT_THROW(Node{o}, Error);
  }
}

TEST(faults, switches) {
  const Faults f = parse_faults("drop=0.1,delay=0.2:500,corrupt=0.05,stall=1:30000,seed=7");
  EXPECT_EQ(f.drop, 0.1);
  EXPECT_EQ(f.delay, 0.2);
  EXPECT_EQ(f.delay_ms, 500);
  EXPECT_EQ(f.corrupt, 0.05);
  EXPECT_EQ(f.stall, 1);
  EXPECT_EQ(f.stall_ms, 30'000);
  EXPECT_EQ(f.seed, 7u);
  EXPECT_FALSE(parse_faults("").any());
  for (const char* bad : {"drop", "drop=", "drop=2", "drop=-1", "drop=0.1:5", "melt=1", "seed=x"}) {
    EXPECT_THROW(parse_faults(bad), Error) << bad;
  }
}

TEST(shards, selection_covers_every_shard) {
  auto node = [](uint32_t id, uint32_t count) {
    return ShardedNode{std::to_string(id) + "/" + std::to_string(count), {id, count}};
  };
  auto chosen = [](std::vector<ShardedNode> nodes, unsigned replicas) {
    std::vector<std::string> urls;
    for (const auto& n : select_nodes(std::move(nodes), replicas)) urls.push_back(n.url);
    return urls;
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(chosen({node(0, 2), node(1, 2)}, 1), (List{"0/2", "1/2"}));
  EXPECT_EQ(chosen({node(0, 2), node(1, 2), node(0, 1)}, 1), (List{"0/1"}));
  EXPECT_EQ(chosen({node(0, 2), node(1, 4)}, 1), List{});
  EXPECT_EQ(chosen({node(0, 2), node(1, 4), node(3, 4)}, 1), (List{"0/2", "1/4", "3/4"}));
  EXPECT_EQ(chosen({node(0, 2), node(0, 2), node(1, 2)}, 1), (List{"0/2", "1/2"}));
  EXPECT_EQ(chosen({node(0, 2), node(0, 1), node(1, 2)}, 2), (List{"0/1", "0/2", "1/2"}));
  EXPECT_EQ(chosen({node(0, 1)}, 2), List{});
  EXPECT_EQ(coverage({{0, 1}, {0, 2}, {1, 2}}), 2u);
  EXPECT_EQ(coverage({{0, 2}}), 0u);
}

}  // namespace
}  // namespace ffe::storage
