#include "base/json.hpp"

#include <charconv>
#include <cmath>
#include <set>

#include "base/jcs.hpp"
#include "base/json_strings.hpp"

namespace ffe {
namespace {

[[noreturn]] void bad(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kBadInput, std::string(what) + ": " + why);
}

// A parser callback sees depth and keys before values are built, so limits hold early. It also puts
// the strings back that were cut out.
class Guard {
 public:
  Guard(std::string_view what, JsonLimits limits, const CutJson& cut)
      : what_(what), limits_(limits), cut_(cut) {}

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
    if (event == Event::key || (event == Event::value && parsed.is_string())) restore(parsed);
    return true;
  }

 private:
  void restore(Json& parsed) {
    if (next_ < cut_.cuts.size() && cut_.cuts[next_].ordinal == ordinal_) {
      parsed = std::string(cut_.cuts[next_++].content);
    }
    ++ordinal_;
  }

  std::string what_;
  JsonLimits limits_;
  const CutJson& cut_;
  size_t ordinal_ = 0;
  size_t next_ = 0;
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

void write_text(const Json& v, Json::error_handler_t on_bad_utf8, std::string& out) {
  const char* comma = "";
  auto text = [&](const std::string& s) {
    if (is_plain_json_string(s)) {
      out.append(1, '"').append(s).append(1, '"');
    } else {
      out += Json(s).dump(-1, ' ', false, on_bad_utf8);
    }
  };
  switch (v.type()) {
    case Json::value_t::object:
      out += '{';
      for (const auto& [key, member] : v.items()) {
        out += std::exchange(comma, ",");
        text(key);
        out += ':';
        write_text(member, on_bad_utf8, out);
      }
      out += '}';
      return;
    case Json::value_t::array:
      out += '[';
      for (const Json& element : v) {
        out += std::exchange(comma, ",");
        write_text(element, on_bad_utf8, out);
      }
      out += ']';
      return;
    case Json::value_t::string:
      text(v.get_ref<const std::string&>());
      return;
    default:
      out += v.dump();
  }
}

// ECMAScript's Number::toString, which RFC 8785 §3.2.2.3 prescribes: the shortest digits that give
// the same double, as an integer below 1e21, with an exponent from 1e21 and below 1e-6.
std::string ecmascript_number(double v) {
  if (v == 0) return "0";
  char text[32];
  const char* end = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr;
  std::string_view scientific(text, static_cast<size_t>(end - text));
  std::string sign = scientific.front() == '-' ? "-" : "";
  if (!sign.empty()) scientific.remove_prefix(1);
  size_t e = scientific.find('e');
  std::string digits(scientific.substr(0, e));
  if (digits.size() > 1) digits.erase(1, 1);  // the point
  int exponent = std::atoi(std::string(scientific.substr(e + 1)).c_str());
  int k = static_cast<int>(digits.size());
  int n = exponent + 1;  // digits before the point
  if (k <= n && n <= 21) return sign + digits + std::string(static_cast<size_t>(n - k), '0');
  if (0 < n && n <= 21) return sign + digits.insert(static_cast<size_t>(n), ".");
  if (-6 < n && n <= 0) return sign + "0." + std::string(static_cast<size_t>(-n), '0') + digits;
  if (k > 1) digits.insert(1, ".");
  return sign + digits + (exponent < 0 ? "e-" : "e+") + std::to_string(std::abs(exponent));
}

// `all`: every JSON value; else what FFE's own formats may hold.
void write(const Json& v, bool all, std::string& out) {
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
        write(v[*keys[i].second], all, out);
      }
      out += '}';
      return;
    }
    case Json::value_t::array:
      out += '[';
      for (size_t i = 0; i < v.size(); ++i) {
        if (i != 0) out += ',';
        write(v[i], all, out);
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
      if (v.get<uint64_t>() >= static_cast<uint64_t>(kMax)) break;  // no exact double
      out += std::to_string(v.get<uint64_t>());
      return;
    case Json::value_t::number_integer:
      if (v.get<int64_t>() <= -kMax || v.get<int64_t>() >= kMax) break;
      out += std::to_string(v.get<int64_t>());
      return;
    case Json::value_t::null:
      if (!all) break;
      out += "null";
      return;
    default:
      break;
  }
  if (all && v.is_number() && std::isfinite(v.get<double>())) {
    out += ecmascript_number(v.get<double>());
    return;
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
  const CutJson cut = cut_long_strings(text);
  if (!cut.cuts.empty()) text = cut.text;
  try {
    return Json::parse(text.begin(), text.end(), Guard(what, limits, cut));
  } catch (const Json::parse_error& e) {
    bad(what, "not JSON at byte " + std::to_string(cut.original_offset(e.byte)));
  } catch (const Json::exception&) {  // a number beyond every type, such as 1e999
    bad(what, "holds a number that is out of range");
  }
}

std::string json_text(const Json& value, Json::error_handler_t on_bad_utf8) {
  std::string out;
  write_text(value, on_bad_utf8, out);
  return out;
}

std::string canonical_json(const Json& value) {
  std::string out;
  write(value, false, out);
  return out;
}

std::string jcs(const Json& value) {
  std::string out;
  write(value, true, out);
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
