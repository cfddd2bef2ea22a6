// The enclave service. Its binary is what a quote measures, so it links only what it needs.
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "aggregator/service.hpp"
#include "base/commit.hpp"
#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/secret.hpp"

namespace {

constexpr const char* kUsage =
    "usage: ffe-aggregator --config FILE [--log-level LEVEL] [--log-json]\n";

int run(int argc, char** argv) {
  std::string config, level = "info";
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    std::string_view arg = argv[i];
    bool more = i + 1 < argc;
    if (arg == "--config" && more) {
      config = argv[++i];
    } else if (arg == "--log-level" && more) {
      level = argv[++i];
    } else if (arg == "--log-json") {
      json = true;
    } else if (arg == "--version") {
      const std::string commit = ffe::build_commit();
      std::printf("ffe-aggregator %s%s\n", FFE_VERSION,
                  commit.empty() ? "" : (" (" + commit + ")").c_str());
      return 0;
    } else if (arg == "--help") {
      std::fputs(kUsage, stdout);
      return 0;
    } else {
      throw ffe::Error(ffe::ErrorCode::kUsage, "unknown or incomplete option " + std::string(arg),
                       "ffe-aggregator --help");
    }
  }
  if (config.empty()) throw ffe::Error(ffe::ErrorCode::kUsage, "--config is missing", kUsage);
  ffe::harden_process();
  ffe::init_log(level, json);
  ffe::install_interrupt_handler();
  ffe::aggregator::Service service(ffe::aggregator::read_config(config));
  service.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const ffe::Error& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    if (!e.hint().empty()) std::fprintf(stderr, "hint: %s\n", e.hint().c_str());
    return ffe::exit_status(e.code());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
}
