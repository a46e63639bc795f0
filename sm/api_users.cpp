// SPDX-License-Identifier: Apache-2.0
#include "sm/api_request.h"
#include "sm/failure.h"
#include "sm/json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace stem::sm {
namespace {

namespace json = boost::json;

json::array locations_of(const std::vector<Location>& locations) {
    json::array list;
    for (const Location& location : locations) {
        list.push_back(to_json(location));
    }
    return list;
}

// The user as it is now, with its locations.
ApiReply show(const Directory& directory, std::string_view name, int status = 200) {
    const auto user = directory.user(name);
    if (!user) {
        return failed(user.error());
    }
    json::value shown = to_json(*user);
    shown.as_object()["locations"] = locations_of(directory.find_user(name)->locations);
    return {.status = status, .json = std::move(shown)};
}

ApiReply all_users(ApiRequest& request) {
    if (request.method == "GET") {
        json::array list;
        for (const User& user : request.directory.users()) {
            list.push_back(to_json(user));
        }
        return {.status = 200, .json = json::object{{"users", std::move(list)}}};
    }
    if (request.method == "POST") {
        const auto user = user_from(request.body);
        if (!user) {
            return failed(user.error());
        }
        const auto added = request.directory.add_user(*user);
        return added ? show(request.directory, user->name, 201) : failed(added.error());
    }
    return wrong_method(request, "GET, POST");
}

ApiReply one_user(ApiRequest& request, const std::string& name) {
    if (request.method == "GET") {
        return show(request.directory, name);
    }
    if (request.method == "PUT") {
        const auto change = user_change_from(request.body);
        if (!change) {
            return failed(change.error());
        }
        const auto changed = request.directory.change_user(name, *change);
        return changed ? show(request.directory, name) : failed(changed.error());
    }
    if (request.method == "DELETE") {
        return no_content(request.directory.remove_user(name));
    }
    return wrong_method(request, "GET, PUT, DELETE");
}

ApiReply uris(ApiRequest& request, const std::string& name) {
    if (request.method == "GET") {
        const auto user = request.directory.user(name);
        if (!user) {
            return failed(user.error());
        }
        json::array list;
        for (const std::string& uri : user->uris) {
            list.emplace_back(uri);
        }
        return {.status = 200, .json = json::object{{"uris", std::move(list)}}};
    }
    if (request.method == "POST") {
        const auto uri = uri_from(request.body);
        if (!uri) {
            return failed(uri.error());
        }
        const auto added = request.directory.add_uri(name, *uri);
        return added ? show(request.directory, name, 201) : failed(added.error());
    }
    if (request.method == "DELETE") {
        if (!request.query.contains("uri")) {
            return failed(Error{"remove a URI of user " + name, "no query parameter 'uri'",
                                "send ?uri=sip:bob@example.org", EINVAL});
        }
        return no_content(request.directory.remove_uri(name, request.query_or("uri", {})));
    }
    return wrong_method(request, "GET, POST, DELETE");
}

ApiReply locations(ApiRequest& request, const std::string& name) {
    if (request.method == "GET") {
        const auto found = request.directory.locations(name);
        return found ? ApiReply{.status = 200, .json = json::object{{"locations", locations_of(*found)}}}
                     : failed(found.error());
    }
    if (request.method == "POST") {
        const auto location = location_from(request.body, request.now);
        if (!location) {
            return failed(location.error());
        }
        const auto set = request.directory.set_location(name, location->contact, location->address,
                                                        location->expires, location->q);
        return set ? show(request.directory, name, 201) : failed(set.error());
    }
    if (request.method == "DELETE") {
        const auto removed = request.directory.remove_locations(name, request.query_or("contact", {}));
        return removed ? ApiReply{.status = 200, .json = json::object{{"removed", *removed}}}
                       : failed(removed.error());
    }
    return wrong_method(request, "GET, POST, DELETE");
}

} // namespace

ApiReply handle_users(ApiRequest& request) {
    const auto& path = request.path;
    const bool deletes = request.method == "DELETE";
    const bool of_uri = path.size() == 3 && path[2] == "uris" && deletes;
    if (path.size() == 3 && path[2] == "credentials") {
        return handle_credentials(request, path[1]);
    }
    const bool of_location = path.size() == 3 && path[2] == "locations" && deletes;
    auto refused = of_uri        ? request.refuse_query({"uri"})
                   : of_location ? request.refuse_query({"contact"})
                                 : request.refuse_query({});
    if (refused) {
        return std::move(*refused);
    }
    if (path.size() == 1) {
        return all_users(request);
    }
    if (path.size() == 2) {
        return one_user(request, path[1]);
    }
    if (path.size() == 3 && path[2] == "uris") {
        return uris(request, path[1]);
    }
    if (path.size() == 3 && path[2] == "locations") {
        return locations(request, path[1]);
    }
    return no_route(request.method, "/v1/users/...");
}

} // namespace stem::sm
