// Completion for shells, made of the table of commands.
#pragma once

#include <string>

#include "cli/command_tree.hpp"

namespace ffe::cli {

// `shell`: bash, zsh or fish; Error{kUsage} for another.
std::string completion_script(const Command& root, const std::string& shell);

}  // namespace ffe::cli
