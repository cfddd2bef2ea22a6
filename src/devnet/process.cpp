#include "devnet/process.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "base/error.hpp"

namespace ffe::devnet {
namespace {

// Runs between fork and exec: only async-signal-safe calls.
[[noreturn]] void run_child(pid_t parent, char* const* argv, int log_fd, int report_fd) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);  // the parent died before the line above
  setpgid(0, 0);                        // Ctrl-C reaches the parent alone, which stops us in order
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  int null_fd = open("/dev/null", O_RDONLY);
  dup2(null_fd, STDIN_FILENO);
  dup2(log_fd, STDOUT_FILENO);
  dup2(log_fd, STDERR_FILENO);
  execvp(argv[0], argv);
  int err = errno;
  [[maybe_unused]] ssize_t n = write(report_fd, &err, sizeof err);
  _exit(127);
}

}  // namespace

Process::Process(std::string name, const std::vector<std::string>& argv, std::filesystem::path log)
    : name_(std::move(name)), log_(std::move(log)) {
  std::vector<char*> args;
  for (const std::string& a : argv) args.push_back(const_cast<char*>(a.c_str()));
  args.push_back(nullptr);
  int log_fd = open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int report[2] = {-1, -1};
  if (log_fd < 0 || pipe2(report, O_CLOEXEC) != 0) {
    throw Error(ErrorCode::kIo, "cannot write the log " + log_.string());
  }
  pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) run_child(parent, args.data(), log_fd, report[1]);
  close(log_fd);
  close(report[1]);
  int err = pid_ < 0 ? errno : 0;
  if (pid_ > 0 && read(report[0], &err, sizeof err) == sizeof err) {
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  close(report[0]);
  if (err != 0) {
    throw Error(ErrorCode::kIo,
                "cannot start " + name_ + " (" + argv.at(0) + "): " + std::strerror(err));
  }
}

Process::Process(Process&& other) noexcept
    : name_(std::move(other.name_)), log_(std::move(other.log_)), pid_(other.pid_) {
  other.pid_ = -1;
}

Process::~Process() {
  stop();
}

bool Process::running() {
  if (pid_ < 0) return false;
  if (waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void Process::stop(int grace_ms) {
  if (!running()) return;
  kill(pid_, SIGTERM);
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(grace_ms);
  while (running() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (!running()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string Process::log_tail(size_t max_bytes) const {
  std::ifstream in(log_, std::ios::binary | std::ios::ate);
  if (!in) return {};
  auto size = static_cast<size_t>(in.tellg());
  size_t n = std::min(size, max_bytes);
  in.seekg(static_cast<std::streamoff>(size - n));
  std::string out(n, '\0');
  in.read(out.data(), static_cast<std::streamsize>(n));
  return out;
}

}  // namespace ffe::devnet
