// A Submit event of any bytes: a submission whose nodes are the padding of its size, or an Error.
// Layout of an input: 3 topics of 32 bytes (the event's own topic is added), then the data.
#include <cstdlib>

#include "storage/flow.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  using namespace ffe::storage;
  if (size < 64) return 0;
  evm::Log log;
  log.topics = {submit_topic(), H256::from({data, 32}), H256::from({data + 32, 32})};
  log.data.assign(data + 64, data + size);
  try {
    const Submission s = parse_submission(log);
    const auto heights = submission_heights(s.size);
    if (s.nodes.size() != heights.size() || s.root != root_of_nodes(s.nodes)) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
