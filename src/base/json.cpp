#include "base/json.hpp"

#include <set>

namespace ffe {
namespace {

[[noreturn]] void bad(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kBadInput, std::string(what) + ": " + why);
}

// A parser callback sees depth and keys before values are built, so limits hold early.
class Guard {
 public:
  Guard(std::string_view what, JsonLimits limits) : what_(what), limits_(limits) {}

  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (static_cast<size_t>(depth) >= limits_.max_depth) {
        bad(what_, "nested deeper than " + std::to_string(limits_.max_depth) + " levels");
      }
    }
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second) {
      bad(what_, "duplicate key \"" + parsed.get<std::string>() + "\"");
    }
    return true;
  }

 private:
  std::string what_;
  JsonLimits limits_;
  std::vector<std::set<std::string>> keys_;
};

// RFC 8785 §3.2.3 sorts keys by UTF-16 code units; that differs from UTF-8 order only above U+FFFF.
std::u16string utf16(std::string_view s) {
  std::u16string out;
  for (size_t i = 0; i < s.size();) {
    uint8_t c = static_cast<uint8_t>(s[i]);
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t cp = n == 1 ? c : c & (0x7f >> n);
    for (size_t j = 1; j < n && i + j < s.size(); ++j) cp = cp << 6 | (s[i + j] & 0x3f);
    i += n;
    if (cp >= 0x10000) {
      cp -= 0x10000;
      out += static_cast<char16_t>(0xd800 + (cp >> 10));
      out += static_cast<char16_t>(0xdc00 + (cp & 0x3ff));
    } else {
      out += static_cast<char16_t>(cp);
    }
  }
  return out;
}

void write_string(const std::string& s, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (char c : s) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<uint8_t>(c) < 0x20) {
          out += "\\u00";
          out += kHex[c >> 4];
          out += kHex[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void write(const Json& v, std::string& out) {
  constexpr int64_t kMax = int64_t{1} << 53;
  switch (v.type()) {
    case Json::value_t::object: {
      std::vector<std::pair<std::u16string, const std::string*>> keys;
      for (auto it = v.begin(); it != v.end(); ++it) keys.emplace_back(utf16(it.key()), &it.key());
      std::sort(keys.begin(), keys.end());
      out += '{';
      for (size_t i = 0; i < keys.size(); ++i) {
        if (i != 0) out += ',';
        write_string(*keys[i].second, out);
        out += ':';
        write(v[*keys[i].second], out);
      }
      out += '}';
      return;
    }
    case Json::value_t::array:
      out += '[';
      for (size_t i = 0; i < v.size(); ++i) {
        if (i != 0) out += ',';
        write(v[i], out);
      }
      out += ']';
      return;
    case Json::value_t::string:
      write_string(v.get_ref<const std::string&>(), out);
      return;
    case Json::value_t::boolean:
      out += v.get<bool>() ? "true" : "false";
      return;
    case Json::value_t::number_unsigned:
      if (v.get<uint64_t>() >= static_cast<uint64_t>(kMax)) break;
      out += std::to_string(v.get<uint64_t>());
      return;
    case Json::value_t::number_integer:
      if (v.get<int64_t>() <= -kMax || v.get<int64_t>() >= kMax) break;
      out += std::to_string(v.get<int64_t>());
      return;
    default:
      break;
  }
  throw Error(ErrorCode::kBadInput,
              std::string("canonical JSON holds no ") +
                  (v.is_number() ? "fractions or integers beyond 2^53" : v.type_name()));
}

}  // namespace

Json parse_json(std::string_view text, std::string_view what, JsonLimits limits) {
  if (text.size() > limits.max_bytes) {
    bad(what, "larger than " + std::to_string(limits.max_bytes) + " bytes");
  }
  try {
    return Json::parse(text.begin(), text.end(), Guard(what, limits));
  } catch (const Json::parse_error& e) {
    bad(what, "not JSON at byte " + std::to_string(e.byte));
  } catch (const Json::exception&) {  // a number beyond every type, such as 1e999
    bad(what, "holds a number that is out of range");
  }
}

std::string canonical_json(const Json& value) {
  std::string out;
  write(value, out);
  return out;
}

const Json& json_member(const Json& object, std::string_view key, std::string_view what) {
  if (!object.is_object()) bad(what, "is not an object");
  auto it = object.find(key);
  if (it == object.end()) bad(what, "has no \"" + std::string(key) + "\"");
  return *it;
}

std::string json_string(const Json& object, std::string_view key, std::string_view what) {
  const Json& v = json_member(object, key, what);
  if (!v.is_string()) bad(what, "\"" + std::string(key) + "\" is not a string");
  return v.get<std::string>();
}

uint64_t json_uint(const Json& object, std::string_view key, std::string_view what) {
  const Json& v = json_member(object, key, what);
  if (!v.is_number_unsigned()) bad(what, "\"" + std::string(key) + "\" is not a whole number");
  return v.get<uint64_t>();
}

}  // namespace ffe
