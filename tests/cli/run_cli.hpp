// One run of `ffe` inside the test, with what it printed.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "base/file.hpp"
#include "cli/command.hpp"

namespace ffe::test {

struct CliRun {
  int status = -1;
  std::string out;  // stdout
  std::string err;  // stderr
};

inline bool contains(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

// Sends a standard stream into a file while it lives.
class Redirect {
 public:
  Redirect(std::FILE* stream, const std::filesystem::path& file) : stream_(stream) {
    std::fflush(stream_);
    saved_ = dup(fileno(stream_));
    std::FILE* target = std::fopen(file.c_str(), "w");
    dup2(fileno(target), fileno(stream_));
    std::fclose(target);
  }
  ~Redirect() {
    std::fflush(stream_);
    dup2(saved_, fileno(stream_));
    close(saved_);
  }
  Redirect(const Redirect&) = delete;
  Redirect& operator=(const Redirect&) = delete;

 private:
  std::FILE* stream_;
  int saved_;
};

// A user of its own: home, configuration and data are in a folder that goes with the test.
class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    setenv("HOME", folder_.path().c_str(), 1);
    setenv("XDG_CONFIG_HOME", (folder_.path() / "config").c_str(), 1);
    setenv("XDG_DATA_HOME", (folder_.path() / "data").c_str(), 1);
  }

  CliRun ffe(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "ffe");
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    CliRun run;
    {
      Redirect out(stdout, folder_.path() / "stdout");
      Redirect err(stderr, folder_.path() / "stderr");
      run.status = cli::run(static_cast<int>(arguments.size()), argv.data());
    }
    run.out = read_text_file(folder_.path() / "stdout");
    run.err = read_text_file(folder_.path() / "stderr");
    return run;
  }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::filesystem::path file = folder_.path() / name;
    write_file_atomic(file, as_bytes(text));
    return file;
  }

  TempDir folder_{"ffe-cli"};
};

// Shows both streams when an expectation about a run fails.
inline std::string shown(const CliRun& run) {
  return "exit " + std::to_string(run.status) + "\nstdout: " + run.out + "\nstderr: " + run.err;
}

}  // namespace ffe::test
