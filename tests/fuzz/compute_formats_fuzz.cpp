// Any bytes are one of 0G Compute's texts or an Error: parameters, tasks, datasets, tokens,
// evidence, roots. What is read is written back the same.
#include <cstdlib>

#include "compute/dataset.hpp"
#include "compute/deliverable.hpp"
#include "compute/provider_client.hpp"
#include "compute/quote.hpp"
#include "compute/session_token.hpp"
#include "compute/training_params.hpp"
#include "fuzz/tolerate.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  tolerate([&] {
    compute::TrainingParams params = compute::parse_training_params(text);
    if (compute::parse_training_params(compute::to_json(params)) != params) std::abort();
  });
  tolerate([&] { compute::task_from_json(parse_json(text, "task")); });
  tolerate([&] {
    for (const compute::TrainingRow& row :
         compute::training_rows(text, compute::DatasetWay::kStorage, "x").rows) {
      compute::training_text(row);
    }
  });
  tolerate([&] { compute::parse_authorization(text); });
  tolerate([&] { compute::check_quote(text, Address{}, true); });
  tolerate([&] { compute::parse_model_root(ByteView(data, size)); });
  tolerate([&] {
    compute::TaskId id = compute::TaskId::parse(text);
    if (compute::TaskId::parse(id.text()) != id) std::abort();
  });
  return 0;
}
