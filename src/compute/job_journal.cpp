#include "compute/job_journal.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.hpp"

namespace ffe::compute {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "job.json";

}  // namespace

bool has_journal(const fs::path& folder) {
  return fs::exists(folder / kFile);
}

JobJournal::JobJournal(const fs::path& folder) : folder_(folder) {
  fs::create_directories(folder);
  fs::permissions(folder, fs::perms::owner_all);
  lock_ = open((folder / ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock_ < 0) {
    throw Error(ErrorCode::kIo,
                "cannot write into " + folder.string() + ": " + std::strerror(errno));
  }
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    close(lock_);
    throw Error(ErrorCode::kUsage, "another process works on the job in " + folder.string(),
                "wait for it to end");
  }
  try {
    if (!has_journal(folder)) return;
    content_ = parse_json(read_text_file(folder / kFile, 1u << 20), (folder / kFile).string());
    bool texts = content_.is_object();
    for (const Json& value : content_) texts = texts && value.is_string();
    if (!texts)
      throw Error(ErrorCode::kCorrupt, (folder / kFile).string() + " is no job's journal");
  } catch (...) {
    close(lock_);
    throw;
  }
}

JobJournal::~JobJournal() {
  close(lock_);
}

std::optional<std::string> JobJournal::get(std::string_view key) const {
  auto it = content_.find(key);
  if (it == content_.end()) return std::nullopt;
  return it->get<std::string>();
}

std::string JobJournal::place() const {
  return (folder_ / kFile).string();
}

std::string JobJournal::how_to_go_on() const {
  return "ffe compute task resume " + folder_.string();
}

void JobJournal::put(std::string_view key, const std::string& value) {
  if (std::optional<std::string> before = get(key)) {
    if (*before == value) return;
    throw Error(ErrorCode::kInternal, "the job's \"" + std::string(key) + "\" was written already");
  }
  content_[std::string(key)] = value;
  std::string text = content_.dump(2) + "\n";
  write_file_atomic(folder_ / kFile, as_bytes(text), 0600);
}

}  // namespace ffe::compute
