#include "cli/terms_file.hpp"

#include <cmath>
#include <fmt/format.h>

#include "base/hex.hpp"
#include "base/toml_reader.hpp"
#include "compute/base_models.hpp"
#include "gate/pool.hpp"
#include "gate/power.hpp"
#include "gate/statistic.hpp"
#include "lm/rows.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kDay = 86400;

uint32_t scaled(double value, double factor) {
  return static_cast<uint32_t>(std::llround(value * factor));
}

uint16_t small(TomlReader& in, std::string_view key, uint16_t fallback, uint64_t max = 65535) {
  return static_cast<uint16_t>(in.number_or(key, fallback, max));
}

evm::U256 amount(TomlReader& in, std::string_view key, const char* fallback) {
  const std::string text = in.text_or(key, fallback);
  try {
    return evm::parse_ether(text);
  } catch (const Error& e) {
    in.fail(key, "is not an amount such as \"0.5\": " + std::string(e.what()));
  }
}

session::GatePolicy read_gate(TomlReader& in) {
  session::GatePolicy g;
  g.statistic = static_cast<uint8_t>(in.number_or("gate.statistic", g.statistic, 255));
  g.accept_rule = in.number_or("gate.must_gain", 0, 1) != 0;
  g.eval_pairs = small(in, "gate.eval_pairs", g.eval_pairs);
  g.min_rows = small(in, "gate.min_rows", g.min_rows);
  g.alpha_inverse =
      static_cast<uint32_t>(in.number_or("gate.alpha_inverse", g.alpha_inverse, UINT32_MAX));
  g.harm_tolerance_micro =
      scaled(in.real_or("gate.harm_tolerance", g.harm_tolerance_micro * 1e-6, 0, 0.499), 1e6);
  g.relevance_tolerance_micro = scaled(
      in.real_or("gate.relevance_tolerance", g.relevance_tolerance_micro * 1e-6, 0, 0.499), 1e6);
  g.invalid_share_bps =
      static_cast<uint16_t>(scaled(in.real_or("gate.invalid_share_percent", 10, 0, 100), 100));
  return g;
}

// Who trains, with trainer "0g-compute"; where it is and who signs there is looked up on the chain.
session::ComputeProvider read_provider(TomlReader& in) {
  session::ComputeProvider c;
  c.provider = in.address("compute.provider");
  const std::string model = in.text("compute.model");
  const compute::BaseModel* known = compute::find_base_model(model);
  try {
    c.base_model = h256_from_hex(known ? known->hash : std::string_view(model));
  } catch (const Error&) {
    std::string names;
    for (const compute::BaseModel& m : compute::base_models()) {
      names += (names.empty() ? "" : ", ") + std::string(m.name);
    }
    in.fail("compute.model", "is neither a hash nor one of " + names);
  }
  in.text("compute.max_fee");  // no default: it is money
  c.max_fee = amount(in, "compute.max_fee", "");
  c.batch_size = small(in, "compute.batch_size", 2, 4);
  c.max_steps = static_cast<uint32_t>(in.number_or("compute.max_steps", 0, 1'000'000));
  return c;
}

