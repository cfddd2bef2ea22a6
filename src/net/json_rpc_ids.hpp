// The ids of JSON-RPC requests as they were written: a parser would round numbers beyond its types.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ffe::net {

// `text` is valid JSON. For an object, one entry; for an array, one for each element: the text of
// the member "id", or empty if there is none (or its name is written with escapes).
std::vector<std::string> raw_ids(std::string_view text);

}  // namespace ffe::net
