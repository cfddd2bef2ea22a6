#include "client/deploy.hpp"

#include <openssl/x509.h>

#include "base/hex.hpp"
#include "client/artifacts.hpp"
#include "crypto/keccak.hpp"
#include "evm/contract_abi.hpp"
#include "evm/create2.hpp"
#include "tee/trust.hpp"
#include "tee/x509.hpp"

namespace ffe::client {
namespace {

constexpr uint64_t kDevelopmentChain = 31337;
constexpr uint64_t kRegistrationPeriod = 7 * 86400;   // seconds
constexpr uint64_t kPricePerSector = 30'733'644'962;  // wei; what 0G's networks charge
// keccak256 of the subject name of "Intel SGX Root CA" in DER.
constexpr const char* kIntelRootSubject =
    "0x3112c8e9428b5c08824e727e3ea896f3597c8a91caeafe57d64a4bc08df71dfb";

struct Root {
  FixedBytes<64> key;  // x ‖ y
  H256 subject_hash;
};

Root root_of(const DeployOptions& options) {
  if (!options.development_root) {
    return {tee::intel_root().public_key, h256_from_hex(kIntelRootSubject)};
  }
  tee::Certificate certificate = tee::Certificate::from_der(*options.development_root);
  unsigned char* name = nullptr;
  int size = i2d_X509_NAME(X509_get_subject_name(certificate.handle()), &name);
  if (size <= 0) throw Error(ErrorCode::kInternal, "cannot encode a certificate's name");
  H256 hash = crypto::keccak256(ByteView(name, static_cast<size_t>(size)));
  OPENSSL_free(name);
  return {tee::development_root(*options.development_root).public_key, hash};
}

// Chosen once; another one gives other addresses. contracts/script/Deploy.s.sol has the same.
H256 salt() {
  return crypto::keccak256(as_bytes("ffe.deploy.v1"));
}

// The first block in which there is code at `address`; 0 if the node keeps no old state.
uint64_t block_of(evm::RpcClient& rpc, const Address& address) {
  uint64_t low = 0;
  uint64_t high = rpc.block_number();
  try {
    while (low < high) {
      uint64_t middle = low + (high - low) / 2;
      if (rpc.code(address, middle).empty()) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
  } catch (const Error&) {
    return 0;
  }
  return low;
}

class Deployer {
 public:
  Deployer(evm::Sender& sender, const DeployOptions& options) : sender_(sender), options_(options) {
    evm::ensure_create2_proxy(sender_);
  }

  Address operator()(std::string_view name, const evm::Values& arguments) {
    evm::Created created =
        evm::create2(sender_, salt(), evm::creation_code(contract_artifact(name), arguments, name));
    if (first_.is_zero()) {
      first_ = created.address;
      block_ = created.receipt ? created.receipt->block_number : block_of(sender_.rpc(), first_);
    }
    if (options_.on_contract) options_.on_contract(name, created.address, !created.receipt);
    return created.address;
  }
  uint64_t block() const { return block_; }

 private:
  evm::Sender& sender_;
  const DeployOptions& options_;
  Address first_;
  uint64_t block_ = 0;
};

const Chain kChains[] = {
    {"devnet", kDevelopmentChain, "", ""},
    {"galileo", 16602, "https://evmrpc-testnet.0g.ai",
     "https://indexer-storage-testnet-turbo.0g.ai"},
    {"aristotle", 16661, "https://evmrpc.0g.ai", "https://indexer-storage-turbo.0g.ai"}};

// "16602 (galileo)"; the number alone of a chain that FFE does not know.
std::string chain_text(uint64_t id) {
  for (const Chain& chain : kChains) {
    if (chain.id == id) return std::to_string(id) + " (" + chain.name + ")";
  }
  return std::to_string(id);
}

void check_chain(const DeployOptions& options, uint64_t chain_id) {
  if (options.chain_id != chain_id) {
    throw Error(
        ErrorCode::kUsage,
        "the endpoint is chain " + chain_text(chain_id) + ", not " + chain_text(options.chain_id),
        "check --network and --rpc-url");
  }
  if (options.development_root && chain_id != kDevelopmentChain) {
    throw Error(
        ErrorCode::kUsage,
        "a development attestation root on chain " + chain_text(chain_id) + " would prove nothing",
        "development roots are for chain 31337 only");
  }
  if (options.treasury.is_zero()) {
    throw Error(ErrorCode::kUsage, "the treasury must not be the zero address");
  }
}

}  // namespace

Chain find_chain(const std::string& name) {
  for (const Chain& chain : kChains) {
    if (chain.name == name) return chain;
  }
  throw Error(ErrorCode::kUsage, "unknown network \"" + name + "\"",
              "known: devnet, galileo (0G's test network), aristotle (its main network)");
}

Deployment deploy(evm::Sender& sender, const DeployOptions& options) {
  Deployment out;
  out.chain_id = sender.rpc().chain_id();
  check_chain(options, out.chain_id);
  Root root = root_of(options);
  Deployer deploy_one(sender, options);
  out.dcap_verifier =
      deploy_one("DcapVerifier", {H256::from(ByteView(root.key.bytes).first(32)),
                                  H256::from(ByteView(root.key.bytes).last(32)), root.subject_hash,
                                  options.development_root.has_value()});
  out.registry = deploy_one("EnclaveRegistry", {out.dcap_verifier, kRegistrationPeriod});
  out.key_verifier = deploy_one("ERC7857Verifier", {out.registry});
  out.coordinator =
      deploy_one("FFECoordinator", {out.registry, out.key_verifier, options.treasury});
  evm::Function inft = evm::parse_function("function inft() view returns (address)");
  out.inft = sender.rpc().read(out.coordinator, inft, {})[0].as_address();
  if (options.with_flow) out.flow = deploy_one("ZeroGFlow", {evm::U256(kPricePerSector)});
  out.block = deploy_one.block();
  return out;
}

Json to_json(const Deployment& d) {
  Json out = {{"chainId", d.chain_id},
              {"block", d.block},
              {"dcapVerifier", to_hex0x(d.dcap_verifier.bytes)},
              {"registry", to_hex0x(d.registry.bytes)},
              {"keyVerifier", to_hex0x(d.key_verifier.bytes)},
              {"coordinator", to_hex0x(d.coordinator.bytes)},
              {"inft", to_hex0x(d.inft.bytes)}};
  if (!d.flow.is_zero()) out["flow"] = to_hex0x(d.flow.bytes);
  return out;
}

}  // namespace ffe::client
