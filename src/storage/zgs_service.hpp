// The zgs_ methods: errors, codes and null results as the official node gives them.
#pragma once

#include <atomic>

#include "net/json_rpc_server.hpp"
#include "storage/faults.hpp"
#include "storage/node.hpp"
#include "storage/store.hpp"
#include "storage/wire.hpp"

namespace ffe::storage {

class ZgsService {
 public:
  // All of them must outlive the service.
  ZgsService(Store& store, FaultPlan& faults, const NodeOptions& options)
      : store_(store), faults_(faults), options_(options) {}

  void attach(net::JsonRpcServer& rpc);

 private:
  Json status();
  Json file_info(const Json& params);
  Json file_info_by_seq(const Json& params);
  Json check_finalized(const Json& params);
  Json upload(const Json& params, bool several, bool by_seq);
  Json download(const Json& params, bool by_seq);
  Json download_with_proof(const Json& params, bool by_seq);

  std::optional<StoredTx> find_tx(const Json& params, size_t at, bool by_seq);
  void put(const WireSegment& segment, const std::optional<StoredTx>& tx);
  void check_tx(const WireSegment& segment, const std::optional<StoredTx>& tx);
  void check_segment(const WireSegment& segment);

  Store& store_;
  FaultPlan& faults_;
  const NodeOptions& options_;
  std::atomic<unsigned> writing_{0};
};

}  // namespace ffe::storage
