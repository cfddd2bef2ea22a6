#include "storage/faults.hpp"

#include <charconv>

namespace ffe::storage {
namespace {

[[noreturn]] void bad(std::string_view part) {
  throw Error(ErrorCode::kUsage, "fault \"" + std::string(part) + "\" is not understood",
              "write drop, delay[:ms], corrupt or stall[:ms] as name=probability[:ms], and seed=n");
}

template <class T>
T parse_number(std::string_view text, std::string_view part) {
  T value{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) bad(part);
  return value;
}

void parse_part(std::string_view part, Faults& faults) {
  const size_t equals = part.find('=');
  if (equals == std::string_view::npos) bad(part);
  const std::string_view name = part.substr(0, equals);
  std::string_view value = part.substr(equals + 1);
  if (name == "seed") {
    faults.seed = parse_number<uint64_t>(value, part);
    return;
  }
  int* ms = name == "delay" ? &faults.delay_ms : name == "stall" ? &faults.stall_ms : nullptr;
  if (const size_t colon = value.find(':'); colon != std::string_view::npos) {
    if (ms == nullptr) bad(part);
    *ms = parse_number<int>(value.substr(colon + 1), part);
    if (*ms < 0) bad(part);
    value = value.substr(0, colon);
  }
  const double probability = parse_number<double>(value, part);
  if (!(probability >= 0 && probability <= 1)) bad(part);
  if (name == "drop") {
    faults.drop = probability;
  } else if (name == "delay") {
    faults.delay = probability;
  } else if (name == "corrupt") {
    faults.corrupt = probability;
  } else if (name == "stall") {
    faults.stall = probability;
  } else {
    bad(part);
  }
}

}  // namespace

Faults parse_faults(std::string_view text) {
  Faults faults;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    parse_part(text.substr(0, comma), faults);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return faults;
}

bool FaultPlan::happens(double probability) {
  if (probability <= 0) return false;
  return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
}

Fault FaultPlan::next() {
  std::lock_guard lock(mutex_);
  if (happens(faults_.drop)) return Fault::kDrop;
  if (happens(faults_.stall)) return Fault::kStall;
  if (happens(faults_.delay)) return Fault::kDelay;
  return Fault::kNone;
}

void FaultPlan::maybe_corrupt(Bytes& data) {
  std::lock_guard lock(mutex_);
  if (data.empty() || !happens(faults_.corrupt)) return;
  data[random_() % data.size()] ^= static_cast<uint8_t>(1 + random_() % 255);
}

}  // namespace ffe::storage
