// SPDX-License-Identifier: Apache-2.0
#include "sm/api.h"

#include "sm/api_request.h"
#include "sm/failure.h"
#include "sm/json.h"
#include "sm/timestamp.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stem::sm {
namespace {

namespace json = boost::json;

constexpr std::string_view root = "/v1/";
constexpr int most_tries = 16;
constexpr std::array<std::string_view, 5> collections = {"users", "profiles", "spam", "decision",
                                                         "thresholds"};

ApiReply handle_spam(ApiRequest& request) {
    if (request.path.size() != 1) {
        return no_route(request.method, "/v1/spam/...");
    }
    if (request.method == "POST") {
        if (auto refused = request.refuse_query({})) {
            return std::move(*refused);
        }
        const auto entry = spam_from(request.body);
        if (!entry) {
            return failed(entry.error());
        }
        const auto added = request.directory.add_spam(*entry);
        return added ? ApiReply{.status = 201, .json = to_json(*entry)} : failed(added.error());
    }
    if (request.method == "GET") {
        if (auto refused = request.refuse_query({"user"})) {
            return std::move(*refused);
        }
        const bool of_one = request.query.contains("user");
        const std::string user = request.query_or("user", {});
        if (of_one && !user.empty() && request.directory.find_user(user) == nullptr) {
            return failed(Error{"list spam callers", fmt::format("no user '{}'", user),
                                "list the users to see their names", ENOENT});
        }
        json::array list;
        for (const SpamEntry& entry : request.directory.spam(of_one ? std::optional(user) : std::nullopt)) {
            list.push_back(to_json(entry));
        }
        return {.status = 200, .json = json::object{{"spam", std::move(list)}}};
    }
    if (request.method == "DELETE") {
        if (auto refused = request.refuse_query({"caller", "user"})) {
            return std::move(*refused);
        }
        const auto caller = Pattern::parse(request.query_or("caller", {}));
        return caller ? no_content(request.directory.remove_spam(*caller, request.query_or("user", {})))
                      : failed(caller.error());
    }
    return wrong_method(request, "GET, POST, DELETE");
}

// Explains what would become of a call; changes nothing.
ApiReply handle_decision(const ApiRequest& request) {
    if (request.path.size() != 1) {
        return no_route(request.method, "/v1/decision/...");
    }
    if (request.method != "GET") {
        return wrong_method(request, "GET");
    }
    if (auto refused = request.refuse_query({"from", "to", "at", "direction"})) {
        return std::move(*refused);
    }
    const std::string direction = request.query_or("direction", "inbound");
    if (direction != "inbound" && direction != "outbound") {
        return failed(Error{fmt::format("read direction '{}'", direction.substr(0, 80)), "not a direction",
                            "write inbound or outbound", EINVAL});
    }
    Query query;
    query.direction = direction == "inbound" ? STEM_INBOUND : STEM_OUTBOUND;
    query.caller = request.query_or("from", {});
    query.callee = request.query_or("to", {});
    query.at = request.now;
    for (const std::string& uri : {query.caller, query.callee}) {
        if (const auto record = AddressOfRecord::parse(uri); !record) {
            return failed(record.error());
        }
    }
    if (request.query.contains("at")) {
        const auto at = parse_timestamp(request.query_or("at", {}));
        if (!at) {
            return failed(at.error());
        }
        query.at = *at;
    }
    return {.status = 200, .json = to_json(request.decider.decide(query))};
}

Result<json::value> read_body(std::string_view body) {
    if (body.empty()) {
        return json::value();
    }
    if (body.size() > max_body_length) {
        return std::unexpected(Error{"read request body",
                                     fmt::format("{} octets, at most {}", body.size(), max_body_length),
                                     "send less at once", EMSGSIZE});
    }
    json::error_code error;
    json::value value = json::parse({body.data(), body.size()}, error);
    if (error) {
        return invalid("read request body", "not JSON: " + error.message(), "send one JSON object");
    }
    return value;
}

ApiReply route(ApiRequest& request) {
    if (request.path[0] == "users") {
        return handle_users(request);
    }
    if (request.path[0] == "profiles") {
        return handle_profiles(request);
    }
    if (request.path[0] == "thresholds") {
        return handle_thresholds(request);
    }
    return request.path[0] == "spam" ? handle_spam(request) : handle_decision(request);
}

} // namespace

bool serves(std::string_view target) {
    if (!target.starts_with(root)) {
        return false;
    }
    target.remove_prefix(root.size());
    return std::ranges::find(collections, target.substr(0, target.find_first_of("/?"))) != collections.end();
}

ApiReply handle(Directory& directory, const Decider& decider, std::string_view method,
                std::string_view target, std::string_view body, TimePoint now, std::string_view who) {
    if (!serves(target)) {
        return no_route(method, target);
    }
    const auto mark = target.find('?');
    auto path =
        split_path(target.substr(root.size(), mark == std::string_view::npos ? mark : mark - root.size()));
    auto query = split_query(mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1));
    if (!path || !query) {
        return failed(path ? query.error() : path.error());
    }
    auto json = read_body(body);
    if (!json) {
        return failed(json.error());
    }
    ApiRequest request{.directory = directory,
                       .decider = decider,
                       .now = now,
                       .who = who,
                       .method = method,
                       .path = std::move(*path),
                       .query = std::move(*query),
                       .body = std::move(*json)};
    // A change is checked by what the others have done by now, heard of or not. If that cannot be read, the
    // change cannot be written either, and says so.
    if (directory.store().shared() && method != "GET") {
        static_cast<void>(directory.catch_up());
    }
    auto reply = route(request);
    // Another Security Manager was quicker: what was checked is to be checked again.
    for (int tries = 1; reply.overtaken && tries < most_tries; ++tries) {
        if (const auto read = directory.catch_up(); !read) {
            return failed(read.error());
        }
        reply = route(request);
    }
    return reply;
}

} // namespace stem::sm
