// One fine-tuning task at a 0G Compute provider, from a dataset to a PEFT folder: checked before it
// costs anything, acknowledged in time, and taken up again where a crash or Ctrl-C left it.
#pragma once

#include <memory>
#include <string>

#include "compute/archive.hpp"
#include "compute/job_journal.hpp"
#include "compute/task_run.hpp"

namespace ffe::compute {

struct JobSpec : TaskSpec {
  std::filesystem::path dataset;
};

using JobEvents = TaskEvents;

struct JobOptions : TaskOptions {
  std::chrono::milliseconds poll{15'000};
  std::chrono::seconds give_up{0};  // without a delivery, or without its key; 0: never
};

class Job {
 public:
  // A new job in an empty or new folder. Checks what can be checked without asking anybody, and
  // writes the journal. Throws Error{kUsage}, {kBadInput}.
  static void create(const std::filesystem::path& folder, const JobSpec& spec, uint64_t chain_id,
                     const Address& user);

  // Takes up the job in `folder`. `user` pays, and only its key opens the model.
  Job(const std::filesystem::path& folder, evm::Sender& user, const Contracts& contracts,
      JobOptions options, JobEvents events);
  ~Job();

  // Until the adapter lies in "<folder>/adapter", which is returned. Throws as TaskRun::advance()
  // does, and can be called again in a new Job.
  std::filesystem::path run();

  void acknowledge_unseen();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::compute
