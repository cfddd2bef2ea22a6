// Any bytes are a TDX quote or an Error; sizes of a quote always add up to the blob's.
#include <algorithm>
#include <cstdlib>

#include "fuzz/tolerate.hpp"
#include "tee/evidence.hpp"
#include "tee/quote.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  ByteView blob(data, size);
  tolerate([&] {
    tee::Quote quote = tee::parse_quote(blob);
    if (quote.size + quote.trailing != size) std::abort();
    if (quote.signed_region.size() > quote.size) std::abort();
    tee::workload_id(quote);
    tee::to_json(quote).dump();
    // A quote completes itself.
    const Bytes whole = tee::complete_quote(tee::cut_quote(blob), blob);
    if (!std::equal(whole.begin(), whole.end(), blob.begin(), blob.end())) std::abort();
  });
  tolerate([&] {
    const ByteView cut = tee::cut_quote(blob);  // of any bytes that begin like a quote
    if (cut.size() > size || !tee::same_quote(cut, blob)) std::abort();
  });
  tolerate([&] { tee::read_evidence(blob); });
  return 0;
}
