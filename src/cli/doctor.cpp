// ffe doctor: what this machine can do, and what to do about what is missing.
#include <ctime>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "client/artifacts.hpp"
#include "evm/keystore.hpp"
#include "lm/model_store.hpp"
#include "lm/numeric.hpp"
#include "lm/weights.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kEarliestTime = 1'735'689'600;  // 2025: no clock that is right shows less
constexpr uint64_t kLittleDisk = uint64_t{1} << 30;

struct Folder {
  std::string what;
  fs::path path;
  bool writable = false;
};

// The nearest folder that exists decides whether the rest could be made.
bool could_write(fs::path path) {
  std::error_code ec;
  while (!path.empty() && path != path.root_path() && !fs::exists(path, ec))
    path = path.parent_path();
  return access(path.c_str(), W_OK) == 0;
}

struct Diagnosis {
  std::vector<std::string> paths;
  std::string best;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  uint64_t memory =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  bool tdx = fs::exists("/dev/tdx_guest") || fs::exists("/sys/kernel/config/tsm/report");
  fs::path model = lm::default_model_path();
  bool contracts = fs::exists(client::share_dir() / "contracts");
  bool anvil = false;
  size_t accounts = 0;
  uint64_t disk_free = 0;
  bool clock = std::time(nullptr) >= kEarliestTime;
  std::vector<Folder> folders;
  std::vector<std::pair<std::string, std::string>> missing;  // what, hint
};

bool in_path(const char* name) {
  const char* list = std::getenv("PATH");
  std::string rest = list == nullptr ? "" : list;
  while (!rest.empty()) {
    const size_t end = rest.find(':');
    if (access((fs::path(rest.substr(0, end)) / name).c_str(), X_OK) == 0) return true;
    rest = end == std::string::npos ? "" : rest.substr(end + 1);
  }
  return false;
}

void find_missing(Diagnosis& d) {
  auto miss = [&](bool present, const char* what, std::string hint) {
    if (!present) d.missing.emplace_back(what, std::move(hint));
  };
  miss(!d.model.empty(), "base model", "make model, or ffe model pull FILE");
  miss(d.contracts, "compiled contracts",
       "make contracts; only deploying and the devnet need them");
  miss(d.anvil, "anvil", "make contracts; only the local network needs it");
  miss(d.accounts > 0, "account", "ffe key new NAME");
  miss(d.tdx, "TDX guest", "enclaves can only be simulated here; contributors need none");
  miss(d.disk_free >= kLittleDisk, "disk space", "less than 1 GB is free for models and uploads");
  miss(d.clock, "right clock", "it is far behind: certificates cannot be judged with it");
  for (const Folder& f : d.folders) {
    miss(f.writable, "writable folder",
         f.path.string() + " cannot be written: XDG_" + f.what + "_HOME can name another place");
  }
}

Diagnosis diagnose() {
  Diagnosis d;
  for (lm::NumericPath p : lm::supported_numeric_paths()) d.paths.emplace_back(lm::numeric_name(p));
  d.best = lm::numeric_name(lm::best_numeric_path());
  std::error_code ec;
  d.anvil = fs::exists(client::share_dir() / "tools" / "anvil", ec) || in_path("anvil");
  d.accounts = evm::Keystore(keystore_dir()).list().size();
  d.folders = {{"CONFIG", config_dir()}, {"DATA", data_dir()}, {"CACHE", cache_dir()}};
  for (Folder& f : d.folders) f.writable = could_write(f.path);
  fs::path where = cache_dir();
  while (!fs::exists(where, ec) && where.has_relative_path()) where = where.parent_path();
  const fs::space_info space = fs::space(where, ec);
  d.disk_free = ec ? 0 : space.available;
  find_missing(d);
  return d;
}

Json to_json(const Diagnosis& d) {
  Json folders = Json::array(), missing = Json::array();
  for (const Folder& f : d.folders) {
    folders.push_back({{"path", f.path.string()}, {"writable", f.writable}});
  }
  for (const auto& [what, hint] : d.missing) missing.push_back({{"what", what}, {"hint", hint}});
  return {{"numericPaths", d.paths},  {"best", d.best},
          {"cores", d.cores},         {"memoryBytes", d.memory},
          {"tdxGuest", d.tdx},        {"model", d.model.string()},
          {"contracts", d.contracts}, {"anvil", d.anvil},
          {"accounts", d.accounts},   {"diskFreeBytes", d.disk_free},
          {"clockOk", d.clock},       {"folders", folders},
          {"missing", missing}};
}

std::string to_text(const Diagnosis& d) {
  std::string names;
  for (const std::string& p : d.paths) names += (names.empty() ? "" : ", ") + p;
  std::string out = fmt::format(
      "cores          {}\nmemory         {}\ndisk free      {}\nnumeric paths  {} (best: {})\n"
      "TDX guest      {}\nbase model     {}\naccounts       {}",
      d.cores, format_bytes(d.memory), format_bytes(d.disk_free), names, d.best,
      d.tdx ? "yes" : "no", d.model.empty() ? "none" : d.model.string(), d.accounts);
  for (const Folder& f : d.folders) {
    out += fmt::format("\nfolder         {}{}", f.path.string(), f.writable ? "" : "  (read-only)");
  }
  for (const auto& [what, hint] : d.missing)
    out += fmt::format("\nmissing        {}: {}", what, hint);
  return out;
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("doctor", "What this machine can do and what is missing");
  command->callback([&context] {
    context.chosen = [](Terminal& t) {
      const Diagnosis d = diagnose();
      t.result(t.json() ? to_json(d).dump() : to_text(d));
    };
  });
}

}  // namespace ffe::cli
