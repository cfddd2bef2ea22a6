// Training data: JSON Lines of conversations or plain text, and their tokens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "lm/chat_template.hpp"
#include "lm/example.hpp"

namespace ffe::lm {

// kChat comes from "messages", from "prompt" and "completion", or from "instruction", "input"
// (optional) and "output": instruction and a non-empty input, joined by a blank line, are the
// user's turn. kText comes from "text". Other members of the object are ignored.
struct Row {
  enum class Kind { kChat, kText };
  Kind kind = Kind::kChat;
  std::vector<Message> messages;  // ends with an assistant's turn
  std::string text;

  bool operator==(const Row&) const = default;
};

struct RowLimits {
  size_t max_line_bytes = 1u << 20;
  size_t max_depth = 8;
  size_t max_rows = 10'000'000;
  size_t max_messages = 1024;
  size_t max_reported = 100;  // bad rows kept with their reason; all are counted
};

// Messages never quote the row: its content may be somebody's secret.
struct BadRow {
  size_t line = 0;    // from 1
  size_t column = 0;  // from 1, in bytes; 1 when the whole row is meant
  std::string reason;
};

struct RowReport {
  size_t rows = 0;  // non-blank lines, good and bad
  size_t bad_count = 0;
  std::vector<BadRow> bad;
};

// Reads one row at a time. Blank lines are skipped; a UTF-8 byte order mark at the start is
// skipped.
class RowReader {
 public:
  // `what` names the source in errors. With `report`, bad rows are counted there instead of thrown.
  RowReader(std::istream& in, std::string what, RowLimits limits = {}, RowReport* report = nullptr);

  // False at the end. Throws Error{kBadInput} "<what>:<line>:<column>: <reason>" for a bad row
  // (without `report`) and, in any case, above max_rows.
  bool next(Row& row);
  size_t line() const { return line_; }  // of the row that next() gave

 private:
  bool read_line(std::string& text, bool& too_long);

  std::istream& in_;
  std::string what_;
  RowLimits limits_;
  RowReport* report_;
  RowReport own_report_;
  size_t line_ = 0;
};

std::vector<Row> read_rows(ByteView jsonl, std::string what, RowLimits limits = {},
                           RowReport* report = nullptr);
std::vector<Row> read_rows_file(const std::filesystem::path& path, RowLimits limits = {},
                                RowReport* report = nullptr);

// One row from its line; throws Error{kBadInput} (reason only).
Row parse_row(std::string_view line, const RowLimits& limits = {});

// What both conversions need to know; `default_system` as in ChatTemplate::encode_chat.
struct ExampleOptions {
  size_t max_tokens = 2048;
  bool default_system = false;
};

// Chat: every assistant turn is a target. Text: bos (if the tokenizer adds one), the text, eos; all
// but the first are targets. Longer rows keep their first max_tokens tokens and set `truncated`; an
// example may then have no target left (target_count() is 0). `chat` may be null for text rows.
Example to_example(const Row& row, const Tokenizer& tokenizer, const ChatTemplate* chat,
                   const ExampleOptions& options, bool* truncated = nullptr);

// The question of one row (all before its last answer; for text the first half of its tokens,
// rounded down) with the last answer of another (for text the second half); only that answer is a
// target. with_answer(row, row) is the row itself with its last answer as the only target.
Example with_answer(const Row& question, const Row& answer, const Tokenizer& tokenizer,
                    const ChatTemplate* chat, const ExampleOptions& options,
                    bool* truncated = nullptr);

}  // namespace ffe::lm
