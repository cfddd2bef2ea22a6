#include "compute/archive.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <zip.h>

#include "base/bytes.hpp"

namespace ffe::compute {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolder = "output_model/";
constexpr std::array<std::string_view, 14> kKnown = {"README.md",
                                                     "adapter_config.json",
                                                     "adapter_model.safetensors",
                                                     "added_tokens.json",
                                                     "chat_template.jinja",
                                                     "chat_template.json",
                                                     "config.json",
                                                     "generation_config.json",
                                                     "merges.txt",
                                                     "special_tokens_map.json",
                                                     "tokenizer.json",
                                                     "tokenizer.model",
                                                     "tokenizer_config.json",
                                                     "vocab.json"};

struct Discard {
  void operator()(zip_t* z) const { zip_discard(z); }
  void operator()(zip_file_t* f) const { zip_fclose(f); }
};
using Zip = std::unique_ptr<zip_t, Discard>;
using ZipFile = std::unique_ptr<zip_file_t, Discard>;

std::string error_text(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

// Gets each known file's content piece by piece; the first piece of each is empty.
using Taker = std::function<void(const std::string& file, ByteView piece)>;

Zip open_zip(ByteView bytes, const std::string& what) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  Zip z(source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : nullptr);
  if (!z) {
    if (source) zip_source_free(source);
    std::string why = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw Error(ErrorCode::kBadInput, what + ": not a zip archive: " + why);
  }
  zip_error_fini(&error);
  return z;
}

Zip open_zip(const fs::path& path, int flags) {
  int code = 0;
  Zip z(zip_open(path.c_str(), flags, &code));
  if (!z) {
    throw Error(ErrorCode::kBadInput, path.string() + ": not a zip archive: " + error_text(code));
  }
  return z;
}

// One archive being read, with what its entries have claimed so far.
class Reader {
 public:
  Reader(std::string what, Zip zip, const UnzipLimits& limits)
      : what_(std::move(what)), limits_(limits), zip_(std::move(zip)) {
    count_ = zip_get_num_entries(zip_.get(), 0);
    if (static_cast<uint64_t>(count_) > limits.max_entries) {
      fail("", "more than " + std::to_string(limits.max_entries) + " entries");
    }
  }

  Unzipped extract(const Taker& take) {
    Unzipped out;
    std::set<std::string> names;
    for (zip_int64_t i = 0; i < count_; ++i) {
      zip_stat_t entry = stat(static_cast<zip_uint64_t>(i));
      std::string name = entry.name;
      check(static_cast<zip_uint64_t>(i), entry, name);
      if (!names.insert(name).second) fail(name, "occurs twice");
      std::string file = known_file(name);
      if (file.empty()) {
        if (name.back() != '/') out.skipped.push_back(name);
        continue;
      }
      read(static_cast<zip_uint64_t>(i), entry, name, [&](ByteView piece) { take(file, piece); });
      out.files.push_back(file);
    }
    std::sort(out.files.begin(), out.files.end());
    for (const char* needed : {"adapter_config.json", "adapter_model.safetensors"}) {
      if (!std::binary_search(out.files.begin(), out.files.end(), needed)) {
        fail("", "holds no " + std::string(kFolder) + needed);
      }
    }
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& name, const std::string& why) const {
    std::string shown = name.substr(0, 200);
    std::replace_if(
        shown.begin(), shown.end(), [](char c) { return c < 0x20 || c == 0x7f; }, '?');
    throw Error(ErrorCode::kBadInput,
                what_ + (shown.empty() ? ": " : ": entry \"" + shown + "\" ") + why,
                "the provider's archive is not what 0G's trainer writes: do not use it");
  }

  zip_stat_t stat(zip_uint64_t i) const {
    zip_stat_t entry;
    zip_stat_init(&entry);
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(zip_.get(), i, ZIP_FL_ENC_RAW, &entry) != 0 ||
        (entry.valid & kNeeded) != kNeeded) {
      fail("", "entry " + std::to_string(i) + " is unreadable");
    }
    return entry;
  }

  void check(zip_uint64_t i, const zip_stat_t& entry, const std::string& name) const {
    if (name.empty() || name.size() > 1024) fail(name, "has a name of a bad length");
    if (name.front() == '/' || name.find('\\') != std::string::npos ||
        name.find(':') != std::string::npos) {
      fail(name, "is not a relative path");
    }
    fs::path path(name);
    if (std::find(path.begin(), path.end(), "..") != path.end()) fail(name, "climbs out");
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    zip_file_get_external_attributes(zip_.get(), i, 0, &system, &attributes);
    mode_t type = attributes >> 16 & S_IFMT;
    if (system == ZIP_OPSYS_UNIX && type != 0 && type != S_IFREG && type != S_IFDIR) {
      fail(name, "is a link or device");
    }
    if ((entry.valid & ZIP_STAT_ENCRYPTION_METHOD) && entry.encryption_method != ZIP_EM_NONE) {
      fail(name, "is encrypted");
    }
    if (entry.comp_method != ZIP_CM_STORE && entry.comp_method != ZIP_CM_DEFLATE) {
      fail(name, "uses compression method " + std::to_string(entry.comp_method));
    }
  }

