// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

namespace stem::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;
using Protocol = asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::uint64_t answer_limit = 256U * 1024U * 1024U; // octets; a list of all calls is long

// A loop of its own, because only asynchronous operations can time out.
class Exchange {
  public:
    explicit Exchange(std::chrono::milliseconds timeout) : stream_(loop_) { stream_.expires_after(timeout); }

    error_code connect(const std::string& socket) {
        return finish([&](auto&& done) { stream_.async_connect(Protocol::endpoint(socket), done); });
    }

    error_code write(const http::request<http::string_body>& request) {
        return finish([&](auto&& done) {
            http::async_write(stream_, request,
                              [done](error_code error, std::size_t /*octets*/) { done(error); });
        });
    }

    error_code read(http::response_parser<http::string_body>& parser) {
        return finish([&](auto&& done) {
            http::async_read(stream_, buffer_, parser,
                             [done](error_code error, std::size_t /*octets*/) { done(error); });
        });
    }

  private:
    template<typename Start>
    error_code finish(Start start) {
        error_code result = asio::error::operation_aborted;
        start([&result](error_code error) { result = error; });
        loop_.restart();
        loop_.run();
        return result;
    }

    asio::io_context loop_;
    beast::basic_stream<Protocol> stream_;
    beast::flat_buffer buffer_;
};

std::string text_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

// As api::refusal() and the Security Manager write it.
Error error_of(const Request& request, const Response& response) {
    Error error{.attempt = request.method + " " + request.target,
                .cause = "status " + std::to_string(response.status),
                .code = response.status};
    error_code broken;
    const json::value body = json::parse(response.body, broken);
    const auto* object = broken ? nullptr : body.if_object();
    const auto* member = object == nullptr ? nullptr : object->if_contains("error");
    if (const auto* told = member == nullptr ? nullptr : member->if_object()) {
        error.attempt = text_of(*told, "attempt");
        error.cause = text_of(*told, "cause");
        error.remedy = text_of(*told, "remedy");
    }
    return error;
}

} // namespace

Result<Response> Client::ask(const Request& request) const {
    const std::string attempt = "ask stemd of instance " + instance_ + " (" + socket_.string() + ")";
    if (socket_.native().size() >= sizeof(sockaddr_un::sun_path)) {
        return fail(attempt, "the path is longer than a unix socket's can be (107 octets)",
                    "choose a shorter --run-dir");
    }
    Exchange exchange(timeout_);
    if (const error_code error = exchange.connect(socket_.string())) {
        if (error == beast::error::timeout) {
            return fail(attempt, "stemd did not take the connection in time", "look at its log");
        }
        const bool away = error.value() == ENOENT || error.value() == ECONNREFUSED;
        const bool barred = error.value() == EACCES || error.value() == EPERM;
        return fail_errno(attempt, error.value(),
                          away     ? "is stemd running? start it with: stemd --instance " + instance_
                          : barred ? "run as root, or as a user who may write to the socket"
                                   : "");
    }
    const auto verb = http::string_to_verb(request.method);
    http::request<http::string_body> message(verb, request.target, 11);
    message.set(http::field::host, "stemd");
    message.keep_alive(false);
    if (!request.body.empty()) {
        message.set(http::field::content_type, "application/json");
    }
    message.body() = request.body;
    message.prepare_payload();
    error_code error = exchange.write(message);
    http::response_parser<http::string_body> parser;
    parser.body_limit(answer_limit);
    if (!error) {
        error = exchange.read(parser);
    }
    if (error) {
        return fail(attempt, error == beast::error::timeout ? "no answer in time" : error.message(),
                    "look at stemd's log");
    }
    const auto& answer = parser.get();
    return Response{.status = static_cast<int>(answer.result_int()),
                    .body = answer.body(),
                    .content_type = std::string(answer[http::field::content_type])};
}

Result<std::string> Client::must(const Request& request) const {
    auto response = ask(request);
    if (!response) {
        return std::unexpected(response.error());
    }
    if (response->status >= 400) {
        return std::unexpected(error_of(request, *response));
    }
    return std::move(response->body);
}

} // namespace stem::api
