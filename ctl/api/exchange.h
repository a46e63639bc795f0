// SPDX-License-Identifier: Apache-2.0
// One request and its answer over a stream, waited for, within a time. For the clients' .cpp files only.
#pragma once

#include "ctl/api/message.h"

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <string>
#include <utility>

namespace stem::api {

inline constexpr std::uint64_t answer_limit = 256U * 1024U * 1024U; // octets; a list of all calls is long

// A loop of its own, because only asynchronous operations can time out. `Stream` is made from the loop and
// what else it needs.
template<typename Stream>
class Exchange {
  public:
    using error_code = boost::system::error_code;

    template<typename... More>
    explicit Exchange(std::chrono::milliseconds timeout, More&&... more)
        : stream_(loop_, std::forward<More>(more)...) {
        boost::beast::get_lowest_layer(stream_).expires_after(timeout);
    }

    Stream& stream() { return stream_; }

    // Starts an operation that ends with `done(error_code)`, and waits for it.
    template<typename Start>
    error_code finish(Start start) {
        error_code result = boost::asio::error::operation_aborted;
        start([&result](error_code error) { result = error; });
        loop_.restart();
        loop_.run();
        return result;
    }

    error_code ask(const Request& request, const std::string& host, Response& response) {
        namespace http = boost::beast::http;
        http::request<http::string_body> message(http::string_to_verb(request.method), request.target, 11);
        message.set(http::field::host, host);
        message.keep_alive(false);
        if (!request.body.empty()) {
            message.set(http::field::content_type, "application/json");
        }
        message.body() = request.body;
        message.prepare_payload();
        http::response_parser<http::string_body> parser;
        parser.body_limit(answer_limit);
        auto error = finish([&](auto&& done) {
            http::async_write(stream_, message,
                              [done](error_code failed, std::size_t /*octets*/) { done(failed); });
        });
        if (!error) {
            error = finish([&](auto&& done) {
                http::async_read(stream_, buffer_, parser,
                                 [done](error_code failed, std::size_t /*octets*/) { done(failed); });
            });
        }
        if (!error) {
            response = {.status = static_cast<int>(parser.get().result_int()),
                        .body = std::move(parser.get().body()),
                        .content_type = std::string(parser.get()[http::field::content_type])};
        }
        return error;
    }

  private:
    boost::asio::io_context loop_;
    Stream stream_;
    boost::beast::flat_buffer buffer_;
};

} // namespace stem::api
