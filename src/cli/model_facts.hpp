// What there is to know of a base model before one works with it.
#pragma once

#include <string>

#include "base/json.hpp"
#include "lm/weights.hpp"

namespace ffe::cli {

// Reads every byte once, for the hashes.
Json model_facts(const lm::ModelFile& model);
std::string facts_text(const Json& facts);

}  // namespace ffe::cli
