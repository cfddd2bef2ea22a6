// The main of a fuzz target where libFuzzer is not: feeds LLVMFuzzerTestOneInput every file it is
// given, then -runs=N mutations of them, the same ones on every machine for a -seed=N.
//
//   fuzz_lm_gguf [-runs=N] [-seed=N] [FILE or FOLDER]...
//
// An input that kills the process is written to crash-<its hash> in the current folder, as
// libFuzzer does it. Address space is limited, so an allocation before validation fails, and so is
// the time of an input.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Input = std::vector<uint8_t>;
namespace fs = std::filesystem;

constexpr size_t kMaxInput = 1u << 16;
constexpr rlim_t kAddressSpace = rlim_t{2} << 30;
constexpr unsigned kSecondsPerInput = 10;

// Read by the signal handler.
const Input* current = nullptr;

uint64_t hash_of(const Input& input) {  // FNV-1a, for a file name
  uint64_t h = 14695981039346656037u;
  for (uint8_t b : input) h = (h ^ b) * 1099511628211u;
  return h;
}

// Only async-signal-safe calls.
void on_death(int signal_number) {
  char name[] = "crash-0000000000000000";
  uint64_t h = current ? hash_of(*current) : 0;
  for (size_t i = sizeof name - 2; h != 0; --i, h >>= 4) name[i] = "0123456789abcdef"[h & 15];
  const int fd = current ? open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;
  if (fd >= 0 && write(fd, current->data(), current->size()) >= 0) {
    const char text[] = "fuzz: the input that did it: ";
    if (write(2, text, sizeof text - 1) < 0 || write(2, name, sizeof name - 1) < 0 ||
        write(2, "\n", 1) < 0)
      _exit(1);
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void run(const Input& input) {
  // A copy of exactly its size: a read past the end is outside the allocation.
  const Input copy(input.begin(), input.end());
  current = &copy;
  alarm(kSecondsPerInput);
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
  alarm(0);
  current = nullptr;
}

class Random {  // splitmix64: the same numbers everywhere
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  size_t below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(next() % n); }

 private:
  uint64_t state_;
};

using Position = Input::difference_type;

void put_integer(Input& input, Random& random) {
  static constexpr uint64_t kValues[] = {
      0,          1,          0x7f,       0x80,        0xff,        0x7fff,
      0xffff,     0x7fffffff, 0x80000000, 0xffffffff,  1ull << 40,  1ull << 62,
      ~0ull >> 1, ~0ull,      1ull << 63, ~0ull - 255, 0x100000000, 0x7ff0000000000000};
  const uint64_t value = kValues[random.below(std::size(kValues))];
  const size_t width = std::min<size_t>(size_t{1} << random.below(4), input.size());
  const size_t at = random.below(input.size() - width + 1);
  std::memcpy(input.data() + at, &value, width);
}

void insert_part(Input& input, const Input& from, Random& random) {
  const size_t begin = random.below(from.size());
  const size_t length = 1 + random.below(std::min<size_t>(from.size() - begin, 64));
  const Input part(from.begin() + static_cast<Position>(begin),
                   from.begin() + static_cast<Position>(begin + length));
  input.insert(input.begin() + static_cast<Position>(random.below(input.size() + 1)), part.begin(),
               part.end());
}

void erase_part(Input& input, Random& random) {
  const size_t begin = random.below(input.size());
  const size_t length = 1 + random.below(std::min<size_t>(input.size() - begin, 64));
  input.erase(input.begin() + static_cast<Position>(begin),
              input.begin() + static_cast<Position>(begin + length));
}

// One digit string, the carrier of most sizes in a text format, becomes another number.
void change_number(Input& input, Random& random) {
  static constexpr std::string_view kNumbers[] = {
      "0", "-1", "1e999", "4294967295", "9223372036854775807", "18446744073709551616", "0.5", "1"};
  const auto digit = [](uint8_t b) { return b >= '0' && b <= '9'; };
  const auto start = input.begin() + static_cast<Position>(random.below(input.size()));
  const auto first = std::find_if(start, input.end(), digit);
  if (first == input.end()) return;
  const auto last = std::find_if_not(first, input.end(), digit);
  const std::string_view number = kNumbers[random.below(std::size(kNumbers))];
  const auto at = input.erase(first, last);
  input.insert(at, number.begin(), number.end());
}

Input mutated(const std::vector<Input>& seeds, Random& random) {
  Input input = seeds[random.below(seeds.size())];
  for (size_t left = 1 + random.below(4); left > 0; --left) {
    const Input& other = seeds[random.below(seeds.size())];
    if (input.empty()) input.push_back(static_cast<uint8_t>(random.next()));
    switch (random.below(8)) {
      case 0:
        input[random.below(input.size())] ^= uint8_t(1u << random.below(8));
        break;
      case 1:
        input[random.below(input.size())] = static_cast<uint8_t>(random.next());
        break;
      case 2:
        put_integer(input, random);
        break;
      case 3:
        erase_part(input, random);
        break;
      case 4:
        insert_part(input, Input(input), random);
        break;
      case 5:
        if (!other.empty()) insert_part(input, other, random);
        break;
      case 6:
        input.resize(random.below(input.size()) + 1);
        break;
      case 7:
        change_number(input, random);
        break;
    }
  }
  if (input.size() > kMaxInput) input.resize(kMaxInput);
  return input;
}

void read_seeds(const fs::path& path, std::vector<Input>& seeds) {
  if (fs::is_directory(path)) {
    std::vector<fs::path> inside;
    for (const auto& entry : fs::directory_iterator(path)) inside.push_back(entry.path());
    std::sort(inside.begin(), inside.end());
    for (const fs::path& file : inside) read_seeds(file, seeds);
    return;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "fuzz: cannot read %s\n", path.c_str());
    std::exit(2);
  }
  seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

bool take_number(std::string_view argument, std::string_view flag, uint64_t& value) {
  if (!argument.starts_with(flag)) return false;
  argument.remove_prefix(flag.size());
  return std::from_chars(argument.data(), argument.data() + argument.size(), value).ec ==
         std::errc{};
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t runs = 0;
  uint64_t seed = 1;
  std::vector<Input> seeds;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (take_number(argument, "-runs=", runs) || take_number(argument, "-seed=", seed)) continue;
    if (argument.starts_with("-")) {
      std::fprintf(stderr, "usage: %s [-runs=N] [-seed=N] [FILE or FOLDER]...\n", argv[0]);
      return 2;
    }
    read_seeds(argument, seeds);
  }
#ifndef __SANITIZE_ADDRESS__  // which reserves terabytes
  const rlimit limit{kAddressSpace, kAddressSpace};
  setrlimit(RLIMIT_AS, &limit);
#endif
  for (int s : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) std::signal(s, on_death);

  run({});
  for (const Input& input : seeds) run(input);
  const size_t files = seeds.size();
  if (seeds.empty()) seeds.emplace_back();
  Random random(seed);
  for (uint64_t i = 0; i < runs; ++i) run(mutated(seeds, random));
  std::fprintf(stderr, "fuzz: %zu files and %llu mutations\n", files,
               static_cast<unsigned long long>(runs));
  return 0;
}
