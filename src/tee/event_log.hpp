// Event logs: what a TD says was extended into its RTMRs, and the replay that proves it.
//
// A log is only text until replay() of it gives the registers of a verified quote; and then only
// its digests are proven. `data` is meaningful where `bound` is set: the digest was recomputed from
// it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "tee/provider.hpp"
#include "tee/quote.hpp"

namespace ffe::tee {

struct LogEvent {
  unsigned rtmr = 0;  // 0..3
  uint32_t type = 0;
  Measurement digest;
  std::string name;  // dstack: event; attestation agent: "<domain> <operation>"; else empty
  Bytes data;
  bool bound = false;
};

// TCG crypto-agile log (CCEL table, and the attestation agent's AAEL entries behind it). Takes the
// SHA-384 digest of every entry; stops at the 0xFF end mark. Throws Error{kBadInput}.
std::vector<LogEvent> parse_ccel(ByteView log);

// dstack's JSON array {"imr","event_type","digest","event","event_payload"}. Digests of runtime
// events are recomputed, whatever the log says.
std::vector<LogEvent> parse_dstack_log(std::string_view json);

// Chooses by format. Throws Error{kUnsupported} for kNone.
std::vector<LogEvent> parse_event_log(EventLogFormat format, ByteView log);

// The four registers after all events, from zero: R' = SHA-384(R ‖ digest).
std::array<Measurement, 4> replay(const std::vector<LogEvent>& events);

// Throws Error{kAttestation} naming the register unless the replay gives those of the report.
void check_replay(const std::vector<LogEvent>& events, const TdReport& report);

// dstack's runtime digest: SHA-384(le32(type) ‖ ":" ‖ event ‖ ":" ‖ payload).
inline constexpr uint32_t kDstackRuntimeEvent = 0x08000001;
Measurement dstack_event_digest(uint32_t type, std::string_view event, ByteView payload);

// The attestation agent's event data, le32("AAEL") ‖ le32(length) ‖ text; its digest is SHA-384 of
// it.
inline constexpr uint32_t kAaelTag = 0x4141454C;

}  // namespace ffe::tee
