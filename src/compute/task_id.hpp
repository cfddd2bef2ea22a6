// The name of a fine-tuning task: a UUID, as 0G's provider makes it and the contract stores it.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace ffe::compute {

class TaskId {
 public:
  TaskId() = default;
  static TaskId random();  // version 4
  // 36 characters, 8-4-4-4-12, either case. Throws Error{kBadInput}.
  static TaskId parse(std::string_view text);

  const FixedBytes<16>& bytes() const { return bytes_; }
  std::string text() const;  // canonical: lower case with dashes
  std::string hex() const;   // 32 digits without dashes

  auto operator<=>(const TaskId&) const = default;

 private:
  FixedBytes<16> bytes_;
};

}  // namespace ffe::compute
