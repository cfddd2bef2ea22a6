// From what a sealed session names to rows: download, decrypt, parse. What a contributor sends is
// hostile; each fault is its own.
#pragma once

#include <string>
#include <vector>

#include "aggregator/job_context.hpp"
#include "gate/gate.hpp"
#include "session/blob.hpp"

namespace ffe::aggregator {

// Plaintext rows, in memory only.
struct Rows {
  std::vector<lm::Row> pool;  // empty: it cannot be used
  std::vector<lm::Row> sample;
  std::vector<gate::Contribution> contributions;  // in sealing order
};

class Fetcher {
 public:
  Fetcher(JobContext& context, const session::OpenedSession& session,
          const std::vector<session::Submission>& submissions);

  // Throws Pending while a blob may still come, Error{kIo} for faults of this machine. A
  // contributor's faults are in its contribution's `delivery`.
  Rows fetch();

 private:
  void download_all();
  bool window_over();
  std::string open_blob(const H256& root, const session::BlobContext& context, uint64_t limit);
  gate::Contribution open_contribution(const session::Submission& submission);
  void read_contribution(const session::Submission& submission, gate::Contribution& out);
  Bytes public_sample();
  [[noreturn]] void altered(const H256& root);

  JobContext& context_;
  const session::OpenedSession& session_;
  const std::vector<session::Submission>& submissions_;
  SessionSecrets secrets_;
  std::string scope_;
  std::string id_;
  uint64_t contribution_limit_;  // bytes
};

}  // namespace ffe::aggregator
