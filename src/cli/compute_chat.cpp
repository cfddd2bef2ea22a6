// ffe compute models, adapters, chat: inference at 0G Compute's brokers.
#include <fmt/format.h>
#include <unistd.h>

#include "base/hex.hpp"
#include "cli/compute.hpp"
#include "cli/standard_input.hpp"
#include "compute/inference_chain.hpp"
#include "crypto/address.hpp"
#include "inference/broker.hpp"

namespace ffe::cli {
namespace {

struct Options {
  ComputeOptions compute;
  std::string provider;
  std::string message = "-";
  std::string system;
  std::string model;
  std::string deploy;
  size_t max_tokens = 256;
  unsigned patience_seconds = 60;
  bool all = false;
  bool plain = false;
};

std::string per_million(const evm::U256& price) {
  return evm::format_ether(price * evm::U256(1'000'000));
}

void models(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  Json list = Json::array();
  std::string text;
  for (const compute::InferenceServiceView& s :
       compute::InferenceServing(session.rpc, session.inference()).services()) {
    if (!s.tee_signer_acknowledged && !o.all) continue;
    list.push_back({{"provider", crypto::checksum_address(s.provider)},
                    {"type", s.type},
                    {"model", s.model},
                    {"url", s.url},
                    {"inputPriceWei", s.input_price.to_string()},
                    {"outputPriceWei", s.output_price.to_string()},
                    {"verifiability", s.verifiability},
                    {"teeSigner", crypto::checksum_address(s.tee_signer)},
                    {"acknowledgedBy0G", s.tee_signer_acknowledged}});
    text += fmt::format("{}{}  {}  {} {}  {} in, {} out (0G per million tokens)  {}{}",
                        text.empty() ? "" : "\n", crypto::checksum_address(s.provider), s.type,
                        s.model, s.verifiability.empty() ? "unverified" : s.verifiability,
                        per_million(s.input_price), per_million(s.output_price), s.url,
                        s.tee_signer_acknowledged ? "" : "  not acknowledged by 0G");
  }
  if (terminal.json()) return terminal.result(list.dump());
  if (text.empty()) return terminal.note("no provider offers inference here");
  terminal.result(text);
}

inference::BrokerClient open_broker(const Options& o, ComputeSession& session,
                                    const crypto::PrivateKey& user) {
  inference::BrokerOptions options;
  options.patience = std::chrono::seconds(o.patience_seconds);
  return {session.rpc, session.inference(), crypto::parse_address(o.provider), user, options};
}

void adapters(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  const crypto::PrivateKey user = load_key(o.compute.account);
  inference::BrokerClient broker = open_broker(o, session, user);
  if (!o.deploy.empty()) {
    const std::string words = broker.deploy(o.deploy);
    terminal.result(terminal.json() ? Json{{"adapter", o.deploy}, {"message", words}}.dump()
                                    : words);
    return;
  }
  Json list = Json::array();
  std::string text;
  for (const inference::BrokerAdapter& a : broker.adapters()) {
    list.push_back({{"adapter", a.name},
                    {"task", a.task},
                    {"baseModel", a.base_model},
                    {"state", a.state},
                    {"error", a.error}});
    text += fmt::format("{}{}  {}{}", text.empty() ? "" : "\n", a.name, a.state,
                        a.error.empty() ? "" : ": " + a.error);
  }
  if (terminal.json()) return terminal.result(list.dump());
  if (text.empty()) return terminal.note("no adapters at this provider");
  terminal.result(text);
}

std::string read_message(const Options& o) {
  std::string text = o.message;
  if (text == "-") {
    if (isatty(STDIN_FILENO) == 1) {
      throw Error(ErrorCode::kUsage, "no message",
                  "ffe compute chat PROVIDER \"…\", or pipe it into stdin");
    }
    text = read_all_stdin();
    if (text.ends_with('\n')) text.pop_back();
  }
  if (text.empty()) throw Error(ErrorCode::kBadInput, "the message is empty");
  return text;
}

std::string text_of(const Json& body) {
  const Json& choices = json_member(body, "choices", "answer");
  if (!choices.is_array() || choices.empty()) {
    throw Error(ErrorCode::kBadInput, "the answer has no choices");
  }
  return json_string(json_member(choices[0], "message", "answer"), "content", "answer");
}

// Whole answers: a stream's signature comes at its end, and nothing unproven is shown.
void chat(const Options& o, Terminal& terminal) {
  const std::string message = read_message(o);
  ComputeSession session(o.compute);
  const crypto::PrivateKey user = load_key(o.compute.account);
  inference::BrokerClient broker = open_broker(o, session, user);
  Json request = {{"messages", Json::array()}, {"max_tokens", o.max_tokens}};
  if (!o.system.empty()) request["messages"].push_back({{"role", "system"}, {"content", o.system}});
  request["messages"].push_back({{"role", "user"}, {"content", message}});
  if (!o.model.empty()) request["model"] = o.model;
  if (broker.verify().level == compute::QuoteLevel::kNone) {
    terminal.warn("the provider has a mock TEE: nothing protects what you write");
  }
  if (o.plain) terminal.warn("in clear: whoever is between you and the broker's code can read it");
  const inference::SealedAnswer answer =
      o.plain ? broker.chat_plain(request) : broker.chat(request);
  const std::string text = text_of(answer.body);
  terminal.step("Verified", "signed by the provider's enclave, for this request and this answer");
  terminal.result(terminal.json() ? Json{{"text", text},
                                         {"model", answer.body.value("model", "")},
                                         {"sealed", !o.plain},
                                         {"signed", answer.proof.text},
                                         {"signature", to_hex0x(answer.proof.signature.bytes)}}
                                        .dump(-1, ' ', false, Json::error_handler_t::replace)
                                  : text);
}

}  // namespace

void add_compute_chat(CLI::App& compute, Context& context) {
  auto options = std::make_shared<Options>();
  auto add = [&](const char* name, const char* text, void (*run)(const Options&, Terminal&),
                 bool signs) {
    auto* command = compute.add_subcommand(name, text);
    command->callback([&context, options, run] {
      context.chosen = [options, run](Terminal& t) { run(*options, t); };
    });
    add_compute_options(*command, options->compute, signs);
    return command;
  };
  add("models", "Who offers inference, of which model", models, false)
      ->add_flag("--all", options->all, "Those too whose enclave 0G has not acknowledged");

  auto* adapters_command =
      add("adapters", "Fine-tuned adapters at a provider's broker", adapters, true);
  adapters_command->add_option("provider", options->provider, "Its address")->required();
  adapters_command->add_option("--deploy", options->deploy, "Load this one, so that it answers");

  auto* chat_command = add("chat", "Ask a provider's model, sealed to its enclave", chat, true);
  chat_command->add_option("provider", options->provider, "Its address (see: ffe compute models)")
      ->required();
  chat_command->add_option("message", options->message, "What to ask; left out: from stdin");
  chat_command->add_option("--model", options->model, "An adapter's name, instead of the model");
  chat_command->add_option("--system", options->system, "A system prompt");
  chat_command->add_option("--max-tokens", options->max_tokens, "Of the answer")
      ->capture_default_str();
  chat_command
      ->add_option("--patience", options->patience_seconds, "Seconds to wait for a busy broker")
      ->capture_default_str();
  chat_command->add_flag("--plain", options->plain, "Not sealed; the signature is checked anyway");
}

}  // namespace ffe::cli
