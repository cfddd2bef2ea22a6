#include "gate/evidence.hpp"

#include <gtest/gtest.h>

namespace ffe::gate {
namespace {

TEST(evidence, empty_product_is_one) { EXPECT_EQ(one_sided({}, 60'000).floor(), 1); }

}  // namespace
}  // namespace ffe::gate
