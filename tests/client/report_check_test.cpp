// A public record holds or names what does not.
#include "client/report_check.hpp"

#include <gtest/gtest.h>

#include "gate/gate.hpp"
#include "gate/simulated.hpp"
#include "session/randomness.hpp"
#include "storage/merkle.hpp"

namespace ffe::client {
namespace {

using namespace gate::sim;

class ReportCheck : public ::testing::Test {
 protected:
  ReportCheck() {
    gate::GateInputs in = inputs(21);
    in.seal_hash[3] = 9;
    in.contributions = {contribution(1, rows("alice", 64)),
                        contribution(2, rows("mallory", 96, {0.02, 0.35, 0}))};
    SimLearner learner(1);
    const gate::GateResult gate = gate::run_gate(in, learner);
    const std::string text = session::to_text(gate.report);
    record.gate = Bytes(text.begin(), text.end());
    // One of two accepted, of two that the terms ask for: settled without a model.
    result.seal_hash = in.seal_hash;
    result.gate_root = storage::data_root(record.gate);
    result.seed = H256::from(in.seed);
    result.verdicts = gate.verdicts;
    sign();
    record.enclave_signer = key.address();
    record.seed_commitment = session::seed_commitment(in.seed);
    record.seal_hash = in.seal_hash;
  }

  void sign() { record.certificate = session::sign(domain, 7, result, key); }

  // The names of the checks that failed.
  std::vector<std::string> failed() const {
    std::vector<std::string> out;
    for (const session::ReportCheck& c : check_record(record)) {
      if (!c.passed) out.push_back(c.name);
    }
    return out;
  }
  using Names = std::vector<std::string>;

  crypto::PrivateKey key = crypto::PrivateKey::generate();
  session::Domain domain{31337, Address{}};
  session::ResultCertificate result;
  PublicRecord record;
};

TEST_F(ReportCheck, AnHonestRecordPasses) {
  EXPECT_EQ(failed(), Names{});
  EXPECT_GT(check_record(record).size(), 8u);
}

TEST_F(ReportCheck, GateReportAloneIsRecomputed) {
  record.certificate.reset();
  EXPECT_EQ(failed(), Names{});
}

TEST_F(ReportCheck, EachLieIsNamed) {
  record.enclave_signer = Address{};
  EXPECT_EQ(failed(), Names{"certificate is signed by the session's enclave"});
  record.enclave_signer = key.address();

  record.seal_hash = H256{};
  EXPECT_EQ(failed(), Names{"certificate is of these submissions"});
  record.seal_hash = result.seal_hash;

  record.seed_commitment = H256{};
  EXPECT_EQ(failed(), Names{"seed is the committed one"});
  record.seed_commitment.reset();

  std::swap(result.verdicts[0].verdict, result.verdicts[1].verdict);
  sign();
  EXPECT_EQ(failed(), Names{"verdicts agree with gate.json"});
  std::swap(result.verdicts[0].verdict, result.verdicts[1].verdict);

  result.gate_root[0] ^= 1;
  sign();
  EXPECT_EQ(failed(), Names{"gate.json has the certified root"});
}

TEST_F(ReportCheck, ADifferentGateReportIsFound) {
  session::GateReport report = session::parse_gate_report(as_text(record.gate));
  report.contributors[0].runs[0].harm.back() += 1;
  const std::string text = session::to_text(report);
  record.gate = Bytes(text.begin(), text.end());
  const Names names = failed();
  EXPECT_TRUE(std::ranges::count(names, "gate.json has the certified root")) << names.size();
  record.gate.pop_back();
  EXPECT_THROW(check_record(record), Error);
}

}  // namespace
}  // namespace ffe::client
