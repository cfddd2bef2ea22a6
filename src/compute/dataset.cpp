#include "compute/dataset.hpp"

#include "base/json.hpp"

namespace ffe::compute {
namespace {

enum class Kind { kMessages, kInstruction, kText };

std::string text_of(const Json& object, std::string_view key) {
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Kind kind_of(const Json& first, const std::string& where) {
  if (first.contains("messages")) return Kind::kMessages;
  if (first.contains("instruction")) return Kind::kInstruction;
  if (first.contains("text")) return Kind::kText;
  throw Error(ErrorCode::kBadInput,
              where + "neither \"messages\" nor \"instruction\" nor \"text\"");
}

TrainingRow conversation(const Json& row, TrainingRows& out) {
  TrainingRow r;
  auto messages = row.find("messages");
  if (messages == row.end() || !messages->is_array()) return r;
  size_t users = 0, assistants = 0;
  for (const Json& message : *messages) {
    if (!message.is_object()) continue;
    std::string role = text_of(message, "role");
    if (role == "user") {
      ++users;
      r.instruction = text_of(message, "content");
    } else if (role == "assistant") {
      ++assistants;
      r.output = text_of(message, "content");
    } else if (role == "system") {
      ++out.lost_system_prompts;
    }
  }
  if (users > 1) out.lost_turns += users - 1;
  if (assistants > 1) out.lost_turns += assistants - 1;
  return r;
}

TrainingRow convert(const Json& row, Kind kind, DatasetWay way, TrainingRows& out) {
  TrainingRow r;
  switch (kind) {
    case Kind::kMessages:
      return conversation(row, out);
    case Kind::kInstruction:
      r.instruction = text_of(row, "instruction");
      r.input = text_of(row, "input");
      r.output = text_of(row, "output");
      return r;
    case Kind::kText:
      if (way == DatasetWay::kUpload) {
        ++out.lost_texts;
      } else {
        r.text = text_of(row, "text");
      }
      return r;
  }
  throw Error(ErrorCode::kInternal, "no such kind of rows");
}

}  // namespace

TrainingRows training_rows(std::string_view jsonl, DatasetWay way, std::string_view what) {
  TrainingRows out;
  std::optional<Kind> kind;
  for (size_t line = 1; !jsonl.empty(); ++line) {
    std::string_view text = jsonl.substr(0, jsonl.find('\n'));
    jsonl.remove_prefix(std::min(jsonl.size(), text.size() + 1));
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    std::string where = std::string(what) + ":" + std::to_string(line) + ": ";
    Json row = parse_json(text, where.substr(0, where.size() - 2));
    if (!row.is_object()) throw Error(ErrorCode::kBadInput, where + "not a JSON object");
    if (!kind) kind = kind_of(row, where);
    out.rows.push_back(convert(row, *kind, way, out));
  }
  if (out.rows.empty()) throw Error(ErrorCode::kBadInput, std::string(what) + " holds no rows");
  return out;
}

std::string training_text(const TrainingRow& row) {
  if (!row.text.empty()) return row.text;
  std::string text = "### Instruction:\n" + row.instruction + "\n\n";
  if (!row.input.empty()) text += "### Input:\n" + row.input + "\n\n";
  return text + "### Response:\n" + row.output;
}

uint64_t count_tokens(const std::vector<TrainingRow>& rows,
                      const std::function<size_t(std::string_view)>& tokens) {
  uint64_t total = 0;
  for (const TrainingRow& row : rows) {
    for (const std::string* column : {&row.instruction, &row.input, &row.output, &row.text}) {
      if (!column->empty()) total += tokens(*column);
    }
  }
  return total;
}

}  // namespace ffe::compute
