#include "base/toml_reader.hpp"

#include <charconv>
#include <fmt/core.h>
#include <optional>
#include <set>
#include <toml++/toml.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hex.hpp"

namespace ffe {

namespace fs = std::filesystem;

struct TomlReader::Impl {
  fs::path file;
  fs::path folder;
  toml::table root;
  std::set<std::string, std::less<>> known;

  toml::node_view<toml::node> at(std::string_view key) {
    known.emplace(key);
    return root.at_path(key);
  }
};

TomlReader::TomlReader(const fs::path& file) : impl_(std::make_unique<Impl>()) {
  impl_->file = file;
  impl_->folder = fs::absolute(file).parent_path();
  try {
    impl_->root = toml::parse(read_text_file(file, 1 << 20), file.string());
  } catch (const toml::parse_error& e) {
    throw Error(ErrorCode::kUsage, file.string() + ":" + std::to_string(e.source().begin.line) +
                                       ": " + std::string(e.description()));
  }
}

TomlReader::~TomlReader() = default;

void TomlReader::fail(std::string_view key, std::string_view why) const {
  throw Error(ErrorCode::kUsage,
              impl_->file.string() + ": " + std::string(key) + " " + std::string(why));
}

bool TomlReader::has(std::string_view key) const {
  return static_cast<bool>(impl_->at(key));
}

std::string TomlReader::text_or(std::string_view key, std::string fallback) {
  toml::node_view<toml::node> node = impl_->at(key);
  if (!node) return fallback;
  std::optional<std::string> value = node.value_exact<std::string>();
  if (!value) fail(key, "has the wrong type");
  return *value;
}

std::string TomlReader::text(std::string_view key) {
  std::string value = text_or(key, "");
  if (value.empty()) fail(key, "is missing");
  return value;
}

fs::path TomlReader::path(std::string_view key) {
  return (impl_->folder / text(key)).lexically_normal();
}

fs::path TomlReader::path_or(std::string_view key) {
  return has(key) ? path(key) : fs::path();
}

Address TomlReader::address(std::string_view key) {
  try {
    return address_from_hex(text(key));
  } catch (const Error& e) {
    fail(key, std::string("is not an address: ") + e.what());
  }
}

uint64_t TomlReader::number_or(std::string_view key, uint64_t fallback, uint64_t max) {
  toml::node_view<toml::node> node = impl_->at(key);
  if (!node) return fallback;
  std::optional<int64_t> value = node.value_exact<int64_t>();
  if (!value) fail(key, "has the wrong type");
  if (*value < 0 || static_cast<uint64_t>(*value) > max) {
    fail(key, "must be between 0 and " + std::to_string(max));
  }
  return static_cast<uint64_t>(*value);
}

bool TomlReader::flag_or(std::string_view key, bool fallback) {
  toml::node_view<toml::node> node = impl_->at(key);
  if (!node) return fallback;
  std::optional<bool> value = node.value_exact<bool>();
  if (!value) fail(key, "must be true or false");
  return *value;
}

double TomlReader::real_or(std::string_view key, double fallback, double min, double max) {
  toml::node_view<toml::node> node = impl_->at(key);
  if (!node) return fallback;
  std::optional<double> value = node.value<double>();
  if (!value) fail(key, "has the wrong type");
  if (!(*value >= min && *value <= max)) {
    fail(key, fmt::format("must be between {} and {}", min, max));
  }
  return *value;
}

uint64_t TomlReader::seconds_or(std::string_view key, uint64_t fallback, uint64_t max) {
  if (!has(key)) return fallback;
  const std::string value = text(key);
  uint64_t number = 0;
  const char* end = value.data() + value.size();
  auto [unit, ec] = std::from_chars(value.data(), end, number);
  uint64_t factor = 0;
  if (ec == std::errc() && end - unit == 1) {
    if (*unit == 's') factor = 1;
    if (*unit == 'm') factor = 60;
    if (*unit == 'h') factor = 3600;
    if (*unit == 'd') factor = 86400;
  }
  if (factor == 0 || number > max / factor) {
    fail(key, "must be a time such as \"90s\", \"30m\", \"24h\" or \"7d\", at most " +
                  std::to_string(max / 3600) + " hours");
  }
  return number * factor;
}

std::vector<std::string> TomlReader::texts(std::string_view key) {
  std::vector<std::string> out;
  toml::node_view<toml::node> value = impl_->at(key);
  if (!value) return out;
  toml::array* array = value.as_array();
  if (array == nullptr) fail(key, "must be a list of strings");
  for (toml::node& node : *array) {
    std::optional<std::string> text = node.value_exact<std::string>();
    if (!text) fail(key, "must be a list of strings");
    out.push_back(*text);
  }
  return out;
}

void TomlReader::refuse_unknown() const {
  for (const auto& [table, node] : impl_->root) {
    const toml::table* keys = node.as_table();
    if (keys == nullptr) fail(table.str(), "is not inside a table");
    for (const auto& [key, value] : *keys) {
      std::string name = std::string(table.str()) + "." + std::string(key.str());
      if (!impl_->known.contains(name)) fail(name, "is not a known setting");
    }
  }
}

}  // namespace ffe
