// Reading TCB info and QE identity.
#include <algorithm>
#include <set>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "tee/policy.hpp"
#include "tee/tcb.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kMaxLevels = 256;
constexpr size_t kMaxDocument = 256 * 1024;

[[noreturn]] void bad(const std::string& what, const std::string& message) {
  throw Error(ErrorCode::kBadInput, what + ": " + message,
              "fetch the collateral again, for this quote's FMSPC and for TDX");
}

const Json& array_member(const Json& json, const char* key, const std::string& what) {
  const Json& out = json_member(json, key, what);
  if (!out.is_array() || out.size() > kMaxLevels) {
    bad(what, std::string(key) + " is not an array of at most 256 elements");
  }
  return out;
}

template <size_t N>
FixedBytes<N> hex_member(const Json& json, const char* key, const std::string& what) {
  try {
    return fixed_from_hex<N>(json_string(json, key, what));
  } catch (const Error& error) {
    bad(what, std::string(key) + ": " + error.what());
  }
}

uint32_t small_member(const Json& json, const char* key, const std::string& what,
                      uint64_t most = UINT32_MAX) {
  uint64_t value = json_uint(json, key, what);
  if (value > most) bad(what, std::string(key) + " is out of range");
  return static_cast<uint32_t>(value);
}

std::string status_member(const Json& json, const std::string& what) {
  static const std::set<std::string> known = {kUpToDate,
                                              kSwHardeningNeeded,
                                              kConfigurationNeeded,
                                              kConfigurationAndSwHardeningNeeded,
                                              kOutOfDate,
                                              kOutOfDateConfigurationNeeded,
                                              kRevoked};
  std::string status = json_string(json, "tcbStatus", what);
  if (!known.contains(status)) bad(what, "unknown TCB status \"" + status.substr(0, 60) + "\"");
  return status;
}

std::vector<std::string> advisories_of(const Json& json, const std::string& what) {
  std::vector<std::string> out;
  if (!json.contains("advisoryIDs")) return out;
  for (const Json& id : array_member(json, "advisoryIDs", what)) {
    if (!id.is_string()) bad(what, "an advisory id is not a string");
    out.push_back(id.get<std::string>());
  }
  return out;
}

std::vector<SvnLevel> svn_levels(const Json& json, const std::string& what) {
  std::vector<SvnLevel> out;
  for (const Json& level : array_member(json, "tcbLevels", what)) {
    const Json& tcb = json_member(level, "tcb", what);
    out.push_back({small_member(tcb, "isvsvn", what, 65535), status_member(level, what),
                   advisories_of(level, what)});
  }
  if (out.empty()) bad(what, "no TCB levels");
  std::stable_sort(out.begin(), out.end(),
                   [](const SvnLevel& a, const SvnLevel& b) { return a.isv_svn > b.isv_svn; });
  return out;
}

std::array<uint8_t, 16> component_svns(const Json& tcb, const char* key, const std::string& what) {
  const Json& components = array_member(tcb, key, what);
  if (components.size() != 16) bad(what, std::string(key) + " has not 16 components");
  std::array<uint8_t, 16> out{};
  for (size_t i = 0; i < 16; ++i) {
    out[i] = static_cast<uint8_t>(small_member(components[i], "svn", what, 255));
  }
  return out;
}

ModuleIdentity module_identity(const Json& json, const std::string& what) {
  ModuleIdentity out;
  out.mr_signer = hex_member<48>(json, "mrsigner", what);
  out.attributes = hex_member<8>(json, "attributes", what);
  return out;
}

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

void expect_kind(const Json& json, const std::string& what, const std::string& id,
                 uint64_t version) {
  std::string found = json_string(json, "id", what);
  uint64_t found_version = json_uint(json, "version", what);
  if (found != id || found_version != version) {
    bad(what, "is \"" + found.substr(0, 20) + "\" version " + std::to_string(found_version) +
                  ", expected \"" + id + "\" version " + std::to_string(version));
  }
}

}  // namespace

TcbInfo parse_tcb_info(std::string_view text) {
  const std::string what = "TCB info";
  Json json = parse_json(text, what, {.max_bytes = kMaxDocument});
  if (json_uint(json, "version", what) == 2) {
    bad(what, "version 2 has no TDX levels: it is for SGX");
  }
  expect_kind(json, what, "TDX", 3);
  TcbInfo out;
  out.issued = parse_utc(json_string(json, "issueDate", what));
  out.next_update = parse_utc(json_string(json, "nextUpdate", what));
  out.evaluation_number = small_member(json, "tcbEvaluationDataNumber", what);
  out.fmspc = hex_member<6>(json, "fmspc", what);
  out.pce_id = hex_member<2>(json, "pceId", what);
  if (json_uint(json, "tcbType", what) != 0) bad(what, "unknown tcbType");
  out.module = module_identity(json_member(json, "tdxModule", what), what);
  if (json.contains("tdxModuleIdentities")) {
    for (const Json& item : array_member(json, "tdxModuleIdentities", what)) {
      ModuleIdentity identity = module_identity(item, what);
      identity.id = upper(json_string(item, "id", what));
      identity.levels = svn_levels(item, what + ", module " + identity.id.substr(0, 20));
      out.modules.push_back(std::move(identity));
    }
  }
  for (const Json& item : array_member(json, "tcbLevels", what)) {
    const Json& tcb = json_member(item, "tcb", what);
    TcbLevel level;
    level.sgx = component_svns(tcb, "sgxtcbcomponents", what);
    level.tdx = component_svns(tcb, "tdxtcbcomponents", what);
    level.pce_svn = small_member(tcb, "pcesvn", what, 65535);
    level.status = status_member(item, what);
    level.advisories = advisories_of(item, what);
    out.levels.push_back(std::move(level));
  }
  if (out.levels.empty()) bad(what, "no TCB levels");
  return out;
}

QeIdentity parse_qe_identity(std::string_view text) {
  const std::string what = "QE identity";
  Json json = parse_json(text, what, {.max_bytes = kMaxDocument});
  expect_kind(json, what, "TD_QE", 2);
  QeIdentity out;
  out.issued = parse_utc(json_string(json, "issueDate", what));
  out.next_update = parse_utc(json_string(json, "nextUpdate", what));
  out.evaluation_number = small_member(json, "tcbEvaluationDataNumber", what);
  out.misc_select = hex_member<4>(json, "miscselect", what);
  out.misc_select_mask = hex_member<4>(json, "miscselectMask", what);
  out.attributes = hex_member<16>(json, "attributes", what);
  out.attributes_mask = hex_member<16>(json, "attributesMask", what);
  out.mr_signer = hex_member<32>(json, "mrsigner", what);
  out.isv_prod_id = small_member(json, "isvprodid", what, 65535);
  out.levels = svn_levels(json, what);
  return out;
}

}  // namespace ffe::tee
