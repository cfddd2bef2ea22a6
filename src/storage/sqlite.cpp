#include "storage/sqlite.hpp"

namespace ffe::storage {

Query::~Query() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Query& Query::bind(uint64_t number) {
  if (number > static_cast<uint64_t>(INT64_MAX)) {
    throw Error(ErrorCode::kBadInput, "number " + std::to_string(number) + " is out of range");
  }
  if (sqlite3_bind_int64(statement_, next_++, static_cast<int64_t>(number)) != SQLITE_OK) {
    db_.fail("bind");
  }
  return *this;
}

Query& Query::bind(ByteView bytes) {
  // A null pointer would bind NULL instead of an empty blob.
  const void* data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  if (sqlite3_bind_blob64(statement_, next_++, data, bytes.size(), SQLITE_TRANSIENT) != SQLITE_OK) {
    db_.fail("bind");
  }
  return *this;
}

Query& Query::bind(std::string_view text) {
  if (sqlite3_bind_text64(statement_, next_++, text.data(), text.size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8) != SQLITE_OK) {
    db_.fail("bind");
  }
  return *this;
}

bool Query::step() {
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      db_.fail("access");
  }
}

uint64_t Query::number(int column) const {
  return static_cast<uint64_t>(sqlite3_column_int64(statement_, column));
}

Bytes Query::bytes(int column) const {
  const auto* data = static_cast<const uint8_t*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? Bytes{} : Bytes(data, data + size);
}

Database::Database(const std::filesystem::path& file) : name_(file.string()) {
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(file.c_str(), &db_, kFlags, nullptr) != SQLITE_OK) {
    const std::string why = db_ != nullptr ? sqlite3_errmsg(db_) : "out of memory";
    sqlite3_close(db_);
    throw Error(ErrorCode::kIo, "cannot open " + name_ + ": " + why);
  }
  sqlite3_busy_timeout(db_, 5000);
  try {
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=FULL");
    execute("PRAGMA foreign_keys=ON");
  } catch (...) {
    sqlite3_close(db_);
    throw;
  }
}

Database::~Database() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
}

Query Database::query(const char* sql) {
  for (auto& [known, statement] : statements_) {
    if (known == sql) return Query(*this, statement);
  }
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    fail(sql);
  }
  statements_.emplace_back(sql, statement);
  return Query(*this, statement);
}

void Database::fail(std::string_view doing) const {
  throw Error(ErrorCode::kIo,
              name_ + ": cannot " + std::string(doing.substr(0, 60)) + ": " + sqlite3_errmsg(db_),
              "check free disk space and that no other process uses the file");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    db_.execute("ROLLBACK");
  } catch (const Error&) {
    // The failure that got us here is already on its way; SQLite rolls back on close as well.
  }
}

void Transaction::commit() {
  db_.execute("COMMIT");
  open_ = false;
}

}  // namespace ffe::storage