session::Recipe read_recipe(TomlReader& in) {
  session::Recipe r;
  r.trainer = in.text_or("recipe.trainer", r.trainer);
  double learning_rate = 1e-3;
  if (session::leaves_enclave(r)) {
    r.compute = read_provider(in);
    r = session::as_provider_trains(r);
    learning_rate = 2e-4;
  }
  r.numeric_path = in.text_or("recipe.numeric_path", "auto");
  r.rank = static_cast<uint32_t>(in.number_or("recipe.rank", r.rank, 256));
  r.alpha = static_cast<uint32_t>(in.number_or("recipe.alpha", r.alpha, 1024));
  r.dropout_micro = scaled(in.real_or("recipe.dropout", r.dropout_micro / 1e6, 0, 0.9), 1e6);
  if (in.has("recipe.targets")) r.targets = in.texts("recipe.targets");
  r.learning_rate_nano = scaled(in.real_or("recipe.learning_rate", learning_rate, 1e-9, 1), 1e9);
  r.schedule = in.text_or("recipe.schedule", r.schedule);
  r.warmup_steps =
      static_cast<uint32_t>(in.number_or("recipe.warmup_steps", r.warmup_steps, 1'000'000));
  r.weight_decay_micro = scaled(in.real_or("recipe.weight_decay", 0, 0, 1), 1e6);
  r.clip_micro = scaled(in.real_or("recipe.clip", 1, 0, 1000), 1e6);
  r.epochs = static_cast<uint32_t>(in.number_or("recipe.epochs", 2, 100));
  r.tokens_per_step =
      static_cast<uint32_t>(in.number_or("recipe.tokens_per_step", r.tokens_per_step, 1 << 20));
  r.sequence_length =
      static_cast<uint32_t>(in.number_or("recipe.sequence_length", r.sequence_length, 131072));
  r.system_prompt = in.text_or("recipe.system_prompt", r.system_prompt);
  return r;
}

}  // namespace

std::string terms_template() {
  return R"(# Terms of a session. `ffe session check` reads this file and says what to expect of it;
# `ffe session open` opens the session. From then on nobody can change the terms.

[session]
# enclave = "https://…"              # the enclave's service; left out: the network's first
pool = "evaluation-pool.jsonl"       # rows that nobody else has; encrypted to the enclave
sample = "public-sample.jsonl"       # a few rows of the same kind, which everyone may see
participants = [                     # 2 to 255 addresses that may submit
]
quorum = 2                           # how many must submit
min_accepted = 2                     # how many must be accepted for a model
max_rows = 1000                      # rows of each contributor that are trained on, at most
submit_for = "24h"                   # time to submit, from opening
deliver_within = "24h"               # time for the enclave, from sealing; at most 14d

[money]                              # in 0G
stake = "0.5"                        # of each contributor
# stake_token = "0x…"                # an ERC-20 that the stake is in; fee and bond stay in 0G
fee = "0.1"                          # of yours, for the operator
operator_bond = "0"                  # what the operator loses if nothing is delivered
slash_harmful_percent = 100          # of the stake, for proven harm
slash_invalid_percent = 25           # of the stake, for rows that cannot be used

[gate]                               # docs/spec/gate.md
statistic = 1                        # 1: 96 calibration rows; 2, for small sessions: 48
eval_pairs = 192                     # 32 to 4096; more: more certain, and slower
min_rows = 16                        # usable rows that a contributor must bring
harm_tolerance = 0.16                # nats, at least 0.05; higher is kinder and blinder
relevance_tolerance = 0.11
alpha_inverse = 1000                 # at most one false slash in so many sessions
invalid_share_percent = 10           # broken rows that are still forgiven
must_gain = 0                        # 1: a contribution must show that it helps

[recipe]                             # docs/spec/session.md
# trainer = "0g-compute"             # not this enclave but a 0G Compute provider trains, and sees
#                                    # all accepted rows: docs/guide/opener.md
numeric_path = "auto"                # or f32, avx512-bf16, amx-bf16: as the enclave's machine can
rank = 8
alpha = 16
epochs = 2
learning_rate = 0.001
tokens_per_step = 1024
sequence_length = 512
)";
}

