#include <fmt/format.h>
#include <unistd.h>

#include "cli/command.hpp"
#include "client/artifacts.hpp"
#include "lm/numeric.hpp"
#include "lm/weights.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

void doctor(Terminal& terminal) {
  Json paths = Json::array();
  std::string names;
  for (lm::NumericPath p : lm::supported_numeric_paths()) {
    paths.push_back(lm::numeric_name(p));
    names += (names.empty() ? "" : ", ") + std::string(lm::numeric_name(p));
  }
  uint64_t memory =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  bool tdx = fs::exists("/dev/tdx_guest") || fs::exists("/sys/kernel/config/tsm/report");
  fs::path model = lm::default_model_path();
  bool contracts = fs::exists(client::share_dir() / "contracts");
  if (terminal.json()) {
    terminal.result(Json{
        {"numericPaths", paths},
        {"best", lm::numeric_name(lm::best_numeric_path())},
        {"cores", cores},
        {"memoryBytes", memory},
        {"tdxGuest", tdx},
        {"model", model.string()},
        {"contracts",
         contracts}}.dump());
    return;
  }
  terminal.result(fmt::format(
      "cores          {}\nmemory         {}\nnumeric paths  {} (best: {})\nTDX guest      {}\n"
      "base model     {}\ncontracts      {}",
      cores, format_bytes(memory), names, lm::numeric_name(lm::best_numeric_path()),
      tdx ? "yes" : "no: enclaves can only be simulated here",
      model.empty() ? "missing: make model" : model.string(),
      contracts ? "compiled" : "missing: make contracts"));
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("doctor", "What this machine can do and what is missing");
  command->callback([&context] { context.chosen = [](Terminal& t) { doctor(t); }; });
}

}  // namespace ffe::cli
