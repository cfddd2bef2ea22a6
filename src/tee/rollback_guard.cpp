#include <mutex>

#include "base/file.hpp"
#include "tee/verify.hpp"

namespace ffe::tee {
namespace {

class FileGuard final : public RollbackGuard {
 public:
  explicit FileGuard(std::filesystem::path file) : file_(std::move(file)) {}

  uint32_t highest(const std::string& platform) const override {
    std::lock_guard lock(mutex_);
    return number(load(), platform);
  }

  void record(const std::string& platform, uint32_t evaluation_number) override {
    std::lock_guard lock(mutex_);
    Json all = load();
    if (number(all, platform) >= evaluation_number) return;
    all[platform] = evaluation_number;
    std::string text = all.dump(2) + "\n";
    if (file_.has_parent_path()) std::filesystem::create_directories(file_.parent_path());
    write_file_atomic(file_, as_bytes(text), 0600);
  }

 private:
  Json load() const {
    if (!std::filesystem::exists(file_)) return Json::object();
    Json out = parse_json(read_text_file(file_, 1u << 20), file_.string());
    if (!out.is_object()) corrupt();
    return out;
  }

  uint32_t number(const Json& all, const std::string& platform) const {
    auto at = all.find(platform);
    if (at == all.end()) return 0;
    if (!at->is_number_unsigned() || at->get<uint64_t>() > UINT32_MAX) corrupt();
    return at->get<uint32_t>();
  }

  [[noreturn]] void corrupt() const {
    throw Error(ErrorCode::kCorrupt, file_.string() + ": not a list of evaluation numbers",
                "delete the file; older collateral will be accepted once more");
  }

  std::filesystem::path file_;
  mutable std::mutex mutex_;
};

}  // namespace

std::unique_ptr<RollbackGuard> file_rollback_guard(std::filesystem::path file) {
  return std::make_unique<FileGuard>(std::move(file));
}

}  // namespace ffe::tee
