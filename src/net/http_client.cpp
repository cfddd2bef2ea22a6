#include <algorithm>
#include <curl/curl.h>
#include <exception>
#include <mutex>

#include "base/error.hpp"
#include "net/http_transport.hpp"

namespace ffe::net {
namespace {

constexpr size_t kMaxHeaders = 256 << 10;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// What one transfer collects; curl's callbacks get a pointer to it.
struct Transfer {
  CURL* handle;
  const HttpRequest& request;
  const BodySink* sink;
  HttpTransport transport = {};
  HttpResponse response = {};
  size_t header_bytes = 0;
  size_t body_bytes = 0;
  std::string refusal = {};        // why we ended it ourselves
  std::exception_ptr thrown = {};  // by the sink
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trim(std::string_view text) {
  size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

size_t on_header(char* data, size_t, size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  std::string_view line(data, size);
  t.header_bytes += size;
  if (t.header_bytes > kMaxHeaders) {
    t.refusal = "the answer's headers are larger than 256 KiB";
    return 0;
  }
  // A status line begins a new block: after "100 Continue" the real answer follows.
  if (line.starts_with("HTTP/")) t.response.headers.clear();
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.starts_with("HTTP/")) return size;
  std::string& value = t.response.headers[lower(trim(line.substr(0, colon)))];
  if (!value.empty()) value += ", ";
  value += trim(line.substr(colon + 1));
  return size;
}

size_t on_body(char* data, size_t, size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  if (size > t.request.max_body - t.body_bytes) {
    t.refusal = "the answer is larger than " + std::to_string(t.request.max_body) + " bytes";
    return 0;
  }
  t.body_bytes += size;
  long status = 0;
  curl_easy_getinfo(t.handle, CURLINFO_RESPONSE_CODE, &status);
  if (t.sink == nullptr || status < 200 || status >= 300) {
    t.response.body.append(data, size);
    return size;
  }
  try {
    if ((*t.sink)({data, size})) return size;
    t.refusal = "the receiver ended the transfer";
  } catch (...) {
    t.thrown = std::current_exception();
  }
  return 0;
}

std::string_view scheme_of(std::string_view url) {
  size_t end = url.find("://");
  return end == std::string_view::npos ? std::string_view() : url.substr(0, end);
}

bool is_loopback(std::string_view url) {
  url.remove_prefix(std::min(url.size(), scheme_of(url).size() + 3));
  std::string_view host = url.substr(0, url.find_first_of("/?#"));
  if (size_t at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

void check_text(std::string_view text, const char* what) {
  if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
    throw Error(ErrorCode::kUsage, std::string("a line break or zero byte in an HTTP ") + what);
  }
}

void check_url(const std::string& url) {
  check_text(url, "URL");
  std::string scheme = lower(scheme_of(url));
  if (scheme == "http" || scheme == "https") return;
  throw Error(ErrorCode::kUsage, "\"" + printable_url(url) + "\" is not an http or https address",
              "write it as http://host:port or https://host");
}

void add(HeaderList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw Error(ErrorCode::kFailed, "out of memory for HTTP headers");
  (void)list.release();
  list.reset(longer);
}

HeaderList header_list(const HttpRequest& request) {
  HeaderList list;
  bool typed = false;
  for (const auto& [name, value] : request.headers) {
    check_text(name, "header");
    check_text(value, "header");
    typed = typed || lower(name) == "content-type";
    // curl sends a header without a value only if it ends in a semicolon.
    std::string line = name;
    line += value.empty() ? ";" : ": ";
    add(list, line += value);
  }
  add(list, "Expect:");
  if (!typed) add(list, "Content-Type:");
  return list;
}

void set_method(CURL* h, const HttpRequest& request) {
  check_text(request.method, "method");
  bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
                  request.method == "PATCH";
  if (has_body) {
    curl_easy_setopt(h, CURLOPT_POST, 1L);
    curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(h, CURLOPT_POSTFIELDS, request.body.data());
  }
  if (request.method == "HEAD") {
    curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
  } else if (request.method != (has_body ? "POST" : "GET")) {
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

long http_version(const Transfer& t) {
  if (!t.transport.http2) return CURL_HTTP_VERSION_1_1;
  bool tls = lower(scheme_of(t.request.url)) == "https";
  return tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

void set_options(Transfer& t, const HeaderList& headers, char* error_text) {
  CURL* h = t.handle;
  const HttpRequest& r = t.request;
  curl_easy_reset(h);  // keeps the open connections
  curl_easy_setopt(h, CURLOPT_URL, r.url.c_str());
  curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(h, CURLOPT_HTTP_VERSION, http_version(t));
  if (!t.transport.ca_file.empty()) {
    curl_easy_setopt(h, CURLOPT_CAINFO, t.transport.ca_file.c_str());
    curl_easy_setopt(h, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(h, CURLOPT_USERAGENT, "ffe");
  curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(r.connect_timeout_ms));
  curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, static_cast<long>(r.timeout_ms));
  if (r.idle_timeout_ms > 0) {
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME,
                     (static_cast<long>(r.idle_timeout_ms) + 999) / 1000);
  }
  if (!r.unix_socket.empty()) {
    curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, r.unix_socket.c_str());
  }
  // A proxy from the environment must not swallow what is meant for this machine.
  if (!r.unix_socket.empty() || is_loopback(r.url)) curl_easy_setopt(h, CURLOPT_PROXY, "");
  set_method(h, r);
  curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(h, CURLOPT_HEADERDATA, &t);
  curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(h, CURLOPT_WRITEDATA, &t);
}

const char* hint_for(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "check the address and the network connection";
    case CURLE_COULDNT_CONNECT:
      return "nothing answers there: check that the service runs";
    case CURLE_OPERATION_TIMEDOUT:
      return "the peer is slow or unreachable: try again later";
    case CURLE_PEER_FAILED_VERIFICATION:
      return "its certificate is not trusted here: check the address, or install its authority";
    default:
      return "";
  }
}

[[noreturn]] void fail(const Transfer& t, CURLcode code, const char* error_text) {
  if (t.thrown) std::rethrow_exception(t.thrown);
  const std::string where = t.request.method + " " + printable_url(t.request.url) + ": ";
  if (code == CURLE_URL_MALFORMAT) throw Error(ErrorCode::kUsage, where + "not a web address");
  std::string why = !t.refusal.empty()      ? t.refusal
                    : error_text[0] != '\0' ? std::string(error_text)
                                            : curl_easy_strerror(code);
  throw Error(ErrorCode::kNetwork, where + why, hint_for(code));
}

HttpResponse perform(Transfer transfer, const HeaderList& headers) {
  char error_text[CURL_ERROR_SIZE] = "";
  set_options(transfer, headers, error_text);
  CURLcode code = curl_easy_perform(transfer.handle);
  curl_easy_setopt(transfer.handle, CURLOPT_ERRORBUFFER, nullptr);
  if (code != CURLE_OK) fail(transfer, code, error_text);
  long status = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  return std::move(transfer.response);
}

void start_curl() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) throw Error(ErrorCode::kFailed, "libcurl could not start");
}

CURL* new_handle() {
  CURL* handle = curl_easy_init();
  if (handle == nullptr) throw Error(ErrorCode::kFailed, "libcurl could not make a handle");
  return handle;
}

}  // namespace

// Easy handles at rest. Each holds its own open connections; the one used last is taken first, so
// that its connection is likely still alive.
class HttpClient::Pool {
 public:
  Pool() { start_curl(); }
  ~Pool() {
    for (CURL* handle : idle_) curl_easy_cleanup(handle);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  CURL* take() {
    {
      std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        CURL* handle = idle_.back();
        idle_.pop_back();
        return handle;
      }
    }
    return new_handle();
  }

