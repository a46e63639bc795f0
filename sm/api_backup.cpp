// SPDX-License-Identifier: Apache-2.0
// GET /v1/backup; POST /v1/restore, POST /v1/restore/N, PUT /v1/restore/N.
#include "sm/api_request.h"
#include "sm/failure.h"

#include <boost/json/object.hpp>

#include <fmt/format.h>

#include <charconv>

namespace stem::sm {
namespace {

namespace json = boost::json;

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

const json::value* only_member(const json::value& body, std::string_view name) {
    const auto* object = body.if_object();
    return object != nullptr && object->size() == 1 ? object->if_contains(name) : nullptr;
}

ApiReply begin(ApiRequest& request) {
    const auto id = request.directory.upload().begin(request.now);
    return {.status = 201, .json = json::object{{"restore", std::to_string(id)}}};
}

ApiReply take_part(ApiRequest& request, std::uint64_t id) {
    const auto* part = only_member(request.body, "text");
    if (part == nullptr || !part->is_string()) {
        return failed(Error{.attempt = "take in part of a backup",
                            .cause = "no member 'text' alone",
                            .remedy = R"(send {"text": "..."}, the next octets of the backup)",
                            .code = EINVAL});
    }
    const auto octets = request.directory.upload().add(id, part->get_string(), request.now);
    return octets ? ApiReply{.json = json::object{{"octets", *octets}}} : failed(octets.error());
}

ApiReply restore(ApiRequest& request, std::uint64_t id) {
    const auto* replace = only_member(request.body, "replace");
    if (replace == nullptr || !replace->is_bool()) {
        return failed(Error{.attempt = "restore a backup",
                            .cause = "no member 'replace' alone",
                            .remedy = R"(send {"replace": false}, or true where something is to be replaced)",
                            .code = EINVAL});
    }
    const auto document = request.directory.upload().take(id, request.now);
    if (!document) {
        return failed(document.error());
    }
    const auto counts =
        settled(request.directory, [&] { return request.directory.restore(*document, replace->get_bool()); });
    if (!counts) {
        auto reply = failed(counts.error());
        reply.overtaken = false; // the upload is over
        return reply;
    }
    json::object rows;
    for (const auto& [table, count] : *counts) {
        rows[table] = count;
    }
    return {.json = json::object{{"restored", std::move(rows)}}};
}

} // namespace

ApiReply handle_backup(ApiRequest& request) {
    if (auto refused = request.refuse_query({})) {
        return std::move(*refused);
    }
    auto document = request.directory.backup(request.now);
    return document ? ApiReply{.json = json::object{{"backup", std::move(*document)}}}
                    : failed(document.error());
}

ApiReply handle_restore(ApiRequest& request) {
    if (auto refused = request.refuse_query({})) {
        return std::move(*refused);
    }
    if (request.path.size() == 1) {
        return begin(request);
    }
    const auto id = number_of(request.path[1]);
    if (!id) {
        return no_route(request.method, "/v1/restore/...");
    }
    return request.method == "POST" ? take_part(request, *id) : restore(request, *id);
}

} // namespace stem::sm
