// Base models in the user's cache folder: <cache>/models/NAME.gguf or <cache>/models/NAME/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/progress.hpp"

namespace ffe::lm {

struct CachedModel {
  std::string name;  // without ".gguf"
  std::filesystem::path path;
  uint64_t bytes = 0;
};

std::filesystem::path model_cache_dir();

// Sorted by name.
std::vector<CachedModel> cached_models();

// A path that exists, or the name of a cached model; "" is the default model. Throws Error{kUsage}
// that lists what is cached.
std::filesystem::path find_model(const std::string& path_or_name);

// Throws Error{kUsage} unless `name` is 1 to 100 letters, digits, '.', '_' or '-', not beginning
// with '.'.
void check_model_name(const std::string& name);

// Brings a model folder or .gguf file into the cache under `name`: checks that it is a model,
// copies it beside its place and renames, so that the cache holds it whole or not at all. With
// `link`, the cache gets a symbolic link instead of a copy. `sha256`, if not null, is what
// ModelFile::sha256() must give. Throws Error{kUsage} if the name is taken by another model,
// Error{kCorrupt} for another hash. `progress` counts bytes.
CachedModel add_to_cache(const std::filesystem::path& model, const std::string& name, bool link,
                         const H256* sha256, const Progress& progress = {});

// The last step of add_to_cache for a .gguf file that lies in the cache's folder already: checks
// and renames it.
CachedModel adopt_into_cache(const std::filesystem::path& partial, const std::string& name,
                             const H256* sha256);

}  // namespace ffe::lm
