// Files that are installed beside the executables: compiled contracts and tools.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/json.hpp"

namespace ffe::client {

// <prefix>/share/ffe, with <prefix>/bin/ffe the running executable.
std::filesystem::path share_dir();

// {"abi":…,"bytecode":…} of a contract. Throws Error{kIo} naming the file and how to make it.
Json contract_artifact(std::string_view name);

}  // namespace ffe::client
