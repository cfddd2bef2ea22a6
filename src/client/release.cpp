#include "client/release.hpp"

#include "base/hex.hpp"

namespace ffe::client {

extern const std::string_view k_published_releases;  // a JSON list of the files, embedded

std::vector<Release> parse_release(const Json& json, const std::string& what) {
  Release release;
  release.version = json_string(json, "version", what);
  release.commit = to_hex(fixed_from_hex<20>(json_string(json, "commit", what)).bytes);
  const Json& enclaves = json_member(json, "enclaves", what);
  if (!enclaves.is_array() || enclaves.empty()) {
    throw Error(ErrorCode::kBadInput, what + ".enclaves is not a list of measured enclaves");
  }
  std::vector<Release> out;
  for (const Json& enclave : enclaves) {
    release.platform = json_string(enclave, "platform", what);
    if (release.platform != "simulator" && release.platform != "tdx") {
      throw Error(ErrorCode::kBadInput,
                  what + ": unknown platform \"" + release.platform.substr(0, 20) + "\"",
                  "known: tdx, simulator");
    }
    release.code_hash = h256_from_hex(json_string(enclave, "codeHash", what));
    out.push_back(release);
  }
  return out;
}

const std::vector<Release>& published_releases() {
  static const std::vector<Release> all = [] {
    std::vector<Release> out;
    for (const Json& file : parse_json(k_published_releases, "docs/releases")) {
      for (Release& release : parse_release(file, "docs/releases")) out.push_back(release);
    }
    return out;
  }();
  return all;
}

}  // namespace ffe::client
