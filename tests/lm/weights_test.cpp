#include "lm/weights.hpp"

#include <chrono>
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "crypto/hash.hpp"
#include "lm/dtype.hpp"
#include "lm/engine.hpp"
#include "lm/gguf.hpp"
#include "lm/gguf_builder.hpp"
#include "lm/lm_test_util.hpp"
#include "lm/safetensors.hpp"
#include "lm/tensor_layout.hpp"
#include "lm/tokenizer.hpp"

namespace ffe::lm {
namespace {

using testing::error_of;
using testing::GgufBuilder;
namespace fs = std::filesystem;

void write(const fs::path& path, ByteView bytes) {
  write_file_atomic(path, bytes);
}
void write(const fs::path& path, std::string_view text) {
  write_file_atomic(path, as_bytes(text));
}

TEST(Dequantise, EqualsTheReference) {
  size_t cases = 0;
  for (const fs::path& root : testing::vector_roots("lm")) {
    if (!fs::exists(root / "dequantise.json")) continue;
    const Json json = testing::load_json(root / "dequantise.json");
    for (const Json& c : json["cases"]) {
      const std::string type = c["type"];
      SCOPED_TRACE(type);
      DType dtype{};
      bool found = false;
      for (DType d : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0,
                      DType::kQ4_1, DType::kQ4_K, DType::kQ6_K}) {
        if (dtype_name(d) == type) {
          dtype = d;
          found = true;
        }
      }
      ASSERT_TRUE(found);
      const Bytes in = from_hex(c["in"].get<std::string>());
      const Bytes out = from_hex(c["out"].get<std::string>());
      std::vector<float> got(in.size() / block_bytes(dtype) * block_elements(dtype));
      dequantise(dtype, in.data(), got.data(), got.size());
      ASSERT_EQ(got.size() * 4, out.size());
      EXPECT_EQ(std::memcmp(got.data(), out.data(), out.size()), 0);
      ++cases;
    }
  }
  EXPECT_GE(cases, 7u);
}

// A model folder like the vectors', as small as can be.
struct SmallModel {
  TempDir dir{"ffe-lm-test"};
  Json config = {{"model_type", "llama"},     {"vocab_size", 6u},
                 {"hidden_size", 8u},         {"intermediate_size", 10u},
                 {"num_hidden_layers", 2u},   {"num_attention_heads", 2u},
                 {"num_key_value_heads", 1u}, {"max_position_embeddings", 32u},
                 {"rms_norm_eps", 1e-5},      {"tie_word_embeddings", true},
                 {"rope_theta", 10000.0},     {"hidden_act", "silu"}};
  std::map<std::string, std::vector<float>> values;

  SmallModel() { fill(); }

