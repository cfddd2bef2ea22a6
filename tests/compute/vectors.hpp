// tests/vectors/compute/fine-tuning.json: what ethers, Node's crypto and eciesjs made of one task.
#pragma once

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/json.hpp"
#include "crypto/secp256k1.hpp"

namespace ffe::test {

inline const Json& vectors() {
  static const Json all = parse_json(
      read_text_file(std::string(FFE_SOURCE_DIR) + "/tests/vectors/compute/fine-tuning.json"),
      "fine-tuning.json");
  return all;
}
inline std::string text(const char* group, const char* key) {
  return vectors().at(group).at(key).get<std::string>();
}
inline Bytes bytes(const char* group, const char* key) {
  return from_hex(text(group, key));
}
inline crypto::PrivateKey key_of(const char* who) {
  return crypto::PrivateKey::from(bytes(who, "privateKey"));
}

}  // namespace ffe::test
