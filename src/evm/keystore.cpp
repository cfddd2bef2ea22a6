#include "evm/keystore.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "crypto/keccak.hpp"
#include "crypto/random.hpp"

namespace ffe::evm {
namespace fs = std::filesystem;
namespace {

constexpr size_t kDerived = 32;  // the first half encrypts, the second authenticates
constexpr uint64_t kMaxMemory = uint64_t{1} << 30;
constexpr size_t kMaxFile = 64 * 1024;

[[noreturn]] void bad(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kBadInput, std::string(what) + ": " + why);
}

[[noreturn]] void unsupported(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kUnsupported, std::string(what) + ": " + why,
              "use a Web3 version 3 key file with scrypt, as geth, foundry and ethers write them");
}

void check_cost(const ScryptCost& cost, std::string_view what) {
  bool power = cost.n > 1 && (cost.n & (cost.n - 1)) == 0;
  if (!power || cost.r == 0 || cost.p == 0) bad(what, "scrypt parameters are not valid");
  // r * p < 2^30 (RFC 7914); work and memory of a file from elsewhere are bounded.
  uint64_t memory = uint64_t{128} * cost.n * cost.r;
  if (cost.r > 1024 || cost.p > 64 || memory > kMaxMemory || memory * cost.p > 4 * kMaxMemory) {
    unsupported(what, "scrypt parameters above the limits of this program");
  }
  // RFC 7914 §6 wants n < 2^(16 r), and OpenSSL insists.
  if (cost.r < 2 && cost.n >= 1u << 16) unsupported(what, "scrypt with r = 1 and n above 32768");
}

SecretBytes derive(const SecretBytes& password, ByteView salt, const ScryptCost& cost) {
  SecretBytes key(kDerived);
  // EVP_PBE_scrypt takes a null password for "no output", so an empty one needs an address.
  const char* text = password.empty() ? "" : reinterpret_cast<const char*>(password.data());
  if (EVP_PBE_scrypt(text, password.size(), salt.data(), salt.size(), cost.n, cost.r, cost.p,
                     kMaxMemory + (uint64_t{64} << 20), key.data(), key.size()) != 1) {
    throw Error(ErrorCode::kFailed, "scrypt failed",
                "it needs " + std::to_string((uint64_t{128} * cost.n * cost.r) >> 20) +
                    " MiB of free memory");
  }
  return key;
}

void aes128_ctr(ByteView key, ByteView iv, ByteView in, uint8_t* out) {
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> ctx(EVP_CIPHER_CTX_new(),
                                                                      EVP_CIPHER_CTX_free);
  int written = 0;
  if (!ctx ||
      EVP_EncryptInit_ex(ctx.get(), EVP_aes_128_ctr(), nullptr, key.data(), iv.data()) != 1 ||
      EVP_EncryptUpdate(ctx.get(), out, &written, in.data(), static_cast<int>(in.size())) != 1) {
    throw Error(ErrorCode::kInternal, "AES-128-CTR failed");
  }
}

H256 mac_of(const SecretBytes& derived, ByteView ciphertext) {
  crypto::Keccak256 mac;
  mac.update(derived.view().subspan(16, 16));
  mac.update(ciphertext);
  return mac.finish();
}

std::string uuid_v4() {
  std::array<uint8_t, 16> id;
  crypto::random_bytes(id);
  id[6] = static_cast<uint8_t>((id[6] & 0x0f) | 0x40);
  id[8] = static_cast<uint8_t>((id[8] & 0x3f) | 0x80);
  std::string out = to_hex(id);
  for (size_t at : {20, 16, 12, 8}) out.insert(at, "-");
  return out;
}

uint32_t cost_member(const Json& params, std::string_view key, std::string_view what) {
  uint64_t value = json_uint(params, key, what);
  if (value > UINT32_MAX) bad(what, "\"" + std::string(key) + "\" is too large");
  return static_cast<uint32_t>(value);
}

// ethers writes the sections "Crypto", others "crypto"; all else about them is equal.
const Json& crypto_section(const Json& file, std::string_view what) {
  return json_member(file, file.is_object() && file.contains("Crypto") ? "Crypto" : "crypto", what);
}