  void fill() {
    values.clear();
    float next = 0.5f;
    for (const auto& [name, shape] : expected_tensors(ModelConfig::from_hf(config, "config"))) {
      uint64_t n = 1;
      for (uint64_t s : shape) n *= s;
      for (uint64_t i = 0; i < n; ++i) values[name].push_back(next += 0.25f);
    }
  }
  std::map<std::string, SafetensorsTensor> tensors() const {
    std::map<std::string, SafetensorsTensor> out;
    for (const auto& [name, shape] : expected_tensors(ModelConfig::from_hf(config, "config"))) {
      if (values.contains(name)) out[name] = {shape, values.at(name)};
    }
    return out;
  }
  void save() const {
    write(dir.path() / "config.json", config.dump());
    write(dir.path() / "model.safetensors", write_safetensors(tensors()));
  }
  std::string open_error() const {
    return error_of([&] { ModelFile::open(dir.path()); });
  }
};

std::vector<float> read(const ModelFile& model, const std::string& name) {
  std::vector<float> out(model.tensor_info(name).elements());
  model.read_f32(name, out);
  return out;
}

TEST(Folder, ReadsEveryTensor) {
  SmallModel small;
  small.save();
  const ModelFile model = ModelFile::open(small.dir.path());
  EXPECT_EQ(model.tensor_names().size(), small.values.size());
  for (const auto& [name, values] : small.values) EXPECT_EQ(read(model, name), values) << name;
  EXPECT_FALSE(model.has("lm_head.weight"));
  std::vector<float> rows(16);
  model.read_rows_f32("model.embed_tokens.weight", 2, rows);
  EXPECT_EQ(rows[0], small.values["model.embed_tokens.weight"][16]);
  model.check_finite();
}

TEST(Folder, ShardsAreOneModel) {
  SmallModel small;
  small.save();
  std::map<std::string, SafetensorsTensor> parts[2];
  Json map = Json::object();
  size_t i = 0;
  for (const auto& [name, tensor] : small.tensors()) {
    parts[i % 2][name] = tensor;
    map[name] = i++ % 2 == 0 ? "model-1.safetensors" : "model-2.safetensors";
  }
  fs::remove(small.dir.path() / "model.safetensors");
  write(small.dir.path() / "model-1.safetensors", write_safetensors(parts[0]));
  write(small.dir.path() / "model-2.safetensors", write_safetensors(parts[1]));
  const fs::path index = small.dir.path() / "model.safetensors.index.json";
  write(index, Json{{"weight_map", map}}.dump());
  const ModelFile model = ModelFile::open(small.dir.path());
  for (const auto& [name, values] : small.values) EXPECT_EQ(read(model, name), values) << name;
  EXPECT_EQ(model.manifest()["files"].size(), 4u);

  map["model.norm.weight"] = "../elsewhere.safetensors";
  write(index, Json{{"weight_map", map}}.dump());
  EXPECT_NE(small.open_error().find("model.norm.weight"), std::string::npos);
  map["model.norm.weight"] = "missing.safetensors";
  write(index, Json{{"weight_map", map}}.dump());
  EXPECT_NE(small.open_error().find("missing.safetensors"), std::string::npos);
}

TEST(Folder, ManifestNamesTheFilesAndTheirHashes) {
  SmallModel small;
  small.save();
  const ModelFile model = ModelFile::open(small.dir.path());
  const Json& files = model.manifest()["files"];
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0]["name"], "config.json");
  const Bytes config = read_file(small.dir.path() / "config.json");
  EXPECT_EQ(files[0]["sha256"], to_hex(crypto::sha256(config)));
  EXPECT_EQ(files[0]["size"], config.size());
  EXPECT_EQ(model.sha256(), crypto::sha256(as_bytes(canonical_json(model.manifest()))));
}