  static std::string known_file(std::string_view name) {
    if (!name.starts_with(kFolder)) return {};
    name.remove_prefix(kFolder.size());
    return std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end() ? "" : std::string(name);
  }

  // Counts what really comes out: the sizes in the archive are claims.
  void read(zip_uint64_t i, const zip_stat_t& entry, const std::string& name,
            const std::function<void(ByteView)>& take) {
    if (entry.size > limits_.max_bytes - read_) fail(name, "is too large");
    if (entry.size / limits_.max_ratio > entry.comp_size + 1024) {
      fail(name, "claims to unpack to more than " + std::to_string(limits_.max_ratio) + " times");
    }
    ZipFile in(zip_fopen_index(zip_.get(), i, 0));
    if (!in) fail(name, zip_strerror(zip_.get()));
    Bytes buffer(size_t{1} << 20);
    take({});
    uint64_t size = 0;
    while (true) {
      zip_int64_t got = zip_fread(in.get(), buffer.data(), buffer.size());
      if (got < 0) fail(name, zip_file_strerror(in.get()));
      if (got == 0) break;
      size += static_cast<uint64_t>(got);
      if (size > entry.size) fail(name, "is larger than it says");
      take(ByteView(buffer).first(static_cast<size_t>(got)));
    }
    if (size != entry.size) fail(name, "is shorter than it says");
    read_ += size;
  }

  std::string what_;
  const UnzipLimits& limits_;
  Zip zip_;
  zip_int64_t count_ = 0;
  uint64_t read_ = 0;
};

// A folder beside the target that is renamed to it at the end, or removed.
class PartFolder {
 public:
  explicit PartFolder(const fs::path& target) : target_(target), part_(target.string() + ".part") {
    if (fs::exists(target) && !(fs::is_directory(target) && fs::is_empty(target))) {
      throw Error(ErrorCode::kUsage, target.string() + " exists already", "name a new folder");
    }
    fs::remove_all(part_);
    fs::create_directories(part_);
  }
  ~PartFolder() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(part_, ignored);
  }
  const fs::path& path() const { return part_; }
  void keep() {
    fs::rename(part_, target_);
    kept_ = true;
  }

 private:
  fs::path target_;
  fs::path part_;
  bool kept_ = false;
};

}  // namespace

Unzipped unzip_adapter(const fs::path& zip, const fs::path& folder, const UnzipLimits& limits) {
  PartFolder part(folder);
  Reader reader(zip.string(), open_zip(zip, ZIP_RDONLY | ZIP_CHECKCONS), limits);
  std::ofstream file;
  Unzipped out = reader.extract([&](const std::string& name, ByteView piece) {
    if (piece.empty()) {
      file.close();
      file.open(part.path() / name, std::ios::binary | std::ios::trunc);
    }
    file.write(reinterpret_cast<const char*>(piece.data()),
               static_cast<std::streamsize>(piece.size()));
    if (!file.flush()) throw Error(ErrorCode::kIo, "cannot write " + (part.path() / name).string());
  });
  part.keep();
  return out;
}

std::map<std::string, Bytes> adapter_files(ByteView zip, const UnzipLimits& limits) {
  const std::string what = "the delivered archive";
  std::map<std::string, Bytes> out;
  Reader(what, open_zip(zip, what), limits).extract([&](const std::string& name, ByteView piece) {
    Bytes& file = out[name];
    file.insert(file.end(), piece.begin(), piece.end());
  });
  return out;
}

void zip_folder(const fs::path& folder, const std::string& prefix, const fs::path& zip) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Zip out = open_zip(zip, ZIP_CREATE | ZIP_TRUNCATE);
  for (const fs::path& file : files) {
    std::string name = prefix + "/" + fs::relative(file, folder).generic_string();
    zip_source_t* source = zip_source_file(out.get(), file.c_str(), 0, 0);
    zip_int64_t index =
        source ? zip_file_add(out.get(), name.c_str(), source, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0 || zip_set_file_compression(out.get(), static_cast<zip_uint64_t>(index),
                                              ZIP_CM_STORE, 0) != 0) {
      if (index < 0 && source) zip_source_free(source);
      throw Error(ErrorCode::kIo, "cannot zip " + file.string() + ": " + zip_strerror(out.get()));
    }
  }
  if (zip_close(out.get()) != 0) {
    throw Error(ErrorCode::kIo, "cannot write " + zip.string() + ": " + zip_strerror(out.get()));
  }
  (void)out.release();
}

}  // namespace ffe::compute
