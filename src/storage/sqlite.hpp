// SQLite in the manner of this project: RAII, typed columns, errors with the file's name.
#pragma once

#include <filesystem>
#include <sqlite3.h>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace ffe::storage {

class Database;

// A prepared statement on loan: reset when it goes out of scope.
class Query {
 public:
  Query(Database& db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // Parameters in order, from the first.
  Query& bind(uint64_t number);  // throws Error{kBadInput} above 2^63 - 1
  Query& bind(ByteView bytes);
  Query& bind(std::string_view text);

  bool step();  // true: there is a row
  void run() {
    while (step()) {
    }
  }

  uint64_t number(int column) const;
  Bytes bytes(int column) const;
  template <size_t N>
  FixedBytes<N> fixed(int column) const {
    return FixedBytes<N>::from(bytes(column));
  }

 private:
  Database& db_;
  sqlite3_stmt* statement_;
  int next_ = 1;
};

// One connection; not thread-safe. WAL with full synchronisation: what was committed survives a
// crash of process or machine.
class Database {
 public:
  // Throws Error{kIo} that names the file.
  explicit Database(const std::filesystem::path& file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const char* sql);
  // `sql` must be a literal: statements are kept by its address.
  Query query(const char* sql);
  [[noreturn]] void fail(std::string_view doing) const;

 private:
  std::string name_;
  sqlite3* db_ = nullptr;
  std::vector<std::pair<const char*, sqlite3_stmt*>> statements_;
};

// All or nothing: rolls back unless commit() was called.
class Transaction {
 public:
  explicit Transaction(Database& db) : db_(db) { db_.execute("BEGIN IMMEDIATE"); }
  ~Transaction();
  void commit();

 private:
  Database& db_;
  bool open_ = true;
};

}  // namespace ffe::storage
