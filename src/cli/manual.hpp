// Man pages, made of the table of commands and the topics of help.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "cli/command_tree.hpp"
#include "cli/topics.hpp"

namespace ffe::cli {

// In the man(7) macros. "ffe session open" is the page ffe-session-open(1), a topic ffe-NAME(7).
std::string manual_page(const Command& command);
std::string manual_page(const Topic& topic);

// FOLDER/man1/*.1 and FOLDER/man7/*.7; the number of pages.
size_t write_manual(const Command& root, const std::filesystem::path& folder);

}  // namespace ffe::cli
