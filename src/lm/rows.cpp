#include "lm/rows.hpp"

#include <fstream>
#include <sstream>
#include <streambuf>

#include "base/json.hpp"
#include "lm/unicode.hpp"

namespace ffe::lm {
namespace {

// A broken row; the reason never quotes the row.
struct RowFault {
  size_t column;
  std::string reason;
};

[[noreturn]] void fault(std::string reason) {
  throw RowFault{1, std::move(reason)};
}

Json parse_line(std::string_view line, const RowLimits& limits) {
  if (const size_t at = find_invalid_utf8(line); at != std::string_view::npos) {
    throw RowFault{at + 1, "not UTF-8"};
  }
  try {
    return parse_json(line, "row",
                      {.max_bytes = limits.max_line_bytes, .max_depth = limits.max_depth});
  } catch (const Error&) {
    // Its message may quote the row; find out what was wrong without it.
  } catch (const Json::exception&) {
  }
  try {
    const auto shallow = [&](int depth, Json::parse_event_t, Json&) {
      return static_cast<size_t>(depth) < limits.max_depth;
    };
    [[maybe_unused]] const Json ignored = Json::parse(line.begin(), line.end(), shallow);
  } catch (const Json::parse_error& e) {
    throw RowFault{std::max<size_t>(e.byte, 1), "not JSON"};
  } catch (const Json::exception&) {
    fault("a number is out of range");
  }
  fault("nested deeper than " + std::to_string(limits.max_depth) +
        " levels, or a member is there twice");
}

const std::string& text_member(const Json& object, const char* key) {
  auto it = object.find(key);
  if (it == object.end()) fault("has no \"" + std::string(key) + "\"");
  if (!it->is_string()) fault("\"" + std::string(key) + "\" is not a text");
  return it->get_ref<const std::string&>();
}

void read_messages(const Json& list, const std::string& member, const RowLimits& limits,
                   std::vector<Message>& out) {
  if (!list.is_array()) fault("\"" + member + "\" is not a list");
  if (list.size() > limits.max_messages) {
    fault("more than " + std::to_string(limits.max_messages) + " messages");
  }
  for (const Json& entry : list) {
    const std::string at = member + "[" + std::to_string(out.size()) + "]";
    if (!entry.is_object()) fault(at + " is not an object");
    Message message{text_member(entry, "role"), text_member(entry, "content")};
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      fault(at + ": the role is none of system, user and assistant");
    }
    if (message.role == "system" && !out.empty()) fault(at + ": only the first may be system");
    out.push_back(std::move(message));
  }
}

// "prompt" and "completion" are texts or, in the conversational form, lists of messages.
void read_prompt_or_completion(const Json& object, const char* member, const char* role,
                               const RowLimits& limits, std::vector<Message>& out) {
  auto it = object.find(member);
  if (it != object.end() && it->is_array()) {
    read_messages(*it, member, limits, out);
  } else {
    out.push_back({role, text_member(object, member)});
  }
}

Row row_from(const Json& json, const RowLimits& limits) {
  if (!json.is_object()) fault("not an object");
  Row row;
  if (json.contains("messages")) {
    read_messages(json["messages"], "messages", limits, row.messages);
  } else if (json.contains("prompt")) {
    read_prompt_or_completion(json, "prompt", "user", limits, row.messages);
    read_prompt_or_completion(json, "completion", "assistant", limits, row.messages);
  } else if (json.contains("instruction")) {
    std::string question = text_member(json, "instruction");
    if (json.contains("input") && !json["input"].is_null()) {
      const std::string& input = text_member(json, "input");
      if (!input.empty()) question += "\n\n" + input;
    }
    row.messages = {{"user", std::move(question)}, {"assistant", text_member(json, "output")}};
  } else if (json.contains("text")) {
    row.kind = Row::Kind::kText;
    row.text = text_member(json, "text");
    if (row.text.empty()) fault("\"text\" is empty");
    return row;
  } else {
    fault("has none of \"messages\", \"prompt\", \"instruction\" and \"text\"");
  }
  if (row.messages.empty() || row.messages.back().role != "assistant") {
    fault("does not end with an assistant's message");
  }
  return row;
}

Row parse_row_or_fault(std::string_view line, const RowLimits& limits) {
  return row_from(parse_line(line, limits), limits);
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// Bytes in memory as a stream, without a copy.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(ByteView bytes) {
    // The get area is never written through.
    char* begin = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
    setg(begin, begin, begin + bytes.size());
  }
};

std::vector<Row> read_all(std::istream& in, std::string what, RowLimits limits, RowReport* report) {
  RowReader reader(in, std::move(what), limits, report);
  std::vector<Row> rows;
  for (Row row; reader.next(row);) rows.push_back(std::move(row));
  return rows;
}

void truncate(Example& example, size_t max_tokens, bool* truncated) {
  const bool longer = example.tokens.size() > max_tokens;
  if (truncated != nullptr) *truncated = longer;
  if (!longer) return;
  example.tokens.resize(max_tokens);
  example.target.resize(max_tokens);
}

const ChatTemplate& need(const ChatTemplate* chat) {
  if (chat == nullptr) {
    throw Error(ErrorCode::kUnsupported,
                "the rows are conversations, but the model has no chat template",
                "name the one it follows with --chat-template, for example chatml");
  }
  return *chat;
}

