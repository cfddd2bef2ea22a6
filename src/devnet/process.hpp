// Child processes that never outlive their parent.
#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace ffe::devnet {

// Started by fork and exec, its output in a log file. The child gets SIGTERM from the kernel when
// this process dies, however it dies; the destructor terminates it and waits.
class Process {
 public:
  // Throws Error{kIo} when the program cannot be started.
  Process(std::string name, const std::vector<std::string>& argv, std::filesystem::path log);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  Process(const Process&) = delete;
  ~Process();

  const std::string& name() const { return name_; }
  pid_t pid() const { return pid_; }
  bool running();
  // SIGTERM, then SIGKILL after `grace_ms`. Safe to call twice.
  void stop(int grace_ms = 3000);
  // The last lines of its log, for error messages.
  std::string log_tail(size_t max_bytes = 2000) const;

 private:
  std::string name_;
  std::filesystem::path log_;
  pid_t pid_ = -1;
};

}  // namespace ffe::devnet
