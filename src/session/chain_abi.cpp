#include <map>

#include "session/chain.hpp"

namespace ffe::session {

// Compiled in from contracts/abi (CMake: ffe_embed).
extern const std::string_view kCoordinatorAbiJson;
extern const std::string_view kRegistryAbiJson;
extern const std::string_view kInftAbiJson;
extern const std::string_view kDcapAbiJson;
extern const std::string_view kKeyVerifierAbiJson;
extern const std::string_view kFlowAbiJson;

std::shared_ptr<const evm::ContractAbi> coordinator_abi() {
  static const auto abi = evm::load_abi(kCoordinatorAbiJson, "FFECoordinator");
  return abi;
}

std::shared_ptr<const evm::ContractAbi> registry_abi() {
  static const auto abi = evm::load_abi(kRegistryAbiJson, "EnclaveRegistry");
  return abi;
}

std::shared_ptr<const evm::ContractAbi> inft_abi() {
  static const auto abi = evm::load_abi(kInftAbiJson, "CoOwnedINFT");
  return abi;
}

std::shared_ptr<const evm::ContractAbi> dcap_abi() {
  static const auto abi = evm::load_abi(kDcapAbiJson, "DcapVerifier");
  return abi;
}

std::shared_ptr<const evm::AbiRegistry> contract_errors() {
  static const auto registry = [] {
    auto all = std::make_shared<evm::AbiRegistry>();
    for (const auto& abi : {coordinator_abi(), registry_abi(), inft_abi(), dcap_abi(),
                            evm::load_abi(kKeyVerifierAbiJson, "ERC7857Verifier"),
                            evm::load_abi(kFlowAbiJson, "ZeroGFlow")}) {
      all->add(*abi);
    }
    all->add(evm::ContractAbi::from_signatures(
        {"error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)",
         "error ERC20InvalidSender(address sender)", "error ERC20InvalidReceiver(address receiver)",
         "error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)",
         "error ERC20InvalidApprover(address approver)",
         "error ERC20InvalidSpender(address spender)"}));
    return std::shared_ptr<const evm::AbiRegistry>(std::move(all));
  }();
  return registry;
}

evm::RpcClient::Options rpc_options() {
  evm::RpcClient::Options options;
  options.errors = contract_errors();
  return options;
}

std::string revert_hint(std::string_view error_name) {
  static const std::map<std::string_view, std::string_view> kHints = {
      {"SubmitClosed", "the deadline has passed: nothing can be submitted or withdrawn any more"},
      {"NotParticipant", "ask the opener to put this account on the list of a new session"},
      {"WrongState", "look at the session's state: ffe session status"},
      {"UnknownSession", "check the session's number and the network"},
      {"BondTooSmall", "the operator must deposit a larger bond before this session can open"},
      {"EnclaveNotBacked", "the operator's payee must back this enclave first: ffe bond back"},
      {"TokenNotExact", "this token takes fees or changes balances by itself: it cannot be staked"},
      {"SafeERC20FailedOperation", "the stake token refused: look at balance and allowance"},
      {"EnclaveNotActive", "the enclave's registration lapsed or was retired: choose another"},
      {"EnclaveRevoked", "the enclave's platform was revoked: nothing it signs is accepted"},
      {"WrongValue", "send exactly the stake (or the fee) that the terms name"},
      {"SealNotOpen", "not all have submitted: wait for them, or for the deadline"},
      {"SealClosed", "the hour for sealing has passed: end the session with ffe session expire"},
      {"NotExpired", "it can still be sealed: ffe session status names the deadline"},
      {"NotFailed", "the enclave still has time to deliver: ffe session status names the deadline"},
      {"DeliveryClosed", "the time to deliver has passed: ffe session fail returns the stakes"},
      {"NotOpener", "only the account that opened the session may do this"},
      {"InvalidSignature", "the enclave did not sign this: ask its service for its certificates"},
      {"QuorumNotReached", "wait for more submissions, or expire the session after its window"},
      {"AlreadySlashed", "somebody else brought the certificate already: nothing is left to do"},
      {"NothingToClaim", "everything owed to this account was paid out already"},
      {"SessionTagUsed", "open with another salt"},
  };
  auto it = kHints.find(error_name);
  return it == kHints.end() ? std::string() : std::string(it->second);
}

std::string_view name(SessionState state) {
  static constexpr std::string_view kNames[] = {"none",      "open",    "sealed",  "settled",
                                                "cancelled", "expired", "aborted", "failed"};
  return kNames[static_cast<size_t>(state)];
}

std::string_view name(EnclaveStatus status) {
  static constexpr std::string_view kNames[] = {"unknown", "active", "expired", "retired",
                                                "revoked"};
  return kNames[static_cast<size_t>(status)];
}

}  // namespace ffe::session
