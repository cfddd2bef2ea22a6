#include "cli/user_config.hpp"

#include "base/file.hpp"
#include "base/toml_reader.hpp"

namespace ffe::cli {

UserConfig user_config() {
  UserConfig out;
  const std::filesystem::path file = config_dir() / "config.toml";
  std::error_code ec;
  if (!std::filesystem::exists(file, ec)) return out;
  TomlReader in(file);
  out.network = in.text_or("defaults.network", out.network);
  out.account = in.text_or("defaults.account", "");
  out.password_file = in.text_or("defaults.password_file", "");
  in.refuse_unknown();
  return out;
}

}  // namespace ffe::cli