Example chat_example(const std::vector<Message>& messages, const ChatTemplate& chat,
                     const ExampleOptions& options) {
  ChatTokens encoded = chat.encode_chat(messages, false, options.default_system);
  Example out{std::move(encoded.tokens), std::move(encoded.answer)};
  if (!out.target.empty()) out.target[0] = 0;
  return out;
}

}  // namespace

Row parse_row(std::string_view line, const RowLimits& limits) {
  try {
    return parse_row_or_fault(line, limits);
  } catch (const RowFault& f) {
    throw Error(ErrorCode::kBadInput, f.reason);
  }
}

RowReader::RowReader(std::istream& in, std::string what, RowLimits limits, RowReport* report)
    : in_(in), what_(std::move(what)), limits_(limits), report_(report) {}

// Reads up to the line feed but keeps at most max_line_bytes of it.
bool RowReader::read_line(std::string& text, bool& too_long) {
  text.clear();
  too_long = false;
  std::streambuf* buffer = in_.rdbuf();
  bool any = false;
  for (int c; (c = buffer->sbumpc()) != std::streambuf::traits_type::eof();) {
    any = true;
    if (c == '\n') break;
    if (text.size() == limits_.max_line_bytes) {
      too_long = true;
    } else {
      text += static_cast<char>(c);
    }
  }
  if (any) ++line_;
  if (line_ == 1 && text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  return any;
}

bool RowReader::next(Row& row) {
  RowReport& report = report_ != nullptr ? *report_ : own_report_;
  std::string text;
  for (bool too_long = false; read_line(text, too_long);) {
    if (is_blank(text) && !too_long) continue;
    if (report.rows == limits_.max_rows) {
      throw Error(ErrorCode::kBadInput,
                  what_ + ": more than " + std::to_string(limits_.max_rows) + " rows");
    }
    ++report.rows;
    try {
      if (too_long) {
        fault("longer than " + std::to_string(limits_.max_line_bytes) + " bytes");
      }
      row = parse_row_or_fault(text, limits_);
      return true;
    } catch (const RowFault& f) {
      ++report.bad_count;
      if (report_ == nullptr) {
        throw Error(
            ErrorCode::kBadInput,
            what_ + ":" + std::to_string(line_) + ":" + std::to_string(f.column) + ": " + f.reason,
            "each line is one JSON object with messages, prompt and completion, "
            "instruction and output, or text");
      }
      if (report.bad.size() < limits_.max_reported) {
        report.bad.push_back({line_, f.column, f.reason});
      }
    }
  }
  return false;
}

std::vector<Row> read_rows(ByteView jsonl, std::string what, RowLimits limits, RowReport* report) {
  ViewBuffer buffer(jsonl);
  std::istream in(&buffer);
  return read_all(in, std::move(what), limits, report);
}

std::vector<Row> read_rows_file(const std::filesystem::path& path, RowLimits limits,
                                RowReport* report) {
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path)) {
    throw Error(ErrorCode::kIo, "cannot open " + path.string(), "check the path");
  }
  return read_all(in, path.filename().string(), limits, report);
}

Example to_example(const Row& row, const Tokenizer& tokenizer, const ChatTemplate* chat,
                   const ExampleOptions& options, bool* truncated) {
  Example out;
  if (row.kind == Row::Kind::kChat) {
    out = chat_example(row.messages, need(chat), options);
  } else {
    if (tokenizer.adds_bos()) out.tokens.push_back(tokenizer.bos());
    const std::vector<int32_t> ids = tokenizer.encode(row.text);
    out.tokens.insert(out.tokens.end(), ids.begin(), ids.end());
    if (tokenizer.eos() >= 0) out.tokens.push_back(tokenizer.eos());
    out.target.assign(out.tokens.size(), 1);
    if (!out.target.empty()) out.target[0] = 0;
  }
  truncate(out, options.max_tokens, truncated);
  return out;
}

Example with_answer(const Row& question, const Row& answer, const Tokenizer& tokenizer,
                    const ChatTemplate* chat, const ExampleOptions& options, bool* truncated) {
  if (question.kind != answer.kind) {
    throw Error(ErrorCode::kBadInput,
                "a conversation and a plain text cannot exchange their answers");
  }
  Example out;
  size_t prompt = 0;
  if (question.kind == Row::Kind::kChat) {
    std::vector<Message> messages = question.messages;
    messages.back() = answer.messages.back();
    out = chat_example(messages, need(chat), options);
    messages.pop_back();
    prompt = chat->encode_chat(messages, true, options.default_system).tokens.size();
  } else {
    if (tokenizer.adds_bos()) out.tokens.push_back(tokenizer.bos());
    const std::vector<int32_t> first = tokenizer.encode(question.text);
    const std::vector<int32_t> second = tokenizer.encode(answer.text);
    const auto half = [](const std::vector<int32_t>& ids) {
      return ids.begin() + static_cast<ptrdiff_t>(ids.size() / 2);
    };
    out.tokens.insert(out.tokens.end(), first.begin(), half(first));
    prompt = out.tokens.size();
    out.tokens.insert(out.tokens.end(), half(second), second.end());
    if (tokenizer.eos() >= 0) out.tokens.push_back(tokenizer.eos());
    out.target.assign(out.tokens.size(), 1);
  }
  for (size_t i = 0; i < std::max<size_t>(prompt, 1) && i < out.target.size(); ++i) {
    out.target[i] = 0;
  }
  truncate(out, options.max_tokens, truncated);
  return out;
}

}  // namespace ffe::lm
