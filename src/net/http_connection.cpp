#include "net/http_connection.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ffe::net {
namespace {

using std::chrono::milliseconds;

constexpr size_t kBuffer = 16 << 10;
constexpr size_t kMaxHead = 64 << 10;
// Chunked bodies carry a size line for each chunk; this much of that is allowed beside the body.
constexpr size_t kFraming = 1 << 20;
constexpr milliseconds kSlice{100};

void address_of(const sockaddr_storage& from, std::string& ip, int& port) {
  char text[INET6_ADDRSTRLEN] = "";
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    port = ntohs(v4.sin_port);
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    port = ntohs(v6.sin6_port);
  }
  ip = text;
}

}  // namespace

HttpConnection::HttpConnection(int fd, const HttpServerOptions& options,
                               const std::atomic<bool>& stopping)
    : fd_(fd), options_(options), stopping_(stopping) {
  // Head and body of an answer go out as two writes; without this the second one waits for an ACK.
  int yes = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

HttpConnection::~HttpConnection() {
  close(fd_);
}

bool HttpConnection::wait(short events, Clock::time_point until,
                          const std::function<bool()>& give_up) const {
  while (true) {
    auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    int slice = static_cast<int>(std::clamp(left, milliseconds{0}, kSlice).count());
    pollfd p{fd_, events, 0};
    int ready = poll(&p, 1, slice);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (stopping_ || left.count() <= 0 || (give_up && give_up())) return false;
  }
}

bool HttpConnection::await_request(const std::function<bool()>& others_wait) {
  if (at_ == buffer_.size()) {
    milliseconds patience{first_ ? options_.read_timeout_ms : options_.keep_alive_ms};
    // A connection that has not asked anything yet is not idle, only new.
    std::function<bool()> give_up = first_ ? std::function<bool()>() : others_wait;
    if (stopping_ || !wait(POLLIN, Clock::now() + patience, give_up)) return false;
  }
  first_ = false;
  began_ = Clock::now();
  in_head_ = true;
  line_length_ = head_read_ = body_read_ = 0;
  return true;
}

bool HttpConnection::fill() {
  auto now = Clock::now();
  auto until = std::min(began_ + milliseconds{options_.request_timeout_ms},
                        (in_head_ ? began_ : now) + milliseconds{options_.read_timeout_ms});
  if (now >= until || !wait(POLLIN, until, {})) return false;
  buffer_.resize(kBuffer);
  at_ = 0;
  ssize_t n = recv(fd_, buffer_.data(), kBuffer, 0);
  buffer_.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return n > 0;
}

// Follows the bytes to the empty line that ends the head, and holds both parts to their limits.
void HttpConnection::count(const char* data, size_t size) {
  for (; in_head_ && size > 0; ++data, --size) {
    ++head_read_;
    if (*data == '\n') {
      in_head_ = line_length_ != 0;
      line_length_ = 0;
    } else if (*data != '\r') {
      ++line_length_;
    }
  }
  body_read_ += size;
  if (head_read_ > kMaxHead || body_read_ > options_.max_body + kFraming) failed_ = true;
}

ssize_t HttpConnection::read(char* out, size_t size) {
  if (size == 0) return 0;
  if (failed_ || (at_ == buffer_.size() && !fill())) {
    failed_ = true;
    return -1;
  }
  size_t n = std::min(size, buffer_.size() - at_);
  std::copy_n(buffer_.data() + at_, n, out);
  at_ += n;
  count(out, n);
  return failed_ ? -1 : static_cast<ssize_t>(n);
}

ssize_t HttpConnection::write(const char* data, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = send(fd_, data + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      done += static_cast<size_t>(n);
      continue;
    }
    bool full = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    auto until = Clock::now() + milliseconds{options_.write_timeout_ms};
    if (!full || !wait(POLLOUT, until, {})) {
      failed_ = true;
      return -1;
    }
  }
  return static_cast<ssize_t>(done);
}

bool HttpConnection::peer_closed() const {
  pollfd p{fd_, POLLRDHUP, 0};
  return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void HttpConnection::drain() {
  shutdown(fd_, SHUT_WR);
  char scratch[kBuffer];
  auto until = Clock::now() + milliseconds{1000};
  for (size_t total = 0; total < (size_t{8} << 20) && wait(POLLIN, until, {});) {
    ssize_t n = recv(fd_, scratch, sizeof(scratch), 0);
    if (n <= 0) return;
    total += static_cast<size_t>(n);
  }
}

void HttpConnection::get_remote_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  if (getpeername(fd_, reinterpret_cast<sockaddr*>(&from), &size) == 0) address_of(from, ip, port);
}

void HttpConnection::get_local_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&from), &size) == 0) address_of(from, ip, port);
}

}  // namespace ffe::net
