#include "base/error.hpp"

namespace ffe {

std::string_view error_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kFailed:
      return "failed";
    case ErrorCode::kInternal:
      return "internal";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kBadInput:
      return "bad_input";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kUsage:
      return "usage";
    case ErrorCode::kAttestation:
      return "attestation";
    case ErrorCode::kKey:
      return "key";
    case ErrorCode::kSession:
      return "session";
    case ErrorCode::kNetwork:
      return "network";
    case ErrorCode::kChain:
      return "chain";
    case ErrorCode::kGate:
      return "gate";
    case ErrorCode::kInterrupted:
      return "interrupted";
  }
  return "internal";
}

int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return 2;
    case ErrorCode::kAttestation:
      return 3;
    case ErrorCode::kKey:
      return 4;
    case ErrorCode::kSession:
      return 5;
    case ErrorCode::kNetwork:
    case ErrorCode::kChain:
      return 6;
    case ErrorCode::kGate:
      return 7;
    case ErrorCode::kInterrupted:
      return 130;
    default:
      return 1;
  }
}

}  // namespace ffe
