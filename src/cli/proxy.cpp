// ffe proxy: an OpenAI endpoint on loopback in front of the sealed one.
#include "inference/proxy.hpp"

#include <thread>

#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "cli/command.hpp"
#include "cli/sealed.hpp"
#include "crypto/address.hpp"
#include "crypto/random.hpp"

namespace ffe::cli {
namespace {

struct Options {
  SealedOptions sealed;
  int port = 0;
};

std::string random_key() {
  FixedBytes<24> bytes;
  crypto::random_bytes(bytes.bytes);
  return "ffe-" + to_hex(bytes.bytes);
}

void run(const Options& o, Terminal& terminal) {
  SealedModel model(o.sealed, terminal, 0);
  model.begin();  // an enclave that does not prove itself is told before anyone connects
  inference::ProxyOptions options;
  options.port = o.port;
  options.key = random_key();
  const std::string& key = options.key;
  inference::Proxy proxy(model.line(), options);
  if (terminal.json()) {
    terminal.result(Json{{"url", proxy.url()},
                         {"key", key},
                         {"model", model.line().model()},
                         {"user", crypto::checksum_address(model.user())}}
                        .dump());
  } else {
    terminal.result("OPENAI_BASE_URL=" + proxy.url() + "\nOPENAI_API_KEY=" + key);
    terminal.note("the model is " + model.line().model() + "; Ctrl-C ends the proxy");
  }
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  terminal.note("stopped");
}

}  // namespace

void add_proxy(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "proxy", "Let OpenAI clients on this machine use a model in its enclave, sealed");
  auto o = std::make_shared<Options>();
  command->add_option("token", o->sealed.token, "Number of the model's token")->required();
  command->add_option("--port", o->port, "On 127.0.0.1 (default: a free one)")
      ->check(CLI::Range(0, 65535));
  add_account_options(*command, o->sealed.account);
  command->footer("ffe proxy 17001 --account alice");
  command->callback([&context, o] { context.chosen = [o](Terminal& t) { run(*o, t); }; });
}

}  // namespace ffe::cli
