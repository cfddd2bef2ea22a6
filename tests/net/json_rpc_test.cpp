#include "net/json_rpc.hpp"

#include "net/json_rpc_ids.hpp"
#include "net/json_rpc_server.hpp"
#include "peers.hpp"

namespace ffe::net {
namespace {

using namespace ffe::test;

JsonRpcServer sample() {
  JsonRpcServer rpc({.max_batch = 3});
  rpc.on("echo", [](const Json& params) { return params; });
  rpc.on("sum", [](const Json& params) {
    int64_t total = 0;
    for (const Json& v : params) {
      if (!v.is_number_integer()) throw RpcFault(kRpcInvalidParams, "not a number", {{"at", v}});
      total += v.get<int64_t>();
    }
    return Json(total);
  });
  rpc.on("nothing", [](const Json&) { return Json(); });
  rpc.on("bad_input", [](const Json&) -> Json { throw Error(ErrorCode::kBadInput, "no such"); });
  rpc.on("io", [](const Json&) -> Json { throw Error(ErrorCode::kIo, "disk"); });
  rpc.on("bug", [](const Json&) -> Json { throw std::logic_error("a secret"); });
  rpc.on("latin1", [](const Json&) { return Json("\xe9"); });
  return rpc;
}

std::string ask(std::string_view request) {
  return sample().answer(request);
}

int64_t code_of(std::string_view request) {
  return parse_json(ask(request), "answer").at("error").at("code").get<int64_t>();
}

TEST(JsonRpcServer, AnswersACall) {
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"sum","params":[1,2,3]})"),
            R"({"jsonrpc":"2.0","id":1,"result":6})");
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"nothing"})"),
            R"({"jsonrpc":"2.0","id":1,"result":null})");
}

TEST(JsonRpcServer, MissingParamsAreAnEmptyArray) {
  for (std::string params : {"", R"(,"params":null)", R"(,"params":[])"}) {
    EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"echo")" + params + "}"),
              R"({"jsonrpc":"2.0","id":1,"result":[]})");
  }
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":1}})"),
            R"({"jsonrpc":"2.0","id":1,"result":{"a":1}})");
}

TEST(JsonRpcServer, RepeatsTheIdAsItWasWritten) {
  for (std::string id :
       {"0", "-7", "9007199254740993", "18446744073709551615", "123456789012345678901234567890",
        "1.50", "1e3", "-0", "null", R"("text")", R"("\u0041\"},{")", R"("")"}) {
    EXPECT_EQ(ask(R"({"params":[[],{"id":9},"\"id\":8"],"id" : )" + id +
                  R"( , "jsonrpc":"2.0","method":"sum","extra":{"id":5}})"),
              R"({"jsonrpc":"2.0","id":)" + id +
                  R"(,"error":{"code":-32602,"data":{"at":[]},"message":"not a number"}})")
        << id;
  }
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","\u0069d":4,"method":"sum"})"),
            R"({"jsonrpc":"2.0","id":4,"result":0})");
  EXPECT_EQ(ask("\xef\xbb\xbf"
                R"({"jsonrpc":"2.0","id":5e0,"method":"sum"})"),
            R"({"jsonrpc":"2.0","id":5e0,"result":0})");
}

TEST(JsonRpcServer, RawIds) {
  EXPECT_EQ(raw_ids(R"([{"id":1.0},7,[{"id":3}],"x",{},{"a":"]","id":"b"}])"),
            (std::vector<std::string>{"1.0", "", "", "", "", "\"b\""}));
  EXPECT_EQ(raw_ids("[]"), std::vector<std::string>());
  EXPECT_EQ(raw_ids("3"), std::vector<std::string>());
  // Not JSON at all: nothing to find, but nothing to fall over either.
  for (const char* text : {"", "[", "{", "{\"", "{\"id", "{\"id\"", "{\"id\":", "{\"id\":\"\\",
                           "[[[", "[,", "[}", "{\"a\":}"}) {
    EXPECT_LE(raw_ids(text).size(), 3u) << text;
  }
}

TEST(JsonRpcServer, ErrorCodes) {
  EXPECT_EQ(code_of("{"), kRpcParseError);
  EXPECT_EQ(code_of(""), kRpcParseError);
  EXPECT_EQ(code_of("{\"id\":1,\"id\":2}"), kRpcParseError);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1e999,"method":"sum"})"), kRpcParseError);
  EXPECT_EQ(code_of(std::string(1000, '[')), kRpcParseError);
  EXPECT_EQ(code_of("3"), kRpcInvalidRequest);
  EXPECT_EQ(code_of("[]"), kRpcInvalidRequest);
  EXPECT_EQ(code_of("{}"), kRpcInvalidRequest);
  EXPECT_EQ(code_of(R"({"jsonrpc":"1.0","id":1,"method":"sum"})"), kRpcInvalidRequest);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":1})"), kRpcInvalidRequest);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":[],"method":"sum"})"), kRpcInvalidRequest);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"none"})"), kRpcMethodNotFound);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"sum","params":3})"), kRpcInvalidParams);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"bad_input"})"), kRpcInvalidParams);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"io"})"), kRpcServerError);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"bug"})"), kRpcInternalError);
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"bug"})").find("secret"), std::string::npos);
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","id":1,"method":"latin1"})"),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xef\xbf\xbd\"}");
}

