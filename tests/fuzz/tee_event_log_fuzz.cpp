// Any bytes are an event log (CCEL with the attestation agent's entries, or dstack's JSON) or an
// Error; every event names a register and replays; what is bound has the digest of its content.
#include <cstdlib>

#include "crypto/hash.hpp"
#include "fuzz/tolerate.hpp"
#include "tee/application.hpp"
#include "tee/event_log.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  for (auto format : {tee::EventLogFormat::kCcel, tee::EventLogFormat::kDstack}) {
    tolerate([&] {
      std::vector<tee::LogEvent> events = tee::parse_event_log(format, {data, size});
      for (const tee::LogEvent& event : events) {
        if (event.rtmr > 3) std::abort();
        bool runtime = format == tee::EventLogFormat::kDstack && event.bound;
        if (runtime &&
            event.digest != tee::dstack_event_digest(event.type, event.name, event.data)) {
          std::abort();
        }
      }
      tee::replay(events);
      tolerate([&] { tee::tapp_application(events, "ffe"); });
      if (tee::names_application(events)) tee::application_hash(events);
    });
  }
  return 0;
}
