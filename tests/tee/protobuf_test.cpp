// The wire form against the encoding guide's own examples (protobuf.dev, "Encoding"), and hostile
// bytes. tapp_test.cpp has the other implementation on the far side of a socket.
#include "tee/protobuf.hpp"

#include <gtest/gtest.h>

#include "base/hex.hpp"

namespace ffe::tee {
namespace {

TEST(Protobuf, TheGuidesExamples) {
  Bytes varint = from_hex("089601");  // field 1 = 150
  EXPECT_EQ(ProtoReader(varint, "t").number(1), 150u);
  Bytes text = from_hex("120774657374696e67");  // field 2 = "testing"
  EXPECT_EQ(ProtoReader(text, "t").text(2), "testing");
  EXPECT_EQ(ProtoWriter().text(2, "testing").done(), text);
  EXPECT_EQ(ProtoWriter().boolean(1, true).done(), from_hex("0801"));
}

TEST(Protobuf, DefaultsAreLeftOutAndReadBack) {
  EXPECT_TRUE(ProtoWriter().text(1, "").boolean(2, false).done().empty());
  ProtoReader empty({}, "t");
  EXPECT_FALSE(empty.boolean(1));
  EXPECT_EQ(empty.text(2), "");
}

TEST(Protobuf, OtherFieldsArePassedOverAndTheLastOneCounts) {
  Bytes message = from_hex(
      "0d01020304"
      "110102030405060708"
      "1a0141"
      "1a0142"
      "2001");
  ProtoReader in(message, "t");
  EXPECT_EQ(in.text(3), "B");
  EXPECT_TRUE(in.boolean(4));
}

TEST(Protobuf, LongFieldsRoundTrip) {
  std::string text(70'000, 'x');
  Bytes message = ProtoWriter().text(200, text).done();
  EXPECT_EQ(ProtoReader(message, "t").text(200), text);
  for (size_t size = 1; size < 8; ++size) {
    EXPECT_THROW(ProtoReader(ByteView(message).first(size), "t"), Error) << size;
  }
}

TEST(Protobuf, DamageIsAnError) {
  for (const char* hex : {"08", "0a05", "0affffffffffffffffff01", "ffffffffffffffffffff01", "0000",
                          "0b", "0c", "0f", "0d010203", "0801080a0c"}) {
    EXPECT_THROW(ProtoReader(from_hex(hex), "t").number(1), Error) << hex;
  }
  EXPECT_THROW(ProtoReader(from_hex("0801"), "t").bytes(1), Error);
  EXPECT_THROW(ProtoReader(from_hex("0a0141"), "t").boolean(1), Error);
}

}  // namespace
}  // namespace ffe::tee
