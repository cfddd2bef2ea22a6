// Vector files, and values of any ABI type from JSON and from chance.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <string>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/json.hpp"
#include "evm/abi.hpp"

namespace ffe::evm::test {

namespace fs = std::filesystem;

inline Bytes hex_of(const Json& c, const char* key) {
  return from_hex(c.at(key).get<std::string>());
}
inline H256 hash_of(const Json& c, const char* key) {
  return H256::from(hex_of(c, key));
}
inline Address address_of(const Json& c, const char* key) {
  return Address::from(hex_of(c, key));
}
inline std::string text_of(const Json& c, const char* key) {
  return c.at(key).get<std::string>();
}

// The documents of this name: the project's own, and another one where FFE_VECTORS has it.
inline std::vector<Json> vector_files(const std::string& name) {
  const fs::path root = FFE_SOURCE_DIR;
  const char* other = std::getenv("FFE_VECTORS");
  std::vector<Json> out;
  for (const fs::path& folder :
       {root / "tests" / "vectors",
        other != nullptr ? fs::path(other) : root / ".." / "shared" / "vectors"}) {
    fs::path path = folder / "evm" / name;
    if (fs::exists(path)) out.push_back(parse_json(read_text_file(path), path.string()));
  }
  return out;
}

// Runs `check` on every case; fails if there is none.
inline void for_each_case(const std::string& name, const std::function<void(const Json&)>& check) {
  size_t count = 0;
  for (const Json& file : vector_files(name)) {
    for (const Json& one : file.at("cases")) {
      SCOPED_TRACE(name + " case " + std::to_string(count++));
      check(one);
    }
  }
  ASSERT_GT(count, 0u) << name;
}

// Numbers are decimal strings, bytes and addresses hex strings.
inline Value value_from_json(const Type& type, const Json& json) {
  using Kind = Type::Kind;
  switch (type.kind) {
    case Kind::kUint:
      return U256::parse(json.get<std::string>());
    case Kind::kInt: {
      std::string text = json.get<std::string>();
      if (text[0] != '-') return U256::parse(text);
      return Value::signed_word(U256::parse(text.substr(1)).twos_complement());
    }
    case Kind::kBool:
      return json.get<bool>();
    case Kind::kAddress:
      return address_from_hex(json.get<std::string>());
    case Kind::kFixedBytes:
    case Kind::kBytes:
      return from_hex(json.get<std::string>());
    case Kind::kString:
      return json.get<std::string>();
    case Kind::kArray:
    case Kind::kTuple:
      break;
  }
  Values items;
  for (size_t i = 0; i < json.size(); ++i) {
    items.push_back(value_from_json(type.items[type.kind == Kind::kArray ? 0 : i], json[i]));
  }
  return items;
}

inline std::vector<Type> types_of(const Json& texts) {
  std::vector<Type> out;
  for (const Json& text : texts) out.push_back(parse_type(text.get<std::string>()));
  return out;
}

inline Values values_of(const std::vector<Type>& types, const Json& json) {
  Values out;
  for (size_t i = 0; i < types.size(); ++i) out.push_back(value_from_json(types[i], json.at(i)));
  return out;
}

using Random = std::mt19937_64;

inline Bytes random_content(Random& random, size_t size) {
  Bytes out(size);
  for (uint8_t& b : out) b = static_cast<uint8_t>(random());
  return out;
}

inline Type random_type(Random& random, int depth) {
  using Kind = Type::Kind;
  Type out;
  uint64_t choice = random() % (depth > 0 ? 10 : 7);
  out.size = 0;
  switch (choice) {
    case 0:
      out.kind = Kind::kUint, out.size = static_cast<unsigned>(8 * (1 + random() % 32));
      break;
    case 1:
      out.kind = Kind::kInt, out.size = static_cast<unsigned>(8 * (1 + random() % 32));
      break;
    case 2:
      out.kind = Kind::kFixedBytes, out.size = static_cast<unsigned>(1 + random() % 32);
      break;
    case 3:
      out.kind = Kind::kAddress;
      break;
    case 4:
      out.kind = Kind::kBool;
      break;
    case 5:
      out.kind = Kind::kBytes;
      break;
    case 6:
      out.kind = Kind::kString;
      break;
    case 7: {
      std::vector<Param> members(1 + random() % 4);
      for (Param& member : members) member.type = random_type(random, depth - 1);
      return Type::tuple(members);
    }
    default:
      out.kind = Kind::kArray;
      if (random() % 2 == 0) out.length = 1 + random() % 3;
      out.items.push_back(random_type(random, depth - 1));
  }
  return out;
}

inline Value random_value(Random& random, const Type& type) {
  using Kind = Type::Kind;
  switch (type.kind) {
    case Kind::kUint:
      return U256::from_be(random_content(random, random() % (type.size / 8 + 1)));
    case Kind::kInt: {
      U256 magnitude = U256::from_be(random_content(random, type.size / 8)) >> 1;
      return Value::signed_word(random() % 2 == 0 ? magnitude : ~magnitude);
    }
    case Kind::kBool:
      return random() % 2 == 0;
    case Kind::kAddress:
      return Address::from(random_content(random, 20));
    case Kind::kFixedBytes:
      return random_content(random, type.size);
    case Kind::kBytes:
      return random_content(random, random() % 70);
    case Kind::kString:
      return std::string(as_text(random_content(random, random() % 70)));
    case Kind::kArray:
    case Kind::kTuple:
      break;
  }
  Values items;
  size_t count = type.kind == Kind::kTuple ? type.items.size() : type.length.value_or(random() % 4);
  for (size_t i = 0; i < count; ++i) {
    items.push_back(random_value(random, type.items[type.kind == Kind::kArray ? 0 : i]));
  }
  return items;
}

// The code of the Error that `run` throws, and a failure if it throws none.
template <class F>
ErrorCode error_of(F&& run) {
  try {
    run();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "no Error was thrown";
  return ErrorCode::kFailed;
}

}  // namespace ffe::evm::test
