// What goes wrong beside the kills: one trouble a run, of the chain or of storage.
#pragma once

#include <random>
#include <string>
#include <string_view>

#include "world.hpp"

namespace ffe::sessions {

class Trouble {
 public:
  // Its kind goes round with `run`: none, chain down, reorg, underpriced, storage down, lying,
  // slow. It begins within `seconds`, the time that an undisturbed run takes.
  Trouble(World& world, unsigned run, double seconds, std::mt19937_64& random);

  std::string_view name() const;
  // False where transactions may be lost or sent again, so that counting them says nothing.
  bool chain_is_well() const;
  // To be called all the time, with the seconds since the run began.
  void step(double now);
  // Whatever is still broken is put right.
  void end();

 private:
  enum class Kind { kNone, kChainDown, kReorg, kUnderpriced, kStorageDown, kLying, kSlow };
  static constexpr unsigned kKinds = 7;

  void begin();
  void restart_storage(const std::string& faults);

  World& world_;
  Kind kind_;
  double at_, until_;
  bool begun_ = false, ended_ = false;
  std::string snapshot_;
  unsigned seed_;
};

}  // namespace ffe::sessions
