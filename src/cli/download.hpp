// A large file over HTTP, resumed where it broke off.
#pragma once

#include <filesystem>
#include <string>

#include "base/progress.hpp"

namespace ffe::cli {

// Fetches `url` into `file`. What an earlier attempt left there is continued if the server's ETag
// (kept in FILE.etag) is unchanged, else begun anew. Follows at most five redirects, none of them
// from https to http. Errors keep what has arrived: Error{kNetwork} for the peer's part, Error{kIo}
// for the disk's. `progress` counts bytes, may throw, and ends with done = total.
void download(const std::string& url, const std::filesystem::path& file, const Progress& progress);

}  // namespace ffe::cli
