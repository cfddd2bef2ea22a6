#include "tee/event_log.hpp"

#include <optional>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "tee/reader.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kMaxLog = 16u << 20;
constexpr size_t kMaxEvents = 65536;
constexpr uint32_t kNoAction = 3;  // EV_NO_ACTION: informative, never extended
constexpr uint32_t kEventTag = 6;  // EV_EVENT_TAG
constexpr uint16_t kAlgSha384 = 0x000C;
constexpr uint32_t kEndMark = 0xFFFFFFFF;

[[noreturn]] void bad(const std::string& message) {
  throw Error(ErrorCode::kBadInput, "event log: " + message,
              "fetch the evidence again; the log must belong to the quote");
}

size_t digest_size(uint16_t algorithm) {
  switch (algorithm) {
    case 0x0004:
      return 20;  // SHA-1
    case 0x000B:
      return 32;  // SHA-256
    case kAlgSha384:
      return 48;
    case 0x000D:
      return 64;  // SHA-512
    case 0x0012:
      return 32;  // SM3
    default:
      bad("unknown digest algorithm " + std::to_string(algorithm));
  }
}

// The first record keeps the old form: a 20-byte digest, and it only describes the format.
void skip_header(Reader& in) {
  in.u32("register");
  if (in.u32("type") != kNoAction) bad("does not begin with a specification id event");
  in.take(20, "digest");
  in.take(in.u32("event size"), "event");
}

// Splits "<domain> <operation> <content>" of an attestation agent's entry.
void read_aael(LogEvent& event) {
  Reader in(event.data, "event log: AAEL entry");
  if (event.type != kEventTag || event.data.size() < 8 || in.u32("tag") != kAaelTag) return;
  std::string_view text = as_text(in.take(in.u32("text length"), "text"));
  if (!in.done()) bad("an AAEL entry has trailing bytes");
  if (crypto::sha384(event.data) != event.digest) bad("an AAEL entry does not match its digest");
  size_t domain = text.find(' ');
  size_t operation = domain == std::string_view::npos ? domain : text.find(' ', domain + 1);
  if (operation == std::string_view::npos) bad("an AAEL entry is not \"domain operation content\"");
  event.name = text.substr(0, operation);
  std::string content(text.substr(operation + 1));
  event.data.assign(content.begin(), content.end());
  event.bound = true;
}

std::optional<Measurement> read_digests(Reader& in) {
  std::optional<Measurement> out;
  uint32_t count = in.u32("digest count");
  if (count == 0 || count > 8) bad("an entry has " + std::to_string(count) + " digests");
  for (uint32_t i = 0; i < count; ++i) {
    uint16_t algorithm = in.u16("digest algorithm");
    ByteView digest = in.take(digest_size(algorithm), "digest");
    if (algorithm == kAlgSha384) out = Measurement::from(digest);
  }
  return out;
}

}  // namespace

std::vector<LogEvent> parse_ccel(ByteView log) {
  if (log.size() > kMaxLog) bad("larger than 16 MiB");
  Reader in(log, "event log");
  skip_header(in);
  std::vector<LogEvent> out;
  while (!in.done()) {
    uint32_t index = in.u32("register");
    if (index == kEndMark) break;
    LogEvent event;
    event.type = in.u32("type");
    std::optional<Measurement> digest = read_digests(in);
    ByteView data = in.take(in.u32("event size"), "event");
    if (event.type == kNoAction) continue;
    if (index < 1 || index > 4) bad("an entry names register " + std::to_string(index));
    if (!digest) bad("an entry has no SHA-384 digest");
    if (out.size() == kMaxEvents) bad("too many entries");
    event.rtmr = index - 1;
    event.digest = *digest;
    event.data.assign(data.begin(), data.end());
    read_aael(event);
    out.push_back(std::move(event));
  }
  return out;
}

std::vector<LogEvent> parse_dstack_log(std::string_view text) {
  const std::string what = "event log";
  Json json = parse_json(text, what, {.max_bytes = kMaxLog});
  if (!json.is_array() || json.size() > kMaxEvents) bad("is not a list of events");
  std::vector<LogEvent> out;
  for (const Json& item : json) {
    LogEvent event;
    uint64_t rtmr = json_uint(item, "imr", what), type = json_uint(item, "event_type", what);
    if (rtmr > 3 || type > UINT32_MAX) bad("an entry names register " + std::to_string(rtmr));
    event.rtmr = static_cast<unsigned>(rtmr);
    event.type = static_cast<uint32_t>(type);
    event.name = json_string(item, "event", what);
    event.data = from_hex(json_string(item, "event_payload", what));
    if (event.type == kDstackRuntimeEvent) {
      if (event.rtmr != 3) bad("a runtime event is not in RTMR3");
      event.digest = dstack_event_digest(event.type, event.name, event.data);
      event.bound = true;
    } else {
      event.digest = fixed_from_hex<48>(json_string(item, "digest", what));
    }
    out.push_back(std::move(event));
  }
  return out;
}

std::vector<LogEvent> parse_event_log(EventLogFormat format, ByteView log) {
  if (format == EventLogFormat::kCcel) return parse_ccel(log);
  if (format == EventLogFormat::kDstack) return parse_dstack_log(as_text(log));
  throw Error(ErrorCode::kUnsupported, "the evidence has no event log",
              "this platform's application layer must be pinned by RTMR3 itself");
}

std::array<Measurement, 4> replay(const std::vector<LogEvent>& events) {
  std::array<Measurement, 4> out{};
  for (const LogEvent& event : events) {
    Measurement& rtmr = out.at(event.rtmr);
    rtmr = crypto::sha384(concat({rtmr.bytes, event.digest.bytes}));
  }
  return out;
}

void check_replay(const std::vector<LogEvent>& events, const TdReport& report) {
  std::array<Measurement, 4> replayed = replay(events);
  for (size_t i = 0; i < replayed.size(); ++i) {
    if (replayed[i] != report.rtmr[i]) {
      throw Error(ErrorCode::kAttestation,
                  "event log: replay gives RTMR" + std::to_string(i) + " " +
                      to_hex(replayed[i].bytes) + ", the quote has " + to_hex(report.rtmr[i].bytes),
                  "the log is incomplete or was altered; nothing in it can be believed");
    }
  }
}

Measurement dstack_event_digest(uint32_t type, std::string_view event, ByteView payload) {
  uint8_t le[4] = {static_cast<uint8_t>(type), static_cast<uint8_t>(type >> 8),
                   static_cast<uint8_t>(type >> 16), static_cast<uint8_t>(type >> 24)};
  return crypto::sha384(concat({le, as_bytes(":"), as_bytes(event), as_bytes(":"), payload}));
}

}  // namespace ffe::tee
