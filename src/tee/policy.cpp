#include "tee/policy.hpp"

#include "base/hex.hpp"

namespace ffe::tee {
namespace {

[[noreturn]] void bad(const std::string& message) {
  throw Error(ErrorCode::kBadInput, "policy: " + message,
              "docs/spec/attestation.md lists the members of a policy file");
}

std::string lower_hex(const std::string& text, const std::string& key) {
  try {
    return to_hex(from_hex(text));
  } catch (const Error& error) {
    bad(key + ": " + error.what());
  }
}

std::set<std::string> strings(const Json& value, const std::string& key) {
  if (!value.is_array() || value.size() > 4096) bad(key + " is not a list");
  std::set<std::string> out;
  for (const Json& item : value) {
    if (!item.is_string()) bad(key + " holds something that is not a string");
    out.insert(item.get<std::string>());
  }
  return out;
}

std::set<std::string> hex_strings(const Json& value, const std::string& key) {
  std::set<std::string> out;
  for (const std::string& item : strings(value, key)) out.insert(lower_hex(item, key));
  return out;
}

std::set<H256> hashes(const Json& value, const std::string& key) {
  std::set<H256> out;
  for (const std::string& item : hex_strings(value, key)) {
    if (item.size() != 64) bad(key + ": " + item + " is not 32 bytes");
    out.insert(h256_from_hex(item));
  }
  return out;
}

std::set<std::string> statuses(const Json& value, const std::string& key) {
  static const std::set<std::string> known = {kUpToDate,
                                              kSwHardeningNeeded,
                                              kConfigurationNeeded,
                                              kOutOfDate,
                                              kRelaunchAdvised,
                                              kConfigurationAndSwHardeningNeeded,
                                              kOutOfDateConfigurationNeeded,
                                              kRelaunchAdvisedConfigurationNeeded};
  std::set<std::string> out = strings(value, key);
  for (const std::string& status : out) {
    if (!known.contains(status)) bad(key + ": \"" + status + "\" cannot be accepted");
  }
  return out;
}

}  // namespace

Policy Policy::development() {
  Policy out;
  out.allow_development = true;
  return out;
}

Policy policy_from_json(const Json& json) {
  if (!json.is_object()) bad("is not an object");
  Policy out;
  for (const auto& [key, value] : json.items()) {
    if (key == "tcbStatuses") {
      out.tcb_statuses = statuses(value, key);
    } else if (key == "advisories") {
      out.advisories = strings(value, key);
    } else if (key == "fmspcs") {
      out.fmspcs = hex_strings(value, key);
    } else if (key == "platformIds") {
      out.platform_ids = hex_strings(value, key);
    } else if (key == "workloadIds") {
      out.workload_ids = hashes(value, key);
    } else if (key == "codeHashes") {
      out.code_hashes = hashes(value, key);
    } else if (key == "platformHashes") {
      out.platform_hashes = hashes(value, key);
    } else if (key == "reportData") {
      if (!value.is_string()) bad("reportData is not a string");
      Bytes bytes = from_hex(value.get<std::string>());
      if (bytes.size() != 64) bad("reportData is not 64 bytes");
      out.report_data = FixedBytes<64>::from(bytes);
    } else if (key == "minimumEvaluationNumber") {
      uint64_t number = json_uint(json, key, "policy");
      if (number > UINT32_MAX) bad("minimumEvaluationNumber is out of range");
      out.minimum_evaluation_number = static_cast<uint32_t>(number);
    } else {
      bad("unknown member \"" + key.substr(0, 60) + "\"");
    }
  }
  return out;
}

}  // namespace ffe::tee
