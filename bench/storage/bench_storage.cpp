// Keccak-256 and data roots on one core, beside what the same core reads from memory.
//
//   bench_storage [MiB]      one line of JSON, rates in GB/s (10^9 bytes);
//                            of one core by its processor time
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fmt/core.h>
#include <random>

#include "base/json.hpp"
#include "crypto/keccak.hpp"
#include "storage/merkle.hpp"

namespace {

using namespace ffe;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 3;

double wall_seconds() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

// The best of a few rounds: other work on the machine only ever makes one slower.
template <class Work>
double rate(size_t bytes, Work work, double (*now)() = processor_seconds) {
  double best = 0;
  for (int i = 0; i < kRounds; ++i) {
    const double start = now();
    work();
    best = std::max(best, static_cast<double>(bytes) / (now() - start) / 1e9);
  }
  return best;
}

uint64_t sum(ByteView data) {
  // Several sums, so that the reads and not the additions are what takes time.
  uint64_t sums[8] = {};
  for (size_t at = 0; at + 64 <= data.size(); at += 64) {
    for (size_t lane = 0; lane < 8; ++lane) {
      uint64_t word;
      std::memcpy(&word, data.data() + at + 8 * lane, 8);
      sums[lane] += word;
    }
  }
  uint64_t all = 0;
  for (uint64_t s : sums) all += s;
  return all;
}

Json keccak_rates(ByteView data) {
  using crypto::KeccakPath;
  constexpr size_t kChunk = storage::kChunkBytes;
  std::vector<H256> out(data.size() / kChunk);
  Json rates;
  for (auto [name, path] : {std::pair("scalar", KeccakPath::kScalar),
                            {"avx2", KeccakPath::kAvx2},
                            {"avx512", KeccakPath::kAvx512}}) {
    if (!crypto::keccak_path_available(path)) continue;
    rates[name] = rate(data.size(), [&, path = path] {
      crypto::keccak256_many_on(path, data.data(), kChunk, kChunk, out.data(), out.size());
    });
  }
  return rates;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t mib = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 256;
  Bytes data(mib << 20);
  std::mt19937_64 random(1);
  for (size_t at = 0; at < data.size(); at += 8) {
    const uint64_t word = random();
    std::memcpy(data.data() + at, &word, 8);
  }
  uint64_t checksum = 0;
  const double read = rate(data.size(), [&] { checksum += sum(data); });
  const double streamed = rate(data.size(), [&] { storage::data_root(data); });
  const auto source = storage::memory_source(data);
  const double all_cores = rate(
      data.size(), [&] { storage::data_root(*source); }, wall_seconds);
  Bytes head(data.begin(), data.begin() + static_cast<ptrdiff_t>(data.size() / 4));
  fmt::print("{}\n", Json{{"bytes", data.size()},
                          {"memory_read", read},
                          {"keccak_256_byte_chunks", keccak_rates(head)},
                          {"root_one_core", streamed},
                          {"root_all_cores", all_cores},
                          {"checksum", checksum}}
                         .dump());
  return 0;
}
