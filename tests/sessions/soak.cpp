// Kills the enclave service again and again while it works through one session: at the n-th call
// that reaches outside, n going through all of them, and at random times; while chain or storage
// misbehave. Every run begins with the same sealed session and must end like the undisturbed one:
// the same artifact bits, verdicts, stakes and tokens, no certificate signed twice in two ways, no
// transaction sent twice.
//
// Usage: soak --model DIR --kill-switch FILE [--runs N] [--first N] [--seed N]
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <set>
#include <thread>

#include "base/file.hpp"
#include "base/interrupt.hpp"
#include "trouble.hpp"

namespace ffe::sessions {
namespace {

namespace fs = std::filesystem;
using devnet::Part;

constexpr double kPatience = 300;  // seconds that one run may take
constexpr unsigned kMostKills = 4;

struct Options {
  fs::path model, kill_switch;
  unsigned runs = 6, first = 0;
  uint64_t seed = 1;
};

// The undisturbed run.
struct Reference {
  Outcome outcome;
  uint64_t calls = 0;  // that reached outside
  uint64_t transactions = 0;
  double seconds = 0;
};

class Soak {
 public:
  explicit Soak(const Options& options)
      : options_(options), random_(options.seed), world_(options.model) {
    sealed_session();
  }

  int run();

 private:
  struct Tally {
    unsigned lives = 0;  // that ended before the session did
    double seconds = 0;
    uint64_t transactions = 0;
    std::set<std::string> certificates;
  };

  void sealed_session();
  Tally work(Trouble* trouble, unsigned run);
  void launch(unsigned run, unsigned life);
  void look(Tally& tally);
  uint64_t calls() const;
  std::string wrong(const Tally& tally, const Trouble& trouble);

