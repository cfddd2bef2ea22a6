// Key files of Web3 Secret Storage version 3 (scrypt, AES-128-CTR, Keccak MAC), as geth, ethers and
// foundry read and write them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/secret.hpp"
#include "crypto/secp256k1.hpp"

namespace ffe::evm {

// scrypt's cost (RFC 7914); these are the usual ones for key files (128 MiB, a fraction of a
// second). Smaller n is for tests.
struct ScryptCost {
  uint32_t n = 131072;
  uint32_t r = 8;
  uint32_t p = 1;
};

Json encrypt_key(const crypto::PrivateKey& key, const SecretBytes& password, ScryptCost cost = {});

// `what` names the document in errors. Throws Error{kKey} for a wrong password, Error{kBadInput}
// for a malformed file, Error{kUnsupported} for another version, cipher or key derivation, or a
// cost above 1 GiB of memory.
crypto::PrivateKey decrypt_key(const Json& file, const SecretBytes& password,
                               std::string_view what = "key file");
crypto::PrivateKey load_key_file(const std::filesystem::path& path, const SecretBytes& password);

// The first line of a file, without its line end; at most 4096 bytes.
SecretBytes read_password_file(const std::filesystem::path& path);

struct KeystoreEntry {
  std::string name;
  Address address;
  std::filesystem::path path;
};

// A folder of key files, one "<name>.json" (mode 0600) per account. Names: 1 to 64 of letters,
// digits, '-', '_' and '.', not beginning with '.'.
class Keystore {
 public:
  // The folder is made (mode 0700) when the first key is written.
  explicit Keystore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path& folder() const { return folder_; }

  // Throw Error{kKey} if the name is taken.
  KeystoreEntry create(std::string_view name, const SecretBytes& password, ScryptCost = {}) const;
  KeystoreEntry import(std::string_view name, const crypto::PrivateKey& key,
                       const SecretBytes& password, ScryptCost = {}) const;
  // Throws Error{kKey} with the names that exist if there is no such account.
  crypto::PrivateKey load(std::string_view name, const SecretBytes& password) const;
  // The address without the password (the file's own claim; load() verifies it).
  KeystoreEntry find(std::string_view name) const;
  std::vector<KeystoreEntry> list() const;  // by name; files that are no key files are passed over

 private:
  std::filesystem::path path_of(std::string_view name) const;

  std::filesystem::path folder_;
};

}  // namespace ffe::evm
