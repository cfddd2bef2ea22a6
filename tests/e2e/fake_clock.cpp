// Preloaded into a process: its wall clock is wrong by as many seconds as the file FFE_CLOCK says,
// looked up each time. With FFE_CLOCK_OF only in the program of that name.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

// Kept simple: a file of one number.
long offset() {
  static const char* const file = [] {
    const char* program = std::getenv("FFE_CLOCK_OF");
    const bool here =
        program == nullptr || std::strcmp(program, program_invocation_short_name) == 0;
    return here ? std::getenv("FFE_CLOCK") : nullptr;
  }();
  FILE* in = file == nullptr ? nullptr : std::fopen(file, "re");
  if (in == nullptr) return 0;
  long seconds = 0;
  if (std::fscanf(in, "%ld", &seconds) != 1) seconds = 0;
  std::fclose(in);
  return seconds;
}

int real_clock(clockid_t clock, timespec* out) {
  static const auto next = reinterpret_cast<int (*)(clockid_t, timespec*)>(  // NOLINT
      dlsym(RTLD_NEXT, "clock_gettime"));
  return next(clock, out);
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  const int result = real_clock(clock, out);
  if (clock == CLOCK_REALTIME && result == 0) out->tv_sec += offset();
  return result;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(timeval* out, void*) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  *out = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}
}
