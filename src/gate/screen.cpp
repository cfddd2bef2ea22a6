#include "gate/screen.hpp"

#include <algorithm>
#include <map>

namespace ffe::gate {
namespace {

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

// Normalised, or as it is where no words are left (numbers stay, symbols would not).
std::string key_of(const std::string& text) {
  std::string key = normalise(text);
  return key.empty() ? trimmed(text) : key;
}

// Half of the question or more, found whole in it; or all of the question with little added. An
// answer quoted from a long question is none.
bool is_echo(const std::string& question, const std::string& answer) {
  if (answer.empty() || question.empty()) return false;
  const auto within = [](const std::string& part, const std::string& whole) {
    return (' ' + whole + ' ').find(' ' + part + ' ') != std::string::npos;
  };
  const auto words = [](const std::string& s) { return std::count(s.begin(), s.end(), ' ') + 1; };
  return (within(answer, question) && 2 * words(answer) >= words(question)) ||
         (within(question, answer) && 5 * words(question) >= 4 * words(answer));
}

// How many of the rows' questions are unlike each other: near-copies count once.
size_t unlike_questions(const std::vector<RowText>& rows, const std::vector<size_t>& members,
                        const ShingleSet& ignored) {
  NearCopyIndex index;
  for (size_t i : members) {
    Shingles question = content(fingerprint({rows[i].question, {}}), ignored);
    if (!index.find(question)) index.add(std::move(question));
  }
  return index.size();
}

ShingleSet question_template(const std::vector<RowText>& rows) {
  std::vector<RowText> questions;
  questions.reserve(rows.size());
  for (const RowText& row : rows) questions.push_back({row.question, {}});
  return template_of(fingerprints(questions));
}

}  // namespace

PoolHabits habits_of(const std::vector<RowText>& pool) {
  PoolHabits out;
  std::unordered_set<std::string> once;
  size_t echoes = 0;
  for (const RowText& row : pool) {
    std::string answer = key_of(row.answer);
    echoes += is_echo(key_of(row.question), answer);
    if (!once.insert(answer).second) out.common_answers.insert(std::move(answer));
  }
  out.echoes = echoes * 20 > pool.size();
  return out;
}

TextScreen screen_texts(const std::vector<RowText>& rows, const PoolHabits& habits) {
  TextScreen out;
  out.flags.assign(rows.size(), RowFlag::kKeep);
  std::map<std::string, std::vector<size_t>> by_answer;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string answer = key_of(rows[i].answer);
    if (answer.empty()) {
      out.flags[i] = RowFlag::kEmpty;
    } else if (!habits.echoes && is_echo(key_of(rows[i].question), answer)) {
      out.flags[i] = RowFlag::kEcho;
    }
    if (!answer.empty() && !habits.common_answers.contains(answer)) by_answer[answer].push_back(i);
  }
  const ShingleSet ignored = question_template(rows);
  for (const auto& [answer, members] : by_answer) {
    if (members.size() < kRepeatedRows) continue;
    const size_t unlike = unlike_questions(rows, members, ignored);
    if (unlike < kRepeatedRows) continue;
    out.largest_cluster = std::max(out.largest_cluster, unlike);
    for (size_t i : members) {
      if (out.flags[i] == RowFlag::kKeep) out.flags[i] = RowFlag::kRepeated;
    }
  }
  return out;
}

double unlikely_threshold(std::vector<double> pool_losses) {
  std::sort(pool_losses.begin(), pool_losses.end());
  const double first = pool_losses[(pool_losses.size() - 1) / 4];
  const double third = pool_losses[(pool_losses.size() - 1) * 3 / 4];
  return third + std::max(1.5 * (third - first), kLeastFence);
}

}  // namespace ffe::gate
