// What a contributor should know about rows before they leave the machine: traces of personal data
// and of secrets, rows that the gate would drop. Hints, not proof; nothing is sent anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lm/rows.hpp"

namespace ffe::gate {

enum class Trace : uint8_t {
  kMail,   // a mail address
  kPhone,  // a telephone number
  kIban,   // a bank account (ISO 13616, check digits hold)
  kCard,   // a payment card (13 to 19 digits, Luhn's check holds)
  kKey,    // a private key, an access token or a password of a service
};
inline constexpr Trace kTraces[] = {Trace::kMail, Trace::kPhone, Trace::kIban, Trace::kCard,
                                    Trace::kKey};
std::string_view name(Trace trace);  // "mail address", …

// The kinds that a text shows, each once, in the order of kTraces.
std::vector<Trace> find_traces(std::string_view text);

struct TraceCount {
  Trace trace{};
  uint64_t rows = 0;
  size_t first_line = 0;  // of the file, from 1
};

struct Lint {
  std::vector<TraceCount> traces;  // only kinds that were found
  uint64_t near_copies = 0;        // of an earlier row of the file
  uint64_t empty = 0;              // no answer
  uint64_t echo = 0;               // the answer repeats the question
  uint64_t repeated = 0;           // one answer to unlike questions
  uint64_t usable = 0;             // what is left without all these
};

// `lines`: the line of each row.
Lint lint(const std::vector<lm::Row>& rows, const std::vector<size_t>& lines);

}  // namespace ffe::gate