  void give(CURL* handle) {
    std::lock_guard lock(mutex_);
    idle_.push_back(handle);
  }

 private:
  std::mutex mutex_;
  std::vector<CURL*> idle_;
};

HttpClient::HttpClient() : pool_(std::make_unique<Pool>()) {}
HttpClient::~HttpClient() = default;

HttpResponse HttpClient::send(const HttpRequest& request) {
  return run(request, nullptr);
}

HttpResponse HttpClient::send(const HttpRequest& request, const BodySink& sink) {
  return run(request, &sink);
}

HttpResponse HttpClient::run(const HttpRequest& request, const BodySink* sink) {
  check_url(request.url);
  HeaderList headers = header_list(request);
  struct Lease {
    Pool& pool;
    CURL* handle;
    ~Lease() { pool.give(handle); }
  } lease{*pool_, pool_->take()};
  return perform({lease.handle, request, sink}, headers);
}

HttpResponse exchange(const HttpRequest& request, const HttpTransport& transport) {
  check_url(request.url);
  HeaderList headers = header_list(request);
  start_curl();
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(new_handle(), curl_easy_cleanup);
  return perform({handle.get(), request, nullptr, transport}, headers);
}

std::string printable_url(std::string_view url) {
  std::string_view shown = url.substr(0, url.find_first_of("?#"));
  size_t start = scheme_of(shown).empty() ? 0 : scheme_of(shown).size() + 3;
  std::string_view authority = shown.substr(start, shown.find('/', start) - start);
  size_t at = authority.rfind('@');
  std::string out(shown.substr(0, start));
  out += shown.substr(start + (at == std::string_view::npos ? 0 : at + 1));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

}  // namespace ffe::net
