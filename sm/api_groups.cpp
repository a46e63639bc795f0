// SPDX-License-Identifier: Apache-2.0
// Groups of firewalls, which share thresholds.
#include "sm/api_request.h"
#include "sm/failure.h"
#include "sm/field_reader.h"
#include "sm/json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>

namespace stem::sm {
namespace {

namespace json = boost::json;

json::object to_json(const FirewallGroup& group) {
    return {{"name", group.name}, {"firewalls", json::array(group.firewalls.begin(), group.firewalls.end())}};
}

ApiReply show(const Thresholds& thresholds, const std::string& name, int status = 200) {
    const auto groups = thresholds.groups();
    const auto found = std::ranges::find(groups, name, &FirewallGroup::name);
    if (found == groups.end()) {
        return failed(Error{"show group " + name.substr(0, 80), "no firewall is in it",
                            "list the groups to see their names", ENOENT});
    }
    return {.status = status, .json = to_json(*found)};
}

} // namespace

ApiReply handle_groups(ApiRequest& request) {
    if (auto refused = request.refuse_query({})) {
        return std::move(*refused);
    }
    Thresholds& thresholds = request.directory.thresholds();
    if (request.path.size() == 1) {
        json::array list;
        for (const FirewallGroup& group : thresholds.groups()) {
            list.push_back(to_json(group));
        }
        return {.status = 200, .json = json::object{{"groups", std::move(list)}}};
    }
    const std::string& name = request.path[1];
    if (request.method == "GET") {
        return show(thresholds, name);
    }
    if (request.method == "DELETE") {
        if (auto there = show(thresholds, name); there.status != 200) {
            return there;
        }
        return no_content(thresholds.put_group({name, {}}, request.now, request.who));
    }
    FieldReader fields(request.body, "group", {"firewalls"});
    const auto* list = fields.list("firewalls");
    FirewallGroup group{.name = name, .firewalls = fields.texts("firewalls")};
    if (list == nullptr || group.firewalls.empty()) {
        fields.blame("firewalls",
                     Error{"read them", "there are none", "name at least one; DELETE ends a group"});
    }
    if (fields.fault()) {
        return failed(*fields.fault());
    }
    std::ranges::sort(group.firewalls);
    const auto twice = std::ranges::unique(group.firewalls);
    group.firewalls.erase(twice.begin(), twice.end());
    const auto done = thresholds.put_group(group, request.now, request.who);
    return done ? show(thresholds, name) : failed(done.error());
}

} // namespace stem::sm
