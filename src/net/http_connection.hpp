// One accepted connection of HttpServer as cpp-httplib's Stream, with the limits that library
// lacks: it reads lines of any length and waits for each byte anew.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <httplib.h>
#include <string>

#include "net/http_server.hpp"

namespace ffe::net {

class HttpConnection final : public httplib::Stream {
 public:
  // Takes the socket over and closes it at the end. `stopping` ends every wait soon.
  HttpConnection(int fd, const HttpServerOptions& options, const std::atomic<bool>& stopping);
  ~HttpConnection() override;

  // True once the next request has begun to arrive; false on silence, end or stop. While
  // `others_wait` is true a silent peer is given up at once.
  bool await_request(const std::function<bool()>& others_wait);
  // How many bytes of the request's body were read so far.
  size_t body_read() const { return body_read_; }
  // A limit was hit or the peer went away in the middle.
  bool failed() const { return failed_; }
  // The peer has ended its side of the connection.
  bool peer_closed() const;
  // Lets a peer that is still sending read its answer before the connection goes.
  void drain();

  bool is_readable() const override { return true; }
  bool is_writable() const override { return !failed_ && !stopping_; }
  ssize_t read(char* out, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return fd_; }

 private:
  using Clock = std::chrono::steady_clock;

  bool wait(short events, Clock::time_point until, const std::function<bool()>& give_up) const;
  bool fill();
  void count(const char* data, size_t size);

  const int fd_;
  const HttpServerOptions& options_;
  const std::atomic<bool>& stopping_;
  std::string buffer_;
  size_t at_ = 0;

  Clock::time_point began_;
  bool in_head_ = true;
  size_t line_length_ = 0;
  size_t head_read_ = 0;
  size_t body_read_ = 0;
  bool failed_ = false;
  bool first_ = true;
};

}  // namespace ffe::net
