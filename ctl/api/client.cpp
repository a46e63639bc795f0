// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/client.h"

#include "ctl/api/exchange.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>

namespace stem::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Protocol = asio::local::stream_protocol;
using boost::system::error_code;

} // namespace

Result<Response> Client::ask(const Request& request) const {
    const std::string attempt = "ask stemd of instance " + instance_ + " (" + socket_.string() + ")";
    if (socket_.native().size() >= sizeof(sockaddr_un::sun_path)) {
        return fail(attempt, "the path is longer than a unix socket's can be (107 octets)",
                    "choose a shorter --run-dir");
    }
    Exchange<beast::basic_stream<Protocol>> exchange(timeout_);
    const error_code connected = exchange.finish(
        [&](auto&& done) { exchange.stream().async_connect(Protocol::endpoint(socket_.string()), done); });
    if (const error_code error = connected) {
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
    Response response;
    if (const error_code error = exchange.ask(request, "stemd", response)) {
        return fail(attempt, error == beast::error::timeout ? "no answer in time" : error.message(),
                    "look at stemd's log");
    }
    return response;
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
