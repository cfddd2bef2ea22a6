// The 0G Compute provider of a session whose recipe has trainer "0g-compute".
#pragma once

#include "client/network.hpp"
#include "evm/rpc.hpp"
#include "session/recipe.hpp"

namespace ffe::client {

// Puts the provider's place and its enclave's signer, as the chain names them now, into the recipe,
// so that the terms fix them. Does nothing with trainer "enclave". Throws Error{kUsage} if the
// network has no such provider, kAttestation if 0G has not acknowledged its enclave or it serves
// without https on a public chain.
void name_provider(session::Recipe& recipe, const Network& network);

}  // namespace ffe::client
