// 0G Compute's fine-tuning, for C++ programs that want nothing else of FFE. Link ffe::compute.
//
//   ffe::compute::Contracts contracts = *ffe::compute::known_contracts("galileo");
//   ffe::evm::RpcClient rpc(url, ffe::compute::rpc_options());
//   ffe::evm::Sender user(rpc, key);
//   ffe::compute::Job::create("job", spec, rpc.chain_id(), user.address());
//   std::filesystem::path adapter = ffe::compute::Job("job", user, contracts, {}, {}).run();
//
// The provider can read the rows (docs/guide/compute.md). Errors are ffe::Error.
#pragma once

#include "compute/base_models.hpp"
#include "compute/funding.hpp"
#include "compute/job.hpp"
#include "evm/keystore.hpp"
