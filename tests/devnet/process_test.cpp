// Child processes: they start, tell what is wrong, and never outlive the object or the parent.
#include "devnet/process.hpp"

#include <chrono>
#include <functional>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "base/file.hpp"
#include "support/error_of.hpp"

namespace ffe::devnet {
namespace {

namespace fs = std::filesystem;

bool wait_until(const std::function<bool()>& done, int seconds = 10) {
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// Gone, or dead and only waiting for a parent to look.
bool dead(pid_t pid) {
  try {
    std::string stat = read_text_file("/proc/" + std::to_string(pid) + "/stat");
    size_t after_name = stat.rfind(')');
    return after_name != std::string::npos && stat.substr(after_name + 2, 1) == "Z";
  } catch (const Error&) {
    return true;
  }
}

class ProcessTest : public ::testing::Test {
 protected:
  Process start(const std::string& script) {
    return Process("worker", {"sh", "-c", script}, log());
  }
  fs::path log() const { return folder_.path() / "worker.log"; }

  TempDir folder_{"ffe-process"};
};

TEST_F(ProcessTest, RunsAndWritesItsLog) {
  Process p = start("echo to stdout; echo to stderr >&2; cat; exec sleep 60");
  EXPECT_EQ(p.name(), "worker");
  EXPECT_GT(p.pid(), 0);
  ASSERT_TRUE(wait_until([&] { return p.log_tail().find("to stderr") != std::string::npos; }));
  EXPECT_EQ(p.log_tail(), "to stdout\nto stderr\n");
  EXPECT_EQ(p.log_tail(10), "to stderr\n");
  EXPECT_TRUE(p.running());
}

TEST_F(ProcessTest, AnEndIsNoticed) {
  Process p = start("exit 3");
  EXPECT_TRUE(wait_until([&] { return !p.running(); }));
  p.stop();
  EXPECT_FALSE(p.running());
}

TEST_F(ProcessTest, StopsOnRequestAndTwice) {
  Process p = start("exec sleep 60");
  pid_t pid = p.pid();
  p.stop();
  EXPECT_FALSE(p.running());
  EXPECT_TRUE(dead(pid));
  p.stop();
}

TEST_F(ProcessTest, OneThatIgnoresTheRequestIsKilled) {
  Process p = start("trap '' TERM; echo ready; while :; do sleep 0.05; done");
  ASSERT_TRUE(wait_until([&] { return p.log_tail().find("ready") != std::string::npos; }));
  pid_t pid = p.pid();
  auto begin = std::chrono::steady_clock::now();
  p.stop(100);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(dead(pid));
}

TEST_F(ProcessTest, DiesWithItsObject) {
  pid_t pid = -1;
  {
    Process p = start("exec sleep 60");
    pid = p.pid();
    EXPECT_FALSE(dead(pid));
    Process moved = std::move(p);
    EXPECT_EQ(moved.pid(), pid);
  }
  EXPECT_TRUE(dead(pid));
}

TEST_F(ProcessTest, AProgramThatDoesNotExistIsNamed) {
  EXPECT_EQ(test::error_of([&] {
              Process("chain", {"/nowhere/anvil", "--port"}, log());
            }),
            "io: cannot start chain (/nowhere/anvil): No such file or directory");
  fs::path text = folder_.path() / "text";
  write_file_atomic(text, as_bytes("no program"), 0644);
  EXPECT_EQ(test::error_of([&] { Process("chain", {text.string()}, log()); }),
            "io: cannot start chain (" + text.string() + "): Permission denied");
}

TEST_F(ProcessTest, ALogThatCannotBeWrittenIsNamed) {
  fs::path bad = folder_.path() / "absent" / "worker.log";
  EXPECT_EQ(test::error_of([&] { Process("worker", {"true"}, bad); }),
            "io: cannot write the log " + bad.string());
}

// A parent that is killed runs no destructor: the kernel has to end the child.
TEST_F(ProcessTest, DiesWithAParentThatIsKilled) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    Process p = start("exec sleep 60");
    pid_t pid = p.pid();
    [[maybe_unused]] ssize_t n = write(report[1], &pid, sizeof pid);
    pause();
    _exit(1);
  }
  close(report[1]);
  pid_t child = -1;
  ASSERT_EQ(read(report[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  close(report[0]);
  EXPECT_FALSE(dead(child));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(wait_until([&] { return dead(child); }));
  if (!dead(child)) kill(child, SIGKILL);
}

}  // namespace
}  // namespace ffe::devnet
