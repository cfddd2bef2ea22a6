#include "cli/download.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "net/http_client.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kRedirects = 5;
constexpr size_t kMaxBytes = size_t{1} << 42;

// A file that is written at its end.
class Appender {
 public:
  Appender(const fs::path& path, bool fresh) : path_(path) {
    fd_ =
        open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (fresh ? O_TRUNC : 0), 0644);
    if (fd_ < 0) fail(errno);
  }
  ~Appender() { close(fd_); }
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(errno);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void sync() const {
    if (fsync(fd_) != 0) fail(errno);
  }

 private:
  [[noreturn]] void fail(int err) const {
    throw Error(ErrorCode::kIo, "cannot write " + path_.string() + ": " + std::strerror(err),
                err == ENOSPC ? "the disk is full: free some space and run the same command again; "
                                "it goes on where it stopped"
                              : "");
  }

  fs::path path_;
  int fd_ = -1;
};

std::string header(const net::HttpResponse& response, const std::string& name) {
  const auto it = response.headers.find(name);
  return it == response.headers.end() ? "" : it->second;
}

uint64_t number(std::string_view text) {
  uint64_t n = 0;
  for (char c : text) {
    if (c < '0' || c > '9' || n > kMaxBytes) return 0;
    n = n * 10 + static_cast<uint64_t>(c - '0');
  }
  return n;
}

// Where a redirect leads; relative ones are resolved against the host.
std::string redirect_target(const std::string& from, const std::string& location) {
  std::string to = location;
  if (location.starts_with('/') && !location.starts_with("//")) {
    to = from.substr(0, from.find('/', from.find("://") + 3)) + location;
  }
  const bool secure = from.starts_with("https://");
  if (!to.starts_with("https://") && (secure || !to.starts_with("http://"))) {
    throw Error(ErrorCode::kNetwork, net::printable_url(from) + ": redirects to " +
                                         net::printable_url(to) + ", which is not followed");
  }
  return to;
}

class Download {
 public:
  Download(const fs::path& file, const Progress& progress)
      : file_(file), etag_file_(file.string() + ".etag"), progress_(progress) {}

  void run(std::string url) {
    const std::string tag = look(url);
    have_ = resumable(tag) ? fs::file_size(file_) : 0;
    if (have_ == 0) {
      std::error_code ec;
      fs::remove(etag_file_, ec);
      if (!tag.empty()) write_file_atomic(etag_file_, as_bytes(tag));
    }
    if (have_ == 0 || have_ < total_) fetch(url, tag);
    if (total_ > 0 && have_ != total_) {
      throw Error(ErrorCode::kNetwork,
                  net::printable_url(url) + ": " + std::to_string(have_) +
                      " bytes came instead of " + std::to_string(total_),
                  "run the same command again: it goes on where it stopped");
    }
    std::error_code ec;
    fs::remove(etag_file_, ec);
    report(progress_, have_, have_);
  }

 private:
  // Follows redirects; `url` becomes the last one.
  net::HttpResponse send(std::string& url, net::HttpRequest request, const net::BodySink& sink) {
    for (int i = 0; i <= kRedirects; ++i) {
      request.url = url;
      net::HttpResponse response = client_.send(request, sink);
      if (response.status < 300 || response.status >= 400) return response;
      url = redirect_target(url, header(response, "location"));
    }
    throw Error(ErrorCode::kNetwork, net::printable_url(url) + ": too many redirects");
  }

  [[noreturn]] static void refuse(const std::string& url, int status) {
    throw Error(ErrorCode::kNetwork, net::printable_url(url) + ": status " + std::to_string(status),
                status == 404 ? "check the address" : "");
  }

  // Size and strong validator of what is there now. A server that does not answer HEAD gives
  // neither: then nothing can be resumed.
  std::string look(std::string& url) {
    net::HttpRequest request;
    request.method = "HEAD";
    std::string found = url;
    const net::HttpResponse r = send(found, request, [](std::string_view) { return true; });
    if (r.status == 404) refuse(found, r.status);
    if (!r.ok()) return {};
    url = found;
    total_ = number(header(r, "content-length"));
    const std::string tag = header(r, "etag");
    const bool ranges = header(r, "accept-ranges") == "bytes";
    return ranges && !tag.starts_with("W/") ? tag : "";
  }

  bool resumable(const std::string& tag) const {
    std::error_code ec;
    return !tag.empty() && total_ > 0 && fs::exists(file_, ec) && fs::exists(etag_file_, ec) &&
           fs::file_size(file_, ec) <= total_ && read_text_file(etag_file_, 4096) == tag;
  }

  void fetch(std::string url, const std::string& tag) {
    net::HttpRequest request;
    request.timeout_ms = 0;
    request.idle_timeout_ms = 60'000;
    request.max_body = total_ > 0 ? total_ - have_ : kMaxBytes;
    if (have_ > 0) {
      request.headers = {{"Range", "bytes=" + std::to_string(have_) + "-"}, {"If-Range", tag}};
    }
    const uint64_t before = have_;
    Appender out(file_, before == 0);
    report(progress_, have_, total_);
    const net::HttpResponse r = send(url, request, [&](std::string_view bytes) {
      out.write(bytes);
      have_ += bytes.size();
      report(progress_, have_, total_);
      return true;
    });
    if (!r.ok()) refuse(url, r.status);
    out.sync();
    if (before > 0 && r.status != 206) {
      // The whole came instead of the rest; what was appended is worth nothing.
      fs::remove(file_);
      throw Error(ErrorCode::kNetwork, net::printable_url(url) + ": cannot be resumed",
                  "run the same command again: it begins anew");
    }
  }

  net::HttpClient client_;
  const fs::path& file_;
  fs::path etag_file_;
  const Progress& progress_;
  uint64_t have_ = 0;
  uint64_t total_ = 0;  // 0: unknown
};

}  // namespace

void download(const std::string& url, const fs::path& file, const Progress& progress) {
  Download(file, progress).run(url);
}

}  // namespace ffe::cli
