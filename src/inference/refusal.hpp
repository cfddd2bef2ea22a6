// A request that a service does not serve, as HTTP and OpenAI's error object say it.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"

namespace ffe::inference {

// Names of `error.code` that clients act on (docs/spec/sealed-inference.md has all).
namespace reason {
inline constexpr std::string_view kStaleKey = "stale_key";    // sealed to a key of another process
inline constexpr std::string_view kNotLoaded = "not_loaded";  // the owner's key is not here
inline constexpr std::string_view kToken = "invalid_token";   // malformed, expired, of another one
}  // namespace reason

class Refusal : public Error {
 public:
  // `retry_after`: seconds; 0: trying again is no use.
  Refusal(int status, std::string_view reason, const std::string& message, std::string hint = {},
          int retry_after = 0);

  int status() const { return status_; }
  const std::string& reason() const { return reason_; }
  int retry_after() const { return retry_after_; }

 private:
  int status_;
  std::string reason_;
  int retry_after_;
};

// {"error":{"message","type","code","hint"?}}. OpenAI's clients show the message.
Json to_json(const Refusal& refusal);
// Of an answer with an error status, whatever its body is. `who` begins the message.
Refusal refusal_from_answer(int status, std::string_view retry_after, const Json& body,
                            std::string_view who);

}  // namespace ffe::inference
