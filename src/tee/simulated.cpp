#include "tee/simulated.hpp"

#include <chrono>
#include <fstream>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "tee/event_log.hpp"
#include "tee/sealer.hpp"
#include "tee/sim_documents.hpp"

namespace ffe::tee {
namespace {

constexpr int64_t kDay = 86400;
constexpr std::string_view kSealAad = "ffe/simulator/seal/v1";
constexpr const char* kMarker = "README";
constexpr std::string_view kReadme =
    "This folder is a simulated TDX platform for a development network. It protects nothing:\n"
    "whoever reads these keys can forge any quote and open anything sealed to it.\n";

int64_t unix_now() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

std::string initial_event(unsigned rtmr) {
  return "ffe.simulator.rtmr" + std::to_string(rtmr);
}

Measurement extended(const Measurement& rtmr, const Measurement& digest) {
  return crypto::sha384(concat({rtmr.bytes, digest.bytes}));
}

// Streams: an executable with its debug information can be large.
Measurement sha384_of_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  DigestPtr context(EVP_MD_CTX_new());
  if (!in || !context || EVP_DigestInit_ex(context.get(), EVP_sha384(), nullptr) != 1) {
    throw Error(ErrorCode::kIo, "cannot read the executable " + file.string(),
                "name the enclave's executable");
  }
  std::vector<char> block(1u << 20);
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    EVP_DigestUpdate(context.get(), block.data(), static_cast<size_t>(in.gcount()));
  }
  Measurement out;
  unsigned size = 0;
  if (in.bad() || EVP_DigestFinal_ex(context.get(), out.data(), &size) != 1) {
    throw Error(ErrorCode::kIo, "cannot read the executable " + file.string());
  }
  return out;
}

Json log_entry(unsigned rtmr, uint32_t type, const Measurement& digest, std::string_view event,
               ByteView payload) {
  return {{"imr", rtmr},
          {"event_type", type},
          {"digest", to_hex(digest.bytes)},
          {"event", event},
          {"event_payload", to_hex(payload)}};
}

}  // namespace

struct SimulatedPlatform::State {
  std::filesystem::path dir;
  SimulatedKeys keys;
  SimulatedChain chain;
  SecretBytes seal_key;
  SimulatedMeasurements measurements;
  Json event_log = Json::array();

  void save(const std::string& name, ByteView content, unsigned mode) const {
    write_file_atomic(dir / name, content, mode);
  }

  KeySealer sealer() const { return KeySealer(seal_key.clone(), std::string(kSealAad)); }

  void generate();
  void load();
  void measure(const std::filesystem::path& executable);
};

void SimulatedPlatform::State::generate() {
  FixedBytes<16> ppid, instance;
  crypto::random_bytes(ppid.bytes);
  crypto::random_bytes(instance.bytes);
  keys = {DevKey::generate(), DevKey::generate(), DevKey::generate(), DevKey::generate(),
          DevKey::generate()};
  chain.root =
      make_certificate({"Dev SGX Root CA", Role::kRoot, {}}, keys.root, nullptr, keys.root);
  chain.intermediate = make_certificate({"Dev SGX PCK Platform CA", Role::kIntermediate, {}},
                                        keys.intermediate, &chain.root, keys.root);
  chain.pck = make_certificate({"Dev SGX PCK Certificate", Role::kLeaf,
                                make_sgx_extension(simulated_platform_values(ppid, instance))},
                               keys.pck, &chain.intermediate, keys.intermediate);
  chain.tcb_signing = make_certificate({"Dev SGX TCB Signing", Role::kLeaf, {}}, keys.tcb_signing,
                                       &chain.root, keys.root);
  seal_key = SecretBytes(32);
  crypto::random_bytes(seal_key.span());

  save("root.key", keys.root.der(), 0600);
  save("intermediate.key", keys.intermediate.der(), 0600);
  save("pck.key", keys.pck.der(), 0600);
  save("tcb-signing.key", keys.tcb_signing.der(), 0600);
  save("attestation.key", keys.attestation.der(), 0600);
  save("seal.key", seal_key.view(), 0600);
  save("root.der", chain.root.der(), 0644);
  save("intermediate.der", chain.intermediate.der(), 0644);
  save("pck.der", chain.pck.der(), 0644);
  save("tcb-signing.der", chain.tcb_signing.der(), 0644);
  save(kMarker, as_bytes(kReadme), 0644);  // last: its presence says the folder is complete
}

void SimulatedPlatform::State::load() {
  constexpr size_t kMost = 16 * 1024;
  auto key = [&](const char* name) { return DevKey::from_der(read_file(dir / name, kMost)); };
  auto certificate = [&](const char* name) {
    return Certificate::from_der(read_file(dir / name, kMost));
  };
  keys = {key("root.key"), key("intermediate.key"), key("pck.key"), key("tcb-signing.key"),
          key("attestation.key")};
  chain = {certificate("root.der"), certificate("intermediate.der"), certificate("pck.der"),
           certificate("tcb-signing.der")};
  Bytes seal = read_file(dir / "seal.key", kMost);
  seal_key = SecretBytes(seal);
  wipe(seal.data(), seal.size());
  if (seal_key.size() != 32 || keys.pck.public_key() != chain.pck.public_key() ||
      keys.root.public_key() != chain.root.public_key()) {
    throw Error(ErrorCode::kCorrupt,
                dir.string() + ": keys and certificates do not belong together",
                "delete the simulator's folder and create it again");
  }
}

