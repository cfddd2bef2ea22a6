// A genuine quote, altered, is never accepted. The input is a list of alterations: one byte to
// choose what, two bytes of position, one byte of value. What follows the quote may change: nobody
// signs it.
#include <cstdlib>
#include <filesystem>

#include "base/file.hpp"
#include "base/log.hpp"
#include "fuzz/tolerate.hpp"
#include "tee/simulated.hpp"
#include "tee/verify.hpp"

namespace {

using namespace ffe;

struct Genuine {
  Genuine() {
    init_log("off", false);
    write_file_atomic(folder.path() / "program", as_bytes(std::string("program")));
    auto platform = tee::SimulatedPlatform::create(folder.path() / "p", folder.path() / "program");
    anchor = platform.anchor();
    collateral = platform.collateral();
    for (tee::SimulatedQuoteOptions options :
         {tee::SimulatedQuoteOptions{}, tee::SimulatedQuoteOptions{.version = 5},
          tee::SimulatedQuoteOptions{.version = 5, .td15 = true}}) {
      quotes.push_back(platform.quote_bytes({}, options));
    }
  }
  TempDir folder{"ffe-fuzz"};
  tee::TrustAnchor anchor;
  tee::Collateral collateral;
  std::vector<Bytes> quotes;
};

void alter(Bytes& quote, uint8_t what, size_t at, uint8_t value) {
  at %= quote.size();
  auto position = quote.begin() + static_cast<std::ptrdiff_t>(at);
  switch (what % 5) {
    case 0:
      quote[at] ^= value;
      break;
    case 1:
      quote.insert(position, value);
      break;
    case 2:
      if (quote.size() > 1) quote.erase(position);
      break;
    case 3:
      quote.resize(at + 1);
      break;
    default:
      quote.push_back(value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Genuine genuine;
  if (size == 0) return 0;
  const Bytes& original = genuine.quotes[data[0] % genuine.quotes.size()];
  Bytes quote = original;
  for (size_t i = 1; i + 4 <= size && i < 64; i += 4) {
    alter(quote, data[i], get_le16(data + i + 1), data[i + 3]);
  }
  tee::Verification v = tee::verify(quote, genuine.collateral, genuine.anchor, std::time(nullptr),
                                    tee::Policy::development());
  bool same = quote.size() >= original.size() &&
              std::equal(original.begin(), original.end(), quote.begin());
  if (v.accepted && !same) std::abort();
  if (!v.accepted && v.first_failed() == nullptr) std::abort();
  return 0;
}
