// Contracts at addresses that follow from their code alone, on every chain the same: CREATE2
// (EIP-1014) through the well-known deterministic deployment proxy.
#pragma once

#include "evm/sender.hpp"

namespace ffe::evm {

// 0x4e59b44847b379578588920cA78FbF26c0B4956C: takes salt ‖ init code, creates, has no owner.
Address create2_proxy();

// Puts the proxy on a chain that lacks it, by the transaction that everybody uses: its signature is
// made up, so its sender can do nothing else and the proxy's address is the same everywhere. The
// sender of ours pays that account's gas (0.01 tokens). Throws Error{kChain} where a node takes no
// transactions without a chain id (EIP-155).
void ensure_create2_proxy(Sender& sender);

struct Created {
  Address address;
  // None: it was there before, with this very code and these arguments.
  std::optional<Receipt> receipt;
};

// `init_code`: creation code with the constructor's arguments (creation_code()).
Created create2(Sender& sender, const H256& salt, ByteView init_code);

}  // namespace ffe::evm
