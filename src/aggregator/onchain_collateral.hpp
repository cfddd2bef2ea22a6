// Brings to the DCAP verifier contract what it needs to know before it can verify a platform's
// quotes. Everything is public and signed by Intel (or the development root).
#pragma once

#include "base/bytes.hpp"
#include "evm/contract.hpp"
#include "tee/collateral.hpp"
#include "tee/quote.hpp"

namespace ffe::aggregator {

class OnchainCollateral {
 public:
  OnchainCollateral(evm::RpcClient& rpc, const Address& dcap_verifier);

  // Sends what is missing or about to expire, and nothing else: certificates, revocation lists, TCB
  // info, QE identity, the PCK certificate and the attestation key of this quote.
  void ensure(evm::Sender& sender, const tee::Quote& quote, const tee::Collateral& collateral);

 private:
  bool fresh(uint64_t next_update) const;

  evm::Contract contract_;
};

}  // namespace ffe::aggregator