TEST(Folder, ErrorsNameTensorOrField) {
  const auto config_error = [](const char* field, Json value) {
    SmallModel small;
    small.config[field] = std::move(value);
    write(small.dir.path() / "config.json", small.config.dump());
    return small.open_error();
  };
  for (const auto& [field, value] : std::vector<std::pair<const char*, Json>>{
           {"model_type", "gpt2"},
           {"vocab_size", 0u},
           {"vocab_size", 5'000'000'000u},
           {"vocab_size", -4},
           {"hidden_size", "8"},
           {"num_hidden_layers", 100'000u},
           {"num_attention_heads", 0u},
           {"hidden_act", "gelu"},
           {"rms_norm_eps", -1.0},
           {"rope_theta", "many"},
           {"mlp_bias", true},
           {"quantization_config", Json::object()},
           {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 2.0}}},
           {"rope_scaling", {{"rope_type", "llama3"}, {"factor", 2.0}}},
           {"eos_token_id", 9u},
           {"tie_word_embeddings", 3}}) {
    const std::string message = config_error(field, value);
    std::string part = std::string(field) == "rms_norm_eps" ? "rms_norm_eps" : field;
    if (part == "vocab_size" && value == 0u) part = "vocabulary";
    if (part == "rope_scaling" && value["rope_type"] == "yarn") part = "yarn";
    if (part == "rope_scaling") part = "original_max_position";
    EXPECT_EQ(message.rfind("config.json", 0), 0u) << field << ": " << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  {
    SmallModel small;
    small.values.erase("model.layers.1.mlp.up_proj.weight");
    small.save();
    EXPECT_NE(small.open_error().find("\"model.layers.1.mlp.up_proj.weight\" is missing"),
              std::string::npos);
  }
  {
    SmallModel small;
    small.save();
    small.config["intermediate_size"] = 12u;
    write(small.dir.path() / "config.json", small.config.dump());
    EXPECT_NE(small.open_error().find("has shape [8,10], the configuration says [8,12]"),
              std::string::npos)
        << small.open_error();
  }
  {
    // A Qwen2 file under a Llama configuration: the biases have no place.
    SmallModel small;
    small.config["model_type"] = "qwen2";
    small.fill();
    small.save();
    EXPECT_EQ(small.open_error(), "");
    small.config["model_type"] = "llama";
    write(small.dir.path() / "config.json", small.config.dump());
    EXPECT_NE(small.open_error().find("_proj.bias"), std::string::npos);
  }
  {
    SmallModel small;
    small.values["model.layers.0.mlp.up_proj.weight"][7] = std::nanf("");
    small.save();
    const ModelFile model = ModelFile::open(small.dir.path());
    for (const std::string& message :
         {error_of([&] { model.check_finite(); }), error_of([&] { Engine{model}; })}) {
      EXPECT_NE(message.find("\"model.layers.0.mlp.up_proj.weight\" has a value that is not"),
                std::string::npos)
          << message;
    }
  }
  EXPECT_NE(error_of([] { ModelFile::open("/nowhere/model.gguf"); }), "");
}

TEST(Folder, VersionsOfConfigAgree) {
  SmallModel small;
  Json v4 = small.config;
  v4["rope_theta"] = 500000.0;
  v4["torch_dtype"] = "float32";
  v4["rope_scaling"] = {{"type", "llama3"},
                        {"factor", 8.0},
                        {"low_freq_factor", 1.0},
                        {"high_freq_factor", 4.0},
                        {"original_max_position_embeddings", 64u}};
  Json v5 = small.config;
  v5.erase("rope_theta");
  v5["dtype"] = "float32";
  v5["rope_parameters"] = v4["rope_scaling"];
  v5["rope_parameters"].erase("type");
  v5["rope_parameters"]["rope_type"] = "llama3";
  v5["rope_parameters"]["rope_theta"] = 500000.0;
  const ModelConfig a = ModelConfig::from_hf(v4, "a");
  const ModelConfig b = ModelConfig::from_hf(v5, "b");
  EXPECT_EQ(a.rope_theta, 500000.0);
  EXPECT_EQ(b.rope_theta, a.rope_theta);
  EXPECT_EQ(b.rope_scaling.factor, 8.0);
  EXPECT_EQ(a.rope_scaling.factor, 8.0);
  EXPECT_EQ(b.rope_scaling.original_max_position, 64u);

  Json mistral = small.config;
  mistral["model_type"] = "mistral";
  mistral["sliding_window"] = 4096u;
  EXPECT_EQ(ModelConfig::from_hf(mistral, "m").sliding_window, 4096u);
  mistral["sliding_window"] = nullptr;
  EXPECT_EQ(ModelConfig::from_hf(mistral, "m").sliding_window, 0u);
  mistral.erase("sliding_window");
  EXPECT_EQ(ModelConfig::from_hf(mistral, "m").sliding_window, 4096u);
  Json qwen = small.config;
  qwen["model_type"] = "qwen2";
  qwen["sliding_window"] = 16u;
  EXPECT_EQ(ModelConfig::from_hf(qwen, "q").sliding_window, 0u);
  qwen["use_sliding_window"] = true;
  qwen["max_window_layers"] = 0u;
  EXPECT_EQ(ModelConfig::from_hf(qwen, "q").sliding_window, 16u);
  qwen["max_window_layers"] = 1u;
  EXPECT_NE(error_of([&] { ModelConfig::from_hf(qwen, "q"); }).find("layer_types"),
            std::string::npos);
}

TEST(Folder, VectorModelsOpen) {
  const std::vector<fs::path> cases = testing::model_cases();
  FFE_SKIP_WITHOUT_VECTORS(cases, "lm/<case>/");
  for (const fs::path& path : cases) {
    SCOPED_TRACE(path.filename().string());
    const ModelFile model = ModelFile::open(path);
    model.check_finite();
    EXPECT_EQ(model.config().qk_norm, model.config().architecture == Architecture::kQwen3);
    EXPECT_EQ(model.has("lm_head.weight"), !model.config().tie_embeddings);
  }
}

TEST(Safetensors, WritesWhatItReadsInTheSameBytes) {
  const std::vector<float> a = {1, 2, 3, 4, 5, 6}, b = {7};
  const Bytes bytes = write_safetensors({{"b", {{1}, b}}, {"a", {{2, 3}, a}}}, {{"format", "pt"}});
  const SafetensorsView view(bytes, "t");
  EXPECT_EQ(view.read_f32("a"), a);
  EXPECT_EQ(view.read_f32("b"), b);
  EXPECT_EQ(view.tensors().at("a").shape, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(view.metadata().at("format"), "pt");
  EXPECT_EQ(get_le64(bytes.data()) % 8, 0u);
  EXPECT_NE(error_of([&] { view.read_f32("c"); }).find("\"c\" is missing"), std::string::npos);
}

Bytes safetensors_with(std::string header, size_t data) {
  Bytes out(8);
  put_le64(out.data(), header.size());
  append(out, as_bytes(header));
  out.resize(out.size() + data);
  return out;
}

TEST(Safetensors, HostileFilesAreErrorsThatNameTheTensor) {
  const auto error = [](const Bytes& bytes) {
    return error_of([&] { SafetensorsView(bytes, "file"); });
  };
  const auto header = [&](std::string text, size_t data) {
    return error(safetensors_with(std::move(text), data));
  };
  EXPECT_EQ(header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8), "");
  EXPECT_EQ(header("{}", 0), "");
  for (
      const auto& [message, part] : std::vector<std::pair<std::string, std::string>>{
          {error({}), "header length"},
          {error({1, 2, 3}), "header length"},
          {error({255, 255, 255, 255, 255, 255, 255, 255, '{'}), "header length"},
          {header("[]", 0), "not an object"},
          {header("{\"x\":", 0), "not JSON"},
          {header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7), "\"x\""},
          {header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9),
           "after its last"},
          {header(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
           "its shape needs"},
          {header(R"({"x":{"dtype":"Q9","shape":[2],"data_offsets":[0,8]}})", 8), "dtype \"Q9\""},
          {header(R"({"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8), "shape"},
          {header(R"({"x":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}})",
                  0),
           "impossible"},
          {header(R"({"x":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0),
           "impossible"},
          {header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "\"x\""},
          {header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8), "data_offsets"},
          {header(
               R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
               12),
           "\"b\": overlaps"},
          {header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
           "\"a\": has bytes before"},
          {header(
               R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
               4),
           "duplicate"},
          {header(R"({"__metadata__":{"a":1}})", 0), "__metadata__"},
          {header(std::string(200'000, '['), 0), "nested"}}) {
    EXPECT_EQ(message.rfind("file", 0), 0u) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
  }
}

TEST(Safetensors, EveryTruncationAndManyFlipsAreHandled) {
  SmallModel small;
  const Bytes whole = write_safetensors(small.tensors());
  for (size_t n = 0; n < whole.size(); n += 1 + n / 64) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n));
    EXPECT_NE(error_of([&] { SafetensorsView(cut, "file"); }), "") << n;
  }
  uint32_t state = 9;
  const size_t header = 8 + get_le64(whole.data());
  for (int round = 0; round < 3000; ++round) {
    Bytes flipped = whole;
    state = state * 1664525u + 1013904223u;
    flipped[(state >> 8) % header] = static_cast<uint8_t>(state >> 24);
    error_of([&] { SafetensorsView(flipped, "file"); });  // an Error or nothing, never a crash
  }
}

// The same weights as GGUF. llama.cpp's converter swaps the axes of [heads, 2, head_dim / 2].
GgufBuilder gguf_of(const SmallModel& small) {
  GgufBuilder g;
  const ModelConfig c = ModelConfig::from_hf(small.config, "config");
  const std::string arch(architecture_name(c.architecture));
  g.text("general.architecture", arch).text("general.name", "small");
  g.u32(arch + ".embedding_length", c.hidden).u32(arch + ".feed_forward_length", c.intermediate);
  g.u32(arch + ".block_count", c.layers).u32(arch + ".attention.head_count", c.heads);
  g.u32(arch + ".attention.head_count_kv", c.kv_heads).u32(arch + ".context_length", 32);
  g.f32(arch + ".attention.layer_norm_rms_epsilon", 1e-5f).f32(arch + ".rope.freq_base", 1e4f);
  for (const auto& [name, shape] : expected_tensors(c)) {
    std::vector<float> values = small.values.at(name);
    const bool q = name.find(".q_proj.") != std::string::npos;
    const bool k = name.find(".k_proj.") != std::string::npos;
    if ((q || k) && c.architecture == Architecture::kLlama) {
      const size_t heads = q ? c.heads : c.kv_heads, half = c.head_dim / 2;
      const size_t width = values.size() / (heads * 2 * half);
      const std::vector<float> hf = values;
      size_t out = 0;
      for (size_t h = 0; h < heads; ++h) {
        for (size_t i = 0; i < half; ++i) {
          for (size_t s = 0; s < 2; ++s) {
            for (size_t col = 0; col < width; ++col) {
              values[out++] = hf[((h * 2 + s) * half + i) * width + col];
            }
          }
        }
      }
    }
    g.tensor_f32(gguf_name_from_hf(name), {shape.rbegin(), shape.rend()}, values);
  }
  return g;
}

TEST(Gguf, GivesTheSameWeightsAsTheFolder) {
  for (const char* type : {"llama", "qwen2", "qwen3"}) {
    SCOPED_TRACE(type);
    SmallModel small;
    small.config["model_type"] = type;
    small.config["head_dim"] = 4u;
    small.fill();
    small.save();
    GgufBuilder g = gguf_of(small);
    g.u32(std::string(type) + ".attention.key_length", 4);
    const fs::path path = small.dir.path() / "m.gguf";
    for (uint32_t version : {2u, 3u}) {
      write(path, g.build(version));
      const ModelFile folder = ModelFile::open(small.dir.path());
      const ModelFile gguf = ModelFile::open(path);
      EXPECT_EQ(gguf.config().name, "small");
      EXPECT_EQ(gguf.tensor_names(), folder.tensor_names());
      for (const std::string& name : folder.tensor_names()) {
        EXPECT_EQ(gguf.tensor_info(name).shape, folder.tensor_info(name).shape) << name;
        EXPECT_EQ(read(gguf, name), read(folder, name)) << name;
        std::vector<float> part(folder.tensor_info(name).columns());
        if (folder.tensor_info(name).shape.size() == 2) {
          gguf.read_rows_f32(name, 1, part);
          std::vector<float> wanted(part.size());
          folder.read_rows_f32(name, 1, wanted);
          EXPECT_EQ(part, wanted) << name;
        }
      }
      EXPECT_EQ(gguf.sha256(), crypto::sha256(g.build(version)));
    }
  }
}

TEST(Gguf, Llama3ScalingComesFromItsTable) {
  SmallModel small;
  small.config["hidden_size"] = 128u;
  small.config["rope_theta"] = 500000.0;
  small.fill();
  // Divisors of transformers' llama3 rope type for theta 500000, head size 64, factor 8, low 1,
  // high 4, original 8192; computed apart.
  std::vector<float> factors;
  for (int i = 0; i < 32; ++i) {
    const double wavelength = 2 * M_PI * std::pow(500000.0, i / 32.0);
    const double smooth = (8192 / wavelength - 1) / 3;
    const double inverse = smooth >= 1 ? 1 : smooth <= 0 ? 1 / 8.0 : (1 - smooth) / 8 + smooth;
    factors.push_back(static_cast<float>(1 / inverse));
  }
  const auto open = [&](const std::vector<float>& table) {
    GgufBuilder g = gguf_of(small);
    g.tensor_f32("rope_freqs.weight", {table.size()}, table);
    g.f32("llama.rope.unused", 1);
    Bytes bytes = g.build();
    // freq_base: gguf_of wrote 10000.
    float from = 1e4f, to = 5e5f;
    for (size_t i = 0; i + 4 <= bytes.size(); ++i) {
      if (std::memcmp(&bytes[i], &from, 4) == 0) std::memcpy(&bytes[i], &to, 4);
    }
    write(small.dir.path() / "m.gguf", bytes);
    return ModelFile::open(small.dir.path() / "m.gguf");
  };
  const ModelFile model = open(factors);
  EXPECT_EQ(model.config().rope_scaling.factor, 8.0);
  EXPECT_EQ(model.config().rope_scaling.original_max_position, 8192u);
  factors[20] *= 1.5f;
  EXPECT_NE(error_of([&] { open(factors); }).find("rope_freqs.weight"), std::string::npos);
  factors.pop_back();
  EXPECT_NE(error_of([&] { open(factors); }).find("rope_freqs.weight"), std::string::npos);
}

TEST(Gguf, HostileFilesAreErrors) {
  SmallModel small;
  const fs::path path = small.dir.path() / "m.gguf";
  const auto error = [&](const Bytes& bytes) {
    write(path, bytes);
    return error_of([&] { ModelFile::open(path); });
  };
  const Bytes whole = gguf_of(small).build();
  ASSERT_EQ(error(whole), "");
  Bytes bad = whole;
  bad[0] = 'X';
  EXPECT_NE(error(bad).find("magic"), std::string::npos);
  bad = whole;
  bad[4] = 9;
  EXPECT_NE(error(bad).find("version 9"), std::string::npos);
  for (size_t at : {8u, 16u}) {
    bad = whole;
    put_le64(&bad[at], uint64_t{1} << 62);
    EXPECT_NE(error(bad).find("too large"), std::string::npos);
    put_le64(&bad[at], 1000);
    EXPECT_NE(error(bad), "");
  }
  // Missing, foreign and misshapen parts.
  GgufBuilder g = gguf_of(small);
  g.tensor("blk.0.extra.weight", {32}, 0, Bytes(128));
  EXPECT_NE(error(g.build()).find("blk.0.extra.weight"), std::string::npos);
  g = gguf_of(small);
  g.tensor("blk.9.attn_q.weight", {256}, 10, Bytes(84));
  EXPECT_NE(error(g.build()).find("type 10"), std::string::npos);
  g = gguf_of(small);
  g.tensor("blk.9.attn_q.weight", {33}, 8, Bytes(34));
  EXPECT_NE(error(g.build()).find("no whole blocks"), std::string::npos);
  g = gguf_of(small);
  g.tensor("blk.9.attn_q.weight", {uint64_t{1} << 40, uint64_t{1} << 40}, 0, Bytes(4));
  EXPECT_NE(error(g.build()).find("impossible shape"), std::string::npos);
  g = gguf_of(small);
  g.tensor_f32("output_norm.weight", {8}, std::vector<float>(8));
  EXPECT_NE(error(g.build()).find("\"output_norm.weight\" is there twice"), std::string::npos);
  EXPECT_NE(error(GgufBuilder().text("general.architecture", "mamba").build()).find("mamba"),
            std::string::npos);
  EXPECT_NE(error(GgufBuilder().u32("general.architecture", 1).build())
                .find("\"general.architecture\" is not a string"),
            std::string::npos);
  EXPECT_NE(error(GgufBuilder().build()).find("general.architecture"), std::string::npos);
}

TEST(Gguf, EveryTruncationAndManyFlipsAreHandled) {
  SmallModel small;
  const Bytes whole = gguf_of(small).build();
  for (size_t n = 0; n < whole.size(); n += 1 + n / 256) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(n));
    if (whole.size() - n >= 32) {
      EXPECT_NE(error_of([&] { GgufFile(cut, "file"); }), "") << n;
    }
  }
  uint32_t state = 5;
  for (int round = 0; round < 5000; ++round) {
    Bytes flipped = whole;
    state = state * 1664525u + 1013904223u;
    flipped[(state >> 8) % 2048] = static_cast<uint8_t>(state >> 24);
    error_of([&] { ModelConfig::from_gguf(GgufFile(flipped, "file")); });
  }
}

