// Which commit this program was built from.
#pragma once

#include <string>

namespace ffe {

// Abbreviated, with "-dirty" behind it where files differed; empty where it is not known (a build
// from an archive without FFE_COMMIT). Defined in a library of its own, ffe::commit, because it
// changes with every commit.
std::string build_commit();

}  // namespace ffe
