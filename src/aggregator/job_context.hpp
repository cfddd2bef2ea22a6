// What a session's work needs of the service around it.
#pragma once

#include <chrono>

#include "aggregator/blob_store.hpp"
#include "aggregator/config.hpp"
#include "aggregator/enclave.hpp"
#include "aggregator/journal.hpp"
#include "aggregator/model.hpp"
#include "aggregator/status.hpp"
#include "session/chain.hpp"
#include "storage/client.hpp"

namespace ffe::aggregator {

// Something may still come: the session steps back and others go on meanwhile.
class Pending : public Error {
 public:
  explicit Pending(const std::string& message) : Error(ErrorCode::kNetwork, message) {}
};

// Somebody else works for the session: it steps back for a while, and nothing is wrong.
class Waiting : public Error {
 public:
  Waiting(const std::string& what, std::chrono::seconds pause)
      : Error(ErrorCode::kNetwork, what), pause(pause) {}
  std::chrono::seconds pause;
};

struct JobContext {
  const Config& config;
  Journal& journal;
  Enclave& enclave;
  BaseModel& model;
  StatusBoard& status;
  session::Coordinator& coordinator;
  storage::Client& storage;
  BlobStore& blobs;
  evm::Sender& sender;  // the operator's account: pays for storage and transactions
};

}  // namespace ffe::aggregator
