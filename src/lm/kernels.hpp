// The inner loops, once per instruction set.
//
// Every output value is one chain of operations in index order (fused multiply-adds) or a reduction
// over sixteen lanes with one fixed tree, so AVX-512, AVX2 and the scalar twin give the same bits,
// and so does any cut of the work into blocks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ffe::lm {

inline constexpr size_t kLanes = 16;

inline constexpr size_t round_up_lanes(size_t n) {
  return (n + kLanes - 1) / kLanes * kLanes;
}

// C[i][j] = fma chain over k of A(i,k) * B(k,j), starting from C0(i,j).
struct BlockProduct {
  const float* a;  // A(i,k) = a[i * a_row + k * a_col]
  size_t a_row, a_col;
  const float* b;  // B(k,j) = b[(j / 16) * b_panel + k * b_row + j % 16]
  size_t b_row, b_panel;
  const float* c0;  // C0(i,j) = c0[i * c0_row + j]; null: zero
  size_t c0_row;
  float* c;  // C(i,j) = c[i * c_row + j]
  size_t c_row;
  size_t m, n, k;
};

// The same with operands rounded to bf16; pairs are added at once, in index order.
struct Bf16Product {
  const uint16_t* a;  // A(i,k) = a[i * a_row + k]; an odd k is padded with zero
  size_t a_row;
  const uint16_t* b;  // B(k,j) = b[(j / 16) * b_panel + (k / 2) * 32 + (j % 16) * 2 + k % 2]
  size_t b_panel;
  const float* c0;
  size_t c0_row;
  float* c;
  size_t c_row;
  size_t m, n, k;  // k is even
};

// Weights as llama.cpp's formats of the same names hold them: integers of 4 or 8 bits in blocks of
// kPackedBlock inputs, each with a scale (and a minimum) in fp16.
enum class PackedFormat : uint8_t { kQ4_0, kQ4_1, kQ8_0 };
inline constexpr size_t kPackedBlock = 32;

// Rows of activations in fixed point: x[k] ≈ scales[k / 32] * values[k], with 15 bits and a sign.
struct FixedRows {
  const int16_t* values;  // row i at values + i * 32 * blocks
  const float* scales;    // row i at scales + i * blocks
  const float* sums;      // scale times the sum of the block's values
};

// C[i][j] = C0[i][j] and, block after block, fma(sum of q * x, d_j * scale_i, C) and, if the format
// has a minimum, fma(minimum_j, sum_i, C). Sums of integers are exact.
struct PackedProduct {
  PackedFormat format;
  const uint8_t* w;  // panels of sixteen outputs, numeric_quantised.cpp
  size_t w_panel;    // bytes
  FixedRows x;
  const float* c0;  // null: zero
  size_t c0_row;
  float* c;
  size_t c_row;
  size_t m, n, blocks;
};

struct Kernels {
  const char* name;

  void (*block_product)(const BlockProduct& p);

  // dst[j][i] = src[i][j] for i < rows, j < columns; dst rows are padded with zeros up to
  // `dst_columns` >= rows.
  void (*transpose)(const float* src, size_t src_row, size_t rows, size_t columns, float* dst,
                    size_t dst_row, size_t dst_columns);

  // y = x / rms(x) * weight; returns 1 / rms.
  float (*rms_norm)(const float* x, const float* weight, size_t n, float eps, float* y);
  // y = x * inverse_rms * weight: the forward pass again.
  void (*rms_scale)(const float* x, const float* weight, size_t n, float inverse_rms, float* y);
  // dx (+)= the gradient of rms_norm for dy.
  void (*rms_norm_backward)(const float* x, const float* weight, size_t n, float inverse_rms,
                            const float* dy, bool accumulate, float* dx);

  // Rotates pairs (x[i], x[i + half]) by the angle whose cosine and sine are given; sign is 1, or
  // -1 for the inverse rotation.
  void (*rotate)(float* x, size_t half, const float* cosine, const float* sine, float sign);

  // out = silu(gate) * up
  void (*swiglu)(const float* gate, const float* up, size_t n, float* out);
  // From d(out): d(gate) and d(up), which may take the place of gate and up.
  void (*swiglu_backward)(const float* gate, const float* up, const float* dout, size_t n,
                          float* dgate, float* dup);

  // x[i] = exp(scale * (x[i] - max)) for begin <= i < end, zero elsewhere below n; gives max and
  // 1 / sum and multiplies by it.
  void (*softmax)(float* x, size_t begin, size_t end, size_t n, float scale, float* max,
                  float* inverse_sum);
  // The same with known max and inverse sum.
  void (*softmax_again)(float* x, size_t begin, size_t end, size_t n, float scale, float max,
                        float inverse_sum);
  // ds = p * (dp - dot) * scale, in place of dp.
  void (*softmax_backward)(const float* p, float* dp, float dot, float scale, size_t n);

  // Maximum and sum of exp(x - max).
  void (*log_sum_exp)(const float* x, size_t n, float* max, float* sum);
  // x = exp(x - max) * factor
  void (*exp_scale)(float* x, size_t n, float max, float factor);

  float (*maximum)(const float* x, size_t n);
  float (*dot)(const float* x, const float* y, size_t n);
  void (*add)(const float* x, size_t n, float* y);  // y += x

  // y = x rounded to bf16, to nearest even.
  void (*to_bf16)(const float* x, size_t n, uint16_t* y);

  // AdamW's update of one stretch of parameters; see optimizer.cpp.
  void (*adamw)(float* p, float* m, float* v, const float* g, size_t n, const float* constants);

  // One row of FixedRows; blocks whose values are all below 1e-30 become zeros.
  void (*fixed_point)(const float* x, size_t blocks, int16_t* values, float* scales, float* sums);
  void (*packed_product)(const PackedProduct& p);
};

const Kernels& scalar_kernels();
const Kernels* avx2_kernels();  // null where the processor lacks it
const Kernels* avx512_kernels();
const Kernels* avx512_vnni_kernels();
// The fastest of them; FFE_KERNELS=avx2 or scalar asks for an older one, which changes speed only.
const Kernels& kernels();

// Null where the processor lacks AVX512_BF16.
void (*avx512_bf16_product())(const Bf16Product&);

}  // namespace ffe::lm
