// What a fine-tuning job has done so far, in one file: every step that costs money or cannot be
// repeated is written here before it leaves, so that a restart pays nothing and sends nothing
// twice.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace ffe::compute {

// A folder's "job.json" (mode 0600), replaced atomically and synced at each change. One process at
// a time: the folder is locked while this object lives. Holds no secrets.
class JobJournal {
 public:
  // Creates the folder. Throws Error{kUsage} if another process works there, kCorrupt if the file
  // is not a journal.
  explicit JobJournal(const std::filesystem::path& folder);
  ~JobJournal();
  JobJournal(const JobJournal&) = delete;
  JobJournal& operator=(const JobJournal&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  bool empty() const { return content_.empty(); }
  bool has(std::string_view key) const { return content_.contains(key); }
  std::optional<std::string> get(std::string_view key) const;
  std::string require(std::string_view key) const;
  // Writes once: the same value again is fine, another one is an Error{kInternal}, because what is
  // done must not be done differently.
  void put(std::string_view key, const std::string& value);

 private:
  std::filesystem::path folder_;
  Json content_ = Json::object();
  int lock_ = -1;
};

// Whether the folder holds a journal.
bool has_journal(const std::filesystem::path& folder);

}  // namespace ffe::compute
