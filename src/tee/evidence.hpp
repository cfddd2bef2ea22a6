// Evidence as files and services carry it.
#pragma once

#include "base/json.hpp"
#include "tee/provider.hpp"

namespace ffe::tee {

// {"quote":"0x…","eventLogFormat":"ccel"|"dstack","eventLog":base64,"runtimeData":base64}; what is
// absent from the evidence is absent here.
Json to_json(const Evidence& evidence);
// The inverse; other members are ignored. Throws Error{kBadInput}.
Evidence evidence_from_json(const Json& json);

// Any form that evidence comes in: a quote in binary or hexadecimal, the answer of dstack's
// GetQuote, a Tapp service's evidence, or the JSON above (so /v1/enclave of an enclave service).
// Throws Error{kBadInput}.
Evidence read_evidence(ByteView file);

}  // namespace ffe::tee
