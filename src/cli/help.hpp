// Help for a terminal, made of the table of commands.
#pragma once

#include <string>

#include "cli/command_tree.hpp"

namespace ffe::cli {

// One command; of the program itself: all commands by group.
std::string help_text(const Command& command, size_t width);

}  // namespace ffe::cli
