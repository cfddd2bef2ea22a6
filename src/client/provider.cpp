#include "client/provider.hpp"

#include "compute/chain.hpp"
#include "crypto/address.hpp"

namespace ffe::client {
namespace {

constexpr uint64_t kLocalChain = 31337;

Address fine_tuning_contract(const Network& network) {
  if (!network.compute_fine_tuning.is_zero()) return network.compute_fine_tuning;
  if (auto known = compute::known_contracts(network.name)) return known->fine_tuning;
  throw Error(ErrorCode::kUsage, "the network \"" + network.name + "\" has no 0G Compute",
              "put computeLedger and computeFineTuning into its network file, or start a local "
              "network with: ffe devnet up --compute");
}

}  // namespace

void name_provider(session::Recipe& recipe, const Network& network) {
  if (!session::leaves_enclave(recipe) || !recipe.compute) return;
  session::ComputeProvider& wanted = *recipe.compute;
  const std::string who = crypto::checksum_address(wanted.provider);
  evm::RpcClient rpc(network.rpc_url, compute::rpc_options());
  const auto service =
      compute::FineTuningServing(rpc, fine_tuning_contract(network)).service(wanted.provider);
  if (!service) {
    throw Error(ErrorCode::kUsage, who + " offers no fine-tuning on this network",
                "look at the providers: ffe compute providers");
  }
  if (!service->tee_signer_acknowledged) {
    throw Error(ErrorCode::kAttestation, "0G has not acknowledged the enclave of " + who,
                "choose another provider");
  }
  wanted.signer = service->tee_signer;
  wanted.url = service->url;
  while (wanted.url.ends_with('/')) wanted.url.pop_back();
  if (network.chain_id != kLocalChain && !wanted.url.starts_with("https://")) {
    throw Error(ErrorCode::kAttestation,
                who + " serves at " + wanted.url +
                    ", without https: everybody on the way could read the rows",
                "choose another provider");
  }
}

}  // namespace ffe::client
