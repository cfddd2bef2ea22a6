#include "cli/topics.hpp"

#include <algorithm>
#include <sstream>

#include "cli/text_layout.hpp"

namespace ffe::cli {

const std::vector<Topic>& topics() {
  static const std::vector<Topic> kTopics = {
      {"exit-codes", "What the exit status says",
       R"(Scripts can rely on these:

  0    done
  1    failed: a file, bytes that are not what they should be, or a bug
  2    usage: the command line or a configuration file is wrong
  3    attestation refused: the enclave was not proven
  4    key or authorisation: missing, wrong or not allowed
  5    session state: late, full, cancelled, or without a result yet
  6    network or chain: a peer did not answer, or the chain refused
  7    gate rejected: what was brought does harm or cannot be judged
  130  interrupted

With --json a failure also prints {"error": {"code", "message", "hint"}} on stdout. docs/spec/errors.md lists the codes.)"},
      {"output", "Where results, prose and errors go",
       R"(stdout carries the result and nothing else. stderr carries prose, progress, prompts and errors.

  --json     the result as one JSON document; docs/spec/cli.md has the schema of each
  -q         no prose; the result and errors are never hidden
  NO_COLOR   set and not empty: no colour
  COLUMNS    width of help where there is no terminal

Bars and colour appear on a terminal only. Without a terminal nothing is ever asked: a command that lacks a password says so and ends with 4. In a locale without UTF-8 a terminal gets ASCII.)"},
      {"accounts", "Keys, passwords and who signs",
       R"(A key is a Web3 key file (version 3, scrypt), readable by you alone.

  --account NAME        a file of the keystore; not needed where there is one
  --keystore FILE       another key file
  --password-file FILE  its first line is the password; otherwise you are asked

Passwords and keys are never taken from flags or environment variables, because other programs can read these.

`ffe key new NAME` makes an account, `ffe key list` shows all. The key that submits to a session alone opens its model later: keep file and password.)"},
      {"networks", "Which chain, contracts, storage and enclaves",
       R"(--network takes a name or a path. The name devnet is the local network that `ffe devnet up` runs. Any other name is a file NAME.json in the folder networks of the configuration folder (ffe help files).

A network file names chainId, rpcUrl, the contracts, storageNodes or indexerUrl, enclaveUrls, and the releases that this client encrypts to. `ffe deploy --out FILE` writes one. Take it from somebody you trust: it decides which contracts you pay.

  ffe session list --network testnet
  ffe session list --network ./network.json)"},
      {"files", "Where configuration, keys and models are kept",
       R"(The XDG variables decide; these are the usual places:

  ~/.config/ffe/config.toml   defaults of options, below
  ~/.config/ffe/keystore/     accounts
  ~/.config/ffe/networks/     network files
  ~/.local/share/ffe/         the running local network; newest collateral seen
  ~/.cache/ffe/               base models, demonstrations; may be deleted

config.toml has one table; each entry is the default of the option with its name. A flag wins over it.

  [defaults]
  network = "testnet"
  account = "alice"
  password_file = "/home/alice/.ffe-password"

Nothing secret stands in it: password_file is a path.)"},
      {"sessions", "The states of a session and who moves it on",
       R"(A session is fine-tuning by several parties on terms that nobody can change.

  open       contributors submit until the deadline; `ffe withdraw` takes back
  sealed     all submitted, or the quorum after the deadline and `ffe session seal`
  settled    the result is on the chain; owners `ffe download` and `ffe claim`
  cancelled  the opener ended it while it was open; stakes are claimable
  expired    it was not sealed in time; stakes are claimable
  aborted    the pool was unfit; every stake is claimable
  failed     nothing was delivered in time; stakes and a share of the operator's bond are claimable

`ffe session watch N` follows one. Anyone may call seal, expire, fail and slash: the contract judges them.)"},
      {"verdicts", "What the quality gate decides, and where the stake goes",
       R"(The enclave decides on each contribution. Money is taken on proof only.

  accept    its rows train the model; the stake comes back, and a token of the model
  exclude   suspicion, too few rows, or rows not available; the stake comes back, no model
  reject    harm proven with three seeds, or bytes that are no rows; slashed by the share that the terms name

`ffe session status N` shows verdict, evidence and threshold for each. `ffe report verify N` recomputes them. `ffe check --gate` runs the same measurement on the session's public sample before you stake. What the gate cannot see is in docs/spec/gate.md.)"}};
  return kTopics;
}

const Topic* find_topic(std::string_view name) {
  const auto it = std::ranges::find(topics(), name, &Topic::name);
  return it == topics().end() ? nullptr : &*it;
}

std::string render(const Topic& topic, size_t width) {
  std::istringstream lines{std::string(topic.text)};
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    const size_t gap = line.starts_with("  ") ? line.find("  ", 2) : std::string::npos;
    if (!line.starts_with("  ")) {
      out += wrap(line, width);
    } else if (gap == std::string::npos) {
      out += line;
    } else {
      const size_t text = line.find_first_not_of(' ', gap);
      // On a narrow terminal the text goes below the name.
      if (text * 2 > width) {
        out += line.substr(0, gap) + "\n    " + wrap(line.substr(text), width, 4, 4);
      } else {
        out += line.substr(0, text) + wrap(line.substr(text), width, text, text);
      }
    }
    out += '\n';
  }
  return out;
}

}  // namespace ffe::cli
