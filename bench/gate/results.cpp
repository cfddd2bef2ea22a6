#include "results.hpp"

#include <fcntl.h>
#include <fstream>
#include <unistd.h>

#include "base/error.hpp"
#include "base/json.hpp"

namespace ffe::bench {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Values, harm, lost)
// Older lines have no values.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Result, session, kind, opener, statistic, numeric,
                                                outcome, verdict, reason, harm, harm_sd, lost,
                                                lost_sd, log_evidence, rows, kept, unlikely, sealed,
                                                runs)

std::vector<Result> read_results(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<Result> out;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    try {
      out.push_back(parse_json(line, "results").get<Result>());
    } catch (const std::exception& e) {
      throw Error(ErrorCode::kBadInput,
                  file.string() + ":" + std::to_string(number) + ": " + e.what(),
                  "remove a line that was cut off");
    }
  }
  return out;
}

void append_results(const std::filesystem::path& file, const std::vector<Result>& results) {
  std::string text;
  for (const Result& r : results) text += Json(r).dump() + "\n";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) throw Error(ErrorCode::kIo, "cannot write " + file.string());
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (::fsync(fd) != 0 || ::close(fd) != 0 || !whole) {
    throw Error(ErrorCode::kIo, "cannot write " + file.string());
  }
}

}  // namespace ffe::bench
