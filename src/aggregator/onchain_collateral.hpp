// Brings to the DCAP verifier contract what it needs to know before it can verify a platform's
// quotes. Everything is public and signed by Intel (or the development root).
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "evm/contract.hpp"
#include "tee/collateral.hpp"
#include "tee/quote.hpp"
#include "tee/x509.hpp"

namespace ffe::aggregator {

class OnchainCollateral {
 public:
  OnchainCollateral(evm::RpcClient& rpc, const Address& dcap_verifier);

  // Sends what is missing, about to expire, or says something new, and nothing else: certificates,
  // revocation lists (a serial that the chain does not know as revoked), TCB info and QE identity
  // (a higher evaluation number), the PCK certificate and the attestation key of this quote. What
  // was merely issued again, with later dates, costs a million gas and waits.
  void ensure(evm::Sender& sender, const tee::Quote& quote, const tee::Collateral& collateral);

  // Why the chain would not accept this quote now, in the contract's words; nothing if it would.
  std::optional<std::string> refusal(ByteView quote) const;

 private:
  bool fresh(uint64_t until) const;
  // Whether a certificate of a key with `known` end is worth sending.
  bool extends(uint64_t known, const tee::Certificate& certificate) const;
  bool says_more(const tee::RevocationList& list, const H256& issuer) const;

  evm::Contract contract_;
};

}  // namespace ffe::aggregator
