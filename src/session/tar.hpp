// Deterministic ustar archives (POSIX.1-1988 tar) in memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/bytes.hpp"

namespace ffe::session {

// Regular files by name. Names are sorted bytewise, mtime 0, mode 0644, owner and group 0 without
// names, two zero blocks at the end: equal files give equal bytes. Throws Error{kBadInput} for a
// name that is not 1..100 bytes of [A-Za-z0-9._-] and '/' between non-empty parts other than "."
// and "..".
Bytes write_tar(const std::map<std::string, Bytes>& files);

// Accepts exactly what write_tar makes; throws Error{kBadInput} naming the offset otherwise.
std::map<std::string, Bytes> read_tar(ByteView tar);

}  // namespace ffe::session
