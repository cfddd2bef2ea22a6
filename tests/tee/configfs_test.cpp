// configfs-tsm against the platform's side as named pipes: the kernel's attributes in their order.
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "base/hex.hpp"
#include "tee/provider.hpp"
#include "tee/samples.hpp"
#include "tee/simulated.hpp"

namespace ffe::tee {
namespace {

// Serves one report entry. A pipe blocks its opener until the other side comes, so this one thread
// and the provider meet at every attribute in turn. (Never the same attribute twice in a row: the
// second meeting could catch the reader of the first.)
class FakeKernel {
 public:
  FakeKernel() {
    std::filesystem::create_directories(entry());
    for (const char* name : {"provider", "generation", "inblob", "outblob"}) {
      EXPECT_EQ(mkfifo((entry() / name).c_str(), 0600), 0);
    }
  }
  ~FakeKernel() {
    if (thread_.joinable()) thread_.join();
  }

  ConfigfsOptions options() const {
    return {.root = folder_.path(), .entry = "report0", .patience_ms = 2000};
  }

  // Runs `script` beside the test.
  void serve(std::function<void(FakeKernel&)> script) {
    thread_ = std::thread([this, script] { script(*this); });
  }

  void give(const char* name, ByteView content) {
    int fd = ::open((entry() / name).c_str(), O_WRONLY);
    for (size_t done = 0; done < content.size();) {
      ssize_t size = ::write(fd, content.data() + done, content.size() - done);
      if (size <= 0) break;
      done += static_cast<size_t>(size);
    }
    ::close(fd);
  }
  void give(const char* name, const std::string& text) { give(name, as_bytes(text)); }

  Bytes take(const char* name) {
    int fd = ::open((entry() / name).c_str(), O_RDONLY);
    Bytes out;
    uint8_t block[256];
    for (ssize_t size; (size = ::read(fd, block, sizeof block)) > 0;) {
      append(out, {block, static_cast<size_t>(size)});
    }
    ::close(fd);
    return out;
  }

  std::filesystem::path entry() const { return folder_.path() / "report0"; }

 private:
  TempDir folder_;
  std::thread thread_;
};

TEST(Configfs, FetchesTheRecordedQuote) {
  FFE_NEED_SAMPLES();
  Bytes quote = sample("dcap-qvl/tdx_quote");
  FixedBytes<64> wanted = parse_quote(quote).td.report_data;
  FakeKernel kernel;
  Bytes received;
  kernel.serve([&](FakeKernel& k) {
    k.give("provider", "tdx_guest\n");
    k.give("generation", "5\n");
    received = k.take("inblob");
    k.give("generation", "6\n");
    k.give("outblob", quote);
    k.give("generation", "6\n");
  });
  Evidence evidence = configfs_provider(kernel.options())->quote(wanted);
  EXPECT_EQ(evidence.quote, quote);
  EXPECT_EQ(evidence.provider, "configfs-tsm");
  EXPECT_FALSE(evidence.simulated);
  EXPECT_EQ(received, Bytes(wanted.begin(), wanted.end()));
  EXPECT_EQ(evidence.event_log_format, EventLogFormat::kNone);
}

TEST(Configfs, TheFirmwaresLogComesAlongWhereItReplays) {
  FFE_NEED_SAMPLES();
  Bytes quote = sample("go-tdx-guest/ccel/cos-113-tdx-quote.dat");
  FixedBytes<64> wanted = parse_quote(quote).td.report_data;
  for (const char* log : {"ccel_data.dat", "ccel_table.dat"}) {
    FakeKernel kernel;
    kernel.serve([&](FakeKernel& k) {
      k.give("provider", "tdx_guest\n");
      k.give("generation", "5\n");
      k.take("inblob");
      k.give("generation", "6\n");
      k.give("outblob", quote);
      k.give("generation", "6\n");
    });
    ConfigfsOptions options = kernel.options();
    options.event_log = samples_dir() / "go-tdx-guest/ccel" / log;
    Evidence evidence = configfs_provider(options)->quote(wanted);
    // The second file is the ACPI table, not the log: nothing in it replays.
    bool replays = std::string(log) == "ccel_data.dat";
    EXPECT_EQ(evidence.event_log_format, replays ? EventLogFormat::kCcel : EventLogFormat::kNone);
    EXPECT_EQ(evidence.event_log.empty(), !replays);
  }
}

TEST(Configfs, TriesAgainWhenAnotherProcessCameBetween) {
  TempDir folder;
  std::string program = "program";
  write_file_atomic(folder.path() / "program", as_bytes(program));
  SimulatedPlatform platform =
      SimulatedPlatform::create(folder.path() / "p", folder.path() / "program");
  FixedBytes<64> wanted;
  wanted[0] = 9;
  FakeKernel kernel;
  kernel.serve([&](FakeKernel& k) {
    k.give("provider", "tdx_guest\n");
    k.give("generation", "1\n");
    k.take("inblob");
    k.give("generation", "3\n");  // somebody else wrote too
    k.give("provider", "tdx_guest\n");
    k.give("generation", "3\n");
    k.take("inblob");
    k.give("generation", "4\n");
    k.give("outblob", platform.quote_bytes(wanted));
    k.give("generation", "5\n");  // and again while the quote was read
    k.give("provider", "tdx_guest\n");
    k.give("generation", "5\n");
    Bytes blob = k.take("inblob");
    k.give("generation", "6\n");
    k.give("outblob", platform.quote_bytes(FixedBytes<64>::from(blob)));
    k.give("generation", "6\n");
  });
  Evidence evidence = configfs_provider(kernel.options())->quote(wanted);
  EXPECT_EQ(parse_quote(evidence.quote).td.report_data, wanted);
}

TEST(Configfs, QuoteOverOtherDataIsRefused) {
  FFE_NEED_SAMPLES();
  FakeKernel kernel;
  kernel.serve([&](FakeKernel& k) {
    k.give("provider", "tdx_guest\n");
    k.give("generation", "1\n");
    k.take("inblob");
    k.give("generation", "2\n");
    k.give("outblob", sample("dcap-qvl/tdx_quote"));
    k.give("generation", "2\n");
  });
  try {
    configfs_provider(kernel.options())->quote({});
    FAIL() << "accepted a quote over other data";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kAttestation);
  }
}

TEST(Configfs, OtherPlatformsAndAbsenceAreSaid) {
  FakeKernel other;
  other.serve([](FakeKernel& k) { k.give("provider", "sev_guest\n"); });
  try {
    configfs_provider(other.options())->quote({});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("sev_guest"), std::string::npos);
  }
  TempDir empty;
  EXPECT_THROW(configfs_provider({.root = empty.path() / "absent"})->quote({}), Error);
  EXPECT_THROW(configfs_provider({.root = empty.path()})->quote({}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(empty.path())) << "the entry was left behind";
  EXPECT_THROW(configfs_provider({.root = empty.path()})->collateral(), Error);
}

}  // namespace
}  // namespace ffe::tee
