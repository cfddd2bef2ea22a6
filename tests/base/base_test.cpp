#include <bit>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <sys/stat.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/jcs.hpp"
#include "base/json_strings.hpp"
#include "base/secret.hpp"

namespace ffe {
namespace {

TEST(hex, round_trip_and_errors) {
  Bytes b{0x00, 0x1f, 0xff};
  EXPECT_EQ(to_hex0x(b), "0x001fff");
  EXPECT_EQ(from_hex("0X001FfF"), b);
  EXPECT_THROW(from_hex("0x0"), Error);
  EXPECT_THROW(from_hex("zz"), Error);
  EXPECT_THROW(h256_from_hex("0x00"), Error);
}

// RFC 4648 §10.
TEST(base64, every_length_comes_back) {
  std::mt19937 random(6);
  for (size_t size = 0; size < 200; ++size) {
    Bytes bytes(size);
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
    const std::string text = to_base64(bytes);
    ASSERT_EQ(from_base64(text), bytes);
    for (size_t at = 0; at < text.size(); ++at) {
      for (char bad : {'-', '\0', '\xff', '='}) {
        std::string changed = text;
        if (changed[at] == '=') continue;
        changed[at] = bad;
        if (bad == '=' && at + 2 >= text.size()) continue;  // then it is another text
        EXPECT_THROW(from_base64(changed), Error) << changed;
      }
    }
  }
}

// Long enough for the path that takes 32 digits at a time.
TEST(base64, every_character_at_every_place) {
  const std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string text = std::string(digits) + std::string(digits);
  for (size_t at = 0; at + 4 < text.size(); ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string changed = text;
      changed[at] = static_cast<char>(c);
      if (digits.find(changed[at]) != std::string_view::npos) {
        ASSERT_EQ(to_base64(from_base64(changed)), changed);
      } else {
        ASSERT_THROW(from_base64(changed), Error) << at << " " << c;
      }
    }
  }
}

TEST(base64, rfc4648_vectors) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (auto [plain, coded] : cases) {
    EXPECT_EQ(to_base64(as_bytes(plain)), coded);
    EXPECT_EQ(as_text(from_base64(coded)), plain);
  }
  for (const char* bad : {"Zg=", "Zg", "Z===", "Zh==", "Zm9=", "Z g=", "=AAA", "Zg==Zg=="}) {
    EXPECT_THROW(from_base64(bad), Error) << bad;
  }
}

TEST(json, limits_and_duplicates) {
  EXPECT_EQ(parse_json(R"({"a":[1,2]})", "doc")["a"][1], 2);
  EXPECT_THROW(parse_json(R"({"a":1,"a":2})", "doc"), Error);
  EXPECT_THROW(parse_json("{", "doc"), Error);
  EXPECT_THROW(parse_json("1e999", "doc"), Error);
  EXPECT_THROW(parse_json(std::string(100, '['), "doc"), Error);
  EXPECT_THROW(parse_json("[1,2,3]", "doc", {.max_bytes = 3}), Error);
  EXPECT_THROW(parse_json("\"\xff\"", "doc"), Error);
}

// Strings long enough to be cut out, or nearly so, of every kind; keys among them.
Json random_document(std::mt19937& random, int depth) {
  auto text = [&] {
    const char* alphabets[] = {"abcXYZ019+/=", "ab\\\"\n", "aä€𝄞"};
    const std::string alphabet = alphabets[random() % 6 == 0 ? 1 : random() % 6 == 0 ? 2 : 0];
    std::string out;
    for (size_t n = random() % 3 == 0 ? 1020 + random() % 10 : random() % 5; n > 0; --n) {
      out += alphabet == "aä€𝄞" ? alphabet : std::string(1, alphabet[random() % alphabet.size()]);
    }
    return out;
  };
  switch (depth > 3 ? 0 : random() % 5) {
    case 0:
    case 1:
      return text();
    case 2:
      return random() % 1000;
    case 3: {
      Json array = Json::array();
      for (size_t n = random() % 4; n > 0; --n) array.push_back(random_document(random, depth + 1));
      return array;
    }
    default: {
      Json object = Json::object();
      for (size_t n = random() % 4; n > 0; --n) object[text()] = random_document(random, depth + 1);
      return object;
    }
  }
}

