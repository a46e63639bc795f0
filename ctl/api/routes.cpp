// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/routes.h"

#include <algorithm>

namespace stem::api {
namespace {

namespace json = boost::json;

constexpr std::string_view calls_prefix = "/v1/calls/";
constexpr std::string_view connections_prefix = "/v1/connections/";
constexpr std::string_view peers_prefix = "/v1/peers/";

Response ok(const json::object& body) {
    return {.body = json::serialize(body)};
}

// `allowed`: as in an Allow header, "GET, DELETE".
Response wrong_method(const Request& request, std::string allowed) {
    Response response = refusal(405, request.method + " " + std::string(request.path()) +
                                         " is not possible; possible: " + allowed);
    response.allow = std::move(allowed);
    return response;
}

Response list_calls(Backend& backend) {
    const Now now = backend.now();
    json::array calls;
    for (const auto& dialog : backend.calls()) {
        calls.emplace_back(to_json(dialog, now));
    }
    return ok({{"calls", std::move(calls)}});
}

Response show_call(Backend& backend, std::uint64_t id) {
    const auto calls = backend.calls();
    const auto found = std::ranges::find(calls, id, &call::DialogInfo::id);
    if (found == calls.end()) {
        return refusal(404, "there is no call " + id_text(id));
    }
    return ok(to_json(*found, backend.now()));
}

Response drop_call(Backend& backend, std::uint64_t id) {
    if (!backend.drop_call(id)) {
        return refusal(404, "there is no call " + id_text(id));
    }
    return ok({{"dropped", id_text(id)}});
}

// `rest`: "17" or "17/drop".
Response one_call(Backend& backend, const Request& request, std::string_view rest) {
    const std::string_view number = rest.substr(0, rest.find('/'));
    const std::string_view action = rest.substr(number.size());
    const auto id = id_from(number);
    if (!id) {
        return refusal(400, "'" + std::string(number) + "' is no call's number; GET /v1/calls lists them");
    }
    if (action == "/drop") {
        return request.method == "POST" ? drop_call(backend, *id) : wrong_method(request, "POST");
    }
    if (!action.empty()) {
        return refusal(404, "there is nothing at " + std::string(request.path()));
    }
    if (request.method == "DELETE") {
        return drop_call(backend, *id);
    }
    return request.method == "GET" ? show_call(backend, *id) : wrong_method(request, "GET, DELETE");
}

Response list_connections(Backend& backend) {
    const Now now = backend.now();
    json::array connections;
    for (const auto& connection : backend.connections()) {
        connections.emplace_back(to_json(connection, now));
    }
    return ok({{"connections", std::move(connections)}});
}

Response one_connection(Backend& backend, const Request& request, std::string_view number) {
    const auto id = id_from(number);
    if (!id) {
        return refusal(400, "'" + std::string(number) +
                                "' is no connection's number; GET /v1/connections lists them");
    }
    if (request.method != "DELETE") {
        return wrong_method(request, "DELETE");
    }
    if (!backend.reset_connection(*id)) {
        return refusal(404, "there is no open connection " + id_text(*id));
    }
    return ok({{"reset", id_text(*id)}});
}

Response one_peer(Backend& backend, const Request& request, std::string_view text) {
    const auto address = Address::parse(text);
    if (!address) {
        return refusal(400, address.error().message());
    }
    if (request.method == "PUT") {
        const auto added = backend.add_trunk(*address);
        return added ? ok({{"address", address->to_string()}}) : refusal(507, added.error().message());
    }
    if (request.method == "DELETE") {
        return backend.remove_trunk(*address)
                   ? ok({{"address", address->to_string()}})
                   : refusal(404, address->to_string() + " was not added as a peer; stemctl peers list");
    }
    return wrong_method(request, "PUT, DELETE");
}

} // namespace

bool is_stemds_own(std::string_view path) {
    return path == "/v1/status" || path == "/v1/calls" || path == "/metrics" || path == "/v1/alarms" ||
           path.starts_with(peers_prefix) || path.starts_with(calls_prefix) || !path.starts_with("/v1/");
}

Response answer(Backend& backend, const Request& request) {
    const std::string_view path = request.path();
    const bool get = request.method == "GET";
    if (path == "/v1/status") {
        return get ? ok(backend.status()) : wrong_method(request, "GET");
    }
    if (path == "/v1/calls") {
        return get ? list_calls(backend) : wrong_method(request, "GET");
    }
    if (path == "/v1/connections") {
        return get ? list_connections(backend) : wrong_method(request, "GET");
    }
    if (path == "/metrics") {
        return get ? Response{.body = backend.metrics(), .content_type = "text/plain; version=0.0.4"}
                   : wrong_method(request, "GET");
    }
    if (path == "/v1/alarms") {
        return get ? ok(backend.alarms()) : wrong_method(request, "GET");
    }
    if (path.starts_with(connections_prefix)) {
        return one_connection(backend, request, path.substr(connections_prefix.size()));
    }
    if (path.starts_with(peers_prefix)) {
        return one_peer(backend, request, path.substr(peers_prefix.size()));
    }
    if (path.starts_with(calls_prefix)) {
        return one_call(backend, request, path.substr(calls_prefix.size()));
    }
    if (!is_stemds_own(path)) {
        return backend.security_manager(request);
    }
    return refusal(404, "there is nothing at " + std::string(path) + "; the API is under /v1/ and /metrics");
}

} // namespace stem::api
