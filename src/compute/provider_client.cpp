#include "compute/provider_client.hpp"

#include <ctime>
#include <fstream>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "compute/dataset.hpp"
#include "crypto/keccak.hpp"
#include "crypto/random.hpp"

namespace ffe::compute {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTask = "task";

// A peer's words, fit for a terminal.
std::string shown(std::string text) {
  if (text.size() > 500) text = text.substr(0, 500) + "…";
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

std::string error_words(const net::HttpResponse& answer) {
  try {
    return shown(json_string(parse_json(answer.body, "answer"), "error", "answer"));
  } catch (const Error&) {
    return answer.body.empty() ? "no reason given" : shown(answer.body);
  }
}

std::string hint_for(const std::string& words) {
  auto has = [&](std::string_view part) { return words.find(part) != std::string::npos; };
  if (has("unfinished task") || has("in-progress")) {
    return "wait for the task before, or cancel it: ffe compute task list";
  }
  if (has("TEE signer has not been acknowledged by 0G")) {
    return "0G has not approved this provider's enclave: choose another provider";
  }
  if (has("has not acknowledged")) return "give the provider a sub-account: ffe compute fund";
  if (has("unsupported model")) return "choose a model that this provider offers";
  return {};
}

// 409 as well: for a download, that the provider has not noticed yet what it put on the chain.
bool busy(int status) {
  return status == 409 || status == 429 || status == 502 || status == 503 || status == 504;
}

void require_ok(const net::HttpRequest& request, const net::HttpResponse& answer) {
  if (answer.ok()) return;
  std::string words = error_words(answer);
  throw ProviderError(
      answer.status,
      net::printable_url(request.url) + ": HTTP " + std::to_string(answer.status) + ": " + words,
      hint_for(words));
}

// 16 random bytes: no file holds them by chance.
std::string boundary() {
  FixedBytes<16> random;
  crypto::random_bytes(random.bytes);
  return "ffe-" + to_hex(random.bytes);
}

std::string field(const std::string& boundary, const std::string& head, std::string_view value) {
  return "--" + boundary + "\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" +
         std::string(value) + "\r\n";
}

// Only the last part of a path, without what would end a header.
std::string safe_filename(const std::string& name) {
  std::string out = fs::path(name).filename().string();
  for (char& c : out) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) c = '_';
  }
  return out.empty() ? "data.jsonl" : out;
}

std::string read_head(const fs::path& file, size_t size) {
  std::ifstream in(file, std::ios::binary);
  std::string head(size, '\0');
  in.read(head.data(), static_cast<std::streamsize>(size));
  head.resize(static_cast<size_t>(in.gcount()));
  return head;
}

uint64_t size_of(const fs::path& file) {
  std::error_code ec;
  uint64_t size = fs::file_size(file, ec);
  return ec ? 0 : size;
}

void append_file(const fs::path& to, const fs::path& from) {
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(to, std::ios::binary | std::ios::app);
  if (size_of(from) != 0) out << in.rdbuf();
  out.close();
  if (!in || !out) throw Error(ErrorCode::kIo, "cannot write " + to.string());
}

// What arrived in `piece`: the file from its start, if it begins as `part` does (the first 77 bytes
// are a signature and a nonce, which no other place repeats), else what follows `part`.
void join(const fs::path& part, const fs::path& piece) {
  constexpr size_t kHead = 77;
  std::string head = read_head(piece, kHead);
  if (size_of(part) == 0 || head == read_head(part, head.size())) {
    if (size_of(piece) >= size_of(part)) fs::rename(piece, part);
  } else {
    append_file(part, piece);
  }
  std::error_code ignored;
  fs::remove(piece, ignored);
}

}  // namespace

