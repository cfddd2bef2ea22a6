// What a fine-tuning job has done so far, wherever it is kept: every step that costs money or
// cannot be repeated is written there before it leaves, so that a restart pays nothing and sends
// nothing twice.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace ffe::compute {

class JobRecord {
 public:
  virtual ~JobRecord() = default;

  virtual std::optional<std::string> get(std::string_view key) const = 0;
  // Writes once, and is durable when it returns: the same value again is fine, another one is an
  // Error{kInternal}, because what is done must not be done differently.
  virtual void put(std::string_view key, const std::string& value) = 0;
  // For people: where it is kept, and what to do to go on with the job.
  virtual std::string place() const = 0;
  virtual std::string how_to_go_on() const = 0;

  bool has(std::string_view key) const { return get(key).has_value(); }
  std::string require(std::string_view key) const {
    std::optional<std::string> value = get(key);
    if (!value) {
      throw Error(ErrorCode::kCorrupt, place() + " lacks \"" + std::string(key) + "\"");
    }
    return *value;
  }
};

}  // namespace ffe::compute
