// The C++ SDK of FFE: one header. Link ffe::client.
//
//   ffe::Client client(ffe::find_network("devnet"), key);
//   client.submit(session_id, "rows.jsonl");
//   ffe::DownloadResult model = client.download(session_id, "adapter");
#pragma once

#include "client/client.hpp"
#include "client/network.hpp"

namespace ffe {

using client::Client;
using client::DownloadResult;
using client::Events;
using client::find_network;
using client::Network;
using client::OpenRequest;
using client::OpenResult;
using client::read_network;
using client::Status;
using client::SubmitResult;

}  // namespace ffe
