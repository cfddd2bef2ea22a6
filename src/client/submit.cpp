// A contribution's way to its session: planned, then done; interrupted, it goes on.
#include <algorithm>

#include "base/hex.hpp"
#include "client/client.hpp"
#include "client/pending_blob.hpp"
#include "crypto/address.hpp"
#include "session/owner_key.hpp"
#include "storage/merkle.hpp"

namespace ffe::client {
namespace {

namespace fs = std::filesystem;

// Gas of the transactions of a submission, rounded up from measurements (docs/benchmarks.md); the
// real amount is estimated by the node when each is sent.
constexpr uint64_t kStorageGas = 250'000, kCommitGas = 350'000, kApproveGas = 60'000;

void step(const Events& events, std::string_view verb, std::string_view text) {
  if (events.step) events.step(verb, text);
}

Progress progress(const Events& events, std::string_view verb) {
  if (!events.progress) return {};
  return [&events, verb](uint64_t done, uint64_t total) { events.progress(verb, done, total); };
}

std::string short_hex(ByteView bytes) {
  return to_hex0x(bytes).substr(0, 10) + "…";
}

Bytes owner_key(const crypto::PrivateKey& key) {
  const crypto::PublicKey point = key.public_key();
  return {point.begin(), point.end()};
}

std::string rows_text(const fs::path& file, const DataCheck& data) {
  return file.filename().string() + "  " + std::to_string(data.rows) +
         (data.rows == 1 ? " row" : " rows");
}

// By the recipe, not by the plan's text: a plan can be edited.
void require_consent(const SubmitPlan& plan, const SubmitOptions& options) {
  const std::string who = session::who_sees_rows(session::parse_recipe(plan.opened.recipe_text));
  if (who.empty() || options.accept_provider_sees_data) return;
  throw Error(ErrorCode::kUsage, who + "; nothing was encrypted or sent",
              "if that is right for these rows, say so: --accept-provider-sees-data");
}

}  // namespace

SubmitPlan Client::plan_submission(const evm::U256& session_id, const fs::path& data,
                                   const Events& events) {
  SubmitPlan plan;
  plan.opened = coordinator_.opened(session_id);
  const session::SessionTerms& terms = plan.opened.terms;
  if (!std::ranges::count(terms.participants, address())) {
    throw Error(ErrorCode::kSession,
                crypto::checksum_address(address()) + " is not on the session's list",
                session::revert_hint("NotParticipant"));
  }
  const session::SessionView view = coordinator_.view(session_id);
  if (view.state != session::SessionState::kOpen) {
    throw Error(
        ErrorCode::kSession,
        "session " + session_id.to_string() + " is " + std::string(session::name(view.state)),
        "nothing can be submitted any more");
  }
  plan.enclave = verify_enclave(terms.enclave_id, &terms);
  plan.enclave.require();
  step(events, "Verifying",
       "enclave " + short_hex(terms.enclave_id.bytes) + "  TCB " + plan.enclave.quote.tcb_status +
           "  code " + short_hex(plan.enclave.code_hash.bytes) +
           (plan.enclave.simulated ? "  (simulated: no protection)" : ""));
  plan.recipe = session::parse_recipe(plan.opened.recipe_text);
  plan.who_sees_rows = session::who_sees_rows(plan.recipe);
  if (!plan.who_sees_rows.empty()) step(events, "Warning", plan.who_sees_rows);
  plan.data = check_data(data);
  step(events, "Checking", rows_text(data, plan.data));
  require_fits(plan, data);
  plan.data_sha256 = sha256_of_file(data);

  plan.currency = evm::currency_of(rpc_, terms.stake_token);
  const session::ContributionView before = coordinator_.contribution(session_id, address());
  plan.replaces = !before.blob_root.is_zero();
  if (!plan.replaces) plan.stake = terms.stake;

  const PendingBlob pending(plan.opened.session_hash, address());
  const auto sealed = pending.find(plan.data_sha256, plan.opened.session_key);
  plan.resumes = sealed.has_value();
  plan.blob_bytes = sealed ? sealed->blob_length : session::blob_size(plan.data.bytes);
  bool paid = false;
  if (sealed) {
    const H256 root = storage::data_root(*storage::open_source(pending.file()));
    plan.committed = before.blob_root == root;
    paid = storage_.info(root).has_value();
  }
  if (!paid) plan.storage_fee = storage_.fee(plan.blob_bytes, rpc_);
  const uint64_t gas = (paid ? 0 : kStorageGas) + (plan.committed ? 0 : kCommitGas) +
                       (plan.currency.native() ? 0 : kApproveGas);
  plan.gas_fee = rpc_.gas_price() * evm::U256(gas);
  plan.balance = rpc_.balance(address());
  const uint64_t now = rpc_.latest_block().timestamp;
  plan.seconds_left = terms.submit_deadline > now ? terms.submit_deadline - now : 0;
  if (plan.seconds_left == 0) {
    throw Error(ErrorCode::kSession,
                "the time to submit to session " + session_id.to_string() + " is over",
                "nothing can be submitted any more");
  }
  require_funds(plan);
  return plan;
}

void Client::require_fits(const SubmitPlan& plan, const fs::path& data) {
  if (!plan.enclave.limits) return;
  const uint64_t limit = plan.enclave.limits->each_of(plan.opened.terms.participants.size());
  if (plan.data.bytes > limit) {
    throw Error(ErrorCode::kBadInput,
                data.filename().string() + " has " + std::to_string(plan.data.bytes) +
                    " bytes; this enclave takes " + std::to_string(limit) +
                    " from each contributor to this session",
                "drop rows: more would be left out, and you with them");
  }
}

// Told before anything is encrypted or uploaded, which costs time and gas.
void Client::require_funds(const SubmitPlan& plan) {
  const evm::U256 held = evm::balance_of(rpc_, plan.currency, address());
  if (held < plan.stake) {
    throw Error(ErrorCode::kChain,
                "the stake is " + plan.currency.text(plan.stake) + "; " +
                    crypto::checksum_address(address()) + " has " +
                    evm::format_units(held, plan.currency.decimals),
                "send the rest to this account, then run the same command again");
  }
}

SubmitResult Client::submit(const evm::U256& session_id, const fs::path& data, const Events& events,
                            const SubmitOptions& options) {
  return submit(plan_submission(session_id, data, events), data, events, options);
}

SubmitResult Client::submit(const SubmitPlan& plan, const fs::path& data, const Events& events,
                            const SubmitOptions& options) {
  plan.enclave.require();
  require_consent(plan, options);
  const session::OpenedSession& opened = plan.opened;
  SubmitResult out;
  out.data = plan.data;
  out.currency = plan.currency;
  out.stake = opened.terms.stake;
  out.replaced = plan.replaces && !plan.committed;
  if (!plan.replaces) step(events, "Staking", plan.currency.text(plan.stake));

  const PendingBlob pending(opened.session_hash, address());
  auto sealed = pending.find(plan.data_sha256, opened.session_key);
  out.resumed = sealed.has_value();
  if (sealed) {
    step(events, "Resuming", "with the blob of an interrupted submission");
  } else {
    const session::BlobContext context{
        session::BlobRole::kData, coordinator_.domain(),
        opened.session_hash,      address(),
        opened.terms.enclave_id,  session::owner_key_hash(owner_key(sender_.key()))};
    const session::Signer signer = [this](const H256& digest) {
      return sender_.key().sign(digest);
    };
    pending.remove();
    sealed = session::seal_blob_file(data, opened.session_key, context, signer, pending.file(),
                                     progress(events, "Encrypting"));
    pending.remember(plan.data_sha256, opened.session_key, *sealed);
    step(events, "Encrypting",
         std::to_string(sealed->blob_length) + " bytes to the enclave's session key");
  }
  out.data_hash = sealed->data_hash;
  out.blob_root =
      storage_.upload(pending.file(), sender_, {.sending = progress(events, "Uploading")}).root;
  step(events, "Uploading", "0G Storage " + short_hex(out.blob_root.bytes));
  out.tx_hash = commit(plan, out.blob_root, out, events);
  pending.remove();
  return out;
}

// Zero if the chain names this blob already.
H256 Client::commit(const SubmitPlan& plan, const H256& blob_root, SubmitResult& out,
                    const Events& events) {
  const evm::U256& id = plan.opened.id;
  // Asked again: the plan may be old, and a stake is never sent twice.
  const H256 before = coordinator_.contribution(id, address()).blob_root;
  if (before == blob_root) {
    step(events, "Committing", "session " + id.to_string() + " names this blob already");
    return {};
  }
  const bool first = before.is_zero();
  evm::U256 value;
  if (first && out.currency.native()) value = out.stake;
  if (first && !out.currency.native()) {
    const auto approval =
        evm::Erc20(rpc_, out.currency.token).allow(sender_, coordinator_.address(), out.stake);
    if (approval) {
      out.approval_tx_hash = approval->tx_hash;
      step(events, "Approving",
           "the coordinator to take " + out.currency.text(out.stake) + "  tx " +
               short_hex(approval->tx_hash.bytes));
    }
  }
  const evm::Receipt receipt =
      coordinator_.submit(sender_, id, blob_root, owner_key(sender_.key()), value);
  step(events, "Committing",
       "session " + id.to_string() + "  tx " + short_hex(receipt.tx_hash.bytes) + "  block " +
           std::to_string(receipt.block_number));
  return receipt.tx_hash;
}

}  // namespace ffe::client
