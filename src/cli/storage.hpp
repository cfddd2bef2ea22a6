// `ffe storage`: its own commands are in storage.cpp, the node is in storage_serve.cpp.
#pragma once

#include "cli/command.hpp"

namespace ffe::cli {

void add_storage_serve(CLI::App& storage, Context& context);

}  // namespace ffe::cli
