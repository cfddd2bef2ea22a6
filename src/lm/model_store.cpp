#include "lm/model_store.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hex.hpp"
#include "lm/weights.hpp"

namespace ffe::lm {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void io_error(const fs::path& path, const std::string& why) {
  const bool full = why.find(std::strerror(ENOSPC)) != std::string::npos;
  throw Error(ErrorCode::kIo, "cannot write " + path.string() + ": " + why,
              full ? "the disk is full: free some space and run the same command again" : "");
}

uint64_t bytes_of(const fs::path& path) {
  std::error_code ec;
  if (fs::is_regular_file(path, ec)) return fs::file_size(path, ec);
  uint64_t sum = 0;
  for (const auto& entry : fs::directory_iterator(path, ec)) {
    if (entry.is_regular_file(ec)) sum += entry.file_size(ec);
  }
  return sum;
}

bool is_model(const fs::path& path) {
  std::error_code ec;
  if (fs::is_directory(path, ec)) return fs::exists(path / "config.json", ec);
  return path.extension() == ".gguf" && fs::is_regular_file(path, ec);
}

void copy_file(const fs::path& from, const fs::path& to, const std::function<void(size_t)>& more) {
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(to, std::ios::binary);
  if (!in) throw Error(ErrorCode::kIo, "cannot open " + from.string(), "check the path");
  std::vector<char> buffer(size_t{4} << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0) {
    errno = 0;
    if (!out.write(buffer.data(), in.gcount()).flush()) io_error(to, std::strerror(errno));
    more(static_cast<size_t>(in.gcount()));
  }
  if (in.bad()) throw Error(ErrorCode::kIo, from.string() + ": reading failed");
}

void copy_model(const fs::path& from, const fs::path& to, const Progress& progress) {
  const uint64_t total = bytes_of(from);
  uint64_t done = 0;
  const auto more = [&](size_t n) { report(progress, done += n, total); };
  report(progress, 0, total);
  if (fs::is_regular_file(from)) return copy_file(from, to, more);
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    if (entry.is_regular_file()) copy_file(entry.path(), to / entry.path().filename(), more);
  }
}

// Opening checks headers, shapes and that every tensor is there.
void check_model(const fs::path& path, const H256* sha256) {
  const ModelFile model = ModelFile::open(path);
  if (sha256 == nullptr) return;
  const H256 found = model.sha256();
  if (found != *sha256) {
    throw Error(ErrorCode::kCorrupt,
                path.string() + ": SHA-256 is " + to_hex(found.bytes) + ", expected " +
                    to_hex(sha256->bytes),
                "fetch the model again from a source that you trust");
  }
}

fs::path place_of(const std::string& name, bool folder) {
  return model_cache_dir() / (folder ? name : name + ".gguf");
}

// Moves `partial` to its place. A model that is there already must be the same.
CachedModel put_in_place(const fs::path& partial, const std::string& name, bool folder) {
  const fs::path place = place_of(name, folder);
  std::error_code ec;
  for (const fs::path& other : {place_of(name, false), place_of(name, true)}) {
    if (!fs::exists(other, ec)) continue;
    const bool same =
        is_model(other) && ModelFile::open(other).sha256() == ModelFile::open(partial).sha256();
    fs::remove_all(partial, ec);
    if (!same) {
      throw Error(ErrorCode::kUsage, "the cache has another model named " + name,
                  "give this one another name: --name NAME");
    }
    return {name, other, bytes_of(other)};
  }
  fs::rename(partial, place, ec);
  if (ec) io_error(place, ec.message());
  return {name, place, bytes_of(place)};
}

}  // namespace

fs::path model_cache_dir() {
  return cache_dir() / "models";
}

std::vector<CachedModel> cached_models() {
  std::vector<CachedModel> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(model_cache_dir(), ec)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with('.') || !is_model(entry.path())) continue;
    const bool gguf = !fs::is_directory(entry.path(), ec);
    out.push_back(
        {gguf ? entry.path().stem().string() : file, entry.path(), bytes_of(entry.path())});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

fs::path find_model(const std::string& path_or_name) {
  if (path_or_name.empty()) {
    const fs::path path = default_model_path();
    if (!path.empty()) return path;
    throw Error(ErrorCode::kUsage, "no base model: the default one is not in the cache",
                "name one with --model, or fetch one: ffe model pull");
  }
  std::error_code ec;
  if (fs::exists(path_or_name, ec)) return path_or_name;
  std::string names;
  for (const CachedModel& m : cached_models()) {
    if (m.name == path_or_name) return m.path;
    names += (names.empty() ? "" : ", ") + m.name;
  }
  throw Error(ErrorCode::kUsage, "no model \"" + path_or_name + "\"",
              names.empty() ? "give a .gguf file or a model folder; the cache is empty"
                            : "give a .gguf file, a model folder, or one of the cache: " + names);
}

void check_model_name(const std::string& name) {
  const bool good = !name.empty() && name.size() <= 100 && name.front() != '.' &&
                    std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
                    });
  if (!good) {
    throw Error(ErrorCode::kUsage, "\"" + name + "\" is no name for a model",
                "use letters, digits, '.', '_' and '-': --name NAME");
  }
}

CachedModel add_to_cache(const fs::path& model, const std::string& name, bool link,
                         const H256* sha256, const Progress& progress) {
  check_model_name(name);
  if (!is_model(model)) {
    throw Error(ErrorCode::kBadInput, model.string() + ": no model here",
                "give a .gguf file or a folder with config.json and *.safetensors");
  }
  const bool folder = fs::is_directory(model);
  const fs::path partial =
      model_cache_dir() / ("." + name + (folder ? ".partial" : ".partial.gguf"));
  std::error_code ec;
  fs::create_directories(model_cache_dir(), ec);
  fs::remove_all(partial, ec);  // of an attempt that was cut off
  try {
    if (link) {
      fs::create_symlink(fs::absolute(model), partial, ec);
      if (ec) io_error(partial, ec.message());
    } else {
      copy_model(model, partial, progress);
    }
    check_model(partial, sha256);
    return put_in_place(partial, name, folder);
  } catch (...) {
    fs::remove_all(partial, ec);
    throw;
  }
}

CachedModel adopt_into_cache(const fs::path& partial, const std::string& name, const H256* sha256) {
  check_model_name(name);
  check_model(partial, sha256);
  return put_in_place(partial, name, false);
}

}  // namespace ffe::lm
