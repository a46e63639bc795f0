// SPDX-License-Identifier: Apache-2.0
// The Security Manager's part of the HTTP API, without the transport: a request's method, target and body in,
// a status and JSON out. docs/api-sm.md lists the routes.
#pragma once

#include "sm/admission.h"
#include "sm/directory.h"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace stem::sm {

// The longest request body that is read, in octets.
inline constexpr std::size_t max_body_length = 1U << 20;
// That of a list of spam callers to be imported: some 200,000 of them.
inline constexpr std::size_t max_import_length = 16U << 20;

struct ApiReply {
    int status = 200;        // HTTP
    boost::json::value json; // null = no content
    std::string allow = {};  // of 405: the methods for the Allow header (RFC 9110 10.2.1)
    bool overtaken = false;  // within handle(): to be tried again
};

struct ApiContext {
    Directory& directory;
    Admission& admission; // its trail, where it has one, is told of every change
    TimePoint now;        // "expires_in" counts from it; a call to be explained that names no time comes then
    std::string_view who = "api"; // asks: the author of a change
};

// `method`: upper case. `target`: path and query as in the request line, escapes included.
ApiReply handle(const ApiContext& context, std::string_view method, std::string_view target,
                std::string_view body);

// True if handle() serves that path: "/v1/users", "/v1/profiles/office/rules".
bool serves(std::string_view target);

// The longest body that a request to `target` may have.
std::size_t body_limit(std::string_view target);

// Every route of handle(), for its own use and to check docs/openapi.json by.
struct ApiRoute {
    std::string_view path;    // "/v1/users/{name}/uris"
    std::string_view methods; // "GET, POST, DELETE"
};
std::vector<ApiRoute> api_routes();

} // namespace stem::sm
