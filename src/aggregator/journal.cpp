#include "aggregator/journal.hpp"

#include <map>
#include <mutex>
#include <sqlite3.h>
#include <sys/stat.h>

namespace ffe::aggregator {
namespace {

constexpr const char* kSchema =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
    "CREATE TABLE IF NOT EXISTS entries("
    "  id INTEGER PRIMARY KEY, scope TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
    "  UNIQUE(scope, key));";

[[noreturn]] void fail(sqlite3* db, const char* doing) {
  int code = sqlite3_errcode(db);
  throw Error(
      ErrorCode::kIo, std::string("journal: cannot ") + doing + ": " + sqlite3_errmsg(db),
      code == SQLITE_FULL ? "the disk is full: free some space and start the service again" : "");
}

class Statement {
 public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    if (sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr) != SQLITE_OK) fail(db, "prepare");
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int at, std::string_view text) {
    sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(int at, ByteView blob) {
    // A null pointer would bind NULL instead of an empty blob.
    static const uint8_t kEmpty = 0;
    sqlite3_bind_blob64(statement_, at, blob.empty() ? &kEmpty : blob.data(), blob.size(),
                        SQLITE_TRANSIENT);
    return *this;
  }
  bool step() {
    int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail(db_, "write");
    return false;
  }
  ByteView blob(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
    return {static_cast<const uint8_t*>(data), size};
  }

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace

struct Journal::Impl {
  sqlite3* db = nullptr;
  const tee::PlatformSealer* sealer = nullptr;
  mutable std::mutex mutex;
  std::map<std::pair<std::string, std::string>, SecretBytes> unsealed;  // without a sealer

  ~Impl() { sqlite3_close(db); }
};

Journal::Journal(const std::filesystem::path& file, const tee::PlatformSealer* sealer)
    : impl_(std::make_unique<Impl>()) {
  impl_->sealer = sealer;
  mode_t old_mask = umask(0077);
  int code = sqlite3_open(file.c_str(), &impl_->db);
  bool ok =
      code == SQLITE_OK && sqlite3_exec(impl_->db, kSchema, nullptr, nullptr, nullptr) == SQLITE_OK;
  umask(old_mask);
  sqlite3_busy_timeout(impl_->db, 5000);
  if (!ok) {
    throw Error(ErrorCode::kIo,
                "cannot open the journal " + file.string() + ": " + sqlite3_errmsg(impl_->db),
                "is another ffe-aggregator running on this data folder?");
  }
}

Journal::~Journal() = default;

void Journal::put(std::string_view scope, std::string_view key, ByteView value) {
  std::lock_guard lock(impl_->mutex);
  Statement insert(impl_->db, "INSERT OR IGNORE INTO entries(scope, key, value) VALUES(?, ?, ?)");
  insert.bind(1, scope).bind(2, key).bind(3, value).step();
  if (sqlite3_changes(impl_->db) == 1) return;
  Statement select(impl_->db, "SELECT value FROM entries WHERE scope = ? AND key = ?");
  select.bind(1, scope).bind(2, key);
  if (!select.step() || !std::ranges::equal(select.blob(0), value)) {
    throw Error(ErrorCode::kInternal, "journal: " + std::string(scope) + "/" + std::string(key) +
                                          " is written already, with another value");
  }
}

void Journal::set(std::string_view scope, std::string_view key, ByteView value) {
  std::lock_guard lock(impl_->mutex);
  Statement upsert(impl_->db,
                   "INSERT INTO entries(scope, key, value) VALUES(?, ?, ?) "
                   "ON CONFLICT(scope, key) DO UPDATE SET value = excluded.value");
  upsert.bind(1, scope).bind(2, key).bind(3, value).step();
}

std::optional<Bytes> Journal::get(std::string_view scope, std::string_view key) const {
  std::lock_guard lock(impl_->mutex);
  Statement select(impl_->db, "SELECT value FROM entries WHERE scope = ? AND key = ?");
  select.bind(1, scope).bind(2, key);
  if (!select.step()) return std::nullopt;
  ByteView blob = select.blob(0);
  return Bytes(blob.begin(), blob.end());
}

bool Journal::has(std::string_view scope, std::string_view key) const {
  return get(scope, key).has_value();
}

void Journal::put_secret(std::string_view scope, std::string_view key, ByteView secret) {
  if (impl_->sealer != nullptr) {
    put(scope, key, impl_->sealer->seal(secret));
    return;
  }
  std::lock_guard lock(impl_->mutex);
  impl_->unsealed.insert_or_assign({std::string(scope), std::string(key)}, SecretBytes(secret));
}

std::optional<SecretBytes> Journal::get_secret(std::string_view scope, std::string_view key) const {
  if (impl_->sealer != nullptr) {
    std::optional<Bytes> sealed = get(scope, key);
    if (!sealed) return std::nullopt;
    return impl_->sealer->open(*sealed);
  }
  std::lock_guard lock(impl_->mutex);
  auto it = impl_->unsealed.find({std::string(scope), std::string(key)});
  if (it == impl_->unsealed.end()) return std::nullopt;
  return it->second.clone();
}

void Journal::erase(std::string_view scope, std::string_view key) {
  std::lock_guard lock(impl_->mutex);
  impl_->unsealed.erase({std::string(scope), std::string(key)});
  Statement remove(impl_->db, "DELETE FROM entries WHERE scope = ? AND key = ?");
  remove.bind(1, scope).bind(2, key).step();
}

std::vector<std::string> Journal::scopes() const {
  std::lock_guard lock(impl_->mutex);
  Statement select(impl_->db, "SELECT scope FROM entries GROUP BY scope ORDER BY MIN(id)");
  std::vector<std::string> out;
  while (select.step()) out.emplace_back(as_text(select.blob(0)));
  return out;
}

std::vector<std::pair<std::string, Bytes>> Journal::entries(std::string_view scope) const {
  std::lock_guard lock(impl_->mutex);
  Statement select(impl_->db, "SELECT key, value FROM entries WHERE scope = ? ORDER BY id");
  select.bind(1, scope);
  std::vector<std::pair<std::string, Bytes>> out;
  while (select.step()) {
    ByteView value = select.blob(1);
    out.emplace_back(as_text(select.blob(0)), Bytes(value.begin(), value.end()));
  }
  return out;
}

}  // namespace ffe::aggregator
