// A job's record as a file in the job's folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "compute/job_record.hpp"

namespace ffe::compute {

// A folder's "job.json" (mode 0600), replaced atomically and synced at each change. One process at
// a time: the folder is locked while this object lives. Holds no secrets.
class JobJournal : public JobRecord {
 public:
  // Creates the folder. Throws Error{kUsage} if another process works there, kCorrupt if the file
  // is not a journal.
  explicit JobJournal(const std::filesystem::path& folder);
  ~JobJournal() override;
  JobJournal(const JobJournal&) = delete;
  JobJournal& operator=(const JobJournal&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  bool empty() const { return content_.empty(); }
  std::optional<std::string> get(std::string_view key) const override;
  void put(std::string_view key, const std::string& value) override;
  std::string place() const override;
  std::string how_to_go_on() const override;

 private:
  std::filesystem::path folder_;
  Json content_ = Json::object();
  int lock_ = -1;
};

// Whether the folder holds a journal.
bool has_journal(const std::filesystem::path& folder);

}  // namespace ffe::compute
