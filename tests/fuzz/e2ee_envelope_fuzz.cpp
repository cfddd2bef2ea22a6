// Any JSON is an envelope, a frame or an Error; nothing that was not sealed for this key opens.
#include <cstdlib>

#include "e2ee/envelope.hpp"
#include "fuzz/tolerate.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  static const crypto::X25519KeyPair key = crypto::X25519KeyPair::from(Bytes(32, 7));
  std::string_view text(reinterpret_cast<const char*>(data), size);
  tolerate([&] {
    Json json = parse_json(text, "envelope");
    tolerate([&] { e2ee::envelope_hash(json); });
    tolerate([&] { e2ee::recipient_from_json(json); });
    tolerate([&] { e2ee::plain_hash(json); });
    tolerate([&] {
      e2ee::open_request(json, key, Address{});
      std::abort();
    });
    tolerate([&] {
      e2ee::ResponseOpener(key.clone(), H256{}).open(json);
      std::abort();
    });
  });
  return 0;
}