TaskView task_from_json(const Json& json) {
  TaskView t;
  t.id = TaskId::parse(json_string(json, "id", kTask));
  t.state = json_string(json, "progress", kTask);
  t.base_model_hash = json_string(json, "preTrainedModelHash", kTask);
  t.dataset_hash = json_string(json, "datasetHash", kTask);
  t.params = json_string(json, "trainingParams", kTask);
  t.fee = evm::U256::parse(json_string(json, "fee", kTask));
  t.nonce = evm::U256::parse(json_string(json, "nonce", kTask));
  if (json.contains("deliverTime")) t.deliver_time = json_uint(json, "deliverTime", kTask);
  return t;
}

ProviderClient::ProviderClient(std::string url, ProviderOptions options)
    : url_(std::move(url)),
      options_(std::move(options)),
      http_(std::make_unique<net::HttpClient>()) {
  while (url_.ends_with('/')) url_.pop_back();
}

uint64_t ProviderClient::now() const {
  return options_.now ? options_.now() : static_cast<uint64_t>(std::time(nullptr));
}

std::string ProviderClient::user_path(const Address& user, const std::string& rest) const {
  return "/v1/user/" + crypto::checksum_address(user) + rest;
}

net::HttpRequest ProviderClient::get(const std::string& path) const {
  net::HttpRequest request;
  request.url = url_ + path;
  request.timeout_ms = options_.request_timeout_ms;
  return request;
}

net::HttpRequest ProviderClient::post(const std::string& path, const Json& body) const {
  net::HttpRequest request = get(path);
  request.method = "POST";
  request.headers = {{"Content-Type", "application/json"}};
  request.body = body.dump();
  return request;
}

net::HttpResponse ProviderClient::exchange(const net::HttpRequest& request) {
  net::HttpResponse answer = http_->send(request);
  require_ok(request, answer);
  return answer;
}

// Repeats while the provider is busy or unreachable. The request is made anew each time, because
// signatures with a timestamp grow old.
net::HttpResponse ProviderClient::patient(const std::function<net::HttpRequest()>& make,
                                          const net::BodySink* sink) {
  std::chrono::milliseconds wait = options_.first_pause;
  for (unsigned attempt = 1;; ++attempt) {
    net::HttpRequest request = make();
    try {
      net::HttpResponse answer = sink ? http_->send(request, *sink) : http_->send(request);
      require_ok(request, answer);
      return answer;
    } catch (const ProviderError& e) {
      if (!busy(e.status) || attempt >= options_.attempts) throw;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kNetwork || attempt >= options_.attempts) throw;
    }
    interruptible_sleep(wait);
    wait = std::min(wait * 2, options_.longest_pause);
  }
}

std::string ProviderClient::quote(bool legacy) {
  return patient([&] { return get(legacy ? "/v1/quote?legacy=true" : "/v1/quote"); }).body;
}

uint64_t ProviderClient::pending() {
  std::string text = patient([&] { return get("/v1/task/pending"); }).body;
  if (text.empty() || text.size() > 9 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    throw Error(ErrorCode::kNetwork, "the provider does not say how many tasks wait");
  }
  return std::stoull(text);
}

TaskId ProviderClient::create_task(const crypto::PrivateKey& user, const TaskRequest& task) {
  H256 message = create_task_message(user.address(), task.nonce, task.dataset_hash);
  Json body = {{"userAddress", crypto::checksum_address(user.address())},
               {"preTrainedModelHash", task.base_model_hash},
               {"datasetHash", task.dataset_hash},
               {"trainingParams", to_json(task.params)},
               {"fee", "0"},
               {"nonce", task.nonce.to_string()},
               {"signature", to_hex0x(sign_message(user, message).bytes)},
               {"wait", task.wait}};
  net::HttpResponse answer = exchange(post(user_path(user.address(), "/task"), body));
  return TaskId::parse(json_string(parse_json(answer.body, "answer"), "id", "answer"));
}

std::vector<TaskView> ProviderClient::tasks(const Address& user) {
  Json list = parse_json(patient([&] { return get(user_path(user, "/task")); }).body, "tasks");
  if (list.is_null()) return {};
  if (!list.is_array()) throw Error(ErrorCode::kBadInput, "the provider's tasks are no list");
  std::vector<TaskView> out;
  for (const Json& task : list) out.push_back(task_from_json(task));
  return out;
}

