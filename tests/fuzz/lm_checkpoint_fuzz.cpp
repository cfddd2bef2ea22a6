// Any bytes under a right checksum are a checkpoint or an Error, and one that is read is written
// again as it was.
#include <cstdlib>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "lm/trainer_state.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ffe::lm::ModelConfig config;
  config.hidden = 4;
  config.intermediate = 6;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 2;
  ffe::Bytes bytes(data, data + size);
  ffe::append(bytes, ffe::crypto::sha256(bytes).bytes);
  try {
    const auto adapters = ffe::lm::read_checkpoint(config, bytes, 1);
    const ffe::Bytes written = ffe::lm::write_checkpoint(adapters);
    if (ffe::lm::write_checkpoint(ffe::lm::read_checkpoint(config, written, 1)) != written)
      std::abort();
  } catch (const ffe::Error&) {
  }
  return 0;
}
