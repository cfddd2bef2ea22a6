// The enclave's memory of what it did: every step that has an effect outside is written here before
// it leaves, so that a restart repeats nothing and signs nothing twice.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "tee/provider.hpp"

namespace ffe::aggregator {

// SQLite in WAL mode with full synchronisation: what put() returned from survives kill -9 and a
// power cut. A scope is "enclave" or the hexadecimal session tag. Thread-safe.
class Journal {
 public:
  // `sealer` protects put_secret(); null where the platform offers none: secrets then live only in
  // this process and get_secret() finds nothing after a restart. Must outlive the journal.
  Journal(const std::filesystem::path& file, const tee::PlatformSealer* sealer);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Writes once: the same value again is fine, another value is an Error{kInternal}, because a step
  // that is done must not be done differently.
  void put(std::string_view scope, std::string_view key, ByteView value);
  // Replaces: for progress that no one relies on.
  void set(std::string_view scope, std::string_view key, ByteView value);
  std::optional<Bytes> get(std::string_view scope, std::string_view key) const;
  bool has(std::string_view scope, std::string_view key) const;

  void put_secret(std::string_view scope, std::string_view key, ByteView secret);
  std::optional<SecretBytes> get_secret(std::string_view scope, std::string_view key) const;
  // Overwrites and deletes: at every exit of a session its key material goes.
  void erase(std::string_view scope, std::string_view key);

  std::vector<std::string> scopes() const;  // in order of first use
  std::vector<std::pair<std::string, Bytes>> entries(std::string_view scope) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::aggregator
