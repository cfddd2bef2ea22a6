// What 0G's inference brokers call the adapter of a fine-tuning task.
#pragma once

#include <string>
#include <string_view>

#include "compute/task_id.hpp"

namespace ffe::compute {

// "ft-" + base model with '/', '.' and ' ' as '-' (none at its ends) + "-" + the first 12
// characters of the task's id.
inline std::string adapter_name(std::string_view base_model, const TaskId& task) {
  std::string base(base_model);
  for (char& c : base) {
    if (c == '/' || c == '.' || c == ' ') c = '-';
  }
  const size_t first = base.find_first_not_of('-');
  base =
      first == std::string::npos ? "" : base.substr(first, base.find_last_not_of('-') - first + 1);
  return "ft-" + base + "-" + task.text().substr(0, 12);
}

}  // namespace ffe::compute
