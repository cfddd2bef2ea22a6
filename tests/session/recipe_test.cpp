#include "session/recipe.hpp"

#include "session/reports.hpp"
#include "vectors.hpp"

namespace ffe::session {
namespace {

using namespace ffe::test;

TEST(recipe, text_and_back) {
  Recipe r;
  r.targets = {"q", "v", "down"};
  r.dropout_micro = 50'000;
  EXPECT_EQ(parse_recipe(to_text(r)), r);
  EXPECT_EQ(to_text(Recipe{}),
            R"({"alpha":16,"clipMicro":1000000,"dropoutMicro":0,"epochs":1,)"
            R"("format":"ffe.recipe.v1","learningRateNano":1000000,"loss":"answers",)"
            R"("numericPath":"f32","rank":8,"schedule":"cosine","sequenceLength":512,)"
            R"("systemPrompt":"none","targets":["q","k","v","o","gate","up","down"],)"
            R"("tokensPerStep":1024,"trainer":"enclave","warmupSteps":3,"weightDecayMicro":0})");
}

TEST(recipe, bounds_name_the_member) {
  const std::pair<const char*, std::function<void(Recipe&)>> cases[] = {
      {"recipe.trainer", [](auto& r) { r.trainer = "cloud"; }},
      {"recipe.numericPath", [](auto& r) { r.numeric_path = "fp8"; }},
      {"recipe.rank", [](auto& r) { r.rank = 0; }},
      {"recipe.rank", [](auto& r) { r.rank = 257; }},
      {"recipe.alpha", [](auto& r) { r.alpha = 0; }},
      {"recipe.dropoutMicro", [](auto& r) { r.dropout_micro = 1'000'000; }},
      {"recipe.targets", [](auto& r) { r.targets = {}; }},
      {"recipe.targets",
       [](auto& r) {
         r.targets = {"v", "q"};
       }},
      {"recipe.targets",
       [](auto& r) {
         r.targets = {"q", "q"};
       }},
      {"recipe.learningRateNano", [](auto& r) { r.learning_rate_nano = 0; }},
      {"recipe.schedule", [](auto& r) { r.schedule = "step"; }},
      {"recipe.epochs", [](auto& r) { r.epochs = 101; }},
      {"recipe.tokensPerStep", [](auto& r) { r.tokens_per_step = 0; }},
      {"recipe.sequenceLength", [](auto& r) { r.sequence_length = 2048; }},
      {"recipe.loss", [](auto& r) { r.loss = "all"; }},
      {"recipe.systemPrompt", [](auto& r) { r.system_prompt = ""; }},
  };
  for (const auto& [field, spoil] : cases) {
    Recipe r;
    spoil(r);
    EXPECT_NE(error_of([&] { check(r); }).find(std::string(field) + " must be"), std::string::npos)
        << field;
  }
}

TEST(recipe, of_a_provider_agrees_with_the_vectors) {
  size_t good = 0, bad = 0;
  for_each_case("recipe-compute.json", [&](const Json& c) {
    const std::string text = c.at("text");
    if (c.contains("error")) {
      ++bad;
      const std::string error = error_of([&] { parse_recipe(text); });
      EXPECT_NE(error.find(c.at("error").get<std::string>()), std::string::npos) << error;
      return;
    }
    ++good;
    const Recipe recipe = parse_recipe(text);
    EXPECT_EQ(to_text(recipe), text);
    EXPECT_EQ(text_hash(text), h256_of(c, "hash"));
    EXPECT_EQ(who_sees_rows(recipe), c.at("whoSeesRows").get<std::string>());
    EXPECT_EQ(leaves_enclave(recipe), !who_sees_rows(recipe).empty());
  });
  EXPECT_GE(good, 2u);
  EXPECT_GE(bad, 15u);
}

TEST(recipe, only_the_canonical_text_is_read) {
  const std::string good = to_text(Recipe{});
  EXPECT_THROW(parse_recipe(" " + good), Error);
  EXPECT_THROW(parse_recipe(good + "\n"), Error);
  Json more = Json::parse(good);
  more["seed"] = 1;
  EXPECT_NE(error_of([&] { parse_recipe(canonical_json(more)); }).find("recipe.seed"),
            std::string::npos);
  Json other = Json::parse(good);
  other["format"] = "ffe.recipe.v2";
  EXPECT_NE(error_of([&] { parse_recipe(canonical_json(other)); }).find("recipe.format"),
            std::string::npos);
}

TEST(manifest, made_from_files_and_verified) {
  TempDir dir;
  write_file_atomic(dir.path() / "config.json", as_bytes("{}"));
  write_file_atomic(dir.path() / "model.safetensors", pattern(5000));
  write_file_atomic(dir.path() / "notes.txt", as_bytes("not part of it"));
  const BaseModelManifest m = manifest_of(dir.path(), "test model");
  ASSERT_EQ(m.files.size(), 2u);
  EXPECT_EQ(parse_manifest(to_text(m)), m);
  verify_model(m, dir.path());

  write_file_atomic(dir.path() / "extra.safetensors", as_bytes("x"));
  EXPECT_NE(error_of([&] { verify_model(m, dir.path()); }).find("extra.safetensors"),
            std::string::npos);
  std::filesystem::remove(dir.path() / "extra.safetensors");
  Bytes altered = pattern(5000);
  altered[4999] ^= 1;
  write_file_atomic(dir.path() / "model.safetensors", altered);
  EXPECT_NE(error_of([&] { verify_model(m, dir.path()); }).find("SHA-256"), std::string::npos);
  write_file_atomic(dir.path() / "model.safetensors", pattern(4999));
  EXPECT_NE(error_of([&] { verify_model(m, dir.path()); }).find("4999 bytes"), std::string::npos);
  std::filesystem::remove(dir.path() / "model.safetensors");
  EXPECT_THROW(verify_model(m, dir.path()), Error);
  EXPECT_THROW(manifest_of(dir.path() / "none", "x"), Error);
}

TEST(manifest, hostile_paths_are_refused) {
  for (const char* path : {"", "/etc/passwd", "../x", "a/../b", "a//b", "a\\b", "./a"}) {
    BaseModelManifest m{"x", {{path, {}, 0}}};
    EXPECT_THROW(check(m), Error) << path;
  }
  BaseModelManifest twice{"x", {{"a", {}, 0}, {"a", {}, 0}}};
  EXPECT_THROW(check(twice), Error);
}

GateReport sample_gate() {
  GateReport g;
  g.seal_hash[0] = 9;
  g.engine = "ffe 0.1.0";
  g.numeric_path = "f32";
  g.outcome = "fit";
  g.outcome_text = "the pool is fit to judge by";
  g.max_rows = 100;
  g.fitness.relevance = {-500'000, 0, 1'000'000};
  GateFinding f;
  f.contributor[0] = 1;
  f.verdict = Verdict::kReject;
  f.reason = Reason::kHarmful;
  f.text = "harm";
  f.evidence = 5000;
  f.runs = {{{-3, 4}, {5, 6}, 5000}, {{1, 2}, {3, 4}, ~Uint128{0}}};
  g.contributors.push_back(f);
  f = {};
  f.contributor[0] = 2;
  f.counts.rows = 64;
  f.gain = {1, 2};
  g.contributors.push_back(f);
  return g;
}

TEST(reports, gate_text_and_back) {
  const GateReport g = sample_gate();
  EXPECT_EQ(parse_gate_report(to_text(g)), g);
  Json altered = to_json(g);
  altered["contributors"][0]["runs"][0]["secret"] = 1;
  EXPECT_NE(error_of([&] {
              parse_gate_report(canonical_json(altered));
            }).find("contributors[0].runs[0].secret"),
            std::string::npos);
}

TrainingReport sample_training(const GateReport& gate) {
  TrainingReport r;
  r.domain = {31337, Address{}};
  r.seal_hash = gate.seal_hash;
  r.base_model = {"m", {{"model.gguf", H256{}, 7}}};
  r.terms.gate = gate.policy;
  r.terms.max_rows = gate.max_rows;
  r.terms.recipe = text_hash(to_text(r.recipe));
  r.terms.base_model = text_hash(to_text(r.base_model));
  r.engine = "ffe 0.1.0";
  r.numeric_path = "f32";
  r.loss_curve = {5'000'000, 4'000'000};
  r.shares.push_back({gate.contributors[1].contributor, 64, 1000});
  return r;
}

ResultCertificate sample_result(const GateReport& gate) {
  ResultCertificate c;
  c.seal_hash = gate.seal_hash;
  for (const GateFinding& f : gate.contributors) {
    c.verdicts.push_back({f.contributor, f.blob_root, f.verdict, f.reason, f.evidence});
  }
  c.owners.push_back({gate.contributors[1].contributor, {}, Bytes(129)});
  return c;
}

TEST(reports, training_text_and_back) {
  const TrainingReport r = sample_training(sample_gate());
  EXPECT_EQ(parse_training_report(to_text(r)), r);
}

TEST(reports, checks_notice_every_disagreement) {
  const GateReport gate = sample_gate();
  const TrainingReport training = sample_training(gate);
  const ResultCertificate result = sample_result(gate);
  const auto failed = [](const std::vector<ReportCheck>& checks) {
    return std::count_if(checks.begin(), checks.end(), [](const auto& c) { return !c.passed; });
  };
  EXPECT_EQ(failed(check_reports(result, gate, &training)), 0);

  ResultCertificate other = result;
  other.verdicts[0].evidence = 1;
  EXPECT_EQ(failed(check_reports(other, gate, &training)), 1);
  other = result;
  other.owners.clear();
  EXPECT_EQ(failed(check_reports(other, gate, &training)), 1);
  EXPECT_EQ(failed(check_reports(other, gate, nullptr)), 0);
  other = result;
  other.seal_hash[0] ^= 1;
  EXPECT_EQ(failed(check_reports(other, gate, &training)), 2);
  TrainingReport lied = training;
  lied.recipe.rank = 9;
  EXPECT_EQ(failed(check_reports(result, gate, &lied)), 1);
  lied = training;
  lied.joint_loss_micro_nats = 1;
  EXPECT_EQ(failed(check_reports(result, gate, &lied)), 1);
}

}  // namespace
}  // namespace ffe::session