struct Sealed {
  Bytes ciphertext, iv, salt;
  H256 mac;
  ScryptCost cost;
};

Sealed parse(const Json& file, std::string_view what) {
  if (json_uint(file, "version", what) != 3) unsupported(what, "not version 3");
  const Json& section = crypto_section(file, what);
  if (json_string(section, "cipher", what) != "aes-128-ctr") unsupported(what, "another cipher");
  if (json_string(section, "kdf", what) != "scrypt") unsupported(what, "another key derivation");
  const Json& params = json_member(section, "kdfparams", what);
  Sealed out;
  out.cost = {cost_member(params, "n", what), cost_member(params, "r", what),
              cost_member(params, "p", what)};
  check_cost(out.cost, what);
  if (json_uint(params, "dklen", what) != kDerived) unsupported(what, "dklen is not 32");
  try {
    out.salt = from_hex(json_string(params, "salt", what));
    out.iv = from_hex(json_string(json_member(section, "cipherparams", what), "iv", what));
    out.ciphertext = from_hex(json_string(section, "ciphertext", what));
    out.mac = h256_from_hex(json_string(section, "mac", what));
  } catch (const Error& e) {
    bad(what, e.what());
  }
  if (out.iv.size() != 16) bad(what, "the iv has " + std::to_string(out.iv.size()) + " bytes");
  if (out.ciphertext.size() != 32) bad(what, "the ciphertext is not a 32-byte key");
  return out;
}

std::optional<Address> claimed_address(const Json& file) {
  if (!file.is_object() || !file.contains("address") || !file["address"].is_string()) return {};
  return address_from_hex(file["address"].get<std::string>());
}

Json parse_key_file(const fs::path& path) {
  return parse_json(read_text_file(path, kMaxFile), path.string());
}

// Creates the empty file, so that two commands at once cannot overwrite each other's key.
void reserve(std::string_view name, const fs::path& path) {
  int fd = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) {
    close(fd);
    return;
  }
  if (errno == EEXIST) {
    throw Error(ErrorCode::kKey, "an account \"" + std::string(name) + "\" exists",
                "choose another name, or move " + path.string() + " away");
  }
  throw Error(ErrorCode::kIo, "cannot write " + path.string() + ": " + std::strerror(errno));
}

void check_name(std::string_view name) {
  bool valid = !name.empty() && name.size() <= 64 && name[0] != '.' &&
               std::all_of(name.begin(), name.end(), [](char c) {
                 return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
               });
  if (!valid) {
    throw Error(ErrorCode::kUsage,
                "not an account name: \"" + std::string(name.substr(0, 80)) + "\"",
                "use 1 to 64 letters, digits, '-', '_' and '.', not beginning with '.'");
  }
}

}  // namespace

Json encrypt_key(const crypto::PrivateKey& key, const SecretBytes& password, ScryptCost cost) {
  check_cost(cost, "new key file");
  std::array<uint8_t, 32> salt;
  std::array<uint8_t, 16> iv;
  crypto::random_bytes(salt);
  crypto::random_bytes(iv);
  SecretBytes derived = derive(password, salt, cost);
  Bytes ciphertext(32);
  aes128_ctr(derived.view().first(16), iv, key.secret(), ciphertext.data());
  return Json{{"version", 3u},
              {"id", uuid_v4()},
              {"address", to_hex(key.address().bytes)},
              {"crypto",
               {{"cipher", "aes-128-ctr"},
                {"cipherparams", {{"iv", to_hex(iv)}}},
                {"ciphertext", to_hex(ciphertext)},
                {"kdf", "scrypt"},
                {"kdfparams",
                 {{"dklen", kDerived},
                  {"n", cost.n},
                  {"r", cost.r},
                  {"p", cost.p},
                  {"salt", to_hex(salt)}}},
                {"mac", to_hex(mac_of(derived, ciphertext).bytes)}}}};
}