// Small files that claim to be large, and files of one kind under the name of another: an error
// that names the tensor or field, long before memory is asked for.
TEST(BadFiles, GgufClaimsAreChecked) {
  SmallModel small;
  const fs::path path = small.dir.path() / "m.gguf";
  const auto expect = [&](const Bytes& bytes, const std::string& part) {
    write(path, bytes);
    const std::string message = error_of([&] { ModelFile::open(path); });
    EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
  };
  const Bytes whole = gguf_of(small).build();
  // The last tensor in the file is the last by its Hugging Face name, eight floats.
  expect(Bytes(whole.begin(), whole.end() - 32),
         "tensor \"output_norm.weight\" lies beyond the end of the file");
  GgufBuilder g = gguf_of(small);
  g.tensor("blk.9.attn_q.weight", {1u << 20, 1u << 19}, 0, Bytes(4));
  expect(g.build(), "\"blk.9.attn_q.weight\" lies beyond the end of the file");
  // A list that claims more than the file has; a text that does.
  Bytes bytes = GgufBuilder().ints("a.list", {7}).build();
  const auto patch = [&](size_t from_start, uint64_t value) {
    Bytes patched = bytes;
    put_le64(&patched[from_start], value);
    return patched;
  };
  constexpr size_t kFirstValue = 4 + 4 + 8 + 8 + 8 + 6 + 4;  // header, key, type
  expect(patch(kFirstValue + 4, uint64_t{1} << 60), "metadata \"a.list\" is longer than the file");
  bytes = GgufBuilder().text("a.text", "value").build();
  expect(patch(kFirstValue, ~uint64_t{0}), "ends within metadata \"a.text\"");
  // Another shape than the metadata says; another kind of file.
  g = gguf_of(small);
  g.u32("llama.attention.key_length", 6);
  expect(g.build(), "has shape");
  expect(write_safetensors(small.tensors()), "is not a GGUF file");
  small.values["model.layers.1.mlp.down_proj.weight"][3] = INFINITY;
  write(path, gguf_of(small).build());
  const ModelFile damaged = ModelFile::open(path);
  EXPECT_NE(error_of([&] {
              Engine{damaged};
            }).find("\"model.layers.1.mlp.down_proj.weight\" has a value that is not"),
            std::string::npos);
}

