// 0G Tapp (0gfoundation/0g-tapp, proto/tapp_service.proto): the calls of its gRPC service that an
// application inside the TD needs, and the evidence that it hands out.
#pragma once

#include <string>

#include "base/json.hpp"
#include "tee/grpc.hpp"
#include "tee/provider.hpp"

namespace ffe::tee {

// {"quote","cc_eventlog","runtime_data"}, each base64; other members are ignored. Throws
// Error{kBadInput}. Nothing in it is checked yet (check_evidence, verify).
Evidence parse_tapp_evidence(std::string_view json);

// What the runtime data of Tapp 0.4 and newer says; its SHA-512 is the report data.
struct TappRuntimeData {
  Bytes nonce;
  Address signer;
};
TappRuntimeData parse_tapp_runtime_data(ByteView text);

class TappClient {
 public:
  explicit TappClient(TappOptions options);

  // "0.9.1" as GetTappInfo says it; "0.3" or older versions take report data instead of a nonce.
  std::string version();
  bool takes_report_data();

  // The evidence's JSON text. Anyone may call this, so a nonce alone proves nothing about who
  // asked.
  std::string evidence(ByteView nonce);
  // The application's secp256k1 key, whose address the evidence names; new after each reboot. Over
  // the Unix socket only.
  SecretBytes app_key();
  // A secret of 0G's key service for this application and this label; the same after a reboot.
  SecretBytes secret_resource(std::string_view label);

 private:
  SecretBytes call(const char* method, ByteView request);

  TappOptions options_;
  GrpcChannel channel_;
  std::string version_;
};

}  // namespace ffe::tee
