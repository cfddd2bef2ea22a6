// What the clients of sealed and of broker inference read of HTTP answers alike.
#pragma once

#include <string>

#include "base/json.hpp"
#include "inference/sealed_client.hpp"
#include "net/http_client.hpp"

namespace ffe::inference {

// A header's value, empty without it; `name` in lower case.
std::string header(const net::HttpResponse& response, const std::string& name);
// Whatever the body is, null if it is no JSON.
Json lenient_json(const std::string& body);
// The signature of the answer `key`, asked for at `url`; the service's cache may have it a moment
// after the answer. It is not checked yet. Throws Error{kCorrupt} if it is not to be had.
AnswerProof fetch_signature(net::HttpClient& http, const std::string& url, const std::string& key);

}  // namespace ffe::inference
