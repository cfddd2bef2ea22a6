#include "provider/provider.hpp"

#include <thread>

#include "provider/limiter.hpp"
#include "provider/network.hpp"

namespace ffe::provider {
namespace {

using test::error_of;

TEST(ProviderFaults, HaveNames) {
  for (Fault fault : all_faults()) EXPECT_EQ(fault_from_name(fault_name(fault)), fault);
  EXPECT_EQ(error_of([] { fault_from_name("nonsense"); }), "usage: unknown fault \"nonsense\"");
}

TEST(ProviderLimiter, GivesABurstAndThenARate) {
  Limiter limiter(20, 2);
  EXPECT_TRUE(limiter.allow("a"));
  EXPECT_TRUE(limiter.allow("a"));
  EXPECT_FALSE(limiter.allow("a"));
  EXPECT_TRUE(limiter.allow("b"));
  std::this_thread::sleep_for(std::chrono::milliseconds(80));
  EXPECT_TRUE(limiter.allow("a"));
  Limiter none(0, 0);
  EXPECT_TRUE(none.allow("a"));
}

}  // namespace
}  // namespace ffe::provider
