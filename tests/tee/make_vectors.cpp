// Writes tests/vectors/tee/development.json: one simulated platform with quotes and the verdict
// each must get, for the implementations in other languages. Usage: tee_vectors > development.json;
// tee_vectors tapp > tapp.json for evidence of 0G Tapp.
#include <iostream>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "crypto/hash.hpp"
#include "crypto/keccak.hpp"
#include "crypto/secp256k1.hpp"
#include "tee/agent_log.hpp"
#include "tee/application.hpp"
#include "tee/binding.hpp"
#include "tee/simulated.hpp"
#include "tee/verify.hpp"

namespace {

using namespace ffe;
using namespace ffe::tee;

constexpr int64_t kTime = 1767225600;  // 2026-01-01
constexpr int64_t kYears = 3600ll * 24 * 365 * 10;

Json quote_case(const SimulatedPlatform& platform, const Collateral& collateral,
                const FixedBytes<64>& data, const char* name,
                const SimulatedQuoteOptions& options) {
  Bytes quote = platform.quote_bytes(data, options);
  Verification v = verify(quote, collateral, platform.anchor(), kTime, Policy::development());
  const Check* failed = v.first_failed();
  return {{"name", name},
          {"quote", to_hex0x(quote)},
          {"accepted", v.accepted},
          {"tcbStatus", v.tcb_status},
          {"advisories", v.advisories},
          {"failedCheck", failed == nullptr ? "" : failed->name},
          {"workloadId", to_hex0x(workload_id(*v.quote).bytes)}};
}

// What EnclaveRegistry.register() takes: a quote of a signer whose key is known, and its signature.
Json register_case(const SimulatedPlatform& platform, const Collateral& collateral) {
  crypto::PrivateKey key =
      crypto::PrivateKey::from(crypto::keccak256("ffe development vector signer").bytes);
  Address registry = address_from_hex("0x1111111111111111111111111111111111111111");
  Address payee = address_from_hex("0x3333333333333333333333333333333333333333");
  H256 nonce = crypto::keccak256("ffe development vector block 77");
  Bytes ext = enclave_ext(31337, registry, key.address(), H256{}, 77, nonce);
  FixedBytes<64> data = report_data(key.address(), ext);
  Json out = quote_case(platform, collateral, data, "register", {});
  Bytes quote = from_hex(out["quote"].get<std::string>());
  H256 digest = register_digest(ext, payee, quote);
  out["chainId"] = 31337;
  out["registry"] = to_hex0x(registry.bytes);
  out["blockNumber"] = 77;
  out["nonce"] = to_hex0x(nonce.bytes);
  out["signer"] = to_hex0x(key.address().bytes);
  out["signerKey"] = to_hex0x(key.secret());
  out["payee"] = to_hex0x(payee.bytes);
  out["ext"] = to_hex0x(ext);
  out["reportData"] = to_hex0x(data.bytes);
  out["signature"] = to_hex0x(key.sign(digest).bytes);
  out["enclaveId"] = to_hex0x(enclave_id(key.address(), platform.code_hash()).bytes);
  return out;
}

// What EnclaveRegistry.registerTapp() takes, with the event log that a client replays.
Json tapp_case(SimulatedPlatform& platform) {
  crypto::PrivateKey key =
      crypto::PrivateKey::from(crypto::keccak256("ffe development vector Tapp application").bytes);
  Address registry = address_from_hex("0x1111111111111111111111111111111111111111");
  Address payee = address_from_hex("0x3333333333333333333333333333333333333333");
  H256 nonce = crypto::keccak256("ffe development vector block 78");
  AgentLog log;
  for (unsigned i = 0; i < 3; ++i) {
    log.add_boot(i, crypto::sha384(as_bytes("ffe.simulator.rtmr" + std::to_string(i))));
  }
  log.add("start_app", {{"app_id", "ffe"},
                        {"result", "success"},
                        {"compose_hash", std::string(96, 'a')},
                        {"image_hash", {{"ffe", "sha256:" + std::string(64, 'c')}}}});
  platform.extend(log.digests().back());
  H256 application = application_hash(parse_ccel(log.finished()));
  Bytes ext = enclave_ext(31337, registry, key.address(), application, 78, nonce);
  std::string runtime = "{\"nonce\":\"" + to_hex0x(crypto::keccak256(ext).bytes) +
                        "\",\"signer\":\"" + to_hex0x(key.address().bytes) + "\"}";
  Bytes quote = platform.quote_bytes(crypto::sha512(as_bytes(runtime)));
  H256 code = code_hash(platform_hash(parse_quote(quote).td), application);
  return {{"registry", to_hex0x(registry.bytes)},
          {"blockNumber", 78},
          {"nonce", to_hex0x(nonce.bytes)},
          {"signer", to_hex0x(key.address().bytes)},
          {"payee", to_hex0x(payee.bytes)},
          {"ext", to_hex0x(ext)},
          {"quote", to_hex0x(quote)},
          {"eventLogFormat", "ccel"},
          {"eventLog", to_base64(log.finished())},
          {"runtimeData", to_base64(as_bytes(runtime))},
          {"runtimeText", runtime},
          {"appHash", to_hex0x(application.bytes)},
          {"codeHash", to_hex0x(code.bytes)},
          {"enclaveId", to_hex0x(enclave_id(key.address(), code).bytes)},
          {"signature", to_hex0x(key.sign(register_digest(ext, payee, quote)).bytes)}};
}

}  // namespace

int main(int argc, char** argv) {
  const bool tapp = argc > 1 && std::string_view(argv[1]) == "tapp";
  init_log("error");
  TempDir folder;
  std::string program = "ffe development vector";
  write_file_atomic(folder.path() / "program", as_bytes(program));
  SimulatedPlatform platform =
      SimulatedPlatform::create(folder.path() / "p", folder.path() / "program");
  Collateral collateral = platform.collateral(
      SimulatedCollateralOptions{.issued = kTime - 86400, .expires = kTime + kYears});

  Address signer = address_from_hex("0x2222222222222222222222222222222222222222");
  Address registry = address_from_hex("0x1111111111111111111111111111111111111111");
  Bytes ext = enclave_ext(31337, registry, signer, H256{}, 77, H256{});
  FixedBytes<64> data = report_data(signer, ext);

  Json out = {{"time", kTime},
              {"program", program},
              {"root", to_hex0x(platform.root_der())},
              {"intermediate", to_hex0x(platform.intermediate_der())},
              {"pck", to_hex0x(platform.pck_der())},
              {"tcbSigning", to_hex0x(platform.tcb_signing_der())},
              {"collateral", to_json(collateral)}};
  if (tapp) {
    out["tapp"] = tapp_case(platform);
    std::cout << out.dump(1) << "\n";
    return 0;
  }
  out.update({{"ext", to_hex0x(ext)},
              {"signer", to_hex0x(signer.bytes)},
              {"reportData", to_hex0x(data.bytes)}});
  out["cases"] = {
      quote_case(platform, collateral, data, "version 4", {}),
      quote_case(platform, collateral, data, "version 5, TD report 1.5",
                 {.version = 5, .td15 = true}),
      quote_case(platform, collateral, data, "debug", {.debug = true}),
      quote_case(platform, collateral, data, "module out of date", {.module_out_of_date = true})};
  out["register"] = register_case(platform, collateral);
  std::cout << out.dump(1) << "\n";
  return 0;
}
