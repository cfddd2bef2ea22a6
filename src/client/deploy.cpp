#include "client/deploy.hpp"

#include <openssl/x509.h>

#include "base/hex.hpp"
#include "client/artifacts.hpp"
#include "crypto/keccak.hpp"
#include "evm/contract_abi.hpp"
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

class Deployer {
 public:
  explicit Deployer(evm::Sender& sender) : sender_(sender) {}

  Address operator()(std::string_view name, const evm::Values& arguments) {
    evm::Receipt receipt =
        sender_.deploy(evm::creation_code(contract_artifact(name), arguments, name));
    if (first_block_ == 0) first_block_ = receipt.block_number;
    return *receipt.contract_address;
  }
  uint64_t first_block() const { return first_block_; }

 private:
  evm::Sender& sender_;
  uint64_t first_block_ = 0;
};

}  // namespace

Deployment deploy(evm::Sender& sender, const DeployOptions& options) {
  Deployment out;
  out.chain_id = sender.rpc().chain_id();
  if (options.development_root && out.chain_id != kDevelopmentChain) {
    throw Error(ErrorCode::kUsage,
                "a development attestation root on chain " + std::to_string(out.chain_id) +
                    " would prove nothing",
                "development roots are for chain 31337 only");
  }
  Root root = root_of(options);
  Deployer deploy_one(sender);
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
  out.block = deploy_one.first_block();
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
