#include "aggregator/fetcher.hpp"

#include <ctime>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "session/owner_key.hpp"
#include "storage/merkle.hpp"

namespace ffe::aggregator {
namespace {

// What a row costs in memory at least, however short it is.
constexpr uint64_t kLeastRowBytes = 256;

}  // namespace

Fetcher::Fetcher(JobContext& context, const session::OpenedSession& session,
                 const std::vector<session::Submission>& submissions)
    : context_(context),
      session_(session),
      submissions_(submissions),
      secrets_(context.enclave.secrets(session.session_tag)),
      scope_(to_hex(session.session_tag.bytes)),
      id_(session.id.to_string()),
      contribution_limit_(context.config.contribution_bytes(session.terms.participants.size())) {}

// Since the first attempt, however often the service was started again.
bool Fetcher::window_over() {
  constexpr std::string_view kKey = "fetching since";
  const uint64_t now = static_cast<uint64_t>(std::time(nullptr));
  auto since = context_.journal.get(scope_, kKey);
  if (!since) {
    context_.journal.put(scope_, kKey, as_bytes(std::to_string(now)));
    return false;
  }
  return now > std::stoull(std::string(as_text(*since))) + context_.config.blob_window_seconds;
}

// Everything that the session names, on this disk or given up.
void Fetcher::download_all() {
  struct Wanted {
    H256 root;
    uint64_t limit;
    std::string what;
  };
  std::vector<Wanted> all = {
      {session_.terms.eval_root, context_.config.max_data_bytes, "the evaluation pool"},
      {session_.terms.sample_root, context_.config.max_data_bytes, "the public sample"}};
  for (const session::Submission& s : submissions_) {
    all.push_back(
        {s.blob_root, contribution_limit_, "the blob of " + to_hex0x(s.contributor.bytes)});
  }
  const bool last_attempt = window_over();
  std::string missing;
  for (size_t i = 0; i < all.size(); ++i) {
    check_interrupt();
    context_.status.stage(id_, "fetching", i, all.size());
    try {
      context_.blobs.fetch(scope_, all[i].root, session::blob_size(all[i].limit));
    } catch (const Error& e) {
      // This machine's disk is nobody else's fault.
      if (e.code() == ErrorCode::kInterrupted || e.code() == ErrorCode::kIo) throw;
      // Too large for this enclave: waiting changes nothing.
      if (e.code() == ErrorCode::kBadInput) continue;
      missing = all[i].what + " is not available yet: " + e.what();
    }
  }
  if (!missing.empty() && !last_attempt) throw Pending(missing);
}

void Fetcher::altered(const H256& root) {
  context_.blobs.drop(scope_, root);
  throw Pending("this machine's disk altered the bytes of " + to_hex0x(root.bytes));
}

std::string Fetcher::open_blob(const H256& root, const session::BlobContext& context,
                               uint64_t limit) {
  HashedSource source(context_.blobs.fetch(scope_, root, session::blob_size(limit)));
  std::string out;
  try {
    session::open_blob(source, secrets_.session_key, context, [&](ByteView chunk) {
      if (out.size() + chunk.size() > limit) {
        throw session::BlobError(
            session::BlobError::Kind::kNotAvailable,
            "larger than this enclave's limit of " + std::to_string(limit) + " bytes");
      }
      out += as_text(chunk);
    });
  } catch (const session::BlobError&) {
    if (!source.matches(root)) altered(root);
    throw;
  }
  if (!source.matches(root)) altered(root);
  return out;
}

Bytes Fetcher::public_sample() {
  const H256& root = session_.terms.sample_root;
  const uint64_t limit = session::blob_size(context_.config.max_data_bytes);
  Bytes out = read_file(context_.blobs.fetch(scope_, root, limit), limit);
  if (out.empty() || storage::data_root(out) != root) altered(root);
  return out;
}

void Fetcher::read_contribution(const session::Submission& submission, gate::Contribution& out) {
  session::BlobContext context{session::BlobRole::kData,  context_.enclave.domain(),
                               session_.session_hash,     submission.contributor,
                               session_.terms.enclave_id, submission.owner_key_hash};
  std::string text = open_blob(submission.blob_root, context, contribution_limit_);
  lm::RowLimits limits;
  limits.max_rows = contribution_limit_ / kLeastRowBytes;
  lm::RowReport rows;
  out.rows = lm::read_rows(as_bytes(text), "data", limits, &rows);
  out.row_count = rows.rows;
  out.invalid_count = rows.bad_count;
  wipe(text.data(), text.size());
}

gate::Contribution Fetcher::open_contribution(const session::Submission& submission) {
  gate::Contribution out;
  out.contributor = submission.contributor;
  out.blob_root = submission.blob_root;
  try {
    session::check_owner_key(submission.owner_key, submission.contributor);
  } catch (const Error& e) {
    out.delivery = gate::Delivery::kBadOwnerKey;
    out.detail = e.what();
    return out;
  }
  try {
    read_contribution(submission, out);
  } catch (const Pending&) {
    throw;
  } catch (const session::BlobError& e) {
    out.delivery = e.kind() == session::BlobError::Kind::kNotAvailable
                       ? gate::Delivery::kNotAvailable
                       : gate::Delivery::kInvalid;
    out.detail = e.what();
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kInterrupted || e.code() == ErrorCode::kIo) throw;
    // Only bytes that match the root and do not open may be held against the contributor; all else
    // (no answer, altered bytes, more than this enclave takes) excludes without a slash.
    out.delivery = gate::Delivery::kNotAvailable;
    out.detail = e.what();
  }
  return out;
}

Rows Fetcher::fetch() {
  download_all();
  Rows out;
  session::BlobContext pool{session::BlobRole::kEvaluation, context_.enclave.domain(),
                            session_.session_tag,           session_.opener,
                            session_.terms.enclave_id,      H256{}};
  lm::RowReport ignored;
  try {
    std::string text = open_blob(session_.terms.eval_root, pool, context_.config.max_data_bytes);
    out.pool = lm::read_rows(as_bytes(text), "evaluation pool", {}, &ignored);
    wipe(text.data(), text.size());
    out.sample = lm::read_rows(public_sample(), "public sample", {}, &ignored);
  } catch (const Pending&) {
    throw;
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kInterrupted || e.code() == ErrorCode::kIo) throw;
    // No pool, no gate: an empty one ends the session with every stake back.
    log::warn("session {}: the evaluation pool cannot be used: {}", id_, e.what());
    out.pool.clear();
  }
  for (const session::Submission& s : submissions_) {
    context_.status.stage(id_, "opening", out.contributions.size(), submissions_.size());
    out.contributions.push_back(open_contribution(s));
  }
  return out;
}

}  // namespace ffe::aggregator
