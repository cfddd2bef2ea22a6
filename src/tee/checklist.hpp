// The ordered checks of one verification: a list that starts as "not evaluated" and is filled in.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "tee/verify.hpp"

namespace ffe::tee {

class Checklist {
 public:
  explicit Checklist(std::initializer_list<const char*> names) {
    for (const char* name : names) checks_.push_back({name, Check::not_evaluated, {}, {}});
  }

  // `body` returns what it found, or throws Error: then the check fails and this returns false. No
  // exception of the libraries below escapes either: hostile input must end in a verdict.
  template <class Body>
  bool evaluate(std::string_view name, Body body) {
    Check& check = find(name);
    try {
      check.detail = body();
      check.state = Check::passed;
      return true;
    } catch (const Error& error) {
      check.detail = error.what();
      check.advice = error.hint();
    } catch (const std::exception& error) {
      check.detail = std::string("unexpected: ") + error.what();
    }
    if (check.advice.empty()) check.advice = "fetch the quote and its collateral again";
    check.state = Check::failed;
    return false;
  }

  // As evaluate(), for a check on which everything after it stands.
  template <class Body>
  void require(std::string_view name, Body body) {
    if (!evaluate(name, body)) throw Stop{};
  }

  void skip(std::string_view name, std::string why) { find(name).detail = std::move(why); }

  struct Stop {};

  std::vector<Check>& checks() { return checks_; }

 private:
  Check& find(std::string_view name) {
    for (Check& check : checks_) {
      if (check.name == name) return check;
    }
    throw Error(ErrorCode::kInternal, "no check is named " + std::string(name));
  }

  std::vector<Check> checks_;
};

}  // namespace ffe::tee
