#include "crypto/random.hpp"

#include <numeric>
#include <set>

#include "vectors.hpp"

namespace ffe::crypto {
namespace {

using namespace ffe::test;

TEST(Random, SystemBytesDiffer) {
  std::set<Bytes> seen;
  for (int i = 0; i < 16; ++i) {
    Bytes bytes(300);
    random_bytes(bytes);
    seen.insert(bytes);
  }
  EXPECT_EQ(seen.size(), 16u);
}

// RFC 8439 A.1, test vectors 1 and 2: zero key and nonce, counters 0 and 1.
TEST(ChaChaRng, IsTheKeystreamOfRfc8439) {
  ChaChaRng rng(Bytes(32, 0));
  Bytes stream;
  for (int i = 0; i < 32; ++i) {
    uint32_t word = rng.next_u32();
    for (int j = 0; j < 4; ++j) stream.push_back(static_cast<uint8_t>(word >> 8 * j));
  }
  EXPECT_EQ(to_hex(stream),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
            "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
            "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
}

TEST(ChaChaRng, AgreesWithNoble) {
  for_each_case("rng.json", [](const Json& c) {
    Bytes key = hex_of(c, "key");
    ChaChaRng words(key);
    for (const Json& v : c.at("u32")) ASSERT_EQ(words.next_u32(), v.get<uint32_t>());
    ChaChaRng longs(key);
    for (const Json& v : c.at("u64")) {
      ASSERT_EQ(std::to_string(longs.next_u64()), v.get<std::string>());
    }
    ChaChaRng bounded(key);
    for (const Json& v : c.at("below")) {
      uint64_t n = std::stoull(v[0].get<std::string>());
      ASSERT_EQ(std::to_string(bounded.below(n)), v[1].get<std::string>()) << n;
    }
    ChaChaRng fractions(key);
    for (const Json& v : c.at("uniform01")) ASSERT_EQ(fractions.uniform01(), v.get<double>());
    ChaChaRng shuffler(key);
    std::vector<int> values(100);
    std::iota(values.begin(), values.end(), 0);
    shuffler.shuffle(values);
    EXPECT_EQ(values, c.at("shuffle").get<std::vector<int>>());
  });
}

TEST(ChaChaRng, BelowIsUniform) {
  ChaChaRng rng(Bytes(32, 7));
  std::array<int, 6> counts{};
  for (int i = 0; i < 60'000; ++i) ++counts[rng.below(6)];
  // Chi-square with 5 degrees of freedom; the stream is fixed, so this cannot flicker.
  double chi = 0;
  for (int count : counts) chi += (count - 10'000.0) * (count - 10'000.0) / 10'000.0;
  EXPECT_LT(chi, 20.5);
}

TEST(ChaChaRng, Edges) {
  ChaChaRng rng(Bytes(32, 7));
  EXPECT_EQ(rng.below(1), 0u);
  for (int i = 0; i < 1000; ++i) {
    double u = rng.uniform01();
    EXPECT_TRUE(u >= 0 && u < 1) << u;
    EXPECT_LT(rng.below((uint64_t{1} << 63) + 1), (uint64_t{1} << 63) + 1);
  }
  std::vector<int> empty;
  rng.shuffle(empty);
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(error_of([&] { rng.below(0); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([] { ChaChaRng(Bytes(31, 0)); }), ErrorCode::kBadInput);
}

}  // namespace
}  // namespace ffe::crypto
