#include <algorithm>

#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "session/chain.hpp"

namespace ffe::session {

Registry::Registry(evm::RpcClient& rpc, const Address& address, uint64_t from_block)
    : contract_(rpc, address, registry_abi()), rpc_(&rpc), from_block_(from_block) {}

bool Registry::development() const {
  return contract_.call("development")[0].as_bool();
}

Address Registry::dcap_verifier() const {
  return contract_.call("verifier")[0].as_address();
}

EnclaveRecord Registry::enclave(const H256& id) const {
  evm::Value e = contract_.call("enclave", {id})[0];
  EnclaveRecord out;
  out.signer = e["signer"].as_address();
  out.payee = e["payee"].as_address();
  out.code_hash = e["codeHash"].as_h256();
  out.platform_id = e["platformId"].as_h256();
  out.valid_until = e["validUntil"].as_u64();
  uint64_t status = e["status"].as_u64();
  if (status > 4) throw Error(ErrorCode::kCorrupt, "registry: unknown enclave status");
  out.status = static_cast<EnclaveStatus>(status);
  out.development = e["development"].as_bool();
  out.application_proven = e["applicationProven"].as_bool();
  return out;
}

std::vector<H256> Registry::registration_transactions(const H256& id) const {
  auto logs = contract_.logs("EnclaveRegistered", from_block_, std::nullopt, {evm::Value(id)});
  auto renewals = contract_.logs("EnclaveRenewed", from_block_, std::nullopt, {evm::Value(id)});
  logs.insert(logs.end(), renewals.begin(), renewals.end());
  const auto place = [](const evm::DecodedLog& l) {
    return std::pair{l.log.block_number, l.log.log_index};
  };
  std::ranges::sort(logs, std::greater{}, place);
  std::vector<H256> out;
  for (const evm::DecodedLog& l : logs) out.push_back(l.log.tx_hash);
  return out;
}

std::optional<Registry::Registration> Registry::registration(const H256& tx_hash) const {
  const Json tx = rpc_->raw("eth_getTransactionByHash", {to_hex0x(tx_hash.bytes)});
  if (!tx.is_object() || !tx.contains("to") || !tx["to"].is_string() ||
      address_from_hex(tx["to"].get<std::string>()) != address()) {
    return std::nullopt;
  }
  const Bytes input = from_hex(json_string(tx, "input", "transaction"));
  const auto bytes = [](const evm::Value& value) {
    ByteView view = value.as_bytes();
    return Bytes(view.begin(), view.end());
  };
  Registration out;
  out.tx_hash = tx_hash;
  for (const char* name : {"register", "registerTapp", "renew"}) {
    const evm::Function& function = contract_.abi().function(name);
    const evm::Selector selector = function.selector();
    if (!std::ranges::equal(selector.bytes,
                            ByteView(input).first(std::min<size_t>(4, input.size())))) {
      continue;
    }
    const evm::Value call = function.decode_call(input);
    out.quote = bytes(call["quote"]);
    if (std::string_view(name) == "renew") {
      out.app_hash = call["appHash"].as_h256();
      out.block_number = call["blockNumber"].as_u64();
    } else {
      out.ext = bytes(call["ext"]);
    }
    if (std::string_view(name) == "registerTapp") out.runtime_data = bytes(call["runtimeData"]);
    return out;
  }
  return std::nullopt;
}

evm::Receipt Registry::register_enclave(evm::Sender& sender, ByteView quote, ByteView ext,
                                        const Address& payee, const crypto::Signature& signature) {
  return contract_.send(sender, "register", {quote, ext, payee, signature});
}

evm::Receipt Registry::register_tapp(evm::Sender& sender, ByteView quote, ByteView ext,
                                     ByteView runtime_data, const Address& payee,
                                     const crypto::Signature& signature) {
  return contract_.send(sender, "registerTapp", {quote, ext, runtime_data, payee, signature});
}

evm::Receipt Registry::renew(evm::Sender& sender, ByteView quote, const H256& app_hash,
                             uint64_t block_number) {
  return contract_.send(sender, "renew", {quote, app_hash, evm::U256(block_number)});
}

Inft::Inft(evm::RpcClient& rpc, const Address& address, uint64_t from_block)
    : contract_(rpc, address, inft_abi()), rpc_(&rpc), from_block_(from_block) {}

std::vector<TokenView> Inft::tokens_of(const evm::U256& session_id) const {
  std::vector<TokenView> out;
  evm::Value ids = contract_.call("tokensOf", {session_id})[0];
  for (const evm::Value& id : ids.items()) out.push_back(token(id.as_u256()));
  return out;
}

TokenView Inft::token(const evm::U256& id) const {
  TokenView t;
  t.id = id;
  t.owner = contract_.call("ownerOf", {t.id})[0].as_address();
  t.key_stale = contract_.call("keyStale", {t.id})[0].as_bool();
  t.sealed_key_hash = contract_.call("sealedKeyHash", {t.id})[0].as_h256();
  return t;
}

std::vector<Address> Inft::authorized(const evm::U256& id) const {
  std::vector<Address> out;
  const evm::Value users = contract_.call("authorizedUsersOf", {id})[0];
  for (const evm::Value& user : users.items()) out.push_back(user.as_address());
  return out;
}

evm::Receipt Inft::authorize(evm::Sender& sender, const evm::U256& id, const Address& user,
                             bool allowed) {
  return contract_.send(sender, allowed ? "authorizeUsage" : "revokeAuthorization", {id, user});
}

evm::U256 Inft::session_of(const evm::U256& token_id) const {
  return contract_.call("artifactOf", {token_id})[0]["sessionId"].as_u256();
}

evm::Receipt Inft::transfer_with_key(evm::Sender& sender, const evm::U256& id, const Address& to,
                                     const H256& artifact_root, ByteView receiver_key,
                                     ByteView sealed_key, uint64_t deadline, const Proof& access,
                                     const Proof& ownership) {
  static const std::vector<evm::Type> nonce = evm::parse_types("uint256,address,uint64,bytes32");
  auto nonce_of = [&](const Proof& p) {
    return evm::abi_encode(nonce, {id, to, deadline, p.salt});
  };
  constexpr uint8_t kTee = 0;
  const evm::Values access_proof = {artifact_root, artifact_root, nonce_of(access), receiver_key,
                                    access.signature};
  const evm::Values ownership_proof = {
      kTee,         artifact_root,       artifact_root,      sealed_key,
      receiver_key, nonce_of(ownership), ownership.signature};
  const evm::Values proof = {access_proof, ownership_proof};
  return contract_.send(sender, "iTransfer", {to, id, evm::list({evm::list(proof)})});
}

evm::Receipt Inft::transfer(evm::Sender& sender, const evm::U256& id, const Address& to) {
  return contract_.send(sender, "transferFrom", {sender.address(), to, id});
}

H256 Inft::artifact_root(const evm::U256& session_id) const {
  return contract_.call("artifact", {session_id})[0]["artifactRoot"].as_h256();
}

Address Inft::verifier() const {
  return contract_.call("verifier")[0].as_address();
}

Bytes Inft::sealed_key(const TokenView& token) const {
  if (token.key_stale) {
    throw Error(ErrorCode::kKey, "token " + token.id.to_string() + " moved without its key",
                "ask its seller to re-seal the key: ffe transfer");
  }
  auto logs = contract_.logs("PublishedSealedKey", from_block_, std::nullopt,
                             {evm::Value(token.owner), evm::Value(token.id)});
  for (auto log = logs.rbegin(); log != logs.rend(); ++log) {
    const evm::Value& keys = log->arguments["_sealedKeys"];
    if (keys.size() != 1) continue;
    ByteView key = keys[0].as_bytes();
    if (crypto::keccak256(key) == token.sealed_key_hash) return {key.begin(), key.end()};
  }
  throw Error(
      ErrorCode::kCorrupt,
      "token " + token.id.to_string() + ": the published key is not the one that the chain names",
      "the chain's endpoint hides logs: use another one");
}

}  // namespace ffe::session
