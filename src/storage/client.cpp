#include "storage/client.hpp"

#include <bit>

#include "base/hex.hpp"
#include "storage/downloader.hpp"
#include "storage/flow.hpp"
#include "storage/node_set.hpp"
#include "storage/uploader.hpp"

namespace ffe::storage {
namespace {

// Calls `work` with each fragment of a file, where it begins, and the file's size.
template <class Work>
void for_fragments(const std::filesystem::path& file, uint64_t fragment_bytes, Work work) {
  if (!std::has_single_bit(fragment_bytes) || fragment_bytes < kChunkBytes ||
      fragment_bytes > kFragmentBytes) {
    throw Error(ErrorCode::kUsage, "a fragment is a power of two from 256 bytes to 4 GiB");
  }
  const uint64_t total = open_source(file)->size();
  file_shape(total);  // refuses an empty file
  for (uint64_t at = 0; at < total; at += fragment_bytes) {
    work(*open_source(file, at, std::min(fragment_bytes, total - at)), at, total);
  }
}

uint64_t checked_size(Downloader& downloader, uint64_t max_bytes) {
  const FileInfo& file = downloader.locate();
  if (file.size > max_bytes) {
    throw Error(ErrorCode::kBadInput,
                to_hex0x(file.root.bytes) + " has " + std::to_string(file.size) +
                    " bytes, more than the limit of " + std::to_string(max_bytes));
  }
  return file.size;
}

}  // namespace

struct Client::Impl {
  ClientOptions options;
  std::shared_ptr<net::HttpClient> http = std::make_shared<net::HttpClient>();
};

ClientOptions network_options(std::string_view name) {
  ClientOptions o;
  if (name == "devnet") {
    o.rpc_url = "http://127.0.0.1:8545";
    o.nodes = {"http://127.0.0.1:5678"};
  } else if (name == "galileo") {
    o.rpc_url = "https://evmrpc-testnet.0g.ai";
    o.indexer_url = "https://indexer-storage-testnet-turbo.0g.ai";
    o.flow = address_from_hex("0x22e03a6a89b950f1c82ec5e74f8eca321a105296");
  } else if (name == "aristotle") {
    o.rpc_url = "https://evmrpc.0g.ai";
    o.indexer_url = "https://indexer-storage-turbo.0g.ai";
    o.flow = address_from_hex("0x62d4144db0f0a6fbbaeb6296c785c71b3d57c526");
  } else {
    throw Error(ErrorCode::kUsage, "unknown network \"" + std::string(name) + "\"",
                "use devnet, galileo or aristotle");
  }
  return o;
}

std::optional<int> official_encryption(ByteView head, uint64_t size) {
  constexpr uint64_t kHeader1 = 17, kHeader2 = 50;
  if (size > kHeader1 && head.size() >= 1 && head[0] == 1) return 1;
  const bool compressed_key = head.size() >= 2 && (head[1] == 2 || head[1] == 3);
  if (size > kHeader2 && compressed_key && head[0] == 2) return 2;
  return std::nullopt;
}

std::vector<H256> fragment_roots(const std::filesystem::path& file, uint64_t fragment_bytes,
                                 const Progress& progress) {
  std::vector<H256> roots;
  for_fragments(file, fragment_bytes, [&](const Source& part, uint64_t at, uint64_t total) {
    roots.push_back(
        data_root(part, [&](uint64_t done, uint64_t) { report(progress, at + done, total); }));
  });
  return roots;
}

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
}

Client::~Client() = default;

UploadResult Client::upload(const std::filesystem::path& file, evm::Sender& sender,
                            const UploadEvents& events) {
  const auto source = open_source(file);
  return Uploader(impl_->options, impl_->http, *source, sender, events).run();
}

UploadResult Client::upload(ByteView bytes, evm::Sender& sender, const UploadEvents& events) {
  const auto source = memory_source(bytes);
  return Uploader(impl_->options, impl_->http, *source, sender, events).run();
}

evm::U256 Client::fee(uint64_t bytes, evm::RpcClient& rpc) const {
  const ClientOptions& o = impl_->options;
  const Address flow =
      o.flow ? *o.flow
             : choose(reach(find_nodes(o, impl_->http), o), o.replicas, {}).front().status.flow;
  return sector_price(rpc, flow) * evm::U256(file_shape(bytes).padded_chunks);
}
std::vector<UploadResult> Client::upload_fragments(const std::filesystem::path& file,
                                                   evm::Sender& sender, const UploadEvents& events,
                                                   uint64_t fragment_bytes) {
  std::vector<UploadResult> results;
  for_fragments(file, fragment_bytes, [&](const Source& part, uint64_t at, uint64_t total) {
    const UploadEvents shifted{
        [&](uint64_t done, uint64_t) { report(events.hashing, at + done, total); },
        [&](uint64_t done, uint64_t) { report(events.sending, at + done, total); }, events.paying};
    results.push_back(Uploader(impl_->options, impl_->http, part, sender, shifted).run());
  });
  return results;
}

void Client::download(const H256& root, const std::filesystem::path& out, Progress progress,
                      uint64_t max_bytes) {
  Downloader downloader(impl_->options, impl_->http, root);
  const uint64_t size = checked_size(downloader, max_bytes);
  PartFile file(out);
  downloader.run(file, progress);
  file.finish(size);
}

Bytes Client::download(const H256& root, size_t max_bytes) {
  Downloader downloader(impl_->options, impl_->http, root);
  checked_size(downloader, max_bytes);
  MemorySink memory;
  downloader.run(memory, {});
  return memory.take();
}

void Client::download_fragments(std::span<const H256> roots, const std::filesystem::path& out,
                                Progress progress) {
  if (roots.empty()) throw Error(ErrorCode::kUsage, "no roots to download");
  std::vector<std::unique_ptr<Downloader>> parts;
  uint64_t total = 0;
  for (const H256& root : roots) {
    parts.push_back(std::make_unique<Downloader>(impl_->options, impl_->http, root));
    total += parts.back()->locate().size;
  }
  PartFile file(out);
  uint64_t at = 0;
  for (auto& part : parts) {
    file.set_base(at);
    part->run(file, [&](uint64_t done, uint64_t) { report(progress, at + done, total); });
    at += part->locate().size;
    part.reset();
  }
  file.finish(total);
}

std::optional<FileInfo> Client::info(const H256& root) {
  return Downloader(impl_->options, impl_->http, root).find();
}

std::vector<Location> Client::locations(const H256& root) {
  return Downloader(impl_->options, impl_->http, root).locations();
}

}  // namespace ffe::storage
