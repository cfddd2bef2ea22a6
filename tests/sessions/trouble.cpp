#include "trouble.hpp"

#include "base/json.hpp"

namespace ffe::sessions {

using devnet::Part;

Trouble::Trouble(World& world, unsigned run, double seconds, std::mt19937_64& random)
    : world_(world),
      kind_(static_cast<Kind>(run % kKinds)),
      at_(std::uniform_real_distribution<>(0, seconds)(random)),
      until_(at_ + std::uniform_real_distribution<>(0.2, 3)(random)),
      seed_(static_cast<unsigned>(random() % 1'000'000)) {
  if (kind_ == Kind::kReorg) snapshot_ = world_.net().rpc().raw("evm_snapshot").get<std::string>();
  const std::string seed = ",seed=" + std::to_string(seed_);
  // These hold for the whole run.
  if (kind_ == Kind::kLying) restart_storage("corrupt=0.3" + seed);
  if (kind_ == Kind::kSlow) restart_storage("drop=0.1,delay=0.5:300,stall=0.05:3000" + seed);
}

void Trouble::restart_storage(const std::string& faults) {
  world_.net().kill(Part::kStorage, SIGTERM);
  world_.net().launch(Part::kStorage, {}, {"--fault", faults});
}

std::string_view Trouble::name() const {
  constexpr std::string_view kNames[kKinds] = {"no trouble",  "chain down",   "reorg",
                                               "underpriced", "storage down", "storage lying",
                                               "storage slow"};
  return kNames[static_cast<size_t>(kind_)];
}

bool Trouble::chain_is_well() const {
  return kind_ != Kind::kChainDown && kind_ != Kind::kReorg && kind_ != Kind::kUnderpriced;
}

void Trouble::step(double now) {
  if (!begun_ && now >= at_) {
    begun_ = true;
    begin();
  }
  if (begun_ && !ended_ && now >= until_) end();
}

void Trouble::begin() {
  devnet::Devnet& net = world_.net();
  switch (kind_) {
    case Kind::kChainDown:
      net.kill(Part::kChain, SIGTERM);
      break;
    case Kind::kReorg:  // everything since the sealing is undone
      if (!world_.over()) net.rpc().raw("evm_revert", {snapshot_});
      break;
    case Kind::kUnderpriced:  // what was sent before is below the price, until that falls again
      net.rpc().raw("evm_setAutomine", {false});
      break;
    case Kind::kStorageDown:
      net.kill(Part::kStorage);
      break;
    default:
      break;
  }
}

void Trouble::end() {
  if (!begun_ || ended_) return;
  ended_ = true;
  devnet::Devnet& net = world_.net();
  switch (kind_) {
    case Kind::kChainDown:
      net.start(Part::kChain);
      break;
    case Kind::kUnderpriced:
      net.rpc().raw("anvil_setNextBlockBaseFeePerGas", {"0xba43b7400"});  // 50 gwei
      for (int i = 0; i < 60; ++i) net.rpc().raw("evm_mine");
      net.rpc().raw("evm_setAutomine", {true});
      break;
    case Kind::kStorageDown:
      net.start(Part::kStorage);
      break;
    default:
      break;
  }
}

}  // namespace ffe::sessions
