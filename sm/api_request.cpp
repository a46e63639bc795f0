// SPDX-License-Identifier: Apache-2.0
#include "sm/api_request.h"

#include "sm/failure.h"
#include "sm/json.h"

#include <stem/utf8.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stem::sm {
namespace {

// RFC 3986 2.1. '+' stays '+': it stands in telephone numbers.
Result<std::string> unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i];
            continue;
        }
        unsigned octet = 0;
        const char* const first = text.data() + i + 1;
        if (i + 2 >= text.size() || std::from_chars(first, first + 2, octet, 16).ptr != first + 2 ||
            octet == 0) {
            return invalid(fmt::format("read request target '{}'", text.substr(0, 80)), "a bad escape in it",
                           "write %XX, and % itself as %25");
        }
        plain += static_cast<char>(octet);
        i += 2;
    }
    if (!is_utf8(plain)) {
        return invalid(fmt::format("read request target '{}'", text.substr(0, 80)), "it is not UTF-8",
                       "write the octets of UTF-8, each as %XX");
    }
    return plain;
}

} // namespace

std::string ApiRequest::query_or(const std::string& name, const std::string& fallback) const {
    const auto at = query.find(name);
    return at == query.end() ? fallback : at->second;
}

std::optional<ApiReply> ApiRequest::refuse_query(std::initializer_list<std::string_view> known) const {
    for (const auto& [name, value] : query) {
        if (std::ranges::find(known, name) == known.end()) {
            return failed(Error{fmt::format("read query parameter '{}'", name), "it is not known here",
                                known.size() == 0 ? std::string("leave it away")
                                                  : fmt::format("the known are {}", fmt::join(known, ", ")),
                                EINVAL});
        }
    }
    return std::nullopt;
}

Result<std::vector<std::string>> split_path(std::string_view path) {
    std::vector<std::string> parts;
    while (!path.empty()) {
        path.remove_prefix(path.starts_with('/') ? 1 : 0);
        const auto part = path.substr(0, path.find('/'));
        auto plain = unescaped(part);
        if (!plain) {
            return std::unexpected(plain.error());
        }
        parts.push_back(std::move(*plain));
        path.remove_prefix(part.size());
    }
    return parts;
}

Result<std::map<std::string, std::string>> split_query(std::string_view query) {
    std::map<std::string, std::string> values;
    while (!query.empty()) {
        const auto item = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(item.size() + 1, query.size()));
        const auto equals = item.find('=');
        auto name = unescaped(item.substr(0, equals));
        auto value =
            unescaped(equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1));
        if (!name || !value) {
            return std::unexpected(name ? value.error() : name.error());
        }
        if (!values.emplace(*name, std::move(*value)).second) {
            return invalid(fmt::format("read query parameter '{}'", *name), "it stands twice",
                           "send it once");
        }
    }
    return values;
}

ApiReply failed(const Error& error) {
    int status = 500;
    switch (error.code) {
    case ENOENT:
        status = 404;
        break;
    case EEXIST:
        status = 409;
        break;
    case EINVAL:
        status = 400;
        break;
    case EMSGSIZE:
        status = 413;
        break;
    case ESTALE:
        status = 409;
        break;
    case EAGAIN:
        status = 503;
        break;
    default:
        break;
    }
    return {.status = status, .json = to_json(error), .overtaken = error.code == ESTALE};
}

ApiReply wrong_method(const ApiRequest& request, std::string allow) {
    ApiReply reply{.status = 405,
                   .json =
                       to_json(Error{fmt::format("{} /v1/{}", request.method, fmt::join(request.path, "/")),
                                     "this path does not take that method", "use " + allow})};
    reply.allow = std::move(allow);
    return reply;
}

ApiReply no_route(std::string_view method, std::string_view target) {
    return {.status = 404,
            .json = to_json(Error{fmt::format("{} {}", method, target.substr(0, 80)), "no such path",
                                  "docs/api-sm.md lists them"})};
}

ApiReply no_content(const Result<>& done) {
    return done ? ApiReply{.status = 204, .json = {}} : failed(done.error());
}

} // namespace stem::sm
