// Peers for the tests: raw sockets that say exactly what a test wants, rude things included.
#pragma once

#include <atomic>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <thread>

#include "base/error.hpp"

namespace ffe::test {

// A blocking TCP socket (or a listening one) that closes itself.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;

  static Socket connect(int port);

  bool valid() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  // False if the peer is gone.
  bool send(std::string_view data) const;
  // What arrives until the peer closes, `until` was seen, or five seconds passed.
  std::string receive(std::string_view until = {}) const;
  void shutdown_write() const;

 private:
  int fd_;
};

// Accepts connections one after another and hands each to `script`.
class RawServer {
 public:
  explicit RawServer(std::function<void(const Socket&)> script, const std::string& unix_path = {});
  ~RawServer();

  std::string url(std::string_view path = "/") const;
  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  int port_ = 0;
  Socket listener_;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

// A script that reads one request's head and sends `answer`.
std::function<void(const Socket&)> answering(std::string answer);

template <class F>
Error error_from(F&& run) {
  try {
    run();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no Error was thrown";
  return {ErrorCode::kFailed, ""};
}

}  // namespace ffe::test
