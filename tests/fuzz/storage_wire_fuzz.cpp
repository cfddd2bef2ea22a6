// What a storage node, an indexer or an uploader may send: any text is an answer that obeys its
// format, or an Error; what was accepted comes back from its own writer.
#include <cstdlib>

#include "base/hex.hpp"
#include "storage/faults.hpp"
#include "storage/shards.hpp"
#include "storage/store_rows.hpp"
#include "storage/wire.hpp"

namespace {

using namespace ffe;
using namespace ffe::storage;

template <class Call>
void tolerate(Call call) {
  try {
    call();
  } catch (const Error&) {
  }
}

void require(bool holds) {
  if (!holds) std::abort();
}

// A segment that passes all checks against its own root is the one it says it is.
void check_segment(const WireSegment& s) {
  require(segment_from_json(to_json(s), "again").data == s.data);
  const FileShape shape = file_shape(s.file_size);
  if (s.index >= shape.segments || s.data.size() != shape.segment_bytes(s.index)) return;
  check_proof(shape, s.root, s.index, segment_root(shape, s.index, s.data), s.proof);
}

void check_answers(const Json& json) {
  tolerate([&] { check_segment(segment_from_json(json, "fuzz")); });
  tolerate([&] {
    const SegmentProof proof = proof_from_json(json, "fuzz");
    require(proof_from_json(to_json(proof), "again") == proof);
    if (!proof.lemma.empty()) require(unpack_proof(pack_proof(proof)) == proof);
  });
  tolerate([&] { require(shard_from_json(json, "fuzz").valid()); });
  tolerate([&] {
    const Json& root = json_member(json_member(json, "tx", "fuzz"), "dataMerkleRoot", "fuzz");
    const FileInfo info = file_info_from_json(json, hash_from_json(root, "fuzz"), "fuzz");
    require(root_of_nodes(info.nodes) == info.root);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tolerate([&] { check_answers(parse_json(text, "fuzz")); });
  tolerate([&] { parse_faults(text); });
  tolerate([&] {
    const SegmentProof proof = unpack_proof({data, size});
    require(unpack_proof(pack_proof(proof)) == proof);
  });
  official_encryption({data, size}, size);
  return 0;
}
