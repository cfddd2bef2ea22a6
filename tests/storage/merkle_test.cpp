#include "storage/merkle.hpp"

#include <gtest/gtest.h>
#include <random>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "storage/flow.hpp"

namespace ffe::storage {
namespace {

namespace fs = std::filesystem;

Bytes pattern(uint64_t size) {
  Bytes out(size);
  for (uint64_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(i % 251);
  return out;
}

Bytes random_bytes(uint64_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes out(size);
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(random());
  return out;
}

FileTree tree_of(ByteView data) {
  return FileTree::of(*memory_source(data));
}

// The definition in its plainest form: all padded chunks, level by level.
H256 plain_root(ByteView data) {
  Bytes padded(data.begin(), data.end());
  padded.resize(file_shape(data.size()).padded_chunks * kChunkBytes);
  std::vector<H256> level;
  for (size_t at = 0; at < padded.size(); at += kChunkBytes) {
    level.push_back(crypto::keccak256(ByteView(padded).subspan(at, kChunkBytes)));
  }
  while (level.size() > 1) {
    std::vector<H256> up;
    for (size_t i = 0; i < level.size(); i += 2) {
      up.push_back(i + 1 < level.size()
                       ? crypto::keccak256(concat({level[i].bytes, level[i + 1].bytes}))
                       : level[i]);
    }
    level = up;
  }
  return level[0];
}

void check_nodes(const Json& expected, const FileTree& tree) {
  const auto nodes = tree.nodes();
  ASSERT_EQ(nodes.size(), expected.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_EQ(nodes[i].height, expected[i][0].get<uint32_t>());
    EXPECT_EQ(to_hex0x(nodes[i].root.bytes), expected[i][1].get<std::string>());
  }
  EXPECT_EQ(root_of_nodes(nodes), tree.root());
}

TEST(merkle, vectors_of_the_official_sdk) {
  const fs::path file = fs::path(FFE_SOURCE_DIR) / "tests/vectors/storage/files.json";
  const Json vectors = parse_json(read_text_file(file), "files.json");
  const Address submitter = address_from_hex(vectors["submitter"].get<std::string>());
  ASSERT_GE(vectors["cases"].size(), 30u);
  for (const Json& c : vectors["cases"]) {
    SCOPED_TRACE(c["size"].dump());
    const Bytes data = pattern(c["size"].get<uint64_t>());
    const FileTree tree = tree_of(data);
    EXPECT_EQ(to_hex0x(tree.root().bytes), c["root"].get<std::string>());
    EXPECT_EQ(data_root(data), tree.root());
    check_nodes(c["nodes"], tree);
    EXPECT_EQ(to_hex0x(submit_calldata(data.size(), tree.nodes(), submitter)),
              c["calldata"].get<std::string>());
    for (const auto& [index, proof] : c["proofs"].items()) {
      const uint64_t i = std::stoull(index);
      EXPECT_EQ(to_json(tree.proof(i)), proof) << "segment " << i;
      if (i >= tree.shape().segments) continue;
      EXPECT_EQ(check_proof(tree.shape(), tree.root(), i, tree.segment_root(i),
                            proof_from_json(proof, "proof")),
                ProofCheck::kOk);
    }
  }
}

TEST(merkle, vectors_beside_the_project) {
  const char* named = std::getenv("FFE_VECTORS");
  const fs::path dir =
      named != nullptr ? fs::path(named) : fs::path(FFE_SOURCE_DIR) / "../shared/vectors";
  const fs::path file = dir / "0g-storage-merkle.json";
  if (!fs::exists(file)) GTEST_SKIP() << "NOT RUN: " << file << " is not there";
  const Json vectors = parse_json(read_text_file(file), "0g-storage-merkle.json");
  ASSERT_FALSE(vectors.empty());
  for (const Json& c : vectors) {
    SCOPED_TRACE(c["size"].dump());
    const Bytes data = pattern(c["size"].get<uint64_t>());
    const FileTree tree = tree_of(data);
    EXPECT_EQ(to_hex0x(tree.root().bytes), c["root"].get<std::string>());
    EXPECT_EQ(tree.shape().chunks, c["numChunks"].get<uint64_t>());
    EXPECT_EQ(tree.shape().padded_chunks * kChunkBytes, c["padded"].get<uint64_t>());
    EXPECT_EQ(tree.shape().padded_segments, c["segPadded"].get<uint64_t>());
    check_nodes(c["nodes"], tree);
  }
}

TEST(merkle, known_hashes) {
  EXPECT_EQ(to_hex0x(zero_root(0).bytes),
            "0xd397b3b043d87fcd6fad1291ff0bfd16401c274896d8c63a923727f077b8e0b5");
  EXPECT_EQ(to_hex0x(zero_root(10).bytes),
            "0xe68d02859bb6211cec64f52368b77d422de3b8eac34bf615942b814b643301b5");
  EXPECT_EQ(to_hex0x(data_root(as_bytes("a")).bytes),
            "0x200e594efa2ab0b924e60f9bb9445f75b8d058f0de13b35a83c71d494b0a15ca");
  EXPECT_EQ(to_hex0x(data_root(as_bytes("hello world")).bytes),
            "0x62c5d8e26d8bb05622e88c9819283ad82e722db87816f1962ce2810ea565aae5");
  EXPECT_EQ(to_hex0x(submit_topic().bytes),
            "0x167ce04d2aa1981994d3a31695da0d785373335b1078cec239a1a3a2c7675555");
}

TEST(merkle, random_files_match_the_plain_definition) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 60; ++i) {
    const uint64_t size = 1 + random() % (uint64_t{1} << (1 + random() % 21));
    SCOPED_TRACE(size);
    const Bytes data = random_bytes(size, size);
    const H256 expected = plain_root(data);
    EXPECT_EQ(tree_of(data).root(), expected);
    RootHasher hasher;
    for (size_t at = 0; at < data.size();) {
      const size_t n = std::min<size_t>(1 + random() % 700'000, data.size() - at);
      hasher.update(ByteView(data).subspan(at, n));
      at += n;
    }
    EXPECT_EQ(hasher.finish(), expected);
  }
}

TEST(merkle, a_file_is_hashed_as_its_bytes) {
  const TempDir dir;
  const Bytes data = random_bytes(3 * kSegmentBytes + 77, 1);
  write_file_atomic(dir.path() / "f", data);
  EXPECT_EQ(data_root(*open_source(dir.path() / "f")), data_root(data));
  EXPECT_EQ(FileTree::of(*open_source(dir.path() / "f", 100, 1000)).root(),
            data_root(ByteView(data).subspan(100, 1000)));
  EXPECT_THROW(open_source(dir.path()), Error);
  EXPECT_THROW(open_source(dir.path() / "none"), Error);
  EXPECT_THROW(open_source(dir.path() / "f", data.size(), 1), Error);
}

TEST(merkle, shapes_of_sizes_up_to_the_limit) {
  EXPECT_THROW(file_shape(0), Error);
  EXPECT_THROW(file_shape(kMaxFileBytes + 1), Error);
  std::mt19937_64 random(11);
  std::vector<uint64_t> sizes{
      1, kFragmentBytes - 1, kFragmentBytes, kFragmentBytes + 1, uint64_t{1} << 40, kMaxFileBytes};
  for (int bits = 1; bits < 62; ++bits) {
    for (int i = 0; i < 20; ++i) sizes.push_back(1 + random() % (uint64_t{1} << bits));
  }
  for (uint64_t size : sizes) {
    SCOPED_TRACE(size);
    const FileShape s = file_shape(size);
    EXPECT_GE(s.chunks * kChunkBytes, size);
    EXPECT_LT((s.chunks - 1) * kChunkBytes, size);
    EXPECT_GE(s.padded_chunks, s.chunks);
    EXPECT_LE(s.padded_chunks - s.chunks, s.chunks / 8);
    const auto heights = submission_heights(size);
    uint64_t sum = 0;
    for (size_t i = 0; i < heights.size(); ++i) {
      sum += uint64_t{1} << heights[i];
      if (i > 0) {
        EXPECT_LT(heights[i], heights[i - 1]);
      }
    }
    EXPECT_EQ(sum, s.padded_chunks);
    EXPECT_LT(heights.front() - heights.back(), 4u);
    // Only whole segments are ever pure padding.
    if (s.padded_segments > s.segments) {
      EXPECT_EQ(s.padded_chunks % kSegmentChunks, 0u);
    }
    EXPECT_EQ(s.segment_bytes(s.segments - 1),
              (s.chunks - (s.segments - 1) * kSegmentChunks) * kChunkBytes);
  }
}

TEST(merkle, every_change_to_a_proof_is_noticed) {
  for (uint64_t size : {300'000u, 1'048'577u, 8'650'753u}) {
    const Bytes data = random_bytes(size, size);
    const FileTree tree = tree_of(data);
    const FileShape& shape = tree.shape();
    for (uint64_t i = 0; i < shape.segments; ++i) {
      const SegmentProof good = tree.proof(i);
      const H256 leaf = tree.segment_root(i);
      auto check = [&](const SegmentProof& p, uint64_t at) {
        return check_proof(shape, tree.root(), at, leaf, p);
      };
      ASSERT_EQ(check(good, i), ProofCheck::kOk);
      EXPECT_NE(check(good, i == 0 ? 1 : i - 1), ProofCheck::kOk);
      for (size_t k = 0; k < good.lemma.size(); ++k) {
        SegmentProof bad = good;
        bad.lemma[k][31] ^= 1;
        EXPECT_NE(check(bad, i), ProofCheck::kOk);
        bad = good;
        bad.lemma.erase(bad.lemma.begin() + static_cast<ptrdiff_t>(k));
        EXPECT_NE(check(bad, i), ProofCheck::kOk);
      }
      for (size_t k = 0; k < good.path.size(); ++k) {
        SegmentProof bad = good;
        bad.path[k] = !bad.path[k];
        EXPECT_NE(check(bad, i), ProofCheck::kOk);
      }
    }
  }
}

// Data where padding belongs would let two nodes prove different files of one length.
TEST(merkle, padding_must_be_zero) {
  const uint64_t size = 33 * kSegmentBytes;  // 36 segments in the tree
  Bytes data = random_bytes(36 * kSegmentBytes, 5);
  const FileTree forged = tree_of(data);  // the same leaves, but data in the last three
  const FileShape shape = file_shape(size);
  ASSERT_EQ(shape.padded_segments, 36u);
  ASSERT_EQ(forged.shape().padded_segments, 36u);
  EXPECT_EQ(check_proof(shape, forged.root(), 32, forged.segment_root(32), forged.proof(32)),
            ProofCheck::kBadPadding);
  std::fill(data.begin() + static_cast<ptrdiff_t>(size), data.end(), uint8_t{0});
  const FileTree honest = tree_of(data);
  EXPECT_EQ(check_proof(shape, honest.root(), 32, honest.segment_root(32), honest.proof(32)),
            ProofCheck::kOk);
  EXPECT_EQ(honest.root(), tree_of(ByteView(data).first(size)).root());
}

TEST(merkle, proofs_from_json_are_bounded) {
  const std::string hash(64, 'a');
  EXPECT_THROW(proof_from_json(Json::array(), "p"), Error);
  EXPECT_THROW(proof_from_json({{"lemma", {"0x" + hash}}, {"path", {1}}}, "p"), Error);
  EXPECT_THROW(proof_from_json({{"lemma", {hash}}, {"path", Json::array()}}, "p"), Error);
  EXPECT_THROW(
      proof_from_json({{"lemma", Json::array()}, {"path", Json(std::vector<bool>(65))}}, "p"),
      Error);
  EXPECT_EQ(proof_from_json({{"lemma", {"0x" + hash}}, {"path", {true}}}, "p").path.size(), 1u);
}

}  // namespace
}  // namespace ffe::storage
