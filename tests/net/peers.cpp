#include "peers.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace ffe::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int listen_tcp(int& port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 64) != 0) return -1;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return fd;
}

int listen_unix(const std::string& path) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return -1;
  return listen(fd, 8) == 0 ? fd : -1;
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Socket Socket::connect(int port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = loopback(port);
  EXPECT_EQ(::connect(socket.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  timeval limit{5, 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  return socket;
}

bool Socket::send(std::string_view data) const {
  while (!data.empty()) {
    ssize_t n = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    data.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string Socket::receive(std::string_view until) const {
  std::string all;
  char buffer[4096];
  while (until.empty() || all.find(until) == std::string::npos) {
    ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
    if (n <= 0) break;
    all.append(buffer, static_cast<size_t>(n));
  }
  return all;
}

void Socket::shutdown_write() const {
  ::shutdown(fd_, SHUT_WR);
}

RawServer::RawServer(std::function<void(const Socket&)> script, const std::string& unix_path)
    : listener_(unix_path.empty() ? listen_tcp(port_) : listen_unix(unix_path)) {
  EXPECT_TRUE(listener_.valid());
  thread_ = std::thread([this, script = std::move(script)] {
    while (true) {
      Socket peer(accept(listener_.fd(), nullptr, nullptr));
      if (!peer.valid()) return;
      ++connections_;
      script(peer);
    }
  });
}

RawServer::~RawServer() {
  ::shutdown(listener_.fd(), SHUT_RDWR);
  thread_.join();
}

std::string RawServer::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

std::function<void(const Socket&)> answering(std::string answer) {
  return [answer = std::move(answer)](const Socket& peer) {
    peer.receive("\r\n\r\n");
    peer.send(answer);
  };
}

}  // namespace ffe::test
