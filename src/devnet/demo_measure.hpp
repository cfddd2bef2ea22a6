// Before and after: what the joint model gives each party over its own.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "devnet/demo.hpp"
#include "devnet/demo_data.hpp"
#include "session/recipe.hpp"

namespace ffe::devnet {

struct SampleAnswer {
  std::string question, reference, base, joint;
};

struct Comparison {
  size_t rows = 0;  // of the evaluation pool, the same for every figure below
  double base = 0;  // mean answer loss in nats
  double joint = 0;
  std::map<std::string, double> own;  // by party: its own adapter, same recipe, its own rows only
  std::vector<SampleAnswer> samples;
};

// `adapter`: the decrypted folder. `parties`: those whose own adapter is trained.
Comparison compare(const std::filesystem::path& model, const std::filesystem::path& adapter,
                   const DemoData& data, const std::vector<std::string>& parties,
                   const session::Recipe& recipe, int threads, const DemoEvents& events);

}  // namespace ffe::devnet
