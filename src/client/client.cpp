#include "client/client.hpp"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <unordered_set>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "client/provider.hpp"
#include "crypto/hash.hpp"
#include "crypto/keccak.hpp"
#include "crypto/random.hpp"
#include "lm/rows.hpp"
#include "session/blob.hpp"
#include "session/owner_key.hpp"
#include "session/tar.hpp"
#include "storage/merkle.hpp"

namespace ffe::client {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxArtifact = size_t{4} << 30;
constexpr size_t kMaxReport = 256 << 20;

void step(const Events& events, std::string_view verb, std::string_view text) {
  if (events.step) events.step(verb, text);
}

Progress progress(const Events& events, std::string_view verb) {
  if (!events.progress) return {};
  return [&events, verb](uint64_t done, uint64_t total) { events.progress(verb, done, total); };
}

session::Signer signer_of(const crypto::PrivateKey& key) {
  return [&key](const H256& digest) { return key.sign(digest); };
}

// Of those that the enclave's machine can run.
std::string fastest_path(const Json& evidence) {
  const Json paths = evidence.value("numericPaths", Json::array());
  for (const char* path : {"amx-bf16", "avx512-bf16", "f32"}) {
    if (std::ranges::count(paths, Json(path)) != 0) return path;
  }
  throw Error(ErrorCode::kUnsupported, "the enclave offers no numeric path that this client knows",
              "name one in the recipe");
}

std::string count(uint64_t n, std::string_view noun) {
  return std::to_string(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

// Gas that `finalize` needs for a session whose every participant is accepted; measured
// (docs/benchmarks.md), rounded up.
uint64_t finalize_gas(size_t participants) {
  return 150'000 + 95'000 * participants;
}

}  // namespace

DataCheck check_data(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::error_code ec;
  if (!in || !fs::is_regular_file(file, ec)) {
    throw Error(ErrorCode::kIo, "cannot open " + file.string(), "check the path");
  }
  DataCheck out;
  out.bytes = fs::file_size(file);
  lm::RowReader reader(in, file.string());
  std::unordered_set<std::string> seen;
  lm::Row row;
  while (reader.next(row)) {
    ++out.rows;
    std::string key = row.text;
    for (const lm::Message& m : row.messages) key += m.role + '\0' + m.content + '\0';
    if (!seen.insert(to_hex(crypto::sha256(as_bytes(key)).bytes)).second) ++out.duplicates;
  }
  if (out.rows == 0) {
    throw Error(
        ErrorCode::kBadInput, file.string() + ": no rows",
        "write one JSON object a line, for example {\"prompt\":\"…\",\"completion\":\"…\"}");
  }
  return out;
}

storage::ClientOptions storage_options(const Network& network) {
  storage::ClientOptions options;
  options.rpc_url = network.rpc_url;
  options.nodes = network.storage_nodes;
  options.indexer_url = network.indexer_url;
  return options;
}

Client::Client(Network network, const crypto::PrivateKey& key)
    : network_(std::move(network)),
      rpc_(network_.rpc_url, session::rpc_options()),
      sender_(rpc_, key),
      coordinator_(rpc_, network_.coordinator, network_.from_block),
      registry_(rpc_, network_.registry, network_.from_block),
      inft_(rpc_, network_.inft, network_.from_block),
      storage_(storage_options(network_)) {
  if (rpc_.chain_id() != network_.chain_id) {
    throw Error(ErrorCode::kNetwork,
                network_.rpc_url + " is chain " + std::to_string(rpc_.chain_id()) + ", not " +
                    std::to_string(network_.chain_id),
                "check rpcUrl in the network file");
  }
}

OpenResult Client::open_session(const OpenRequest& request, const Events& events) {
  uint64_t block_gas = rpc_.latest_block().gas_limit;
  if (finalize_gas(request.participants.size()) > block_gas) {
    throw Error(ErrorCode::kUsage,
                "a session of " + count(request.participants.size(), "participant") +
                    " could not be settled on this chain: its blocks hold " +
                    std::to_string(block_gas) + " gas",
                "invite fewer participants");
  }
  session::Recipe recipe = request.recipe;
  name_provider(recipe, network_);
  if (const std::string who = session::who_sees_rows(recipe); !who.empty()) {
    step(events, "Warning", who);
  }
  DataCheck pool = check_data(request.pool);
  DataCheck sample = check_data(request.sample);
  step(events, "Checking",
       count(pool.rows, "row") + " to evaluate on, " + count(sample.rows, "row") +
           " as public sample");

  Json evidence = ask_enclave(request.enclave_url, "/v1/enclave");
  H256 enclave = h256_from_hex(json_string(evidence, "enclaveId", request.enclave_url));
  EnclaveVerification verified = verify_enclave(enclave);
  verified.require();
  step(events, "Verifying", "enclave " + to_hex0x(enclave.bytes));

  session::SessionTerms terms;
  crypto::random_bytes(terms.salt.bytes);
  session::Domain domain = coordinator_.domain();
  H256 tag = session::session_tag(domain.chain_id, domain.coordinator, address(), terms.salt);
  Json key_request = {{"opener", to_hex0x(address().bytes)}, {"salt", to_hex0x(terms.salt.bytes)}};
  Json grant = ask_enclave(request.enclave_url, "/v1/sessions/key", &key_request);
  auto session_key = h256_from_hex(json_string(grant, "sessionKey", "grant"));
  auto seed_commitment = h256_from_hex(json_string(grant, "seedCommitment", "grant"));
  auto grant_signature = fixed_from_hex<65>(json_string(grant, "signature", "grant"));
  if (crypto::recover(session::session_key_digest(domain, tag, session_key, seed_commitment),
                      grant_signature) != verified.signer) {
    throw Error(ErrorCode::kAttestation, "the session key is not signed by the enclave",
                "somebody between you and the enclave swapped it: do not go on");
  }

  TempDir temp;
  fs::path blob = temp.path() / "pool.blob";
  session::BlobContext context{session::BlobRole::kEvaluation, domain, tag, address(), enclave, {}};
  session::seal_blob_file(request.pool, session_key, context, signer_of(sender_.key()), blob,
                          progress(events, "Encrypting"));
  step(events, "Uploading", "evaluation pool and public sample to 0G Storage");
  terms.eval_root = storage_.upload(blob, sender_, {.sending = progress(events, "Uploading")}).root;
  terms.sample_root = storage_.upload(request.sample, sender_).root;

  if (recipe.numeric_path == "auto") recipe.numeric_path = fastest_path(evidence);
  std::string recipe_text = session::to_text(recipe);
  std::string manifest_text = json_string(evidence, "manifest", request.enclave_url);
  terms.enclave_id = enclave;
  terms.code_hash = verified.code_hash;
  terms.base_model = session::text_hash(manifest_text);
  terms.recipe = session::text_hash(recipe_text);
  terms.gate = request.gate;
  terms.submit_deadline = rpc_.latest_block().timestamp + request.submit_seconds;
  terms.deliver_period = request.deliver_seconds;
  terms.quorum = request.quorum;
  terms.min_accepted = request.min_accepted;
  terms.max_rows = request.max_rows;
  terms.participants = request.participants;
  terms.stake_token = request.stake_token;
  terms.stake = request.stake;
  terms.fee = request.fee;
  terms.operator_bond = request.operator_bond;
  terms.slash_bps_harmful = request.slash_bps_harmful;
  terms.slash_bps_invalid = request.slash_bps_invalid;
  terms.slash_recipient = request.slash_recipient;
  session::check_bounds(terms);

  Json offer_request = {{"opener", to_hex0x(address().bytes)},
                        {"terms", session::to_json(terms)},
                        {"recipe", recipe_text}};
  Json offer = ask_enclave(request.enclave_url, "/v1/sessions/offer", &offer_request);
  auto signature = fixed_from_hex<65>(json_string(offer, "signature", "offer"));
  step(events, "Opening", "the session");
  auto [id, receipt] = coordinator_.open_session(sender_, terms, tag, session_key, seed_commitment,
                                                 signature, recipe_text, manifest_text);
  session::OpenedSession opened = coordinator_.opened(id);
  return {id, opened.session_hash, receipt.tx_hash};
}

evm::Receipt Client::withdraw(const evm::U256& session_id) {
  return coordinator_.withdraw(sender_, session_id);
}

// Sealed to the account's own key or to one that its wallet derived in a browser.
SecretBytes Client::model_key(const session::OpenedSession& opened,
                              const session::TokenView& token) {
  const Bytes sealed = inft_.sealed_key(token);
  const crypto::PrivateKey& account = sender_.key();
  if (sealed.size() != session::kSealedKeyX25519) return session::open_key(sealed, account);
  const crypto::X25519KeyPair owner_key = session::derive_owner_key(
      signer_of(account), coordinator_.domain(), opened.session_tag, address());
  return session::open_key(sealed, owner_key, opened.session_hash, address());
}

DownloadResult Client::download(const evm::U256& session_id, const fs::path& folder,
                                const Events& events) {
  if (fs::exists(folder)) {
    throw Error(ErrorCode::kUsage, folder.string() + " exists already", "name a new folder");
  }
  session::OpenedSession opened = coordinator_.opened(session_id);
  auto final_record = coordinator_.final_record(opened);
  if (!final_record || final_record->artifact_root.is_zero()) {
    throw Error(ErrorCode::kSession,
                "session " + session_id.to_string() + " has no model (state: " +
                    std::string(session::name(coordinator_.view(session_id).state)) + ")",
                "look at it: ffe session status " + session_id.to_string());
  }
  std::vector<session::TokenView> tokens = inft_.tokens_of(session_id);
  auto mine = std::ranges::find(tokens, address(), &session::TokenView::owner);
  if (mine == tokens.end()) {
    throw Error(
        ErrorCode::kKey,
        crypto::checksum_address(address()) + " owns no token of session " + session_id.to_string(),
        "only its " + count(tokens.size(), "owner") + " can open this model");
  }
  if (inft_.artifact_root(session_id) != final_record->artifact_root) {
    throw Error(ErrorCode::kCorrupt, "the token and the result name different artifacts");
  }
  step(events, "Finding", "token " + mine->id.to_string());
  SecretBytes key = model_key(opened, *mine);

  Bytes artifact;
  {
    TempDir temp;
    fs::path file = temp.path() / "artifact";
    storage_.download(final_record->artifact_root, file, progress(events, "Downloading"));
    artifact = read_file(file, kMaxArtifact);
  }
  step(events, "Downloading", std::to_string(artifact.size()) + " bytes, every segment proven");
  SecretBytes tar = session::open_artifact(key.view(), artifact);
  std::map<std::string, Bytes> files = session::read_tar(tar.view());
  step(events, "Decrypting", count(files.size(), "file"));

  DownloadResult out;
  out.token_id = mine->id;
  out.artifact_root = final_record->artifact_root;
  out.artifact_sha256 = crypto::sha256(tar.view());
  out.folder = folder;
  auto weights = files.find("adapter_model.safetensors");
  auto report = files.find("report.json");
  if (weights == files.end() || report == files.end()) {
    throw Error(ErrorCode::kCorrupt, "the artifact lacks its weights or its report");
  }
  out.adapter_sha256 = crypto::sha256(weights->second);
  if (storage::data_root(report->second) != final_record->report_root) {
    throw Error(ErrorCode::kCorrupt, "the report inside the artifact is not the certified one");
  }
  out.report = session::parse_training_report(as_text(report->second));
  if (out.report.session_hash != opened.session_hash) {
    throw Error(ErrorCode::kCorrupt, "the report is of another session");
  }
  fs::create_directories(folder);
  for (const auto& [name, content] : files) write_file_atomic(folder / name, content);
  return out;
}

Status Client::status(const evm::U256& session_id) {
  Status out;
  out.opened = coordinator_.opened(session_id);
  out.view = coordinator_.view(session_id);
  out.submissions = coordinator_.submissions(out.opened);
  out.slashes = coordinator_.slashes(out.opened);
  out.result = coordinator_.final_record(out.opened);
  if (out.view.state == session::SessionState::kAborted) {
    out.aborted = coordinator_.abort_record(out.opened);
  }
  if (out.view.state == session::SessionState::kFailed) {
    out.failed = coordinator_.fail_record(out.opened);
  }
  out.verdicts = coordinator_.verdicts(out.opened);
  out.currency = evm::currency_of(rpc_, out.opened.terms.stake_token);
  return out;
}

PublicRecord Client::public_record(const evm::U256& session_id) {
  const session::OpenedSession opened = coordinator_.opened(session_id);
  const auto final_record = coordinator_.final_record(opened);
  if (!final_record) {
    throw Error(ErrorCode::kSession,
                "session " + session_id.to_string() + " has no result (state: " +
                    std::string(session::name(coordinator_.view(session_id).state)) + ")",
                "look at it: ffe session status " + session_id.to_string());
  }
  PublicRecord out;
  out.gate = storage_.download(final_record->gate_root, kMaxReport);
  if (!final_record->report_root.is_zero()) {
    out.report = storage_.download(final_record->report_root, kMaxReport);
  }
  out.certificate = coordinator_.result_certificate(opened, *final_record);
  out.enclave_signer = registry_.enclave(opened.terms.enclave_id).signer;
  out.seed_commitment = opened.seed_commitment;
  out.seal_hash = session::seal_hash(opened.session_hash, coordinator_.submissions(opened));
  return out;
}

evm::Receipt Client::claim(const evm::U256& session_id) {
  return coordinator_.claim(sender_, session_id, address());
}

}  // namespace ffe::client