client::OpenRequest read_terms_file(const fs::path& file) {
  TomlReader in(file);
  client::OpenRequest r;
  r.enclave_url = in.text_or("session.enclave", "");
  r.pool = in.path("session.pool");
  r.sample = in.path("session.sample");
  for (const std::string& address : in.texts("session.participants")) {
    try {
      r.participants.push_back(address_from_hex(address));
    } catch (const Error& e) {
      in.fail("session.participants", "\"" + address + "\" is not an address: " + e.what());
    }
  }
  if (r.participants.size() < 2 || r.participants.size() > session::kMaxParticipants) {
    in.fail("session.participants", "must list 2 to 255 addresses");
  }
  r.quorum = small(in, "session.quorum", 2);
  r.min_accepted = small(in, "session.min_accepted", 2);
  if (r.min_accepted < 2 || r.min_accepted > r.quorum || r.quorum > r.participants.size()) {
    in.fail("session.quorum", "and min_accepted must be 2 ≤ min_accepted ≤ quorum ≤ participants");
  }
  r.max_rows = static_cast<uint32_t>(in.number_or("session.max_rows", r.max_rows, UINT32_MAX));
  r.submit_seconds = in.seconds_or("session.submit_for", kDay, 365 * kDay);
  r.deliver_seconds = static_cast<uint32_t>(
      in.seconds_or("session.deliver_within", kDay, session::kMaxDeliverPeriod));
  r.stake = amount(in, "money.stake", "0.5");
  if (in.has("money.stake_token")) r.stake_token = in.address("money.stake_token");
  r.fee = amount(in, "money.fee", "0.1");
  r.operator_bond = amount(in, "money.operator_bond", "0");
  r.slash_bps_harmful =
      static_cast<uint16_t>(scaled(in.real_or("money.slash_harmful_percent", 100, 0, 100), 100));
  r.slash_bps_invalid =
      static_cast<uint16_t>(scaled(in.real_or("money.slash_invalid_percent", 25, 0, 100), 100));
  if (in.has("money.slash_recipient")) r.slash_recipient = in.address("money.slash_recipient");
  r.gate = read_gate(in);
  r.recipe = read_recipe(in);
  in.refuse_unknown();
  session::check_bounds(r.gate);
  session::Recipe checked = r.recipe;
  if (checked.numeric_path == "auto") checked.numeric_path = "f32";
  if (checked.compute) {  // until the chain is asked
    checked.compute->signer = checked.compute->provider;
    checked.compute->url = "https://provider";
  }
  session::check(checked);
  return r;
}

void scale_stake(client::OpenRequest& request, const evm::Currency& currency) {
  try {
    request.stake = evm::parse_units(evm::format_ether(request.stake), currency.decimals);
  } catch (const Error& e) {
    throw Error(ErrorCode::kUsage, "money.stake is no amount of " + currency.symbol +
                                       ", which has " + std::to_string(currency.decimals) +
                                       " decimals: " + std::string(e.what()));
  }
}

TermsAdvice advise(const client::OpenRequest& request) {
  TermsAdvice out;
  const gate::Bundle bundle = gate::bundle(request.gate.statistic);
  out.needed_pairs = bundle.calibration_rows / 2 + request.gate.eval_pairs;
  out.pool_pairs = gate::Pool(lm::read_rows_file(request.pool)).pairs().size();
  if (out.pool_pairs < out.needed_pairs) {
    throw Error(ErrorCode::kBadInput,
                fmt::format("{} has {} usable pairs; these terms need {}", request.pool.string(),
                            out.pool_pairs, out.needed_pairs),
                "add rows, or lower gate.eval_pairs; near-copies do not count");
  }
  if (out.pool_pairs * 20 < out.needed_pairs * 21) {
    out.warnings.push_back(
        "the pool has almost no pairs to spare: contributors' copies of its rows are dropped");
  }
  const gate::Power power = gate::power(gate::kHalfShuffled, request.gate,
                                        static_cast<uint32_t>(request.participants.size()));
  out.shuffled = power.rejected;
  out.kept_out = power.rejected + power.excluded;
  if (out.kept_out < 0.6) {
    out.warnings.push_back("with so few pairs the gate misses much: raise gate.eval_pairs");
  }
  if (request.submit_seconds < 600) {
    out.warnings.push_back("submissions close within ten minutes of opening");
  }
  if (request.stake.is_zero()) out.warnings.push_back("a stake of 0 deters nobody");
  if (const std::string who = session::who_sees_rows(request.recipe); !who.empty()) {
    out.warnings.push_back(who + "; each contributor must accept that");
  }
  if (request.operator_bond.is_zero()) {
    out.warnings.push_back("without operator_bond the operator loses nothing by not delivering");
  }
  return out;
}

}  // namespace ffe::cli