TEST(BadFiles, FolderClaimsAreChecked) {
  SmallModel small;
  small.save();
  const auto expect = [&](const std::string& part) {
    const std::string message = small.open_error();
    EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
  };
  const fs::path config = small.dir.path() / "config.json";
  const fs::path weights = small.dir.path() / "model.safetensors";
  // The largest model that the limits allow, in a file of a few hundred bytes.
  Json large = small.config;
  large["vocab_size"] = 1u << 22;
  large["hidden_size"] = 1u << 18;
  large["num_hidden_layers"] = 1u << 10;
  large["num_attention_heads"] = 64u;
  large["intermediate_size"] = 1u << 20;
  write(config, large.dump());
  expect("\"model.embed_tokens.weight\" has shape [6,8], the configuration says [4194304,262144]");
  write(config, std::string(100'000, '['));
  expect("nested");
  write(config, "{\"model_type\": ");
  expect("config.json");
  write(config, small.config.dump());
  write(weights, gguf_of(small).build());
  expect("model.safetensors: header length");
  const Bytes whole = write_safetensors(small.tensors());
  write(weights, Bytes(whole.begin(), whole.end() - 4));
  expect("the file is truncated or damaged");
  Bytes index = safetensors_with(std::string("{\"x\":") + std::string(50'000, '[') + "}", 0);
  write(weights, index);
  expect("nested");
}

// The Llama 2 vectors' tokenizer as GGUF has it: scores instead of a list of merges.
TEST(Gguf, SentencePieceScoresGiveTheSameIds) {
  for (const fs::path& root : testing::vector_roots("lm")) {
    const fs::path folder = root / "tokenizer";
    if (!fs::exists(folder / "llama2-style.tokenizer.json")) continue;
    const Json json = testing::load_json(folder / "llama2-style.tokenizer.json");
    const Json& vocab = json["model"]["vocab"];
    std::vector<std::string> tokens(vocab.size());
    std::vector<int32_t> types(vocab.size(), 1);
    std::vector<float> scores(vocab.size(), -1e6f);
    for (const auto& [token, id] : vocab.items()) {
      tokens[id.get<size_t>()] = token;
      if (token.starts_with("<0x")) types[id.get<size_t>()] = 6;
    }
    types[0] = 2;
    types[1] = types[2] = 3;
    float score = 0;
    for (const Json& merge : json["model"]["merges"]) {
      const std::string token = merge[0].get<std::string>() + merge[1].get<std::string>();
      const size_t id = vocab[token].get<size_t>();
      if (scores[id] == -1e6f) scores[id] = score -= 1;
    }
    GgufBuilder g;
    g.text("tokenizer.ggml.model", "llama").texts("tokenizer.ggml.tokens", tokens);
    g.ints("tokenizer.ggml.token_type", types).floats("tokenizer.ggml.scores", scores);
    g.u32("tokenizer.ggml.bos_token_id", 1).u32("tokenizer.ggml.eos_token_id", 2);
    g.u32("tokenizer.ggml.unknown_token_id", 0);
    const Bytes bytes = g.build();
    const Tokenizer tokenizer = Tokenizer::from_gguf(GgufFile(bytes, "scores"));
    EXPECT_TRUE(tokenizer.adds_bos());
    const Json cases = testing::load_json(folder / "llama2-style.json");
    for (const Json& c : cases["cases"]) {
      const auto ids = c["ids"].get<std::vector<int32_t>>();
      EXPECT_EQ(tokenizer.encode(c["text"].get<std::string>(), true), ids) << c["text"];
      EXPECT_EQ(tokenizer.decode(ids), c["decoded"].get<std::string>());
    }
    return;
  }
  GTEST_SKIP() << "NO VECTORS: tokenizer/llama2-style; set FFE_VECTORS";
}

TEST(BaseModel, OpensInMillisecondsAndDequantisesFast) {
  FFE_SKIP_WITHOUT_MODEL(default_model_path());
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  const auto start = Clock::now();
  const ModelFile model = ModelFile::open(default_model_path());
  EXPECT_LT(seconds(start), 0.25);
  EXPECT_EQ(model.config().layers, 30u);
  EXPECT_EQ(model.config().vocab, 49152u);
  EXPECT_TRUE(model.config().tie_embeddings);
  EXPECT_EQ(model.config().eos, std::vector<int32_t>{2});
  EXPECT_EQ(model.tensor_names().size(), 272u);
  size_t weights = 0;
  std::vector<float> buffer;
  const auto begin = Clock::now();
  for (const std::string& name : model.tensor_names()) {
    const size_t n = model.tensor_info(name).elements();
    if (n > buffer.size()) buffer.resize(n);
    model.read_f32(name, std::span(buffer).first(n));
    weights += n;
  }
  // 0.5 s on two idle cores; the bound leaves room for a busy machine.
  const double took = seconds(begin);
  RecordProperty("dequantise_ms", static_cast<int>(took * 1000));
  EXPECT_LT(took, 4.0);
  EXPECT_EQ(weights, 134'515'008u);
}

}  // namespace
}  // namespace ffe::lm
