// The Flow contract: what a Submit event says, what a submission costs, how it is sent.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "evm/contract_abi.hpp"
#include "evm/rpc.hpp"
#include "storage/merkle.hpp"

namespace ffe::evm {
class Sender;
}

namespace ffe::storage {

// The current interface and the one from before January 2026; the event is the same in both.
const evm::ContractAbi& flow_abi();
H256 submit_topic();

// One paid file, as the chain tells of it.
struct Submission {
  uint64_t tx_seq = 0;
  uint64_t start_entry = 0;  // first sector in the flow
  uint64_t size = 0;         // bytes
  Bytes tags;
  std::vector<SubmissionNode> nodes;
  H256 root;
  Address submitter;
  uint64_t block_number = 0;
  H256 block_hash;
  H256 tx_hash;
};

// Throws Error{kBadInput} if the log is not a Submit event that obeys the padding rules.
Submission parse_submission(const evm::Log& log);

// The market's price in wei for one sector of 256 bytes; a submission costs that times its padded
// sectors. Throws Error{kChain, kNetwork}.
evm::U256 sector_price(evm::RpcClient& rpc, const Address& flow);

// The call of the current `submit`, without tags.
Bytes submit_calldata(uint64_t size, std::span<const SubmissionNode> nodes,
                      const Address& submitter);

// Pays `fee` and waits for the receipt. Throws Error{kChain} if the receipt has no Submit event of
// ours.
Submission submit(evm::Sender& sender, const Address& flow, uint64_t size,
                  std::span<const SubmissionNode> nodes, const evm::U256& fee);

// Submissions of exactly these nodes and this size in blocks [from, to], oldest first.
std::vector<Submission> find_submissions(evm::RpcClient& rpc, const Address& flow, uint64_t size,
                                         std::span<const SubmissionNode> nodes, uint64_t from,
                                         std::optional<uint64_t> to = std::nullopt);

}  // namespace ffe::storage
