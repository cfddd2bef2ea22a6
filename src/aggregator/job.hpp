// One session from its seal to its result: fetch, decrypt, gate, train, seal keys, publish.
#pragma once

#include <memory>
#include <string>

#include "aggregator/fetcher.hpp"
#include "aggregator/job_context.hpp"
#include "aggregator/provider_training.hpp"
#include "aggregator/training.hpp"

namespace ffe::aggregator {

// Every effect outside is journaled before it leaves, and everything else is a function of the
// seed, the seal and the blobs, so run() after a crash continues and ends in the same artifact and
// the same certificates.
class Job {
 public:
  Job(JobContext& context, session::OpenedSession session);

  // From a sealed session to its certificates on chain. Throws Error, Pending where nothing is
  // wrong yet; calling it again continues.
  void run();

 private:
  // What the gate decided, as far as training needs it; journaled sealed.
  struct GateRecord {
    session::GateReport report;
    bool aborted = false;
    std::vector<std::vector<size_t>> rows;
    std::vector<size_t> evaluation_rows;
  };

  void check_model() const;
  JointTraining train_outside(const std::vector<const lm::Row*>& rows,
                              const std::vector<lm::Example>& examples);
  void check_seal();
  GateRecord gate(const Rows& rows);
  H256 publish(ByteView bytes, const std::string& key);
  void bring(const std::string& key, const session::Certificate& certificate);
  void bring_rejections(const GateRecord& record, const H256& gate_root);
  void check_all_there(const Rows& rows, const GateRecord& record) const;
  session::ResultCertificate train(const Rows& rows, const GateRecord& record,
                                   const H256& gate_root);
  std::vector<session::Owner> seal_keys(const GateRecord& record, ByteView key);
  session::ResultCertificate base_result(const GateRecord& record, const H256& gate_root);

  JobContext& context_;
  session::OpenedSession session_;
  session::Recipe recipe_;
  SessionSecrets secrets_;
  std::unique_ptr<ProviderTraining> outside_;  // with trainer "0g-compute"
  std::vector<session::Submission> submissions_;
  H256 seal_hash_;
  std::string scope_;
  std::string id_;
};

}  // namespace ffe::aggregator
