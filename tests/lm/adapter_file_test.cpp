#include "lm/adapter_file.hpp"

#include <cmath>
#include <gtest/gtest.h>

#include "lm/gguf.hpp"
#include "lm/lm_test_util.hpp"
#include "lm/safetensors.hpp"

namespace ffe::lm {
namespace {

using testing::error_of;
namespace fs = std::filesystem;

ModelConfig small_config(Architecture architecture = Architecture::kLlama) {
  ModelConfig c;
  c.architecture = architecture;
  c.vocab = 6;
  c.hidden = 8;
  c.intermediate = 10;
  c.layers = 2;
  c.heads = 2;
  c.kv_heads = 1;
  c.head_dim = 4;
  c.max_position = 32;
  return c;
}

LoraAdapter small_adapter(const ModelConfig& config) {
  LoraAdapter a;
  a.rank = 2;
  a.alpha = 4;
  a.dropout = 0.05;
  a.base_model = "someone/small";
  a.targets = {Projection::kQ, Projection::kO, Projection::kDown};
  float next = 0;
  for (uint32_t layer = 0; layer < config.layers; ++layer) {
    for (Projection p : a.targets) {
      LoraMatrices& m = a.modules[projection_module(layer, p)];
      for (uint32_t i = 0; i < a.rank * projection_columns(config, p); ++i) m.a.push_back(++next);
      for (uint32_t i = 0; i < a.rank * projection_rows(config, p); ++i) m.b.push_back(-++next);
    }
  }
  return a;
}

TEST(Adapter, ReadsWhatItWritesInTheSameBytes) {
  const ModelConfig config = small_config();
  const LoraAdapter adapter = small_adapter(config);
  const TempDir dir("ffe-adapter");
  write_peft_folder(dir.path() / "a", adapter, "# Card\n");
  EXPECT_EQ(read_peft_folder(dir.path() / "a", config), adapter);
  EXPECT_EQ(read_text_file(dir.path() / "a" / "README.md"), "# Card\n");
  for (const auto& [name, bytes] : peft_files(adapter, "# Card\n")) {
    EXPECT_EQ(read_file(dir.path() / "a" / name), bytes) << name;
  }
}

TEST(Adapter, ReadsAndWritesWhatPeftWrites) {
  const std::vector<fs::path> cases = testing::model_cases();
  FFE_SKIP_WITHOUT_VECTORS(cases, "lm/<case>/peft");
  for (const fs::path& path : cases) {
    if (!fs::exists(path / "peft")) continue;
    SCOPED_TRACE(path.filename().string());
    const ModelConfig config =
        ModelConfig::from_hf(testing::load_json(path / "config.json"), "config.json");
    const LoraAdapter adapter = read_peft_folder(path / "peft", config);
    const Json theirs = testing::load_json(path / "peft" / "adapter_config.json");
    EXPECT_EQ(adapter.rank, theirs["r"].get<uint32_t>());
    EXPECT_EQ(adapter.alpha, theirs["lora_alpha"].get<double>());
    EXPECT_EQ(adapter.targets.size(), theirs["target_modules"].size());
    const std::map<std::string, Bytes> ours = peft_files(adapter, "");
    // The same fields with the same values; the order of target_modules is a set's in PEFT.
    Json mine = parse_json(as_text(ours.at("adapter_config.json")), "ours");
    Json wanted = theirs;
    for (Json* json : {&mine, &wanted}) {
      std::sort((*json)["target_modules"].begin(), (*json)["target_modules"].end());
    }
    EXPECT_EQ(mine, wanted);
    const Bytes file = read_file(path / "peft" / "adapter_model.safetensors");
    const SafetensorsView a(file, "theirs");
    const SafetensorsView b(ours.at("adapter_model.safetensors"), "ours");
    ASSERT_EQ(a.tensors().size(), b.tensors().size());
    for (const auto& [name, entry] : a.tensors()) {
      ASSERT_TRUE(b.tensors().contains(name)) << name;
      EXPECT_EQ(b.tensors().at(name).shape, entry.shape);
      EXPECT_EQ(a.read_f32(name), b.read_f32(name)) << name;
    }
  }
}

TEST(Adapter, ForeignOrBrokenAdaptersAreErrorsThatNameTheField) {
  const ModelConfig config = small_config();
  const LoraAdapter good = small_adapter(config);
  const auto files = peft_files(good, "");
  const auto config_error = [&](const char* field, Json value) {
    Json json = parse_json(as_text(files.at("adapter_config.json")), "c");
    json[field] = std::move(value);
    return error_of(
        [&] { parse_peft_files(files.at("adapter_model.safetensors"), json.dump(), config, "a"); });
  };
  for (const auto& [field, value] :
       std::vector<std::pair<const char*, Json>>{{"peft_type", "IA3"},
                                                 {"r", 0u},
                                                 {"r", "two"},
                                                 {"lora_alpha", "x"},
                                                 {"lora_dropout", 1.5},
                                                 {"use_dora", true},
                                                 {"use_rslora", true},
                                                 {"bias", "all"},
                                                 {"rank_pattern", {{"q_proj", 4}}},
                                                 {"modules_to_save", {"lm_head"}},
                                                 {"target_modules", "all-linear"},
                                                 {"target_modules", {"embed_tokens"}},
                                                 {"fan_in_fan_out", true}}) {
    const std::string message = config_error(field, value);
    EXPECT_NE(message.find(field), std::string::npos) << message << " for " << field;
    EXPECT_EQ(message.rfind("a/adapter_config.json", 0), 0u) << message;
  }
  const auto tensor_error = [&](auto change) {
    LoraAdapter bad = good;
    change(bad);
    const auto changed = peft_files(bad, "");
    return error_of([&] {
      parse_peft_files(changed.at("adapter_model.safetensors"),
                       as_text(files.at("adapter_config.json")), config, "a");
    });
  };
  const std::string module = "model.layers.1.self_attn.q_proj";
  EXPECT_NE(tensor_error([&](LoraAdapter& a) { a.modules.erase(module); }).find(module),
            std::string::npos);
  EXPECT_NE(tensor_error([&](LoraAdapter& a) { a.modules[module].a.resize(2); }).find(module),
            std::string::npos);
  EXPECT_NE(tensor_error([&](LoraAdapter& a) {
              a.modules[module].b[3] = std::nanf("");
            }).find(module + ".lora_B"),
            std::string::npos);
  EXPECT_NE(tensor_error([&](LoraAdapter& a) {
              a.modules["model.layers.7.mlp.up_proj"] = a.modules[module];
            }).find("layers.7"),
            std::string::npos);
}

TEST(Adapter, GgufHasLlamaCppsNamesAndRowOrder) {
  for (Architecture architecture : {Architecture::kLlama, Architecture::kQwen2}) {
    const ModelConfig config = small_config(architecture);
    const LoraAdapter adapter = small_adapter(config);
    const Bytes bytes = gguf_adapter(adapter, config);
    EXPECT_EQ(gguf_adapter(adapter, config), bytes);
    const GgufFile file(bytes, "adapter");
    EXPECT_EQ(file.get_string("general.type"), "adapter");
    EXPECT_EQ(file.get_string("adapter.type"), "lora");
    EXPECT_EQ(file.get_string("general.architecture"), architecture_name(architecture));
    EXPECT_EQ(file.get_float("adapter.lora.alpha"), 4.0);
    EXPECT_EQ(file.tensors().size(), 2 * adapter.modules.size());
    const auto values = [&](const char* name) {
      const GgufFile::Tensor& t = file.tensors().at(name);
      std::vector<float> out(t.data.size() / 4);
      std::memcpy(out.data(), t.data.data(), t.data.size());
      return out;
    };
    const LoraMatrices& q = adapter.modules.at("model.layers.1.self_attn.q_proj");
    EXPECT_EQ(values("blk.1.attn_q.weight.lora_a"), q.a);
    EXPECT_EQ(file.tensors().at("blk.1.attn_q.weight.lora_a").shape, (std::vector<uint64_t>{2, 8}));
    EXPECT_EQ(file.tensors().at("blk.1.attn_q.weight.lora_b").shape, (std::vector<uint64_t>{8, 2}));
    std::vector<float> wanted = q.b;
    if (architecture == Architecture::kLlama) {
      // Rows 0 1 2 3 of a head become 0 2 1 3: halves side by side.
      for (size_t head = 0; head < 2; ++head) {
        std::swap_ranges(wanted.begin() + static_cast<ptrdiff_t>(head * 8 + 2),
                         wanted.begin() + static_cast<ptrdiff_t>(head * 8 + 4),
                         wanted.begin() + static_cast<ptrdiff_t>(head * 8 + 4));
      }
    }
    EXPECT_EQ(values("blk.1.attn_q.weight.lora_b"), wanted);
    EXPECT_EQ(values("blk.0.ffn_down.weight.lora_b"),
              adapter.modules.at("model.layers.0.mlp.down_proj").b);
  }
}

TEST(Adapter, ProjectionsHaveTheirShapes) {
  ModelConfig c = small_config();
  c.head_dim = 6;  // q_size 12, kv_size 6
  const std::vector<std::pair<uint32_t, uint32_t>> shapes = {{12, 8}, {6, 8},  {6, 8}, {8, 12},
                                                             {10, 8}, {10, 8}, {8, 10}};
  for (size_t i = 0; i < kProjections; ++i) {
    const auto p = static_cast<Projection>(i);
    EXPECT_EQ(projection_rows(c, p), shapes[i].first);
    EXPECT_EQ(projection_columns(c, p), shapes[i].second);
    EXPECT_EQ(projection_from_name(projection_name(p)), p);
  }
  EXPECT_EQ(projection_module(3, Projection::kUp), "model.layers.3.mlp.up_proj");
  EXPECT_NE(error_of([] { projection_from_name("lm_head"); }).find("lm_head"), std::string::npos);
}

}  // namespace
}  // namespace ffe::lm
