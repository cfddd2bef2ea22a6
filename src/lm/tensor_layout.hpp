// Which tensors a model has, and what other formats call them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lm/model_config.hpp"

namespace ffe::lm {

// Hugging Face name → row-major shape of every weight that the configuration asks for.
std::map<std::string, std::vector<uint64_t>> expected_tensors(const ModelConfig& config);

// The Hugging Face name of a GGUF tensor; nothing if it is none of the weights above.
std::optional<std::string> hf_name_from_gguf(std::string_view name);
// The reverse, for "model.layers.N.…" names.
std::string gguf_name_from_hf(std::string_view name);

// llama.cpp's converter reorders the rows of q and k of Llama models so that the two halves of each
// rotary pair lie side by side. Gives the row in such a file of row `row` in Hugging Face's order.
uint64_t interleaved_row(uint64_t row, uint64_t head_dim);

}  // namespace ffe::lm
