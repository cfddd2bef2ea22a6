// Defaults of options from the user's config.toml (docs/spec/cli.md, ffe help files).
#pragma once

#include <filesystem>
#include <string>

namespace ffe::cli {

struct UserConfig {
  std::string network = "devnet";
  std::string account;
  std::filesystem::path password_file;
};

// <config>/config.toml; the values above where there is none. Throws Error{kUsage} naming file and
// entry. Nothing secret stands in it.
UserConfig user_config();

}  // namespace ffe::cli