TEST(JsonRpcServer, BatchesAndNotifications) {
  EXPECT_EQ(
      ask(R"([{"jsonrpc":"2.0","id":1,"method":"sum"},5,{"jsonrpc":"2.0","method":"sum"}])"),
      R"([{"jsonrpc":"2.0","id":1,"result":0},)"
      R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"a call is an object"}}])");
  EXPECT_EQ(ask(R"({"jsonrpc":"2.0","method":"sum"})"), "");
  EXPECT_EQ(ask(R"([{"jsonrpc":"2.0","method":"none"}])"), "");
  EXPECT_EQ(code_of("[1,2,3,4]"), kRpcInvalidRequest);
}

class OverHttp : public testing::Test {
 protected:
  OverHttp() : rpc_(sample()), server_({.max_body = 10'000}) {
    rpc_.attach(server_);
    server_.start();
  }

  JsonRpcServer rpc_;
  HttpServer server_;
};

TEST_F(OverHttp, CallsAndErrors) {
  JsonRpcClient client(server_.url());
  EXPECT_EQ(client.call("sum", {1, 2}), 3);
  EXPECT_EQ(client.call("sum"), 0);
  EXPECT_TRUE(client.call("nothing").is_null());
  try {
    client.call("sum", {"x"});
    FAIL() << "no error";
  } catch (const JsonRpcError& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNetwork);
    EXPECT_EQ(e.rpc_code, kRpcInvalidParams);
    EXPECT_EQ(e.rpc_message, "not a number");
    EXPECT_EQ(e.data.at("at"), "x");
    EXPECT_NE(std::string(e.what()).find("sum at http://127.0.0.1:"), std::string::npos)
        << e.what();
  }
  Error large = error_from([&] { client.call("echo", {std::string(20'000, 'x')}); });
  EXPECT_NE(std::string(large.what()).find("HTTP 413"), std::string::npos) << large.what();
  EXPECT_EQ(error_from([&] { client.call("echo", {"\xff"}); }).code(), ErrorCode::kBadInput);
}

TEST_F(OverHttp, Batches) {
  JsonRpcClient client(server_.url());
  auto out = client.batch({{"sum", {1, 2}}, {"none", Json::array()}, {"echo", {7}}});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].result, 3);
  EXPECT_EQ(out[1].error.value().rpc_code, kRpcMethodNotFound);
  EXPECT_EQ(out[2].result, Json({7}));
  EXPECT_TRUE(client.batch({}).empty());
  std::vector<JsonRpcClient::Call> many(4, {"sum", Json::array()});
  EXPECT_THROW(client.batch(many), JsonRpcError);
}

TEST_F(OverHttp, NotificationsGet204AndErrors200) {
  HttpRequest request;
  request.method = "POST";
  request.url = server_.url();
  request.body = R"({"jsonrpc":"2.0","method":"sum"})";
  EXPECT_EQ(HttpClient().send(request).status, 204);
  request.body = "{";
  EXPECT_EQ(HttpClient().send(request).status, 200);
  request.method = "GET";
  request.body.clear();
  EXPECT_EQ(HttpClient().send(request).status, 405);
}

std::string http(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string complaint_about(int status, const std::string& body) {
  RawServer server(answering(http(status, body)));
  Error e = error_from([&] { JsonRpcClient(server.url()).call("eth_x"); });
  EXPECT_EQ(e.code(), ErrorCode::kNetwork);
  EXPECT_TRUE(std::string(e.what()).starts_with("eth_x at http://127.0.0.1:")) << e.what();
  return std::string(e.what());
}

TEST(JsonRpcClient, WrongAnswersAreNamed) {
  auto says = [](int status, const std::string& body, const std::string& part) {
    std::string text = complaint_about(status, body);
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  says(502, "<html>", "HTTP 502");
  says(404, "", "HTTP 404");
  says(200, "<html>", "not JSON");
  says(200, "", "not JSON");
  says(200, "1e999", "");
  says(200, "[]", "not a JSON-RPC object");
  says(200, "{}", "another request");
  says(200, R"({"jsonrpc":"2.0","id":99,"result":1})", "another request");
  says(200, R"({"jsonrpc":"2.0","id":"1","result":1})", "another request");
  says(200, R"({"jsonrpc":"2.0","id":1})", "neither a result nor an error");
  says(200, R"({"jsonrpc":"2.0","id":1,"error":{}})", "no message");
  says(200, R"({"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"a\u001b[2J"}})", "a [2J");
  says(200, R"({"error":"plain words"})", "plain words");
  says(400, R"({"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"not here"}})", "not here");
}

TEST(JsonRpcClient, CutsLongMessages) {
  std::string letters;
  for (int i = 0; i < 1500; ++i) letters += "\xc3\xa9";
  RawServer server(
      answering(http(200, R"({"id":1,"error":{"code":3,"message":"x)" + letters + "\"}}")));
  try {
    JsonRpcClient(server.url()).call("m");
    FAIL() << "no error";
  } catch (const JsonRpcError& e) {
    EXPECT_EQ(e.rpc_message.size(), 1999u);
    EXPECT_NO_THROW(Json(e.rpc_message).dump());
  }
}

TEST(JsonRpcClient, WrongBatchAnswersAreNamed) {
  for (std::string body :
       {R"([{"id":1,"result":1}])", R"([{"id":1,"result":1},{"id":1,"result":1}])",
        R"([{"id":1,"result":1},{"id":3,"result":1}])", R"([{"id":1,"result":1},{"id":2}])",
        R"([1,2])", "{}", R"([{"id":1,"result":1},{"id":0,"result":1}])"}) {
    RawServer server(answering(http(200, body)));
    JsonRpcClient client(server.url());
    Error e = error_from([&] { client.batch({{"a"}, {"b"}}); });
    EXPECT_EQ(e.code(), ErrorCode::kNetwork) << body;
  }
}

}  // namespace
}  // namespace ffe::net
