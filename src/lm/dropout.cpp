#include "lm/dropout.hpp"

#include "lm/lora_runtime.hpp"

namespace ffe::lm {
namespace {

// The finaliser of SplitMix64: a counter in, 64 well-mixed bits out. Dropout needs no secrecy.
uint64_t mix64(uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

DropoutStream dropout_of_step(const uint64_t seed[4], float probability, uint64_t step) {
  DropoutStream stream;
  stream.probability = probability;
  for (int i = 0; i < 4; ++i) stream.key[i] = mix64(seed[i] ^ mix64(step * 4 + i));
  return stream;
}

void apply_dropout(const DropoutStream& stream, size_t layer, Projection which,
                   const uint64_t* row_numbers, size_t begin, size_t end, size_t width, float* x) {
  if (stream.probability <= 0) return;
  const auto threshold = static_cast<uint32_t>(stream.probability * 0x1p32);
  const float kept = 1.0f / (1.0f - stream.probability);
  const uint64_t module = mix64(
      stream.key[0] ^ mix64(stream.key[1] + layer * kProjections + static_cast<size_t>(which)));
  for (size_t i = begin; i < end; ++i) {
    const uint64_t row = mix64(stream.key[2] ^ mix64(module + row_numbers[i]));
    for (size_t j = 0; j < width; ++j) {
      const uint64_t bits = mix64(row ^ (stream.key[3] + j / 2));
      const auto draw = static_cast<uint32_t>(j % 2 ? bits >> 32 : bits);
      float& value = x[i * width + j];
      value = draw < threshold ? 0.0f : value * kept;
    }
  }
}

}  // namespace ffe::lm
