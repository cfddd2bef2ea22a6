// The application layer out of replayed logs: attestation agent's (0G Tapp) and dstack's.
#include "tee/application.hpp"

#include <functional>
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "tee/agent_log.hpp"
#include "tee/samples.hpp"

namespace ffe::tee {
namespace {

Json start(const std::string& app, const Json& result = "success") {
  return {{"app_id", app},
          {"operation", "start_app"},
          {"result", result},
          {"compose_hash", std::string(96, 'a')},
          {"volumes_hash", {{"config.toml", std::string(96, 'b')}}},
          {"image_hash",
           {{"web", "sha256:" + std::string(64, 'c')}, {"db", "sha256:" + std::string(64, 'd')}}}};
}

std::vector<LogEvent> parsed(const AgentLog& log) {
  return parse_ccel(log.finished());
}

TEST(Application, TappLogReplaysAndNamesTheApplication) {
  AgentLog log;
  log.add("claim_config", {{"owner", "0x00"}});
  log.add("start_app", start("ffe", "failed"));
  log.add("start_app", start("ffe"));
  std::vector<LogEvent> events = parsed(log);
  ASSERT_EQ(events.size(), 3u);
  TdReport report;
  report.rtmr[3] = log.rtmr3();
  EXPECT_NO_THROW(check_replay(events, report));

  TappApplication app = tapp_application(events, "ffe");
  EXPECT_EQ(to_hex(app.compose_hash.bytes), std::string(96, 'a'));
  std::string images =
      "db=sha256:" + std::string(64, 'd') + "\nweb=sha256:" + std::string(64, 'c') + "\n";
  std::string volumes = "config.toml=" + std::string(96, 'b') + "\n";
  EXPECT_EQ(app_hash(app), crypto::keccak256(concat({crypto::keccak256(Bytes(48, 0xaa)).bytes,
                                                     crypto::keccak256(images).bytes,
                                                     crypto::keccak256(volumes).bytes})));
}

TEST(Application, TappRefusals) {
  auto refused = [](const std::function<void(AgentLog&)>& fill) {
    AgentLog log;
    fill(log);
    EXPECT_THROW(tapp_application(parsed(log), "ffe"), Error);
  };
  refused([](AgentLog&) {});
  refused([](AgentLog& l) { l.add("start_app", start("ffe", "failed")); });
  refused([](AgentLog& l) {
    l.add("start_app", start("ffe"));
    l.add("stop_app", {{"app_id", "ffe"}, {"result", "success"}});
  });
  refused([](AgentLog& l) {
    l.add("start_app", start("other"));
    l.add("stop_app", {{"app_id", "other"}, {"result", "success"}});
    l.add("start_app", start("ffe"));
  });
  refused([](AgentLog& l) {
    l.add("start_app", start("ffe"));
    l.add("start_app", start("other", "failed"));
  });
  refused([](AgentLog& l) {
    Json tagged = start("ffe");
    tagged["image_hash"]["web"] = "web:latest";
    l.add("start_app", tagged);
  });
  refused([](AgentLog& l) {
    Json bare = start("ffe");
    bare.erase("image_hash");
    l.add("start_app", bare);
  });
}

TEST(Application, AlteredAgentEntriesAreRefused) {
  AgentLog log;
  log.add("start_app", start("ffe"));
  Bytes good = log.finished();
  TdReport report;
  report.rtmr[3] = log.rtmr3();
  ASSERT_NO_THROW(tapp_application(parse_ccel(good), "ffe"));
  for (size_t i = 0; i + 8 < good.size(); ++i) {
    Bytes changed = good;
    changed[i] ^= 1;
    try {
      std::vector<LogEvent> events = parse_ccel(changed);
      check_replay(events, report);
      // Only what no digest covers may differ: then the application is still the same.
      EXPECT_EQ(app_hash(tapp_application(events, "ffe")),
                app_hash(tapp_application(parse_ccel(good), "ffe")))
          << i;
    } catch (const Error&) {
    }
  }
  for (size_t size = 0; size + 8 < good.size(); ++size) {
    try {
      tapp_application(parse_ccel(ByteView(good).first(size)), "ffe");
      FAIL() << size;
    } catch (const Error&) {
    }
  }
}

TEST(Application, DstackComposeHash) {
  FFE_NEED_SAMPLES();
  const char* name = "dstack/tdx-lite-getquote.json";
  Json json = parse_json(read_text_file(samples_dir() / name), name);
  std::vector<LogEvent> events = parse_dstack_log(json_string(json, "event_log", name));
  EXPECT_EQ(to_hex(dstack_compose_hash(events).bytes).substr(0, 24), "86b0e55f2fa8e4fb69d890f1");
  LogEvent again;
  for (const LogEvent& event : events) {
    if (event.name == "compose-hash") again = event;
  }
  events.insert(events.begin(), again);
  EXPECT_THROW(dstack_compose_hash(events), Error);
  EXPECT_THROW(dstack_compose_hash({}), Error);
}

TEST(Application, HashIsOfWhateverTheLogNames) {
  AgentLog tapp;
  EXPECT_FALSE(names_application(parsed(tapp)));
  tapp.add("start_app", start("ffe"));
  ASSERT_TRUE(names_application(parsed(tapp)));
  EXPECT_EQ(application_hash(parsed(tapp)), app_hash(tapp_application(parsed(tapp), "ffe")));
  tapp.add("start_app", start("other"));
  EXPECT_THROW(application_hash(parsed(tapp)), Error);
  AgentLog claimed;  // a Tapp machine on which nothing was started
  claimed.add("claim_config", {{"owner", "0x00"}});
  ASSERT_TRUE(names_application(parsed(claimed)));
  EXPECT_THROW(application_hash(parsed(claimed)), Error);
}

// The same file that TypeScript reads; made with other libraries.
TEST(Application, Vectors) {
  const char* file = FFE_SOURCE_DIR "/tests/vectors/tee/application.json";
  const Json json = parse_json(read_text_file(file), file);
  ASSERT_GE(json["cases"].size(), 15u);
  for (const Json& item : json["cases"]) {
    SCOPED_TRACE(json_string(item, "name", file));
    const bool ccel = json_string(item, "format", file) == "ccel";
    std::vector<LogEvent> events =
        parse_event_log(ccel ? EventLogFormat::kCcel : EventLogFormat::kDstack,
                        from_hex(json_string(item, "log", file)));
    TdReport report;
    report.rtmr[3] = fixed_from_hex<48>(json_string(item, "rtmr3", file));
    EXPECT_NO_THROW(check_replay(events, report));
    EXPECT_TRUE(names_application(events));
    if (item["appHash"].is_null()) {
      EXPECT_THROW(application_hash(events), Error);
    } else {
      EXPECT_EQ(to_hex0x(application_hash(events).bytes), json_string(item, "appHash", file));
    }
  }
}

}  // namespace
}  // namespace ffe::tee