void SimulatedPlatform::State::measure(const std::filesystem::path& executable) {
  measurements = measure_executable(executable);
  constexpr uint32_t kTagged = 6;
  for (unsigned i = 0; i < 3; ++i) {
    std::string name = initial_event(i);
    event_log.push_back(log_entry(i, kTagged, crypto::sha384(as_bytes(name)), name, {}));
  }
}

SimulatedMeasurements measure_executable(const std::filesystem::path& executable) {
  SimulatedMeasurements out;
  out.mr_td = sha384_of_file(executable);
  for (unsigned i = 0; i < 3; ++i) {
    out.rtmr[i] = extended(Measurement{}, crypto::sha384(as_bytes(initial_event(i))));
  }
  return out;
}

H256 simulated_code_hash(const std::filesystem::path& executable) {
  return workload_id(simulated_identity(measure_executable(executable)));
}

SimulatedPlatform::SimulatedPlatform(std::unique_ptr<State> state) : state_(std::move(state)) {}
SimulatedPlatform::SimulatedPlatform(SimulatedPlatform&&) noexcept = default;
SimulatedPlatform& SimulatedPlatform::operator=(SimulatedPlatform&&) noexcept = default;
SimulatedPlatform::~SimulatedPlatform() = default;

SimulatedPlatform SimulatedPlatform::create(const std::filesystem::path& dir,
                                            const std::filesystem::path& executable) {
  if (std::filesystem::exists(dir / kMarker)) {
    throw Error(ErrorCode::kUsage, dir.string() + " already holds a simulated platform",
                "open it, or name another folder");
  }
  std::filesystem::create_directories(dir);
  std::filesystem::permissions(dir, std::filesystem::perms::owner_all);
  log::warn("creating a SIMULATED enclave platform in {}: it protects nothing", dir.string());
  auto state = std::make_unique<State>();
  state->dir = dir;
  state->generate();
  state->measure(executable);
  return SimulatedPlatform(std::move(state));
}

SimulatedPlatform SimulatedPlatform::open(const std::filesystem::path& dir,
                                          const std::filesystem::path& executable) {
  if (!std::filesystem::exists(dir / kMarker)) {
    throw Error(ErrorCode::kIo, dir.string() + " holds no simulated platform", "create one first");
  }
  log::warn("using the SIMULATED enclave platform in {}: it protects nothing", dir.string());
  auto state = std::make_unique<State>();
  state->dir = dir;
  state->load();
  state->measure(executable);
  return SimulatedPlatform(std::move(state));
}

SimulatedPlatform SimulatedPlatform::open_or_create(const std::filesystem::path& dir,
                                                    const std::filesystem::path& executable) {
  return std::filesystem::exists(dir / kMarker) ? open(dir, executable) : create(dir, executable);
}

Evidence SimulatedPlatform::quote(const FixedBytes<64>& report_data) {
  Evidence out;
  out.quote = quote_bytes(report_data);
  out.event_log_format = EventLogFormat::kDstack;
  std::string log = state_->event_log.dump();
  out.event_log.assign(log.begin(), log.end());
  out.provider = name();
  out.simulated = true;
  return out;
}

Collateral SimulatedPlatform::collateral() {
  Collateral out = collateral(SimulatedCollateralOptions{});
  std::string text = to_json(out).dump(2) + "\n";
  state_->save("collateral.json", as_bytes(text), 0644);
  return out;
}

Collateral SimulatedPlatform::collateral(const SimulatedCollateralOptions& options) const {
  SimulatedCollateralOptions filled = options;
  if (filled.issued == 0) filled.issued = unix_now() - kDay;
  if (filled.expires == 0) filled.expires = filled.issued + 366 * kDay;
  return simulated_collateral(state_->keys, state_->chain, filled);
}

Bytes SimulatedPlatform::quote_bytes(const FixedBytes<64>& report_data,
                                     const SimulatedQuoteOptions& options) const {
  return simulated_quote(state_->keys, state_->chain, state_->measurements, report_data, options);
}

void SimulatedPlatform::extend(std::string_view event, ByteView payload) {
  Measurement digest = dstack_event_digest(kDstackRuntimeEvent, event, payload);
  extend(digest);
  state_->event_log.push_back(log_entry(3, kDstackRuntimeEvent, digest, event, payload));
}

void SimulatedPlatform::extend(const Measurement& digest) {
  Measurement& rtmr3 = state_->measurements.rtmr[3];
  rtmr3 = extended(rtmr3, digest);
}

const SimulatedMeasurements& SimulatedPlatform::measurements() const {
  return state_->measurements;
}

H256 SimulatedPlatform::code_hash() const {
  return workload_id(simulated_identity(state_->measurements));
}

Bytes SimulatedPlatform::seal(ByteView plaintext) const {
  return state_->sealer().seal(plaintext);
}

SecretBytes SimulatedPlatform::open(ByteView sealed) const {
  return state_->sealer().open(sealed);
}

const Bytes& SimulatedPlatform::root_der() const {
  return state_->chain.root.der();
}
const Bytes& SimulatedPlatform::intermediate_der() const {
  return state_->chain.intermediate.der();
}
const Bytes& SimulatedPlatform::pck_der() const {
  return state_->chain.pck.der();
}
const Bytes& SimulatedPlatform::tcb_signing_der() const {
  return state_->chain.tcb_signing.der();
}
TrustAnchor SimulatedPlatform::anchor() const {
  return development_root(root_der());
}

}  // namespace ffe::tee
