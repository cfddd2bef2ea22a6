#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "cli/status_text.hpp"
#include "cli/text_layout.hpp"
#include "crypto/address.hpp"

namespace ffe::cli {
namespace {

struct Options {
  AccountOptions account;
  std::string session;
  std::filesystem::path certificate;
};

void status(const Options& options, Terminal& terminal) {
  client::Client client = open_reader(options.account.network);
  print_status(terminal, look_at(client, evm::U256::parse(options.session), true));
}

void list(const Options& options, Terminal& terminal) {
  client::Client client = open_reader(options.account.network);
  Json all = Json::array();
  std::string lines;
  uint64_t n = client.coordinator().session_count();
  for (uint64_t id = 1; id <= n; ++id) {
    session::SessionView view = client.coordinator().view(evm::U256(id));
    all.push_back({{"id", std::to_string(id)},
                   {"state", session::name(view.state)},
                   {"submitted", view.submitted}});
    lines += fmt::format("{}{:>6}  {}  {} submitted", lines.empty() ? "" : "\n", id,
                         session::name(view.state), view.submitted);
  }
  terminal.result(terminal.json() ? all.dump() : lines);
}

using Exit = evm::Receipt (session::Coordinator::*)(evm::Sender&, const evm::U256&);

template <Exit exit>
void take_exit(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  print_tx(terminal,
           (client.coordinator().*exit)(client.sender(), evm::U256::parse(options.session)));
}

// The command that brings a certificate of this kind, in the order of session::Certificate.
constexpr const char* kBringers[] = {"ffe slash", "ffe session finalize", "ffe session abort"};

// Anyone may bring a certificate; the contract judges it.
template <class Certificate>
void bring(const Options& options, Terminal& terminal) {
  session::SignedCertificate certificate = session::certificate_from_json(
      parse_json(read_text_file(options.certificate, 16 << 20), options.certificate.string()));
  if (certificate.session_id != evm::U256::parse(options.session)) {
    throw Error(ErrorCode::kUsage, "the certificate is of session " +
                                       certificate.session_id.to_string() + ", not " +
                                       options.session);
  }
  if (!std::holds_alternative<Certificate>(certificate.certificate)) {
    throw Error(ErrorCode::kUsage,
                options.certificate.string() + " is a certificate of another kind",
                fmt::format("bring it with: {} {} {}", kBringers[certificate.certificate.index()],
                            options.session, options.certificate.string()));
  }
  client::Client client = open_client(options.account);
  print_tx(terminal, client.coordinator().bring(client.sender(), certificate));
}

}  // namespace

void print_status(Terminal& terminal, const StatusView& view) {
  terminal.result(terminal.json() ? status_json(view).dump()
                                  : status_text(view, output_width(STDOUT_FILENO)));
}

void add_session(CLI::App& app, Context& context) {
  auto* session =
      app.add_subcommand("session", "Sessions: open them, follow them, take their exits");
  session->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto add = [&](CLI::App* parent, const char* name, const char* text,
                 void (*run)(const Options&, Terminal&)) {
    auto* command = parent->add_subcommand(name, text);
    command->callback([&context, options, run] {
      context.chosen = [options, run](Terminal& t) { run(*options, t); };
    });
    return command;
  };
  auto* list_command = add(session, "list", "All sessions of the network", list);
  add_network_option(*list_command, options->account.network);
  auto* status_command =
      add(session, "status", "One session: who, what, where the stakes are", status);
  status_command->add_option("session", options->session, "Number of the session")->required();
  add_network_option(*status_command, options->account.network);

  const std::tuple<const char*, const char*, void (*)(const Options&, Terminal&)> exits[] = {
      {"seal", "Seal with the quorum after the deadline", take_exit<&session::Coordinator::seal>},
      {"cancel", "Opener: end the session while it is open",
       take_exit<&session::Coordinator::cancel>},
      {"expire", "End a session that was not sealed in time",
       take_exit<&session::Coordinator::expire>},
      {"fail", "End a session that delivered nothing in time",
       take_exit<&session::Coordinator::fail>}};
  for (const auto& [name, text, run] : exits) {
    auto* command = add(session, name, text, run);
    command->add_option("session", options->session, "Number of the session")->required();
    add_account_options(*command, options->account);
  }
  add_session_open(*session, context);
  const std::tuple<CLI::App*, const char*, const char*, void (*)(const Options&, Terminal&)>
      certificates[] = {{session, "finalize", "Bring a result certificate to the contract",
                         bring<session::ResultCertificate>},
                        {session, "abort", "Bring an abort certificate to the contract",
                         bring<session::AbortCertificate>},
                        {&app, "slash", "Bring a rejection certificate to the contract",
                         bring<session::RejectionCertificate>}};
  for (const auto& [parent, name, text, run] : certificates) {
    auto* command = add(parent, name, text, run);
    command->add_option("session", options->session, "Number of the session")->required();
    command->add_option("certificate", options->certificate, "File of a signed certificate, JSON")
        ->required();
    add_account_options(*command, options->account);
  }
}

}  // namespace ffe::cli
