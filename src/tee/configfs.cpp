// configfs-tsm: a directory per request, whose files are the kernel's attributes.
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "base/file.hpp"
#include "base/log.hpp"
#include "tee/event_log.hpp"
#include "tee/provider.hpp"

namespace ffe::tee {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxBlob = 64 * 1024;
constexpr size_t kMinQuote = 1020;

// Somebody else used the entry, or the platform was busy: worth another attempt.
struct TryAgain {
  int error;
};

class File {
 public:
  File(const std::filesystem::path& path, int flags) : path_(path) {
    fd_ = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd_ < 0) fail("open");
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  Bytes read_all() {
    Bytes out;
    uint8_t block[4096];
    for (;;) {
      ssize_t size = ::read(fd_, block, sizeof block);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) fail("read");
      if (size == 0) return out;
      append(out, {block, static_cast<size_t>(size)});
      if (out.size() > kMaxBlob) {
        throw Error(ErrorCode::kIo, path_.string() + ": larger than 64 KiB");
      }
    }
  }

  // The kernel takes the attribute in one write or not at all.
  void write_once(ByteView content) {
    ssize_t size = ::write(fd_, content.data(), content.size());
    if (size != static_cast<ssize_t>(content.size())) fail("write");
  }

 private:
  [[noreturn]] void fail(const char* action) const {
    int error = errno;
    if (error == EBUSY || error == EINTR || error == EAGAIN) throw TryAgain{error};
    throw Error(
        ErrorCode::kIo,
        std::string("cannot ") + action + " " + path_.string() + ": " + std::strerror(error),
        error == ETIMEDOUT ? "the host's quote generation service does not answer; ask its operator"
                           : "this needs root, kernel 6.7 or newer, and a TDX guest");
  }

  std::filesystem::path path_;
  int fd_ = -1;
};

// The directory of one request; removed again if it was made here.
class Entry {
 public:
  explicit Entry(std::filesystem::path path) : path_(std::move(path)) {
    if (::mkdir(path_.c_str(), 0700) == 0) {
      made_ = true;
    } else if (errno != EEXIST) {
      int error = errno;
      throw Error(ErrorCode::kUnsupported,
                  "cannot create " + path_.string() + ": " + std::strerror(error),
                  "configfs-tsm is absent here, or this process is not root");
    }
  }
  ~Entry() {
    if (made_) ::rmdir(path_.c_str());
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  std::string text(const char* name) const {
    std::string out(as_text(File(path_ / name, O_RDONLY).read_all()));
    while (!out.empty() && (out.back() == '\n' || out.back() == '\0')) out.pop_back();
    return out;
  }
  uint64_t generation() const {
    std::string shown = text("generation");
    uint64_t out = 0;
    auto [end, error] = std::from_chars(shown.data(), shown.data() + shown.size(), out);
    if (error != std::errc() || end != shown.data() + shown.size()) {
      throw Error(ErrorCode::kIo, (path_ / "generation").string() + ": not a number");
    }
    return out;
  }
  Bytes read(const char* name) const { return File(path_ / name, O_RDONLY).read_all(); }
  void write(const char* name, ByteView content) const {
    File(path_ / name, O_WRONLY).write_once(content);
  }

 private:
  std::filesystem::path path_;
  bool made_ = false;
};

// The kernel counts writes: only if exactly ours lies between is the report ours.
Bytes request(const std::filesystem::path& path, const FixedBytes<64>& report_data) {
  Entry entry(path);
  std::string provider = entry.text("provider");
  if (provider != "tdx_guest") {
    throw Error(ErrorCode::kUnsupported, "configfs-tsm is served by " + provider.substr(0, 40),
                "only Intel TDX guests are supported");
  }
  uint64_t before = entry.generation();
  entry.write("inblob", report_data.bytes);
  if (entry.generation() != before + 1) throw TryAgain{EAGAIN};
  Bytes quote = entry.read("outblob");
  if (entry.generation() != before + 1) throw TryAgain{EAGAIN};
  if (quote.size() < kMinQuote) {
    throw Error(ErrorCode::kIo, "configfs-tsm returned " + std::to_string(quote.size()) +
                                    " bytes, too few for a quote");
  }
  return quote;
}

std::filesystem::path entry_path(const ConfigfsOptions& options) {
  static std::atomic<unsigned> counter{0};
  if (!options.entry.empty()) return options.root / options.entry;
  return options.root / ("ffe-" + std::to_string(::getpid()) + "-" + std::to_string(counter++));
}

class Configfs final : public EvidenceProvider {
 public:
  explicit Configfs(ConfigfsOptions options) : options_(std::move(options)) {}

  std::string name() const override { return "configfs-tsm"; }

  Evidence quote(const FixedBytes<64>& report_data) override {
    Evidence out;
    out.provider = name();
    out.quote = patiently(report_data);
    check_evidence(out, report_data);
    attach_event_log(out);
    return out;
  }

 private:
  // The firmware's log covers what booted. Where something extended a register later it no longer
  // replays, and a log that proves nothing is not handed on.
  void attach_event_log(Evidence& evidence) const {
    if (!std::filesystem::exists(options_.event_log)) return;
    try {
      Bytes log = read_file(options_.event_log, 16u << 20);
      check_replay(parse_ccel(log), parse_quote(evidence.quote).td);
      evidence.event_log = std::move(log);
      evidence.event_log_format = EventLogFormat::kCcel;
    } catch (const Error& error) {
      log::debug("no event log with the quote: {}", error.what());
    }
  }

  Bytes patiently(const FixedBytes<64>& report_data) {
    auto deadline = Clock::now() + std::chrono::milliseconds(options_.patience_ms);
    for (auto pause = std::chrono::milliseconds(50);; pause *= 2) {
      try {
        return request(entry_path(options_), report_data);
      } catch (const TryAgain& again) {
        if (Clock::now() + pause > deadline) {
          throw Error(ErrorCode::kIo,
                      std::string("configfs-tsm stays busy: ") + std::strerror(again.error),
                      "other processes ask for quotes at the same time; try later");
        }
        std::this_thread::sleep_for(pause);
      }
    }
  }

  ConfigfsOptions options_;
};

}  // namespace

bool configfs_serves_tdx(const ConfigfsOptions& options) {
  if (!std::filesystem::exists(options.root)) return false;
  try {
    return Entry(entry_path(options)).text("provider") == "tdx_guest";
  } catch (const Error&) {  // not root, or no provider behind it
    return false;
  } catch (const TryAgain&) {
    return true;  // somebody is just using it
  }
}

std::unique_ptr<EvidenceProvider> configfs_provider(ConfigfsOptions options) {
  return std::make_unique<Configfs>(std::move(options));
}

}  // namespace ffe::tee
