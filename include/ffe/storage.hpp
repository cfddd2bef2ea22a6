// 0G Storage alone, for C++ programs that want nothing else of FFE. Link ffe::storage_sdk.
//
//   ffe::storage::Client client(ffe::storage::network_options("galileo"));
//   ffe::evm::RpcClient rpc(ffe::storage::network_options("galileo").rpc_url);
//   ffe::evm::Sender sender(rpc, ffe::evm::Keystore(folder).load("alice", password));
//   ffe::storage::UploadResult stored = client.upload("file.bin", sender);
//   client.download(stored.root, "copy.bin");
//
// Errors are ffe::Error with a code, a message and a hint (docs/spec/errors.md).
#pragma once

#include "evm/keystore.hpp"
#include "evm/rpc.hpp"
#include "evm/sender.hpp"
#include "storage/client.hpp"
#include "storage/merkle.hpp"
#include "storage/node.hpp"
