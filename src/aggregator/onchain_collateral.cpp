#include "aggregator/onchain_collateral.hpp"

#include <algorithm>
#include <ctime>

#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "session/chain.hpp"
#include "tee/tcb.hpp"

namespace ffe::aggregator {
namespace {

constexpr uint64_t kRefreshBefore = 86400;  // seconds

H256 key_id(const tee::Certificate& certificate) {
  return crypto::keccak256(certificate.public_key().bytes);
}

}  // namespace

OnchainCollateral::OnchainCollateral(evm::RpcClient& rpc, const Address& dcap_verifier)
    : contract_(rpc, dcap_verifier, session::dcap_abi()) {}

bool OnchainCollateral::fresh(uint64_t until) const {
  return until > static_cast<uint64_t>(std::time(nullptr)) + kRefreshBefore;
}

bool OnchainCollateral::extends(uint64_t known, const tee::Certificate& certificate) const {
  return !fresh(known) && static_cast<uint64_t>(certificate.not_after()) > known;
}

bool OnchainCollateral::says_more(const tee::RevocationList& list, const H256& issuer) const {
  const evm::Value known = contract_.call("crl", {issuer});
  if (!fresh(known["nextUpdate"].as_u64())) return true;
  if (static_cast<uint64_t>(list.this_update()) <= known["thisUpdate"].as_u64()) return false;
  return std::ranges::any_of(list.serials(), [&](const H256& serial) {
    return !contract_.call("revoked", {issuer, evm::U256::from_be(serial.bytes)})[0].as_bool();
  });
}

std::optional<std::string> OnchainCollateral::refusal(ByteView quote) const {
  try {
    contract_.call("verifyQuote", {tee::cut_quote(quote)});
    return std::nullopt;
  } catch (const evm::RevertError& e) {
    return e.what();
  }
}

void OnchainCollateral::ensure(evm::Sender& sender, const tee::Quote& quote,
                               const tee::Collateral& collateral) {
  auto chain = tee::parse_pem_chain(quote.pck_chain, 3);
  auto signers = tee::parse_pem_chain(collateral.tcb_info_issuer_chain, 2);
  const tee::Certificate& pck = chain.at(0);
  const tee::Certificate& intermediate = chain.at(1);
  const tee::Certificate& tcb_signer = signers.at(0);

  for (const tee::Certificate* authority : {&intermediate, &tcb_signer}) {
    if (extends(contract_.call("authority", {key_id(*authority)})["notAfter"].as_u64(),
                *authority)) {
      contract_.send(sender, "addAuthority", {authority->der()});
    }
  }
  const std::pair<H256, const Bytes*> lists[] = {{H256{}, &collateral.root_ca_crl},
                                                 {key_id(intermediate), &collateral.pck_crl}};
  for (const auto& [issuer, list] : lists) {
    if (says_more(tee::RevocationList::from_der(*list), issuer)) {
      contract_.send(sender, "updateCrl", {*list, issuer});
    }
  }
  const tee::TcbInfo tcb = tee::parse_tcb_info(collateral.tcb_info);
  const evm::Value known_tcb = contract_.call("tcbState", {tcb.fmspc});
  if (!fresh(known_tcb["nextUpdate"].as_u64()) ||
      tcb.evaluation_number > known_tcb["evaluationNumber"].as_u64()) {
    contract_.send(
        sender, "updateTcbInfo",
        {as_bytes(collateral.tcb_info), collateral.tcb_info_signature, key_id(tcb_signer)});
  }
  const evm::Value known_qe = contract_.call("qeState");
  if (!fresh(known_qe["nextUpdate"].as_u64()) ||
      tee::parse_qe_identity(collateral.qe_identity).evaluation_number >
          known_qe["evaluationNumber"].as_u64()) {
    contract_.send(
        sender, "updateQeIdentity",
        {as_bytes(collateral.qe_identity), collateral.qe_identity_signature, key_id(tcb_signer)});
  }
  if (extends(contract_.call("pck", {key_id(pck)})["notAfter"].as_u64(), pck)) {
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