crypto::PrivateKey decrypt_key(const Json& file, const SecretBytes& password,
                               std::string_view what) {
  Sealed sealed = parse(file, what);
  SecretBytes derived = derive(password, sealed.salt, sealed.cost);
  H256 mac = mac_of(derived, sealed.ciphertext);
  if (!equal_constant_time(mac.bytes, sealed.mac.bytes)) {
    throw Error(ErrorCode::kKey, std::string(what) + ": wrong password",
                "check the password; a damaged file looks the same");
  }
  SecretBytes secret(32);
  aes128_ctr(derived.view().first(16), sealed.iv, sealed.ciphertext, secret.data());
  crypto::PrivateKey key = crypto::PrivateKey::from(secret.view());
  if (std::optional<Address> claimed = claimed_address(file);
      claimed && *claimed != key.address()) {
    throw Error(ErrorCode::kKey,
                std::string(what) + ": holds the key of another address than it says",
                "restore the file from a copy");
  }
  return key;
}

crypto::PrivateKey load_key_file(const fs::path& path, const SecretBytes& password) {
  struct stat st {};
  if (stat(path.c_str(), &st) == 0 && (st.st_mode & 077) != 0) {
    log::warn("{} can be read by others; chmod 600 it", path.string());
  }
  return decrypt_key(parse_key_file(path), password, path.string());
}

fs::path Keystore::path_of(std::string_view name) const {
  check_name(name);
  return folder_ / (std::string(name) + ".json");
}

KeystoreEntry Keystore::create(std::string_view name, const SecretBytes& password,
                               ScryptCost cost) const {
  return import(name, crypto::PrivateKey::generate(), password, cost);
}

KeystoreEntry Keystore::import(std::string_view name, const crypto::PrivateKey& key,
                               const SecretBytes& password, ScryptCost cost) const {
  fs::path path = path_of(name);
  std::error_code ec;
  if (fs::create_directories(folder_, ec)) fs::permissions(folder_, fs::perms::owner_all, ec);
  if (ec)
    throw Error(
        ErrorCode::kIo, "cannot create " + folder_.string() + ": " + ec.message(),
        "XDG_CONFIG_HOME can name another folder; to sign, --keystore FILE names a key file");
  std::string content = encrypt_key(key, password, cost).dump(2) + "\n";
  reserve(name, path);
  try {
    write_file_atomic(path, as_bytes(content), 0600);
  } catch (...) {
    fs::remove(path, ec);
    throw;
  }
  return {std::string(name), key.address(), path};
}

crypto::PrivateKey Keystore::load(std::string_view name, const SecretBytes& password) const {
  return load_key_file(find(name).path, password);
}

KeystoreEntry Keystore::find(std::string_view name) const {
  fs::path path = path_of(name);
  std::error_code ec;
  if (!fs::exists(path, ec)) {
    std::string known;
    for (const KeystoreEntry& entry : list()) known += (known.empty() ? "" : ", ") + entry.name;
    throw Error(ErrorCode::kKey, "no account \"" + std::string(name) + "\" in " + folder_.string(),
                known.empty() ? "make one: ffe key new" : "there are: " + known);
  }
  std::optional<Address> address = claimed_address(parse_key_file(path));
  if (!address) bad(path.string(), "does not say its address");
  return {std::string(name), *address, path};
}

std::vector<KeystoreEntry> Keystore::list() const {
  std::vector<KeystoreEntry> out;
  std::error_code ec;
  for (const fs::directory_entry& file : fs::directory_iterator(folder_, ec)) {
    if (file.path().extension() != ".json" || !file.is_regular_file(ec)) continue;
    try {
      out.push_back(find(file.path().stem().string()));
    } catch (const Error& e) {
      log::debug("not a key file: {}", e.what());
    }
  }
  std::sort(out.begin(), out.end(),
            [](const KeystoreEntry& a, const KeystoreEntry& b) { return a.name < b.name; });
  return out;
}

SecretBytes read_password_file(const std::filesystem::path& path) {
  Bytes text = read_file(path, 4096);
  auto end =
      std::find_if(text.begin(), text.end(), [](uint8_t c) { return c == '\n' || c == '\r'; });
  SecretBytes out(ByteView(text).first(static_cast<size_t>(end - text.begin())));
  wipe(text.data(), text.size());
  return out;
}

}  // namespace ffe::evm
