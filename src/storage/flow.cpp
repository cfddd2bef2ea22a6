#include "storage/flow.hpp"

#include "base/hex.hpp"
#include "evm/sender.hpp"

namespace ffe::storage {
namespace {

constexpr std::string_view kSubmit =
    "function submit(((uint256 length, bytes tags, (bytes32 root, uint256 height)[] nodes) data,"
    " address submitter) submission) payable returns (uint256 index, bytes32 digest,"
    " uint256 startIndex, uint256 length)";
constexpr std::string_view kEvent =
    "event Submit(address indexed sender, bytes32 indexed identity, uint256 submissionIndex,"
    " uint256 startPos, uint256 length, (uint256 length, bytes tags, (bytes32 root,"
    " uint256 height)[] nodes) submission)";

// Bounds far above what a file of kMaxFileBytes needs, so that sums below cannot overflow.
constexpr size_t kMaxNodes = 64;
constexpr size_t kMaxTags = 64 << 10;

evm::Values node_values(std::span<const SubmissionNode> nodes) {
  evm::Values out;
  for (const SubmissionNode& node : nodes) {
    out.push_back(evm::Values{evm::Value(node.root), evm::Value(node.height)});
  }
  return out;
}

[[noreturn]] void bad(const evm::Log& log, const std::string& why) {
  throw Error(ErrorCode::kBadInput,
              "Submit event in transaction " + to_hex0x(log.tx_hash.bytes) + ": " + why);
}

std::vector<SubmissionNode> parse_nodes(const evm::Log& log, const evm::Value& values) {
  if (values.size() == 0 || values.size() > kMaxNodes) bad(log, "number of nodes");
  std::vector<SubmissionNode> nodes;
  for (const evm::Value& node : values.items()) {
    const uint64_t height = node[1].as_u64();
    if (height >= 64) bad(log, "height of a node");
    nodes.push_back({node[0].as_h256(), static_cast<uint32_t>(height)});
  }
  return nodes;
}

}  // namespace

const evm::ContractAbi& flow_abi() {
  static const evm::ContractAbi abi = evm::ContractAbi::from_signatures({
      kSubmit,
      kEvent,
      "function market() view returns (address)",
      "function pricePerSector() view returns (uint256)",
      "function numSubmissions() view returns (uint256)",
      "error NotEnoughFee(uint256 price, uint256 amount, uint256 paid)",
      "error EnforcedPause()",
  });
  return abi;
}

H256 submit_topic() {
  return flow_abi().event("Submit").topic();
}

Submission parse_submission(const evm::Log& log) {
  const evm::Value event = flow_abi().event("Submit").decode(log.topics, log.data);
  const evm::Value& data = event[5];
  Submission s;
  s.submitter = event[0].as_address();
  s.tx_seq = event[2].as_u64();
  s.start_entry = event[3].as_u64();
  s.size = data[0].as_u64();
  const ByteView tags = data[1].as_bytes();
  if (tags.size() > kMaxTags) bad(log, "tags are longer than 64 KiB");
  s.tags.assign(tags.begin(), tags.end());
  s.nodes = parse_nodes(log, data[2]);
  s.root = root_of_nodes(s.nodes);
  s.block_number = log.block_number;
  s.block_hash = log.block_hash;
  s.tx_hash = log.tx_hash;

  const std::vector<uint32_t> heights = submission_heights(s.size);
  const bool same = heights.size() == s.nodes.size() &&
                    std::equal(heights.begin(), heights.end(), s.nodes.begin(),
                               [](uint32_t h, const SubmissionNode& n) { return h == n.height; });
  if (!same) bad(log, "nodes are not the padding of " + std::to_string(s.size) + " bytes");
  if (event[4].as_u64() != file_shape(s.size).padded_chunks) bad(log, "number of sectors");
  if (event[1].as_h256() != identity_of_nodes(s.nodes)) bad(log, "identity");
  if (s.start_entry > kMaxFileBytes) bad(log, "start position");
  return s;
}

evm::U256 sector_price(evm::RpcClient& rpc, const Address& flow) {
  const evm::ContractAbi& abi = flow_abi();
  const Address market = rpc.read(flow, abi.function("market"), {})[0].as_address();
  return rpc.read(market, abi.function("pricePerSector"), {})[0].as_u256();
}

Bytes submit_calldata(uint64_t size, std::span<const SubmissionNode> nodes,
                      const Address& submitter) {
  evm::Values data{evm::Value(size), evm::Value(Bytes{}), evm::Value(node_values(nodes))};
  evm::Values submission{evm::Value(std::move(data)), evm::Value(submitter)};
  evm::Values arguments;
  arguments.emplace_back(std::move(submission));
  return flow_abi().function("submit").encode_call(arguments);
}

Submission submit(evm::Sender& sender, const Address& flow, uint64_t size,
                  std::span<const SubmissionNode> nodes, const evm::U256& fee) {
  const evm::Receipt receipt =
      sender.send(flow, submit_calldata(size, nodes, sender.address()), fee);
  for (const evm::Log& log : receipt.logs) {
    if (log.address != flow || log.topics.empty() || log.topics[0] != submit_topic()) continue;
    Submission result = parse_submission(log);
    if (result.size == size &&
        std::equal(result.nodes.begin(), result.nodes.end(), nodes.begin(), nodes.end())) {
      return result;
    }
  }
  throw Error(ErrorCode::kChain,
              "transaction " + to_hex0x(receipt.tx_hash.bytes) + " has no Submit event of ours",
              "check that " + to_hex0x(flow.bytes) + " is the Flow contract of this network");
}

std::vector<Submission> find_submissions(evm::RpcClient& rpc, const Address& flow, uint64_t size,
                                         std::span<const SubmissionNode> nodes, uint64_t from,
                                         std::optional<uint64_t> to) {
  evm::LogFilter filter;
  filter.addresses = {flow};
  filter.topics = {{submit_topic()}, {}, {identity_of_nodes(nodes)}};
  filter.from_block = from;
  filter.to_block = to;
  std::vector<Submission> out;
  for (const evm::Log& log : rpc.logs(filter)) {
    Submission s = parse_submission(log);
    if (s.size == size) out.push_back(std::move(s));
  }
  return out;
}

}  // namespace ffe::storage