TEST(json, long_strings_are_as_short_ones) {
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    const Json document = random_document(random, 0);
    const std::string text = document.dump(static_cast<int>(random() % 3) - 1);
    ASSERT_EQ(parse_json(text, "doc"), document);
    ASSERT_EQ(json_text(document), document.dump());
    // Another character anywhere: refused or accepted as by the parser itself.
    std::string changed = text;
    changed[random() % changed.size()] = "\"\\x{}[],: "[random() % 10];
    const Json expected = Json::parse(changed, nullptr, false);
    try {
      const Json got = parse_json(changed, "doc");
      ASSERT_EQ(got, expected) << changed;
    } catch (const Error& e) {
      ASSERT_TRUE(expected.is_discarded() || std::string(e.what()).find("duplicate") != size_t(-1));
    }
  }
  const std::string bulk(2000, 'A');
  for (const std::string& bad : {"[\"" + bulk + "\", x]", "{\"k\":\"" + bulk + "\" \"\"}"}) {
    try {
      parse_json(bad, "doc");
      FAIL() << "accepted";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("at byte 20"), std::string::npos) << e.what();
    }
  }
}

// RFC 8785 §3.2.3, the part without floating-point numbers.
// RFC 8785 appendix B, and the example of §3.2.3.
TEST(json, jcs_is_rfc_8785) {
  const std::pair<uint64_t, const char*> kNumbers[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"},
  };
  for (auto [bits, text] : kNumbers) EXPECT_EQ(jcs(Json(std::bit_cast<double>(bits))), text);
  EXPECT_EQ(jcs(Json::parse(R"({"b":[56.0,0.000001,1E30,4.50,2e-3,null,true],"a":-7})")),
            R"({"a":-7,"b":[56,0.000001,1e+30,4.5,0.002,null,true]})");
  EXPECT_EQ(jcs(Json(uint64_t{9007199254740993})), "9007199254740992");
  EXPECT_THROW(jcs(Json(std::numeric_limits<double>::infinity())), Error);
}

TEST(json, canonical_form) {
  Json v = Json::parse(R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew","1":"One",
                           "\ud83d\ude00":"Smiley","\u0080":"Control","\u00f6":"o umlaut"})");
  EXPECT_EQ(canonical_json(v),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"o umlaut\","
            "\"€\":\"Euro Sign\",\"😀\":\"Smiley\",\"\uFB33\":\"Hebrew\"}");
  EXPECT_EQ(canonical_json(Json::parse(R"( {"b": [true, -5, "\u0001\n"], "a": 0} )")),
            R"({"a":0,"b":[true,-5,"\u0001\n"]})");
  EXPECT_THROW(canonical_json(Json(1.5)), Error);
  EXPECT_THROW(canonical_json(Json(nullptr)), Error);
  EXPECT_THROW(canonical_json(Json(uint64_t{1} << 53)), Error);
}

TEST(file, atomic_write_and_limits) {
  TempDir dir;
  auto path = dir.path() / "x";
  write_file_atomic(path, as_bytes("hello"), 0600);
  EXPECT_EQ(read_text_file(path), "hello");
  struct stat st {};
  ASSERT_EQ(stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_THROW(read_file(path, 4), Error);
  EXPECT_THROW(read_file(dir.path()), Error);
  EXPECT_THROW(read_file(dir.path() / "none"), Error);
  EXPECT_THROW(write_file_atomic("/dev/full/x", as_bytes("x")), Error);
}

TEST(secret, moves_and_compares) {
  SecretBytes a(as_bytes("key"));
  SecretBytes b = std::move(a);
  EXPECT_TRUE(a.empty());
  EXPECT_TRUE(equal_constant_time(b.view(), as_bytes("key")));
  EXPECT_FALSE(equal_constant_time(b.view(), as_bytes("kez")));
  EXPECT_FALSE(equal_constant_time(b.view(), as_bytes("ke")));
}

TEST(error, names_and_exit_codes) {
  EXPECT_EQ(error_name(ErrorCode::kAttestation), "attestation");
  EXPECT_EQ(exit_status(ErrorCode::kAttestation), 3);
  EXPECT_EQ(exit_status(ErrorCode::kChain), 6);
  EXPECT_EQ(exit_status(ErrorCode::kCorrupt), 1);
}

}  // namespace
}  // namespace ffe
