// Any bytes are rows or counted as bad ones.
#include <cstdlib>

#include "lm/rows.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ffe::lm::RowReport report;
  ffe::lm::RowLimits limits;
  limits.max_line_bytes = 4096;
  const auto rows = ffe::lm::read_rows({data, size}, "fuzz", limits, &report);
  if (rows.size() + report.bad_count != report.rows) std::abort();
  for (const ffe::lm::Row& row : rows) {
    const bool chat = row.kind == ffe::lm::Row::Kind::kChat;
    if (chat ? row.messages.back().role != "assistant" : row.text.empty()) std::abort();
  }
  return 0;
}
