// Event logs in the attestation agent's form, made by the tests.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "tee/event_log.hpp"

namespace ffe::tee {

inline void put_le(Bytes& out, uint64_t value, int size) {
  for (int i = 0; i < size; ++i, value >>= 8) out.push_back(static_cast<uint8_t>(value));
}

// A log in the attestation agent's form: its synthetic header, entries, end mark.
class AgentLog {
 public:
  AgentLog() {
    put_le(bytes_, 0, 4);
    put_le(bytes_, 3, 4);  // EV_NO_ACTION
    bytes_.resize(bytes_.size() + 20);
    put_le(bytes_, 5, 4);
    append(bytes_, as_bytes("Spec"));
    bytes_.push_back(0);
  }
  void add(const std::string& operation, const Json& content) {
    std::string text = "tapp.0g.com " + operation + " " + content.dump();
    Bytes data;
    put_le(data, kAaelTag, 4);
    put_le(data, text.size(), 4);
    append(data, as_bytes(text));
    Measurement digest = crypto::sha384(data);
    put_le(bytes_, 4, 4);  // RTMR3
    put_le(bytes_, 6, 4);  // EV_EVENT_TAG
    put_le(bytes_, 1, 4);
    put_le(bytes_, 0x0C, 2);
    append(bytes_, digest.bytes);
    put_le(bytes_, data.size(), 4);
    append(bytes_, data);
    digests_.push_back(digest);
    rtmr3_ = crypto::sha384(concat({rtmr3_.bytes, digest.bytes}));
  }
  // What the firmware logged before: one entry that is not bound to its content.
  void add_boot(uint32_t rtmr, const Measurement& digest) {
    put_le(bytes_, rtmr + 1, 4);
    put_le(bytes_, 0x80000008, 4);  // EV_EFI_PLATFORM_FIRMWARE_BLOB
    put_le(bytes_, 1, 4);
    put_le(bytes_, 0x0C, 2);
    append(bytes_, digest.bytes);
    put_le(bytes_, 0, 4);
  }
  Bytes finished() const { return concat({bytes_, Bytes(8, 0xff)}); }
  const Measurement& rtmr3() const { return rtmr3_; }
  const std::vector<Measurement>& digests() const { return digests_; }

 private:
  Bytes bytes_;
  Measurement rtmr3_;
  std::vector<Measurement> digests_;
};

}  // namespace ffe::tee
