#include "client/artifacts.hpp"

#include "base/error.hpp"
#include "base/file.hpp"

namespace ffe::client {

namespace fs = std::filesystem;

fs::path share_dir() {
  return fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "share" / "ffe";
}

Json contract_artifact(std::string_view name) {
  fs::path file = share_dir() / "contracts" / (std::string(name) + ".json");
  if (!fs::exists(file)) {
    throw Error(ErrorCode::kIo, file.string() + " is missing", "compile the contracts: make build");
  }
  return parse_json(read_text_file(file), file.string());
}

}  // namespace ffe::client