TaskView ProviderClient::task(const Address& user, const TaskId& id) {
  TaskView t = task_from_json(
      parse_json(patient([&] { return get(user_path(user, "/task/" + id.text())); }).body, "task"));
  if (t.id != id) throw Error(ErrorCode::kCorrupt, "the provider answered with another task");
  return t;
}

std::string ProviderClient::log(const Address& user, const TaskId& id) {
  return patient([&] { return get(user_path(user, "/task/" + id.text() + "/log")); }).body;
}

void ProviderClient::cancel(const crypto::PrivateKey& user, const TaskId& id) {
  Json body = {{"signature", to_hex0x(sign_message(user, cancel_task_message(id)).bytes)}};
  exchange(post(user_path(user.address(), "/task/" + id.text() + "/cancel"), body));
}

std::string ProviderClient::upload_dataset(const crypto::PrivateKey& user,
                                           const std::string& filename, ByteView content) {
  if (content.empty() || content.size() > kMaxUpload) {
    throw Error(ErrorCode::kUsage, "a provider takes datasets of 1 byte to 100 MiB directly",
                "send larger ones over 0G Storage");
  }
  std::string address = crypto::checksum_address(user.address());
  net::HttpResponse answer = patient([&] {
    uint64_t timestamp = now();
    std::string mark = boundary();
    net::HttpRequest request = get(user_path(user.address(), "/dataset"));
    request.method = "POST";
    request.headers = {{"Content-Type", "multipart/form-data; boundary=" + mark}};
    request.timeout_ms = 60'000 + static_cast<int>(content.size() >> 18) * 1000;
    H256 message = upload_dataset_message(address, timestamp);
    request.body = field(mark, "name=\"signature\"", to_hex0x(sign_message(user, message).bytes)) +
                   field(mark, "name=\"timestamp\"", std::to_string(timestamp)) +
                   field(mark, "name=\"file\"; filename=\"" + safe_filename(filename) + "\"",
                         as_text(content)) +
                   "--" + mark + "--\r\n";
    return request;
  });
  std::string hash = json_string(parse_json(answer.body, "answer"), "datasetHash", "answer");
  if (hash != to_hex0x(crypto::keccak256(content).bytes)) {
    throw Error(ErrorCode::kCorrupt, "the provider stored other bytes than were sent");
  }
  return hash;
}

void ProviderClient::download(const crypto::PrivateKey& user, const TaskId& id, const fs::path& out,
                              const Progress& progress) {
  fs::path part = out.string() + ".part", piece = out.string() + ".piece";
  std::ofstream file;
  uint64_t before = 0;
  net::BodySink sink = [&](std::string_view bytes) {
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file) throw Error(ErrorCode::kIo, "cannot write " + piece.string());
    before += bytes.size();
    report(progress, before, 0);
    return true;
  };
  auto make = [&] {
    file.close();
    if (fs::exists(piece)) join(part, piece);
    file.open(piece, std::ios::binary | std::ios::trunc);
    before = size_of(part);
    uint64_t timestamp = now();
    H256 message = download_message(id, timestamp);
    net::HttpRequest request = post(
        user_path(user.address(), "/task/" + id.text() + "/lora"),
        {{"signature", to_hex0x(sign_message(user, message).bytes)}, {"timestamp", timestamp}});
    if (before != 0) {
      request.headers.emplace_back("Range", "bytes=" + std::to_string(before) + "-");
    }
    request.timeout_ms = 0;
    request.idle_timeout_ms = options_.idle_timeout_ms;
    request.max_body = options_.max_download;
    return request;
  };
  try {
    patient(make, &sink);
  } catch (const ProviderError& e) {
    if (e.status != 416) throw;  // nothing is left to fetch: an earlier attempt got all
  }
  file.close();
  join(part, piece);
  fs::rename(part, out);
}

}  // namespace ffe::compute
