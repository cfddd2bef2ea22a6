// The disk belongs to the host: what was altered on it is noticed, and it does not fill up.
#include "aggregator/blob_store.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "crypto/random.hpp"

namespace ffe::aggregator {
namespace {

namespace fs = std::filesystem;

Bytes noise(size_t size) {
  Bytes out(size);
  crypto::random_bytes(out);
  return out;
}

TEST(HashedSource, KnowsItsRootHoweverMuchWasRead) {
  TempDir folder;
  const fs::path file = folder.path() / "blob";
  for (const size_t size : {size_t{1}, size_t{256}, size_t{300'000}, size_t{3} << 20}) {
    Bytes bytes = noise(size);
    const H256 root = storage::data_root(bytes);
    write_file_atomic(file, bytes);
    HashedSource source(file);
    EXPECT_TRUE(source.matches(root));
    Bytes some(std::min<size_t>(size, 1000));
    source.rewind();
    EXPECT_EQ(source.read(some), some.size());
    EXPECT_TRUE(source.matches(root));

    bytes[size / 2] ^= 1;
    write_file_atomic(file, bytes);
    HashedSource altered(file);
    EXPECT_FALSE(altered.matches(root));
  }
  write_file_atomic(file, Bytes{});
  EXPECT_FALSE(HashedSource(file).matches(H256{}));
}

// Files that lie there already need no network, so what is fetched here was put there.
class BlobStoreTest : public ::testing::Test {
 protected:
  BlobStoreTest() : storage_(nobody()) {}

  static storage::ClientOptions nobody() {
    storage::ClientOptions options;
    options.nodes = {"http://127.0.0.1:1"};
    options.attempts = 1;
    return options;
  }

  void put(const std::string& scope, const H256& root, size_t size) {
    fs::create_directories(folder_.path() / scope);
    write_file_atomic(folder_.path() / scope / to_hex(root.bytes), noise(size));
  }
  bool has(const std::string& scope) const { return fs::exists(folder_.path() / scope); }

  TempDir folder_;
  storage::Client storage_;
  H256 first_{{1}}, second_{{2}};
};

TEST_F(BlobStoreTest, FetchesNothingTwice) {
  BlobStore store(folder_.path(), storage_, 1 << 20);
  put("a", first_, 10);
  EXPECT_EQ(store.fetch("a", first_, 100), folder_.path() / "a" / to_hex(first_.bytes));
  store.drop("a", first_);
  EXPECT_THROW(store.fetch("a", first_, 100), Error);
}

TEST_F(BlobStoreTest, OtherSessionsFilesMakeRoom) {
  BlobStore store(folder_.path(), storage_, 1000);
  put("a", first_, 400);
  put("b", first_, 400);
  EXPECT_THROW(store.fetch("a", second_, 200), Error);  // nobody answers
  EXPECT_TRUE(has("b"));
  EXPECT_THROW(store.fetch("a", second_, 300), Error);
  EXPECT_FALSE(has("b"));
  EXPECT_TRUE(fs::exists(folder_.path() / "a" / to_hex(first_.bytes)));
  store.forget("a");
  EXPECT_FALSE(has("a"));
}

}  // namespace
}  // namespace ffe::aggregator
