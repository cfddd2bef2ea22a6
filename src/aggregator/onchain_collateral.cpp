#include "aggregator/onchain_collateral.hpp"

#include <ctime>

#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "session/chain.hpp"
#include "tee/x509.hpp"

namespace ffe::aggregator {
namespace {

constexpr uint64_t kRefreshBefore = 86400;  // seconds

H256 key_id(const tee::Certificate& certificate) {
  return crypto::keccak256(certificate.public_key().bytes);
}

}  // namespace

OnchainCollateral::OnchainCollateral(evm::RpcClient& rpc, const Address& dcap_verifier)
    : contract_(rpc, dcap_verifier, session::dcap_abi()) {}

bool OnchainCollateral::fresh(uint64_t next_update) const {
  return next_update > static_cast<uint64_t>(std::time(nullptr)) + kRefreshBefore;
}

void OnchainCollateral::ensure(evm::Sender& sender, const tee::Quote& quote,
                               const tee::Collateral& collateral) {
  auto chain = tee::parse_pem_chain(quote.pck_chain, 3);
  auto signers = tee::parse_pem_chain(collateral.tcb_info_issuer_chain, 2);
  const tee::Certificate& pck = chain.at(0);
  const tee::Certificate& intermediate = chain.at(1);
  const tee::Certificate& tcb_signer = signers.at(0);

  for (const tee::Certificate* authority : {&intermediate, &tcb_signer}) {
    evm::Value known = contract_.call("authority", {key_id(*authority)});
    if (known["x"].as_h256().is_zero()) {
      contract_.send(sender, "addAuthority", {authority->der()});
    }
  }
  const std::pair<H256, const Bytes*> lists[] = {{H256{}, &collateral.root_ca_crl},
                                                 {key_id(intermediate), &collateral.pck_crl}};
  for (const auto& [issuer, list] : lists) {
    if (!fresh(contract_.call("crl", {issuer})["nextUpdate"].as_u64())) {
      contract_.send(sender, "updateCrl", {*list, issuer});
    }
  }
  std::string fmspc = json_string(parse_json(collateral.tcb_info, "TCB info"), "fmspc", "TCB info");
  if (!fresh(contract_.call("tcbState", {fixed_from_hex<6>(fmspc)})["nextUpdate"].as_u64())) {
    contract_.send(
        sender, "updateTcbInfo",
        {as_bytes(collateral.tcb_info), collateral.tcb_info_signature, key_id(tcb_signer)});
  }
  if (!fresh(contract_.call("qeState")["nextUpdate"].as_u64())) {
    contract_.send(
        sender, "updateQeIdentity",
        {as_bytes(collateral.qe_identity), collateral.qe_identity_signature, key_id(tcb_signer)});
  }
  if (contract_.call("pck", {key_id(pck)})["x"].as_h256().is_zero()) {
    contract_.send(sender, "addPck", {pck.der(), key_id(intermediate)});
  }
  H256 ak = crypto::keccak256(quote.attestation_key.bytes);
  if (contract_.call("attestationKey", {ak})["pckId"].as_h256() != key_id(pck)) {
    Bytes proof = concat(
        {quote.attestation_key.bytes, quote.qe.raw, quote.qe_signature.bytes, quote.qe_auth});
    contract_.send(sender, "addAttestationKey", {proof, key_id(pck)});
  }
}

}  // namespace ffe::aggregator
