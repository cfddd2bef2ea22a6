// The enclave's evidence and its place in the registry.
#pragma once

#include "aggregator/enclave.hpp"
#include "session/chain.hpp"
#include "tee/provider.hpp"

namespace ffe::aggregator {

struct Registration {
  H256 enclave_id;
  H256 code_hash;
  Bytes quote;
  Bytes ext;
  uint64_t valid_until = 0;
  uint64_t block_number = 0;  // that ext names
  bool simulated = false;
};

class Registrar {
 public:
  Registrar(Enclave& enclave, tee::EvidenceProvider& provider, session::Registry& registry,
            evm::Sender& sender, const Address& payee);

  // Registers this enclave with a fresh quote unless the registry holds it and it is valid for
  // another `margin_seconds`. Throws Error{kAttestation} if the registry knows it as retired or
  // revoked.
  Registration ensure(uint64_t margin_seconds);

 private:
  Registration attest();
  bool renew(const Registration& fresh, const session::EnclaveRecord& record);

  Enclave& enclave_;
  tee::EvidenceProvider& provider_;
  session::Registry& registry_;
  evm::Sender& sender_;
  Address payee_;
  Registration current_;
};

}  // namespace ffe::aggregator
