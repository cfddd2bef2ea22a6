#include "devnet/demo.hpp"

#include <chrono>
#include <fmt/format.h>
#include <map>
#include <thread>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "client/client.hpp"
#include "client/report_html.hpp"
#include "crypto/random.hpp"
#include "devnet/demo_data.hpp"
#include "devnet/demo_measure.hpp"
#include "devnet/devnet.hpp"
#include "lm/numeric.hpp"

namespace ffe::devnet {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Party {
  std::string name;
  std::unique_ptr<client::Client> client;
  Json record;
};

std::string hex(const H256& h) {
  return to_hex0x(h.bytes);
}
std::string nats(int64_t micro) {
  return fmt::format("{:.2f}", static_cast<double>(micro) / 1e6);
}

class Demo {
 public:
  Demo(const DemoOptions& options, const DemoEvents& events)
      : options_(options), events_(events), start_(Clock::now()) {}

  Json run() {
    prepare();
    open();
    submit();
    wait_for_result();
    tell_verdicts();
    download();
    refuse();
    settle_stakes();
    compare_models();
    write_report();
    return report_;
  }

 private:
  void chapter(std::string_view title) const {
    if (events_.chapter) events_.chapter(title);
  }
  void step(std::string_view verb, std::string_view text) const {
    check_interrupt();
    if (events_.step) events_.step(verb, text);
  }
  void progress(std::string_view verb, uint64_t done, uint64_t total, std::string_view unit) const {
    check_interrupt();
    if (events_.progress) events_.progress(verb, done, total, unit);
  }
  client::Events client_events() const {
    client::Events out;
    out.step = [this](std::string_view verb, std::string_view text) { step(verb, text); };
    return out;
  }
  // The story has one right ending; anything else is a failure of the demonstration.
  static void expect(bool holds, const std::string& what) {
    if (!holds) throw Error(ErrorCode::kFailed, "the demonstration failed: " + what);
  }
  Party& party(std::string_view name) {
    for (Party& p : parties_) {
      if (p.name == name) return p;
    }
    throw Error(ErrorCode::kInternal, "no such party");
  }
  std::unique_ptr<client::Client> new_client() {
    crypto::PrivateKey key = crypto::PrivateKey::generate();
    devnet_->fund(key.address(), evm::parse_ether("10"));
    return std::make_unique<client::Client>(devnet_->network(), key);
  }

  void prepare();
  void open();
  void submit();
  void wait_for_result();
  void tell_verdicts();
  void download();
  void refuse();
  void settle_stakes();
  void compare_models();
  void write_report();
  void record_session();

