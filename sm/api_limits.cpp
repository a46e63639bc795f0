// SPDX-License-Identifier: Apache-2.0
#include "sm/api_request.h"
#include "sm/failure.h"
#include "sm/json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <fmt/format.h>

namespace stem::sm {
namespace {

namespace json = boost::json;

ApiReply show_limit(const ApiRequest& request, const std::string& name, int status = 200) {
    const auto& limits = request.directory.limits();
    const auto found = limits.find(name);
    if (found == limits.end()) {
        return failed(Error{"show limit " + name.substr(0, 80),
                            fmt::format("no limit '{}'", name.substr(0, 80)),
                            "list the limits to see their names", ENOENT});
    }
    return {.status = status, .json = to_json(found->second)};
}

ApiReply put(ApiRequest& request, const Limit& limit, int status) {
    const auto done = request.directory.put_limit(limit);
    return done ? show_limit(request, limit.name, status) : failed(done.error());
}

} // namespace

ApiReply handle_limits(ApiRequest& request) {
    if (auto refused = request.refuse_query({})) {
        return std::move(*refused);
    }
    const bool all = request.path.size() == 1;
    if (request.method == "GET" && all) {
        json::array list;
        for (const auto& [name, limit] : request.directory.limits()) {
            list.push_back(to_json(limit));
        }
        return {.status = 200, .json = json::object{{"limits", std::move(list)}}};
    }
    if (request.method == "GET") {
        return show_limit(request, request.path[1]);
    }
    if (request.method == "DELETE") {
        return no_content(request.directory.remove_limit(request.path[1]));
    }
    if (!all && request.body.is_object()) { // PUT: the path names it
        auto& body = request.body.get_object();
        if (body.contains("name") && body["name"] != json::value(request.path[1])) {
            return failed(Error{"change limit " + request.path[1], "the body names another",
                                "leave the name away, or send the same", EINVAL});
        }
        body["name"] = request.path[1];
    }
    const auto limit = limit_from(request.body);
    if (!limit) {
        return failed(limit.error());
    }
    const bool there = request.directory.limits().contains(limit->name);
    if (all && there) {
        return failed(Error{"add limit " + limit->name, "there is one of that name",
                            "take another name, or change that limit (PUT)", EEXIST});
    }
    return put(request, *limit, there ? 200 : 201);
}

ApiReply handle_blocks(ApiRequest& request) {
    if (auto refused = request.refuse_query({})) {
        return std::move(*refused);
    }
    const auto& blocks = request.directory.blocks();
    if (request.path.size() == 1) {
        json::array list;
        for (const auto& [user, block] : blocks) {
            if (block.until > request.now) {
                list.push_back(to_json(block));
            }
        }
        return {.status = 200, .json = json::object{{"blocks", std::move(list)}}};
    }
    const std::string& user = request.path[1];
    if (request.method == "DELETE") {
        return no_content(request.directory.unblock(user));
    }
    const auto found = blocks.find(user);
    if (found == blocks.end() || found->second.until <= request.now) {
        return failed(Error{"show the block of user " + user.substr(0, 80),
                            "his outgoing calls are not blocked", "list the blocks to see whose are",
                            ENOENT});
    }
    return {.status = 200, .json = to_json(found->second)};
}

} // namespace stem::sm
