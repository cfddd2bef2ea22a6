#include "gate/lint.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "gate/duplicates.hpp"
#include "gate/screen.hpp"

namespace ffe::gate {
namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool word(char c) {
  return digit(c) || letter(c);
}

size_t run_of(std::string_view text, size_t at, bool (*of)(char)) {
  size_t end = at;
  while (end < text.size() && of(text[end])) ++end;
  return end - at;
}

bool has_mail(std::string_view text) {
  auto local = [](char c) {
    return word(c) || std::string_view("._%+-").find(c) != std::string_view::npos;
  };
  auto host = [](char c) { return word(c) || c == '.' || c == '-'; };
  for (size_t at = text.find('@'); at != text.npos; at = text.find('@', at + 1)) {
    if (at == 0 || !local(text[at - 1])) continue;
    const std::string_view name = text.substr(at + 1, run_of(text, at + 1, host));
    const size_t dot = name.find_last_of('.', name.ends_with('.') ? name.size() - 2 : name.npos);
    if (dot == name.npos || dot == 0) continue;
    if (run_of(name, dot + 1, letter) >= 2) return true;
  }
  return false;
}

// A number as people write it: digits in groups. `end` is behind its last digit.
struct Groups {
  std::string digits;
  size_t groups = 0, end = 0;
};

Groups digit_groups(std::string_view text, size_t at, std::string_view separators) {
  Groups out;
  while (at < text.size()) {
    const size_t n = run_of(text, at, digit);
    if (n == 0) break;
    out.digits += text.substr(at, n);
    ++out.groups;
    at = out.end = at + n;
    size_t gap = 0;
    while (gap < 2 && at + gap < text.size() && separators.find(text[at + gap]) != separators.npos)
      ++gap;
    if (gap == 0) break;
    at += gap;
  }
  return out;
}

bool starts_number(std::string_view text, size_t at) {
  return digit(text[at]) &&
         (at == 0 || (!word(text[at - 1]) && text[at - 1] != '.' && text[at - 1] != ','));
}

// International with a plus, or in at least three groups with a leading zero or bracket: numbers in
// a row are arithmetic more often than telephones.
bool has_phone(std::string_view text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    const bool plus = text[i] == '+' && digit(text[i + 1]) && (i == 0 || !word(text[i - 1]));
    const bool bracket = text[i] == '(' && digit(text[i + 1]);
    const bool zero = text[i] == '0' && starts_number(text, i);
    if (!plus && !bracket && !zero) continue;
    const Groups g = digit_groups(text, zero ? i : i + 1, " -./()");
    const size_t n = g.digits.size();
    const bool whole = g.end >= text.size() || !word(text[g.end]);
    if (!whole || n > 15) continue;
    if (plus && n >= 9 && g.groups >= 1) return true;
    if (!plus && n >= 9 && g.groups >= 3) return true;
  }
  return false;
}

bool luhn(const std::string& digits) {
  int sum = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    int d = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 1) d = d * 2 > 9 ? d * 2 - 9 : d * 2;
    sum += d;
  }
  return sum % 10 == 0;
}

bool has_card(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (!starts_number(text, i)) continue;
    const Groups g = digit_groups(text, i, " -");
    const size_t n = g.digits.size();
    const bool same = g.digits.find_first_not_of(g.digits.front()) == std::string::npos;
    if (n >= 13 && n <= 19 && g.groups <= 5 && !same && luhn(g.digits)) return true;
    i = std::max(i, g.end - 1);
  }
  return false;
}

bool iban_holds(const std::string& iban) {
  int rest = 0;
  for (size_t i = 0; i < iban.size(); ++i) {
    const char c = iban[(i + 4) % iban.size()];
    rest = digit(c) ? (rest * 10 + (c - '0')) % 97 : (rest * 100 + (c - 'A' + 10)) % 97;
  }
  return rest == 1;
}

