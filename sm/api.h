// SPDX-License-Identifier: Apache-2.0
// The Security Manager's part of the HTTP API, without the transport: a request's method, target and body in,
// a status and JSON out. docs/api-sm.md lists the routes.
#pragma once

#include "sm/decider.h"
#include "sm/directory.h"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace stem::sm {

// The longest request body that is read, in octets.
inline constexpr std::size_t max_body_length = 1U << 20;

struct ApiReply {
    int status = 200;        // HTTP
    boost::json::value json; // null = no content
    std::string allow = {};  // of 405: the methods for the Allow header (RFC 9110 10.2.1)
    bool overtaken = false;  // within handle(): to be tried again
};

// `method`: upper case. `target`: path and query as in the request line, escapes included. `now` says what
// "expires_in" counts from, and when a call to be explained comes that names no time. `who` asks: the author
// of a change.
ApiReply handle(Directory& directory, const Decider& decider, std::string_view method,
                std::string_view target, std::string_view body, TimePoint now, std::string_view who = "api");

// True if handle() serves that path: "/v1/users", "/v1/profiles/office/rules".
bool serves(std::string_view target);

} // namespace stem::sm
