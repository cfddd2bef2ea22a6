#include "world.hpp"

#include <thread>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "compute/base_models.hpp"
#include "crypto/random.hpp"
#include "net/http_client.hpp"
#include "session/blob.hpp"
#include "session/owner_key.hpp"

namespace ffe::sessions {
namespace {

namespace fs = std::filesystem;
using devnet::Part;

// What a part keeps on disk.
constexpr const char* kEnclaveData = "enclave";
constexpr const char* kData[] = {"chain.json", "storage", kEnclaveData};

// Two steps at the devnet's provider, whatever the base model is called there.
session::Recipe recipe_for(const Address& provider) {
  session::Recipe recipe;
  recipe.trainer = session::kComputeTrainer;
  recipe.learning_rate_nano = 200'000;
  recipe.compute = session::ComputeProvider{};
  recipe.compute->provider = provider;
  recipe.compute->base_model = h256_from_hex(compute::find_base_model("mock-model")->hash);
  recipe.compute->max_fee = evm::parse_ether("0.5");
  recipe.compute->max_steps = 2;
  return session::as_provider_trains(recipe);
}

}  // namespace

std::string text(const Outcome& o) {
  std::string out(session::name(o.state));
  for (const std::string& v : o.verdicts) out += ", " + v;
  out += "; " + std::to_string(o.slashes) + " slashed, " + std::to_string(o.tokens) + " tokens";
  for (const H256* root : {&o.artifact_root, &o.gate_root, &o.report_root, &o.seed}) {
    out += " " + to_hex(root->bytes).substr(0, 8);
  }
  return out;
}

fs::path learned_model() {
  const char* folder = std::getenv("FFE_LEARNED_MODEL");
  if (folder == nullptr) throw Error(ErrorCode::kUsage, "FFE_LEARNED_MODEL is not set");
  return folder;
}

Bytes noise_blob(size_t body) {
  Bytes blob(session::kBlobHeader + body);
  crypto::random_bytes(blob);
  const Bytes header = {'F', 'F', 'E', 'B', 1, 1, 0, 0};
  std::copy(header.begin(), header.end(), blob.begin());
  put_be64(blob.data() + header.size(), body);
  return blob;
}

World::World(const fs::path& model, const std::string& settings,
             const std::optional<std::vector<std::string>>& provider)
    : model_(fs::absolute(model)),
      net_dir_(fs::absolute(folder_.path() / "net")),
      provider_(provider.has_value()) {
  devnet::DevnetOptions options;
  options.dir = net_dir_;
  options.model = model_ / "model";
  options.model_name = "learned";
  options.chain_arguments = {"--state", (net_dir_ / "chain.json").string()};
  options.enclave_settings = settings;
  if (provider) {
    options.compute = true;
    options.provider_poll_ms = 100;
    options.provider_arguments = *provider;
  }
  net_ = std::make_unique<devnet::Devnet>(options);
}

std::unique_ptr<client::Client> World::new_party() {
  crypto::PrivateKey key = crypto::PrivateKey::generate();
  net_->fund(key.address(), evm::parse_ether("10"));
  return std::make_unique<client::Client>(net_->network(), key);
}

session::GatePolicy World::quick_gate() {
  session::GatePolicy out;
  out.statistic = 2;
  out.eval_pairs = 96;
  out.min_rows = 16;
  out.harm_tolerance_micro = 60'000;
  out.relevance_tolerance_micro = 60'000;
  return out;
}

void World::open(size_t parties, const session::GatePolicy& gate, uint32_t deliver_seconds) {
  opener_ = new_party();
  parties_.clear();
  client::OpenRequest request;
  for (size_t i = 0; i < parties; ++i) {
    parties_.push_back(new_party());
    request.participants.push_back(parties_.back()->address());
  }
  request.enclave_url = net_->enclave_url();
  request.pool = model_ / "pool.jsonl";
  request.sample = model_ / "sample.jsonl";
  request.recipe.tokens_per_step = 512;
  if (provider_) request.recipe = recipe_for(net_->provider());
  request.recipe.numeric_path = "f32";
  request.recipe.epochs = 1;
  request.recipe.sequence_length = 128;
  request.gate = gate;
  request.quorum = 2;
  request.stake = evm::parse_ether("0.5");
  request.deliver_seconds = deliver_seconds;
  session_id_ = opener_->open_session(request).session_id;
  session_tag_ = to_hex(opener_->coordinator().opened(session_id_).session_tag.bytes);
}

void World::submit(size_t party, const std::string& file, const client::SubmitOptions& options) {
  parties_.at(party)->submit(session_id_, model_ / file, {}, options);
}

void World::submit_rows(size_t party, std::string_view jsonl) {
  client::Client& who = *parties_.at(party);
  const session::OpenedSession opened = who.coordinator().opened(session_id_);
  const crypto::PrivateKey& key = who.sender().key();
  session::BlobContext context{session::BlobRole::kData, who.coordinator().domain(),
                               opened.session_hash,      who.address(),
                               opened.terms.enclave_id,  session::owner_key_hash(key.public_key())};
  session::MemorySource rows(as_bytes(jsonl));
  Bytes blob;
  session::seal_blob(
      rows, opened.session_key, context, [&](const H256& digest) { return key.sign(digest); },
      [&](ByteView part) { blob.insert(blob.end(), part.begin(), part.end()); });
  submit_blob(party, blob);
}

void World::submit_blob(size_t party, ByteView blob) {
  client::Client& who = *parties_.at(party);
  commit(party, who.storage().upload(blob, who.sender()).root);
}

void World::commit(size_t party, const H256& blob_root) {
  client::Client& who = *parties_.at(party);
  who.coordinator().submit(who.sender(), session_id_, blob_root, who.sender().key().public_key(),
                           evm::parse_ether("0.5"));
}

bool World::over() {
  const session::SessionState state = opener_->coordinator().view(session_id_).state;
  return state != session::SessionState::kOpen && state != session::SessionState::kSealed;
}

std::string World::error_of_service(int seconds) {
  for (int i = 0; i < seconds * 20; ++i) {
    const Json status = opener_->enclave_status(session_id_);
    if (status.is_object() && status.contains("error")) return status["error"];
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return "";
}

Outcome World::finish(int seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!over()) {
    net_->check();
    if (std::chrono::steady_clock::now() > end) {
      throw Error(ErrorCode::kFailed,
                  "the session never ended: " + opener_->enclave_status(session_id_).dump());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return outcome();
}

Outcome World::outcome() {
  client::Status status = opener_->status(session_id_);
  Outcome out;
  out.state = status.view.state;
  out.slashes = status.slashes.size();
  for (const auto& v : status.verdicts) {
    std::string word(session::name(v.verdict));
    if (v.reason != session::Reason::kNone) word += " " + std::string(session::name(v.reason));
    out.verdicts.push_back(word);
  }
  if (status.result) {
    out.artifact_root = status.result->artifact_root;
    out.gate_root = status.result->gate_root;
    out.report_root = status.result->report_root;
    out.seed = status.result->seed;
  }
  if (!out.artifact_root.is_zero()) out.tokens = opener_->inft().tokens_of(session_id_).size();
  return out;
}

std::vector<session::GateFinding> World::findings() {
  const H256 root = opener_->status(session_id_).result.value().gate_root;
  return session::parse_gate_report(as_text(opener_->storage().download(root, 64 << 20)))
      .contributors;
}

std::vector<std::string> World::certificates() {
  net::HttpRequest request;
  request.url = net_->enclave_url() + "/v1/tags/" + session_tag_ + "/certificates";
  request.timeout_ms = 1000;
  std::vector<std::string> out;
  try {
    net::HttpResponse response = net::HttpClient().send(request);
    if (!response.ok()) return out;
    for (const Json& certificate : parse_json(response.body, "certificates")) {
      out.push_back(certificate.dump());
    }
  } catch (const Error&) {  // it is dead
  }
  return out;
}

uint64_t World::operator_transactions() {
  return net_->rpc().transaction_count(net_->operator_key().address());
}

// The operator's log says it; nobody else is told.
std::optional<Address> World::compute_wallet() {
  const std::string log = read_text_file(net_dir_ / "aggregator.log", 64 << 20);
  const std::string before = "enclave's account at 0G Compute, ";
  const size_t at = log.find(before);
  if (at == std::string::npos) return std::nullopt;
  return address_from_hex(log.substr(at + before.size(), 42));
}

size_t World::provider_tasks() {
  size_t count = 0;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(net_dir_ / "provider/data/tasks", ec)) {
    count += entry.is_directory();
  }
  return count;
}

void World::configure(const std::string& from, const std::string& to) {
  const fs::path file = net_dir_ / "aggregator.toml";
  std::string text = read_text_file(file);
  const size_t at = text.find(from);
  if (at == std::string::npos) throw Error(ErrorCode::kInternal, "configuration without " + from);
  write_file_atomic(file, as_bytes(text.replace(at, from.size(), to)), 0600);
}

void World::save() {
  for (Part part : {Part::kEnclave, Part::kStorage, Part::kChain}) net_->kill(part, SIGTERM);
  fs::create_directory(net_dir_ / "saved");
  for (const char* name : kData) {
    fs::copy(net_dir_ / name, net_dir_ / "saved" / name, fs::copy_options::recursive);
  }
}

void World::restore(bool enclave_too) {
  for (Part part : {Part::kEnclave, Part::kStorage, Part::kChain}) net_->kill(part);
  for (const char* name : kData) {
    if (name == kEnclaveData && !enclave_too) continue;
    fs::remove_all(net_dir_ / name);
    fs::copy(net_dir_ / "saved" / name, net_dir_ / name, fs::copy_options::recursive);
  }
  net_->start(Part::kChain);
  net_->start(Part::kStorage);
}

}  // namespace ffe::sessions