bool has_iban(std::string_view text) {
  auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  for (size_t i = 0; i + 15 <= text.size(); ++i) {
    if (!upper(text[i]) || !upper(text[i + 1]) || !digit(text[i + 2]) || !digit(text[i + 3]))
      continue;
    if (i > 0 && word(text[i - 1])) continue;
    std::string iban;
    for (size_t at = i; at < text.size() && iban.size() < 34; ++at) {
      if (text[at] == ' ') continue;
      if (!upper(text[at]) && !digit(text[at])) break;
      iban += text[at];
      if (iban.size() >= 15 && iban_holds(iban)) return true;
    }
  }
  return false;
}

// Tokens of well-known services and wallets, by how they begin and how long they are.
bool has_key(std::string_view text) {
  if (text.find("-----BEGIN ") != text.npos && text.find("PRIVATE KEY-----") != text.npos)
    return true;
  struct Form {
    std::string_view begin;
    size_t length;  // behind it
    bool (*of)(char);
  };
  auto token = [](char c) { return word(c) || c == '_' || c == '-'; };
  auto hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  auto capital = [](char c) { return digit(c) || (c >= 'A' && c <= 'Z'); };
  const Form forms[] = {{"AKIA", 16, capital}, {"sk-", 20, token},   {"ghp_", 36, word},
                        {"xoxb-", 20, token},  {"AIza", 35, token},  {"0x", 64, hex},
                        {"hf_", 30, word},     {"glpat-", 20, token}};
  for (const Form& form : forms) {
    for (size_t at = text.find(form.begin); at != text.npos; at = text.find(form.begin, at + 1)) {
      if (at > 0 && word(text[at - 1])) continue;
      const size_t n = run_of(text, at + form.begin.size(), form.of);
      if (form.of == static_cast<bool (*)(char)>(hex) ? n == form.length : n >= form.length)
        return true;
    }
  }
  return false;
}

std::string all_text(const lm::Row& row) {
  std::string out = row.text;
  for (const lm::Message& m : row.messages) out += (out.empty() ? "" : "\n") + m.content;
  return out;
}

}  // namespace

std::string_view name(Trace trace) {
  switch (trace) {
    case Trace::kMail:
      return "mail address";
    case Trace::kPhone:
      return "telephone number";
    case Trace::kIban:
      return "bank account";
    case Trace::kCard:
      return "payment card";
    case Trace::kKey:
      return "key or token";
  }
  return "";
}

std::vector<Trace> find_traces(std::string_view text) {
  bool (*const kFinders[])(std::string_view) = {has_mail, has_phone, has_iban, has_card, has_key};
  std::vector<Trace> out;
  for (size_t i = 0; i < std::size(kFinders); ++i) {
    if (kFinders[i](text)) out.push_back(kTraces[i]);
  }
  return out;
}

Lint lint(const std::vector<lm::Row>& rows, const std::vector<size_t>& lines) {
  Lint out;
  std::vector<RowText> texts;
  std::array<TraceCount, std::size(kTraces)> counts{};
  for (size_t i = 0; i < rows.size(); ++i) {
    texts.push_back(row_text(rows[i]));
    for (Trace trace : find_traces(all_text(rows[i]))) {
      TraceCount& c = counts[static_cast<size_t>(trace)];
      if (c.rows++ == 0) c.first_line = lines[i];
      c.trace = trace;
    }
  }
  for (const TraceCount& c : counts) {
    if (c.rows != 0) out.traces.push_back(c);
  }
  const std::vector<size_t> distinct = distinct_rows(fingerprints(texts));
  out.near_copies = rows.size() - distinct.size();
  std::vector<RowText> left;
  for (size_t i : distinct) left.push_back(texts[i]);
  // The pool's habits are not known here; the gate forgives what the pool itself does.
  for (RowFlag flag : screen_texts(left, {}).flags) {
    out.empty += flag == RowFlag::kEmpty;
    out.echo += flag == RowFlag::kEcho;
    out.repeated += flag == RowFlag::kRepeated;
    out.usable += flag == RowFlag::kKeep;
  }
  return out;
}

}  // namespace ffe::gate
