#include "provider/options.hpp"

#include <algorithm>
#include <array>

#include "base/hex.hpp"

namespace ffe::provider {
namespace {

struct Named {
  Fault fault;
  std::string_view name;
};
constexpr std::array kFaults = {Named{Fault::kTruncated, "truncated"},
                                Named{Fault::kFlippedBit, "flipped-bit"},
                                Named{Fault::kWrongSigner, "wrong-signer"},
                                Named{Fault::kWrongRoot, "wrong-root"},
                                Named{Fault::kWrongKey, "wrong-key"},
                                Named{Fault::kWrongHash, "wrong-hash"},
                                Named{Fault::kBusy, "busy"},
                                Named{Fault::kLimited, "limited"},
                                Named{Fault::kDisconnect, "disconnect"},
                                Named{Fault::kNoRange, "no-range"},
                                Named{Fault::kLostAnswer, "lost-answer"},
                                Named{Fault::kRegress, "regress"},
                                Named{Fault::kTrainingFails, "training-fails"},
                                Named{Fault::kForceSettle, "force-settle"},
                                Named{Fault::kRotateSigner, "rotate-signer"},
                                Named{Fault::kLimitedAnswers, "limited-answers"},
                                Named{Fault::kBusyAnswers, "busy-answers"},
                                Named{Fault::kSlowAnswers, "slow-answers"},
                                Named{Fault::kCutStream, "cut-stream"},
                                Named{Fault::kSwappedModel, "swapped-model"},
                                Named{Fault::kWrongAnswerSigner, "wrong-answer-signer"},
                                Named{Fault::kOtherProof, "other-proof"},
                                Named{Fault::kUnsignedAnswers, "unsigned-answers"},
                                Named{Fault::kLateSignatures, "late-signatures"}};

}  // namespace

std::string_view fault_name(Fault fault) {
  return std::find_if(kFaults.begin(), kFaults.end(),
                      [&](const Named& n) { return n.fault == fault; })
      ->name;
}

Fault fault_from_name(std::string_view name) {
  std::string names;
  for (const Named& n : kFaults) {
    if (n.name == name) return n.fault;
    names += (names.empty() ? "" : ", ") + std::string(n.name);
  }
  throw Error(ErrorCode::kUsage, "unknown fault \"" + std::string(name) + "\"", "known: " + names);
}

const std::vector<Fault>& all_faults() {
  static const std::vector<Fault> all = [] {
    std::vector<Fault> out;
    for (const Named& n : kFaults) out.push_back(n.fault);
    return out;
  }();
  return all;
}

crypto::PrivateKey mock_tee_key() {
  return crypto::PrivateKey::from(
      from_hex("4c0883a69102937d6231471b5dbb6204fe512961708279b7e1a8d7d7a3c2b9e3"));
}

}  // namespace ffe::provider
