// The product on the processor's own tiles. Compiled with -mamx-tile -mamx-bf16; reached only after
// the checks of amx.cpp.
#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include "lm/amx_product_impl.hpp"

namespace ffe::lm {
namespace {

// The intrinsics want the tile's number as a literal.
#define FFE_EACH_TILE(tile, CALL)     \
  if constexpr ((tile) == 0) {        \
    CALL(0);                          \
  } else if constexpr ((tile) == 1) { \
    CALL(1);                          \
  } else if constexpr ((tile) == 2) { \
    CALL(2);                          \
  } else if constexpr ((tile) == 3) { \
    CALL(3);                          \
  } else if constexpr ((tile) == 4) { \
    CALL(4);                          \
  } else if constexpr ((tile) == 5) { \
    CALL(5);                          \
  } else if constexpr ((tile) == 6) { \
    CALL(6);                          \
  } else {                            \
    CALL(7);                          \
  }

struct NativeTiles {
  // GCC 12's tileloadd names no memory, so what was written before must be told to be in memory.
  static void memory_barrier() { asm volatile("" ::: "memory"); }

  void configure(const TileConfig& config) {
    memory_barrier();
    _tile_loadconfig(&config);
  }
  void release() {
    _tile_release();
    memory_barrier();
  }
  template <int kTile>
  void zero() {
#define FFE_ZERO(t) _tile_zero(t)
    FFE_EACH_TILE(kTile, FFE_ZERO)
#undef FFE_ZERO
  }
  template <int kTile>
  void load(const void* from, size_t stride) {
#define FFE_LOAD(t) _tile_loadd(t, from, static_cast<long>(stride))
    FFE_EACH_TILE(kTile, FFE_LOAD)
#undef FFE_LOAD
  }
  template <int kTile>
  void store(void* to, size_t stride) {
#define FFE_STORE(t) _tile_stored(t, to, static_cast<long>(stride))
    FFE_EACH_TILE(kTile, FFE_STORE)
#undef FFE_STORE
  }
  template <int kC, int kA, int kB>
  void dot() {
    if constexpr (kC == 0 && kA == 4 && kB == 6) {
      _tile_dpbf16ps(0, 4, 6);
    } else if constexpr (kC == 1 && kA == 4 && kB == 7) {
      _tile_dpbf16ps(1, 4, 7);
    } else if constexpr (kC == 2 && kA == 5 && kB == 6) {
      _tile_dpbf16ps(2, 5, 6);
    } else {
      static_assert(kC == 3 && kA == 5 && kB == 7);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
};

void native_product(const Bf16Product& p) {
  NativeTiles tiles;
  tiled_product(tiles, p);
}

}  // namespace

Bf16ProductFunction amx_product_unchecked() {
  return native_product;
}

}  // namespace ffe::lm
