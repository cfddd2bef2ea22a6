// The one exception type of the project: what went wrong, and what to do about it.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace ffe {

// The code decides the process's exit status and the `error.code` of JSON output;
// docs/spec/errors.md lists them and the TypeScript SDK uses the same names.
enum class ErrorCode {
  kFailed,    // "failed"       exit 1   anything without a better code
  kInternal,  // "internal"     exit 1   a bug: an invariant of ours does not hold
  kIo,        // "io"           exit 1   a file or folder of this machine
  kBadInput,  // "bad_input"    exit 1   bytes from outside that break their format
  kCorrupt,   // "corrupt"      exit 1   bytes that do not match the hash or signature naming them
  kUnsupported,  // "unsupported"  exit 1   well-formed, but not something this build handles
  kUsage,        // "usage"        exit 2   the command line or configuration is wrong
  kAttestation,  // "attestation"  exit 3   the enclave was not proven
  kKey,          // "key"          exit 4   a key is missing, wrong or not allowed
  kSession,      // "session"      exit 5   the session is in another state: late, full, cancelled
  kNetwork,      // "network"      exit 6   a peer did not answer, or not in its protocol
  kChain,        // "chain"        exit 6   the chain refused or reverted
  kGate,         // "gate"         exit 7   the quality gate rejected
  kInterrupted,  // "interrupted"  exit 130
};

std::string_view error_name(ErrorCode code);
int exit_status(ErrorCode code);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, std::string hint = {})
      : std::runtime_error(message), code_(code), hint_(std::move(hint)) {}

  ErrorCode code() const { return code_; }
  // What the user can do, as a sentence without a final stop; may be empty.
  const std::string& hint() const { return hint_; }

 private:
  ErrorCode code_;
  std::string hint_;
};

}  // namespace ffe
