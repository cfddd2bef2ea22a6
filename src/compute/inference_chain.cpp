#include "compute/inference_chain.hpp"

#include "base/json.hpp"
#include "compute/contract_answers.hpp"
#include "crypto/address.hpp"

namespace ffe::compute {

extern const std::string_view kInferenceAbiJson;  // compiled in from contracts/abi

namespace {

constexpr uint64_t kPage = 50;
constexpr uint64_t kMostServices = 5000;

InferenceServiceView service_from(const evm::Value& v) {
  InferenceServiceView s;
  s.provider = v["provider"].as_address();
  s.type = v["serviceType"].as_string();
  s.url = v["url"].as_string();
  s.input_price = v["inputPrice"].as_u256();
  s.output_price = v["outputPrice"].as_u256();
  s.model = v["model"].as_string();
  s.verifiability = v["verifiability"].as_string();
  s.additional_info = v["additionalInfo"].as_string();
  s.tee_signer = v["teeSignerAddress"].as_address();
  s.tee_signer_acknowledged = v["teeSignerAcknowledged"].as_bool();
  return s;
}

InferenceAccountView account_from(const evm::Value& v) {
  InferenceAccountView a;
  a.balance = v["balance"].as_u256();
  a.pending_refund = v["pendingRefund"].as_u256();
  a.acknowledged = v["acknowledged"].as_bool();
  a.generation = v["generation"].as_u64();
  a.revoked = v["revokedBitmap"].as_u256();
  check_refund(a.pending_refund, a.balance);
  return a;
}

}  // namespace

std::shared_ptr<const evm::ContractAbi> inference_abi() {
  static const auto abi = std::make_shared<const evm::ContractAbi>(evm::ContractAbi::from_json(
      parse_json(kInferenceAbiJson, "InferenceServing"), "InferenceServing"));
  return abi;
}

std::optional<Address> known_inference(std::string_view network) {
  if (network == "galileo") {
    return crypto::parse_address("0xa79F4c8311FF93C06b8CfB403690cc987c93F91E");
  }
  if (network == "aristotle") {
    return crypto::parse_address("0x47340d900bdFec2BD393c626E12ea0656F938d84");
  }
  return std::nullopt;
}

Address InferenceServiceView::answer_signer() const {
  const std::string what = "the service's additional information";
  const Json info = parse_json(additional_info, what);
  if (!info.is_object()) throw Error(ErrorCode::kBadInput, what + " is no JSON object");
  const bool central = info.value("ProviderType", Json()) == "centralized";
  const Json target = info.value("TargetTeeAddress", Json(""));
  if (info.value("TargetSeparated", Json()) == true && !central && target != "") {
    return crypto::parse_address(json_string(info, "TargetTeeAddress", what));
  }
  return tee_signer;
}

bool InferenceAccountView::revokes(uint8_t token_id) const {
  return revoked.bit(token_id);
}

std::vector<InferenceServiceView> InferenceServing::services() const {
  std::vector<InferenceServiceView> out;
  for (uint64_t offset = 0; offset < kMostServices; offset += kPage) {
    const evm::Value page = contract_.call("getAllServices", {offset, kPage});
    for (const evm::Value& v : page[0].items()) out.push_back(service_from(v));
    if (offset + kPage >= page[1].as_u64()) break;
  }
  return out;
}

std::optional<InferenceServiceView> InferenceServing::service(const Address& provider) const {
  return unless({"ServiceNotExist"},
                [&] { return service_from(contract_.call("getService", {provider})[0]); });
}

std::optional<InferenceAccountView> InferenceServing::account(const Address& user,
                                                              const Address& provider) const {
  return unless({"AccountNotExists"}, [&] {
    return account_from(contract_.call("getAccount", {user, provider})[0]);
  });
}

uint64_t InferenceServing::lock_time() const {
  return contract_.call("lockTime")[0].as_u64();
}

evm::Receipt InferenceServing::revoke_all_tokens(evm::Sender& user, const Address& provider) {
  return contract_.send(user, "revokeAllTokens", {provider});
}

evm::Receipt InferenceServing::offer(evm::Sender& provider, const InferenceOffer& o,
                                     const evm::U256& stake) {
  return contract_.send(provider, "addOrUpdateService",
                        {evm::list({"chatbot", o.url, o.model, "TeeML", o.input_price,
                                    o.output_price, o.additional_info, o.tee_signer})},
                        stake);
}

evm::Receipt InferenceServing::initialize(evm::Sender& owner, uint64_t lock_time,
                                          const Address& ledger) {
  return contract_.send(owner, "initialize", {lock_time, ledger, owner.address()});
}

evm::Receipt InferenceServing::acknowledge_signer_by_owner(evm::Sender& owner,
                                                           const Address& provider) {
  return contract_.send(owner, "acknowledgeTEESignerByOwner", {provider});
}

}  // namespace ffe::compute
