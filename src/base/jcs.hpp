// RFC 8785 (JCS) for every JSON value: other people's protocols sign fractions and nulls too.
#pragma once

#include <string>

#include "base/json.hpp"

namespace ffe {

// Numbers are IEEE 754 doubles, as the RFC says: integers beyond 2^53 are rounded. Formats of our
// own use canonical_json(), which refuses such numbers.
std::string jcs(const Json& value);

}  // namespace ffe