  const DemoOptions& options_;
  const DemoEvents& events_;
  Clock::time_point start_;
  std::unique_ptr<Devnet> devnet_;
  DemoData data_;
  std::vector<Party> parties_;
  std::unique_ptr<client::Client> opener_;
  session::Recipe recipe_;
  evm::U256 session_id_;
  client::Status status_;
  session::GateReport gate_;
  Json report_;
};

void Demo::prepare() {
  chapter("A network on this machine");
  DevnetOptions options;
  options.dir = options_.dir / "network";
  options.model = options_.model;
  options.threads = options_.threads;
  options.on_step = [this](std::string_view what) { step("Starting", what); };
  devnet_ = std::make_unique<Devnet>(options);

  chapter("Who holds what");
  DemoDataOptions rows;
  rows.rows_per_party = options_.rows_per_party;
  rows.seed = options_.seed;
  data_ = make_demo_data(options_.dir / "rows", rows);
  for (const PartyData& p : data_.parties) {
    step(p.name, fmt::format("{} {}: {}", p.rows.size(), p.about, p.file.string()));
    parties_.push_back({p.name, new_client(), {}});
    parties_.back().record = {{"name", p.name},
                              {"address", to_hex0x(parties_.back().client->address().bytes)},
                              {"about", p.about},
                              {"file", p.file.string()},
                              {"rows", p.rows.size()}};
  }
  opener_ = new_client();
  step("opener",
       fmt::format("{} rows to evaluate on, which nobody else has", data_.pool_rows.size()));
}

void Demo::open() {
  chapter("The opener fixes the terms");
  opener_->coordinator().deposit_bond(opener_->sender(), devnet_->operator_key().address(),
                                      evm::parse_ether("1"));
  client::OpenRequest request;
  request.enclave_url = devnet_->enclave_url();
  for (const Party& p : parties_) request.participants.push_back(p.client->address());
  request.pool = data_.pool;
  request.sample = data_.sample;
  request.recipe.numeric_path = lm::numeric_name(lm::best_numeric_path());
  request.recipe.epochs = 3;
  request.recipe.tokens_per_step = 512;
  request.recipe.sequence_length = 128;
  request.gate.statistic = 2;
  request.gate.eval_pairs = 96;
  request.gate.harm_tolerance_micro = 50'000;
  request.gate.relevance_tolerance_micro = 50'000;
  request.quorum = 3;
  request.stake = evm::parse_ether("0.5");
  request.fee = evm::parse_ether("0.1");
  request.operator_bond = evm::parse_ether("1");
  recipe_ = request.recipe;
  client::OpenResult opened = opener_->open_session(request, client_events());
  session_id_ = opened.session_id;
  step("Opened", fmt::format("session {}: stake 0.5, fee 0.1, operator's bond 1; tx {}",
                             session_id_.to_string(), hex(opened.tx_hash)));
  report_["session"] = {{"id", session_id_.to_string()},
                        {"hash", hex(opened.session_hash)},
                        {"openTx", hex(opened.tx_hash)},
                        {"stakeWei", request.stake.to_string()}};
}

void Demo::submit() {
  for (size_t i = 0; i < parties_.size(); ++i) {
    Party& p = parties_[i];
    chapter(p.name + " verifies, encrypts, uploads, commits");
    client::SubmitResult result =
        p.client->submit(session_id_, data_.parties[i].file, client_events());
    p.record["blobRoot"] = hex(result.blob_root);
    p.record["submitTx"] = hex(result.tx_hash);
  }
}

void Demo::wait_for_result() {
  chapter("The enclave decrypts, checks everyone, trains one model");
  std::string last_error;
  int errors = 0;
  while (true) {
    check_interrupt();
    devnet_->check();
    session::SessionView view = opener_->coordinator().view(session_id_);
    if (view.state == session::SessionState::kSettled) break;
    expect(
        view.state == session::SessionState::kSealed || view.state == session::SessionState::kOpen,
        "the session is " + std::string(session::name(view.state)));
    Json s = opener_->enclave_status(session_id_);
    if (s.is_object()) {
      std::string stage = s.value("stage", "");
      std::string error = s.value("error", "");
      if (!error.empty() && error != last_error) {
        step("Waiting", error);
        last_error = error;
        expect(++errors < 5, "the enclave cannot finish: " + error);
      }
      progress(stage, s.value("done", uint64_t{0}), s.value("total", uint64_t{0}), "rows");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  progress("", 0, 0, "");
  status_ = opener_->status(session_id_);
  expect(status_.result.has_value(), "no result on chain");
  Bytes gate = opener_->storage().download(status_.result->gate_root, 64 << 20);
  gate_ = session::parse_gate_report(as_text(gate));
}

void Demo::tell_verdicts() {
  chapter("Verdicts, and where the stakes are");
  for (size_t i = 0; i < parties_.size(); ++i) {
    Party& p = parties_[i];
    const session::GateFinding& f = gate_.contributors.at(i);
    expect(f.contributor == p.client->address(), "the gate's report is in another order");
    step(p.name, fmt::format("{}: {}", session::name(f.verdict), f.text));
    p.record["verdict"] = session::name(f.verdict);
    p.record["reason"] = session::name(f.reason);
    p.record["finding"] = f.text;
    p.record["evidence"] = session::to_decimal(f.evidence);
    p.record["slashed"] = false;
    bool rejected = f.verdict == session::Verdict::kReject;
    expect(rejected == (p.name == "mallory"), p.name + " was judged wrongly: " + f.text);
  }
  for (const session::SlashRecord& s : status_.slashes) {
    for (Party& p : parties_) {
      if (p.client->address() != s.contributor) continue;
      p.record["slashed"] = true;
      p.record["slashTx"] = hex(s.tx_hash);
      p.record["slashedWei"] = s.amount.to_string();
      step(p.name,
           fmt::format("{} 0G of the stake slashed, {} of it for the bringer's gas; tx {}",
                       evm::format_ether(s.amount), evm::format_ether(s.reward), hex(s.tx_hash)));
    }
  }
  expect(party("mallory").record.value("slashed", false), "mallory was not slashed");
  const session::FinalRecord& r = *status_.result;
  step("Settled", fmt::format("held-out loss {} → {} nats; tx {}", nats(r.base_loss_micro_nats),
                              nats(r.joint_loss_micro_nats), hex(r.tx_hash)));
}

void Demo::download() {
  chapter("Each owner, with a wallet key alone, takes the model home");
  std::string first;
  for (Party& p : parties_) {
    if (p.name == "mallory") continue;
    fs::path folder = options_.dir / "adapters" / p.name;
    client::DownloadResult d = p.client->download(session_id_, folder);
    p.record["tokenId"] = d.token_id.to_string();
    p.record["owner"] = to_hex0x(p.client->address().bytes);
    p.record["artifactRoot"] = hex(d.artifact_root);
    p.record["artifactSha256"] = to_hex(d.artifact_sha256.bytes);
    p.record["adapterSha256"] = to_hex(d.adapter_sha256.bytes);
    p.record["adapter"] = folder.string();
    step(p.name, fmt::format("token {}  adapter {}…  {}", d.token_id.to_string(),
                             to_hex(d.adapter_sha256.bytes).substr(0, 16), folder.string()));
    if (first.empty()) first = p.record["artifactSha256"];
    expect(p.record["artifactSha256"] == first, "two owners hold different adapters");
  }
}

void Demo::refuse() {
  chapter("Nobody else can");
  std::unique_ptr<client::Client> stranger = new_client();
  auto refused = [&](const std::string& name, client::Client& who) {
    try {
      who.download(session_id_, options_.dir / "adapters" / name);
    } catch (const Error& e) {
      expect(e.code() == ErrorCode::kKey, name + " was refused for another reason: " + e.what());
      step(name, std::string("refused: ") + e.what());
      return std::string(e.what());
    }
    throw Error(ErrorCode::kFailed, "the demonstration failed: " + name + " obtained the model");
  };
  party("mallory").record["refused"] = refused("mallory", *party("mallory").client);
  report_["stranger"] = {{"address", to_hex0x(stranger->address().bytes)},
                         {"refused", refused("stranger", *stranger)}};
}

void Demo::settle_stakes() {
  for (Party& p : parties_) {
    session::Coordinator::Claimable owed =
        p.client->coordinator().claimable(session_id_, p.client->address());
    p.record["returnedWei"] = (owed.stake + owed.credit).to_string();
    if ((owed.stake + owed.credit).is_zero()) continue;
    p.record["claimTx"] = hex(p.client->claim(session_id_).tx_hash);
    step(p.name,
         fmt::format("{} 0G of the stake returned", evm::format_ether(owed.stake + owed.credit)));
  }
}

void Demo::compare_models() {
  chapter("Before and after");
  Comparison c = compare(options_.model, party("alice").record["adapter"].get<std::string>(), data_,
                         {"alice", "bob", "carol"}, recipe_, options_.threads, events_);
  progress("", 0, 0, "");
  Json samples = Json::array();
  for (const SampleAnswer& s : c.samples) {
    samples.push_back({{"question", s.question},
                       {"reference", s.reference},
                       {"base", s.base},
                       {"joint", s.joint}});
    step("", fmt::format("{}\n{:>13}base:   {}\n{:>13}joint:  {}\n{:>13}WordNet: {}", s.question,
                         "", s.base, "", s.joint, "", s.reference));
  }
  step("Loss",
       fmt::format("base {:.2f}, joint {:.2f} nats on {} held-out rows", c.base, c.joint, c.rows));
  for (const auto& [name, loss] : c.own) {
    step(name, fmt::format("alone {:.2f} nats: the joint model is {:.2f} {}", loss,
                           std::abs(loss - c.joint), c.joint < loss ? "better" : "worse"));
    party(name).record["ownLossNats"] = loss;
  }
  report_["comparison"] = {
      {"rows", c.rows}, {"baseLossNats", c.base}, {"jointLossNats", c.joint}, {"samples", samples}};
}

void Demo::record_session() {
  const session::FinalRecord& r = *status_.result;
  report_["session"].update({{"sealHash", hex(status_.view.seal_hash)},
                             {"artifactRoot", hex(r.artifact_root)},
                             {"gateRoot", hex(r.gate_root)},
                             {"reportRoot", hex(r.report_root)},
                             {"seed", hex(r.seed)},
                             {"finalizeTx", hex(r.tx_hash)},
                             {"baseLossNats", r.base_loss_micro_nats / 1e6},
                             {"jointLossNats", r.joint_loss_micro_nats / 1e6}});
  const session::SessionTerms& terms = status_.opened.terms;
  client::EnclaveVerification enclave = opener_->verify_enclave(terms.enclave_id, &terms);
  report_["enclave"] = {
      {"id", hex(enclave.enclave_id)},      {"signer", to_hex0x(enclave.signer.bytes)},
      {"codeHash", hex(enclave.code_hash)}, {"tcbStatus", enclave.quote.tcb_status},
      {"verified", enclave.accepted()},     {"simulated", enclave.simulated},
      {"numericPath", recipe_.numeric_path}};
  report_["network"] = client::to_json(devnet_->deployment());
  Json tokens = Json::array();
  for (const session::TokenView& t : opener_->inft().tokens_of(session_id_)) {
    tokens.push_back({{"id", t.id.to_string()},
                      {"owner", to_hex0x(t.owner.bytes)},
                      {"artifactRoot", hex(r.artifact_root)}});
  }
  expect(tokens.size() == 3, "there are not three tokens");
  report_["tokens"] = tokens;
}

void Demo::write_report() {
  record_session();
  report_["format"] = "ffe.demo.v1";
  report_["parties"] = Json::array();
  for (const Party& p : parties_) report_["parties"].push_back(p.record);
  report_["gate"] = session::to_json(gate_);
  Bytes training = opener_->storage().download(status_.result->report_root, 64 << 20);
  report_["training"] = parse_json(as_text(training), "report.json");
  report_["seconds"] = std::chrono::duration<double>(Clock::now() - start_).count();
  fs::path html = options_.dir / "report.html";
  report_["files"] = {{"json", (options_.dir / "report.json").string()}, {"html", html.string()}};
  write_file_atomic(options_.dir / "report.json", as_bytes(report_.dump(2) + "\n"));
  write_file_atomic(html, as_bytes(client::report_html(report_)));
  step("Written", html.string());
}

}  // namespace

Json run_demo(const DemoOptions& options, const DemoEvents& events) {
  DemoOptions absolute = options;
  absolute.dir = fs::absolute(options.dir);
  return Demo(absolute, events).run();
}

}  // namespace ffe::devnet
