// What a Tapp service may answer: any bytes are a message, evidence, runtime data, or an Error.
#include "fuzz/tolerate.hpp"
#include "tee/protobuf.hpp"
#include "tee/tapp.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  ByteView bytes(data, size);
  tolerate([&] {
    tee::ProtoReader fields(bytes, "fuzz");
    for (uint32_t field = 0; field < 8; ++field) {
      tolerate([&] { fields.number(field); });
      tolerate([&] { fields.text(field); });
    }
  });
  tolerate([&] { tee::parse_tapp_evidence(as_text(bytes)); });
  tolerate([&] { tee::parse_tapp_runtime_data(bytes); });
  return 0;
}
