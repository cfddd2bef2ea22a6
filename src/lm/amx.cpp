// Whether this machine can run products on AMX tiles, and their emulation.
#include "lm/amx.hpp"

#include <cerrno>
#include <cmath>
#include <cpuid.h>
#include <cstring>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "lm/amx_product_impl.hpp"

namespace ffe::lm {

Bf16ProductFunction amx_product_unchecked();

namespace {

// Linux, Documentation/arch/x86/xstate.rst: a process asks once for the large state of the tiles.
constexpr long kArchRequestStatePermission = 0x1023;
constexpr long kTileDataState = 18;
constexpr uint64_t kTileStates = uint64_t{3} << 17;  // XTILECFG and XTILEDATA in XCR0

bool processor_has_tiles() {
  uint32_t a, b, c, d;
  constexpr uint32_t kBf16 = 1u << 22;
  constexpr uint32_t kTile = 1u << 24;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if ((d & (kBf16 | kTile)) != (kBf16 | kTile)) return false;
  // Palette 1: 64 bytes a line, eight tiles of sixteen lines.
  if (!__get_cpuid_count(0x1d, 1, &a, &b, &c, &d)) return false;
  return (b & 0xffff) == kTileLineBytes && (b >> 16) == kTiles && (c & 0xffff) == kTileLines;
}

bool system_keeps_tiles() {
  uint32_t a, b, c, d;
  constexpr uint32_t kOsXsave = 1u << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kOsXsave)) return false;
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileStates) == kTileStates;
}

std::string find_obstacle() {
  if (!processor_has_tiles()) return "the processor has no AMX-BF16";
  if (!system_keeps_tiles()) return "the operating system does not keep AMX's tiles";
  if (syscall(SYS_arch_prctl, kArchRequestStatePermission, kTileDataState) != 0) {
    return std::string("the operating system refuses AMX's tiles: ") + std::strerror(errno);
  }
  if (!amx_product_is_right(amx_product_unchecked())) {
    return "its AMX tiles compute other values than they should";
  }
  return {};
}

}  // namespace

const std::string& amx_obstacle() {
  static const std::string obstacle = find_obstacle();
  return obstacle;
}

Bf16ProductFunction amx_product() {
  return amx_obstacle().empty() ? amx_product_unchecked() : nullptr;
}

void emulated_amx_product(const Bf16Product& p) {
  EmulatedTiles tiles;
  tiled_product(tiles, p);
}

bool amx_product_is_right(Bf16ProductFunction product) {
  // All eight tiles, with an edge on every side.
  constexpr size_t kM = 19, kN = 21, kK = 64, kPanels = 2;
  uint32_t state = 1;
  const auto draw = [&] { return state = state * 1664525u + 1013904223u; };
  for (const bool exact : {true, false}) {
    std::vector<uint16_t> a(kM * kK), b(kPanels * kLanes * kK);
    std::vector<float> start(kM * kN);
    const auto value = [&] {
      const auto whole = static_cast<float>(static_cast<int>(draw() >> 24) - 128);
      return exact ? whole : whole * 0.0123f;
    };
    for (uint16_t& x : a) x = to_bf16(value());
    for (uint16_t& x : b) x = to_bf16(value());
    for (float& x : start) x = value();
    const auto run = [&](Bf16ProductFunction f) {
      std::vector<float> c(kM * kN);
      f({a.data(), kK, b.data(), kLanes * kK, start.data(), kN, c.data(), kN, kM, kN, kK});
      return c;
    };
    const std::vector<float> got = run(product);
    const std::vector<float> want = run(emulated_amx_product);
    for (size_t i = 0; i < got.size(); ++i) {
      // Sums of 64 products of numbers up to 1.6; written so that a NaN fails.
      const float allowed = exact ? 0.0f : 1e-3f;
      if (!(std::abs(got[i] - want[i]) <= allowed)) return false;
    }
  }
  return true;
}

}  // namespace ffe::lm
