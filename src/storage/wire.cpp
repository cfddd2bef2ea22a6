#include "storage/wire.hpp"

#include "base/hex.hpp"

namespace ffe::storage {
namespace {

[[noreturn]] void bad(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kBadInput, std::string(what) + ": " + why);
}

bool json_bool(const Json& object, std::string_view key, std::string_view what) {
  const Json& v = json_member(object, key, what);
  if (!v.is_boolean()) bad(what, std::string(key) + " is not a boolean");
  return v.get<bool>();
}

std::vector<SubmissionNode> nodes_from_json(const Json& json, std::string_view what) {
  if (!json.is_array() || json.empty() || json.size() > 64) bad(what, "number of merkleNodes");
  std::vector<SubmissionNode> nodes;
  for (const Json& pair : json) {
    // The first number is the height plus one.
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_unsigned() ||
        pair[0].get<uint64_t>() < 1 || pair[0].get<uint64_t>() > 64) {
      bad(what, "merkleNodes");
    }
    nodes.push_back({hash_from_json(pair[1], what), pair[0].get<uint32_t>() - 1});
  }
  return nodes;
}

}  // namespace

H256 hash_from_json(const Json& json, std::string_view what) {
  if (!json.is_string()) bad(what, "not a hash");
  const std::string& text = json.get_ref<const std::string&>();
  if (text.size() != 66 || text[0] != '0' || text[1] != 'x') bad(what, "not a hash of 32 bytes");
  return h256_from_hex(text);
}

Json to_json(const WireSegment& s) {
  return {{"root", to_hex0x(s.root.bytes)},
          {"data", to_base64(s.data)},
          {"index", s.index},
          {"proof", to_json(s.proof)},
          {"fileSize", s.file_size}};
}

WireSegment segment_from_json(const Json& json, std::string_view what) {
  const std::string name(what);
  WireSegment s;
  s.root = hash_from_json(json_member(json, "root", what), name + ".root");
  const Json& data = json_member(json, "data", what);
  if (!data.is_string()) bad(what, "data is not base64 text");
  // Four characters for three bytes: larger ones are refused before they are decoded.
  if (data.get_ref<const std::string&>().size() > (kSegmentBytes + 2) / 3 * 4) {
    bad(what, "data is larger than a segment");
  }
  s.data = from_base64(data.get_ref<const std::string&>());
  s.index = json_uint(json, "index", what);
  s.proof = proof_from_json(json_member(json, "proof", what), name + ".proof");
  s.file_size = json_uint(json, "fileSize", what);
  return s;
}

Json file_info_json(const StoredTx& tx) {
  const Submission& s = tx.submission;
  Json nodes = Json::array();
  for (const SubmissionNode& node : s.nodes) {
    nodes.push_back(Json::array({node.height + 1, to_hex0x(node.root.bytes)}));
  }
  return {{"tx",
           {{"streamIds", Json::array()},
            {"data", Json::array()},
            {"dataMerkleRoot", to_hex0x(s.root.bytes)},
            {"merkleNodes", nodes},
            {"startEntryIndex", s.start_entry},
            {"size", s.size},
            {"seq", s.tx_seq}}},
          {"finalized", tx.finalized},
          {"isCached", false},
          {"uploadedSegNum", tx.uploaded_segments},
          {"pruned", false}};
}

FileInfo file_info_from_json(const Json& json, const H256& root, std::string_view what) {
  const std::string name = std::string(what) + ".tx";
  const Json& tx = json_member(json, "tx", what);
  FileInfo info;
  info.root = hash_from_json(json_member(tx, "dataMerkleRoot", name), name + ".dataMerkleRoot");
  if (info.root != root) bad(what, "about another root");
  info.size = json_uint(tx, "size", name);
  info.tx_seq = json_uint(tx, "seq", name);
  info.start_entry = json_uint(tx, "startEntryIndex", name);
  info.nodes = nodes_from_json(json_member(tx, "merkleNodes", name), name);
  info.finalized = json_bool(json, "finalized", what);
  info.pruned = json.contains("pruned") && json_bool(json, "pruned", what);
  info.uploaded_segments = json_uint(json, "uploadedSegNum", what);

  if (info.start_entry > kMaxFileBytes) bad(what, "startEntryIndex");
  const std::vector<uint32_t> heights = submission_heights(info.size);
  if (!std::equal(heights.begin(), heights.end(), info.nodes.begin(), info.nodes.end(),
                  [](uint32_t h, const SubmissionNode& n) { return h == n.height; })) {
    bad(what, "merkleNodes do not fit a size of " + std::to_string(info.size));
  }
  if (root_of_nodes(info.nodes) != root) bad(what, "merkleNodes do not lead to the root");
  return info;
}

}  // namespace ffe::storage