  const Options& options_;
  std::mt19937_64 random_;
  TempDir folder_{"ffe-soak"};
  World world_;
  Reference reference_;
};

// Three honest contributors and one whose bytes do not open; the service is down when the last of
// them seals the session.
void Soak::sealed_session() {
  world_.open(4);
  for (size_t i = 0; i < 3; ++i)
    world_.submit(i, std::array{"alice.jsonl", "bob.jsonl", "carol.jsonl"}[i]);
  client::Client& mallory = world_.party(3);
  const Bytes noise = noise_blob();
  const H256 root = mallory.storage().upload(noise, mallory.sender()).root;
  world_.net().kill(Part::kEnclave, SIGTERM);
  world_.commit(3, root);
  world_.save();
}

uint64_t Soak::calls() const {
  uint64_t n = 0;
  Bytes bytes = read_file(folder_.path() / "calls", sizeof n);
  std::memcpy(&n, bytes.data(), std::min(bytes.size(), sizeof n));
  return n;
}

// Half of the lives end at a call of their own; the n-th run's first one at the n-th share of all.
void Soak::launch(unsigned run, unsigned life) {
  uint64_t at = 0;
  if (reference_.calls != 0 && life < kMostKills && (run + life) % 2 == 0) {
    const uint64_t share = life == 0 ? (run * reference_.calls) / options_.runs : random_();
    at = 1 + share % reference_.calls;
  }
  fs::remove(folder_.path() / "calls");
  world_.net().launch(
      Part::kEnclave,
      {"/usr/bin/env", "LD_PRELOAD=" + fs::absolute(options_.kill_switch).string(),
       "FFE_KILL_COUNT=" + (folder_.path() / "calls").string(), fmt::format("FFE_KILL_AT={}", at)});
}

void Soak::look(Tally& tally) {
  for (std::string& certificate : world_.certificates()) {
    tally.certificates.insert(std::move(certificate));
  }
}

// From the sealed session to its end. Without trouble nothing is killed.
Soak::Tally Soak::work(Trouble* trouble, unsigned run) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const uint64_t before = world_.operator_transactions();
  std::exponential_distribution<> length(2 / std::max(reference_.seconds, 0.1));
  Tally tally;
  launch(run, 0);
  double death = trouble != nullptr && run % 2 == 1 ? length(random_) : kPatience;
  for (bool over = false; !over;) {
    check_interrupt();
    tally.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (tally.seconds > kPatience) throw Error(ErrorCode::kFailed, "the session never ended");
    if (trouble != nullptr) trouble->step(tally.seconds);
    if (tally.seconds >= death) world_.net().kill(Part::kEnclave);
    if (!world_.net().running(Part::kEnclave)) {
      if (trouble == nullptr) world_.net().check();
      launch(run, ++tally.lives);
      death = tally.lives < kMostKills ? tally.seconds + length(random_) : kPatience;
    }
    look(tally);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    over = world_.net().running(Part::kChain) && world_.over();
  }
  if (trouble != nullptr) trouble->end();
  look(tally);
  tally.transactions = world_.operator_transactions() - before;
  return tally;
}

// What differs from the undisturbed run; empty if all is well.
std::string Soak::wrong(const Tally& tally, const Trouble& trouble) {
  const Outcome outcome = world_.outcome();
  if (outcome != reference_.outcome) return "it ended as " + text(outcome);
  // One rejection and one result, whatever happened between them.
  if (tally.certificates.size() > 2) {
    return fmt::format("{} different certificates were signed", tally.certificates.size());
  }
  if (trouble.chain_is_well() && tally.transactions > reference_.transactions) {
    return fmt::format("{} transactions instead of {}", tally.transactions,
                       reference_.transactions);
  }
  return "";
}

int Soak::run() {
  world_.restore();
  Tally undisturbed = work(nullptr, 0);
  reference_ = {world_.outcome(), calls(), undisturbed.transactions, undisturbed.seconds};
  fmt::print("undisturbed: {}; {} calls, {} transactions, {:.1f} s\n", text(reference_.outcome),
             reference_.calls, reference_.transactions, reference_.seconds);
  unsigned failed = 0, deaths = 0;
  for (unsigned i = options_.first; i < options_.first + options_.runs; ++i) {
    world_.restore();
    Trouble trouble(world_, i, reference_.seconds, random_);
    std::string problem;
    try {
      Tally tally = work(&trouble, i);
      problem = wrong(tally, trouble);
      deaths += tally.lives;
      fmt::print("run {}: {}, {} deaths, {:.1f} s{}{}\n", i, trouble.name(), tally.lives,
                 tally.seconds, problem.empty() ? "" : ": ", problem);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kInterrupted) throw;
      problem = e.what();
      fmt::print("run {}: {}: {}\n", i, trouble.name(), problem);
    }
    std::fflush(stdout);
    failed += problem.empty() ? 0 : 1;
  }
  fmt::print("{} runs, {} deaths, {} failed\n", options_.runs, deaths, failed);
  return failed == 0 ? 0 : 1;
}

Options parse(int argc, char** argv) {
  Options out;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--model")
      out.model = value;
    else if (name == "--kill-switch")
      out.kill_switch = value;
    else if (name == "--runs")
      out.runs = static_cast<unsigned>(std::stoul(value));
    else if (name == "--first")
      out.first = static_cast<unsigned>(std::stoul(value));
    else if (name == "--seed")
      out.seed = std::stoull(value);
    else
      throw Error(ErrorCode::kUsage, "unknown option " + name);
  }
  if (out.model.empty() || out.kill_switch.empty()) {
    throw Error(ErrorCode::kUsage, "--model and --kill-switch are needed");
  }
  return out;
}

}  // namespace
}  // namespace ffe::sessions

int main(int argc, char** argv) {
  try {
    ffe::install_interrupt_handler();
    const ffe::sessions::Options options = ffe::sessions::parse(argc, argv);
    return ffe::sessions::Soak(options).run();
  } catch (const std::exception& e) {
    fmt::print(stderr, "error: {}\n", e.what());
    return 1;
  }
}
