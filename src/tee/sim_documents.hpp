// The simulator's bytes: TCB documents and quotes. Split from simulated.cpp, which keeps the
// folder.
#pragma once

#include "tee/dev_pki.hpp"
#include "tee/simulated.hpp"

namespace ffe::tee {

struct SimulatedKeys {
  DevKey root, intermediate, pck, tcb_signing, attestation;
};

struct SimulatedChain {
  Certificate root, intermediate, pck, tcb_signing;
};

// Versions that the simulated machine claims; the newest level of its TCB info is exactly these.
PckExtension simulated_platform_values(const FixedBytes<16>& ppid,
                                       const FixedBytes<16>& platform_instance_id);

// The fields that make up a simulated enclave's code hash.
TdReport simulated_identity(const SimulatedMeasurements& measurements);

Collateral simulated_collateral(const SimulatedKeys& keys, const SimulatedChain& chain,
                                const SimulatedCollateralOptions& options);

Bytes simulated_quote(const SimulatedKeys& keys, const SimulatedChain& chain,
                      const SimulatedMeasurements& measurements, const FixedBytes<64>& report_data,
                      const SimulatedQuoteOptions& options);

}  // namespace ffe::tee
