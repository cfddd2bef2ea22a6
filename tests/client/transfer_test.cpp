// What a token's buyer sends, before anything of it is checked against the chain.
#include <gtest/gtest.h>

#include "client/client.hpp"
#include "support/error_of.hpp"

namespace ffe::client {
namespace {

Json request() {
  return {{"tokenId", "1001"},
          {"receiver", "0x" + std::string(40, '2')},
          {"key", "0x" + std::string(64, '3')},
          {"deadline", 2'000'000'000u},
          {"salt", "0x" + std::string(64, '4')},
          {"signature", "0x" + std::string(130, '5')}};
}

TEST(KeyRequestTest, ReadsBackWhatItWrites) {
  EXPECT_EQ(to_json(key_request_from_json(request())), request());
  Json wallet = request();
  wallet["key"] = "0x04" + std::string(128, '6');
  EXPECT_EQ(to_json(key_request_from_json(wallet)), wallet);
}

TEST(KeyRequestTest, AMemberThatIsWrongIsNamed) {
  for (const auto& [member, value] : {std::pair<std::string, Json>{"tokenId", "-1"},
                                      {"receiver", "0x22"},
                                      {"key", ""},
                                      {"key", "0x" + std::string(62, '3')},
                                      {"deadline", "soon"},
                                      {"salt", 4},
                                      {"signature", "0x55"}}) {
    Json wrong = request();
    wrong[member] = value;
    EXPECT_NE(test::error_of([&] { key_request_from_json(wrong); }), "") << member;
    wrong.erase(member);
    EXPECT_NE(test::error_of([&] { key_request_from_json(wrong); }).find(member),
              std::string::npos);
  }
}

}  // namespace
}  // namespace ffe::client
