// SPDX-License-Identifier: Apache-2.0
// What of HTTP/1.1 the local API uses.
#pragma once

#include <stem/error.h>

#include <string>
#include <string_view>

namespace stem::api {

struct Request {
    std::string method; // "GET"
    std::string target; // as it stood, percent signs and query included: "/v1/calls/17"
    std::string body;   // JSON, or ""
    std::string who;    // who asks, as the kernel tells it: "uid 0"; of a request that came by the socket

    // The target up to its query.
    [[nodiscard]] std::string_view path() const {
        return std::string_view(target).substr(0, target.find('?'));
    }
};

struct Response {
    int status = 200;
    std::string body = {};
    std::string content_type = "application/json";
    std::string allow = {}; // of 405: the methods for the Allow header (RFC 9110 10.2.1)
};

// What a response of status 400 and above says, in its own words, with the status as code.
Error error_of(const Request& request, const Response& response);

// {"error": {"message", "attempt", "cause", "remedy"}}
Response refusal(int status, const Error& error);
Response refusal(int status, std::string what);

} // namespace stem::api
