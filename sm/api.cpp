// SPDX-License-Identifier: Apache-2.0
#include "sm/api.h"

#include "sm/api_change.h"
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
constexpr std::string_view import_path = "/v1/spam/import";

// Explains what would become of a call; changes nothing.
ApiReply handle_decision(ApiRequest& request) {
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
    const auto explanation = request.admission.explain(query);
    auto answer = to_json(explanation.decision);
    answer.as_object()["steps"] = to_json(explanation.steps);
    return {.status = 200, .json = std::move(answer)};
}

ApiReply handle_description(ApiRequest& request) {
    if (auto refused = request.refuse_query({})) {
        return std::move(*refused);
    }
    static const json::value description = json::parse(openapi_text());
    return {.status = 200, .json = description};
}

struct Route {
    std::string_view path;
    std::string_view methods;
    ApiReply (*handler)(ApiRequest&);
};

// The one list: who answers what, by which methods.
constexpr std::array routes{
    Route{"/v1/users", "GET, POST", handle_users},
    Route{"/v1/users/{name}", "GET, PUT, DELETE", handle_users},
    Route{"/v1/users/{name}/uris", "GET, POST, DELETE", handle_users},
    Route{"/v1/users/{name}/locations", "GET, POST, DELETE", handle_users},
    Route{"/v1/users/{name}/credentials", "GET, PUT, DELETE", handle_users},
    Route{"/v1/administrators", "GET", handle_administrators},
    Route{"/v1/administrators/{name}", "PUT, DELETE", handle_administrators},
    Route{"/v1/profiles", "GET, POST", handle_profiles},
    Route{"/v1/profiles/{name}", "GET, PUT, DELETE", handle_profiles},
    Route{"/v1/profiles/{name}/rules", "GET, POST", handle_profiles},
    Route{"/v1/profiles/{name}/rules/{position}", "GET, PUT, POST, DELETE", handle_profiles},
    Route{"/v1/spam", "GET, POST, DELETE", handle_spam},
    Route{"/v1/spam/import", "POST", handle_spam},
    Route{"/v1/limits", "GET, POST", handle_limits},
    Route{"/v1/limits/{name}", "GET, PUT, DELETE", handle_limits},
    Route{"/v1/blocks", "GET", handle_blocks},
    Route{"/v1/blocks/{user}", "GET, DELETE", handle_blocks},
    Route{"/v1/thresholds", "GET, DELETE", handle_thresholds},
    Route{"/v1/thresholds/{name}", "GET, PUT, DELETE", handle_thresholds},
    Route{"/v1/groups", "GET", handle_groups},
    Route{"/v1/groups/{name}", "GET, PUT, DELETE", handle_groups},
    Route{"/v1/decision", "GET", handle_decision},
    Route{"/v1/audit", "GET", handle_audit},
    Route{"/v1/backup", "GET", handle_backup},
    Route{"/v1/restore", "POST", handle_restore},
    Route{"/v1/restore/{upload}", "POST, PUT", handle_restore},
    Route{"/v1/openapi.json", "GET", handle_description},
};

std::string_view next_part(std::string_view& path) {
    const auto part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    return part;
}

bool fits(std::string_view route, const std::vector<std::string>& path) {
    route.remove_prefix(root.size());
    for (const std::string& part : path) {
        const std::string_view wanted = next_part(route);
        if (wanted.empty() || (!wanted.starts_with('{') && wanted != part)) {
            return false;
        }
    }
    return route.empty();
}

bool has_method(std::string_view methods, std::string_view method) {
    const auto at = methods.find(method);
    const auto end = at + method.size();
    return !method.empty() && at != std::string_view::npos && (at == 0 || methods[at - 1] == ' ') &&
           (end == methods.size() || methods[end] == ',');
}

Result<json::value> read_body(std::string_view body, std::size_t limit) {
    if (body.empty()) {
        return json::value();
    }
    if (body.size() > limit) {
        return std::unexpected(Error{"read request body",
                                     fmt::format("{} octets, at most {}", body.size(), limit),
                                     "send less at once", EMSGSIZE});
    }
    json::error_code error;
    json::value value = json::parse({body.data(), body.size()}, error);
    if (error) {
        return invalid("read request body", "not JSON: " + error.message(), "send one JSON object");
    }
    return value;
}

} // namespace

bool serves(std::string_view target) {
    if (!target.starts_with(root)) {
        return false;
    }
    target.remove_prefix(root.size());
    const auto collection = target.substr(0, target.find_first_of("/?"));
    return std::ranges::any_of(routes, [&](const Route& route) {
        std::string_view path = route.path.substr(root.size());
        return next_part(path) == collection;
    });
}

std::size_t body_limit(std::string_view target) {
    return target.substr(0, target.find('?')) == import_path ? max_import_length : max_body_length;
}

std::vector<ApiRoute> api_routes() {
    std::vector<ApiRoute> list;
    list.reserve(routes.size());
    for (const Route& route : routes) {
        list.push_back({route.path, route.methods});
    }
    return list;
}

ApiReply handle(const ApiContext& context, std::string_view method, std::string_view target,
                std::string_view body) {
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
    const auto route =
        std::ranges::find_if(routes, [&](const Route& each) { return fits(each.path, *path); });
    if (route == routes.end()) {
        return no_route(method, target.substr(0, mark));
    }
    auto json = read_body(body, body_limit(target));
    if (!json) {
        return failed(json.error());
    }
    ApiRequest request{.directory = context.directory,
                       .admission = context.admission,
                       .now = context.now,
                       .who = context.who,
                       .method = method,
                       .path = std::move(*path),
                       .query = std::move(*query),
                       .body = std::move(*json)};
    if (!has_method(route->methods, method)) {
        return wrong_method(request, std::string(route->methods));
    }
    Directory& directory = context.directory;
    // A change is checked by what the others have done by now, heard of or not. If that cannot be read, the
    // change cannot be written either, and says so.
    if (directory.store().shared() && method != "GET") {
        static_cast<void>(directory.catch_up());
    }
    ChangeRecord change(request);
    auto reply = settled(directory, [&] { return route->handler(request); });
    change.write(reply);
    return reply;
}

} // namespace stem::sm
