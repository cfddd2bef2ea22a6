// One session from its seal to its result: fetch, decrypt, gate, train, seal keys, publish.
#pragma once

#include <filesystem>
#include <string>

#include "aggregator/enclave.hpp"
#include "aggregator/journal.hpp"
#include "aggregator/model.hpp"
#include "aggregator/status.hpp"
#include "gate/gate.hpp"
#include "session/blob.hpp"
#include "session/chain.hpp"
#include "storage/client.hpp"

namespace ffe::aggregator {

struct JobContext {
  Journal& journal;
  Enclave& enclave;
  BaseModel& model;
  StatusBoard& status;
  session::Coordinator& coordinator;
  storage::Client& storage;
  evm::Sender& sender;  // the operator's account: pays for storage and transactions
  std::filesystem::path blob_dir;
  uint64_t max_data_bytes = 0;
  uint32_t blob_window_seconds = 0;
};

// Every effect outside is journaled before it leaves, and everything else is a function of the
// seed, the seal and the blobs, so run() after a crash continues and ends in the same artifact and
// the same certificates.
class Job {
 public:
  Job(JobContext& context, session::OpenedSession session);

  // From a sealed session to its certificates on chain. Throws Error; calling it again continues.
  void run();

 private:
  // What the gate decided, as far as training needs it; journaled sealed.
  struct GateRecord {
    session::GateReport report;
    bool aborted = false;
    std::vector<std::vector<size_t>> rows;
    std::vector<size_t> evaluation_rows;
  };
  // Plaintext rows, in memory only.
  struct Rows {
    std::vector<lm::Row> pool;
    std::vector<lm::Row> sample;
    std::vector<gate::Contribution> contributions;
  };

  void check_seal();
  Rows fetch();
  std::string fetch_plaintext(const H256& root, const session::BlobContext& context,
                              std::string_view what);
  gate::Contribution fetch_contribution(const session::Submission& submission);
  Bytes download_blob(const H256& root, std::string_view what);
  GateRecord gate(const Rows& rows);
  H256 publish(ByteView bytes, const std::string& key);
  void bring(const std::string& key, const session::Certificate& certificate);
  void bring_rejections(const GateRecord& record, const H256& gate_root);
  session::ResultCertificate train(const Rows& rows, const GateRecord& record,
                                   const H256& gate_root);
  std::vector<session::Owner> seal_keys(const GateRecord& record, ByteView key);
  session::ResultCertificate base_result(const GateRecord& record, const H256& gate_root);

  JobContext& context_;
  session::OpenedSession session_;
  session::Recipe recipe_;
  SessionSecrets secrets_;
  std::vector<session::Submission> submissions_;
  H256 seal_hash_;
  std::string scope_;
  std::string id_;
};

}  // namespace ffe::aggregator
