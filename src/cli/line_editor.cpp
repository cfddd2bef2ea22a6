#include "cli/line_editor.hpp"

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cwchar>
#include <deque>
#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/interrupt.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxLines = 1000;

// False where Ctrl-C came first. Signals are let in only while it waits: one that came between a
// check and a plain read() would be seen at the next key only.
bool wait_for_key() {
  sigset_t signals, before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (!interrupted() && ::ppoll(&input, 1, nullptr, &before) < 0 && errno == EINTR) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return !interrupted();
}

// One character, as EL_GETCFN wants it: 1, 0 at the end, -1 where there is none.
int read_key(EditLine*, wchar_t* out) {
  std::mbstate_t state{};
  while (wait_for_key()) {
    char byte;
    const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
    if (n <= 0) return static_cast<int>(n);
    const size_t used = std::mbrtowc(out, &byte, 1, &state);
    if (used <= 1) return 1;
    if (used == static_cast<size_t>(-1)) state = {};  // no UTF-8: the byte is dropped
  }
  return -1;
}

}  // namespace

struct LineEditor::Impl {
  EditLine* edit = nullptr;
  History* history = nullptr;
  fs::path file;
  std::deque<std::string> lines;
  std::string prompt;

  static Impl& of(EditLine* edit) {
    void* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
  }
  static char* show_prompt(EditLine* edit) { return of(edit).prompt.data(); }
  void enter(const std::string& line) {
    HistEvent event;
    ::history(history, &event, H_ENTER, line.c_str());
  }
  void load();
  void save() const;
};

void LineEditor::Impl::load() {
  std::error_code ec;
  if (file.empty() || !fs::exists(file, ec)) return;
  const std::string text = read_text_file(file, size_t{16} << 20);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    enter(lines.back());
    begin = end + 1;
  }
}

void LineEditor::Impl::save() const {
  if (file.empty()) return;
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  fs::create_directories(file.parent_path());
  write_file_atomic(file, as_bytes(text), 0600);
}

LineEditor::LineEditor(fs::path history_file) : impl_(new Impl) {
  // Characters are bytes to libedit unless the locale says UTF-8.
  if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
  }
  impl_->file = std::move(history_file);
  impl_->edit = el_init("ffe", stdin, stderr, stderr);
  impl_->history = history_init();
  if (impl_->edit == nullptr || impl_->history == nullptr) {
    throw Error(ErrorCode::kIo, "cannot use this terminal");
  }
  EditLine* edit = impl_->edit;
  HistEvent event;
  history(impl_->history, &event, H_SETSIZE, static_cast<int>(kMaxLines));
  history(impl_->history, &event, H_SETUNIQUE, 1);
  el_set(edit, EL_CLIENTDATA, impl_.get());
  el_set(edit, EL_PROMPT, &Impl::show_prompt);
  el_set(edit, EL_GETCFN, &read_key);
  el_set(edit, EL_EDITOR, "emacs");
  el_set(edit, EL_HIST, history, impl_->history);
  el_set(edit, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  impl_->load();
}

LineEditor::~LineEditor() {
  if (impl_->history != nullptr) history_end(impl_->history);
  if (impl_->edit != nullptr) el_end(impl_->edit);
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  impl_->prompt = prompt;
  int count = 0;
  const char* line = el_gets(impl_->edit, &count);
  if (line == nullptr || count <= 0) {
    if (!take_interrupt()) return std::nullopt;
    std::fputs("^C\n", stderr);
    return "";
  }
  std::string out(line, static_cast<size_t>(count));
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

void LineEditor::remember(const std::string& line) {
  if (line.empty() || (!impl_->lines.empty() && impl_->lines.back() == line)) return;
  impl_->lines.push_back(line);
  if (impl_->lines.size() > kMaxLines) impl_->lines.pop_front();
  impl_->enter(line);
  impl_->save();
}

}  // namespace ffe::cli
