// SPDX-License-Identifier: Apache-2.0
#include "sm/api_request.h"
#include "sm/failure.h"
#include "sm/field_reader.h"
#include "sm/json.h"
#include "sm/timestamp.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <limits>

namespace stem::sm {
namespace {

namespace json = boost::json;

json::object to_json(const ThresholdChange& change) {
    return {{"version", change.version},
            {"firewall", change.firewall},
            {"value", change.value ? json::value(*change.value) : json::value()},
            {"at", to_timestamp(change.at)},
            {"by", change.who}};
}

json::object to_json(const Thresholds::InForce& threshold) {
    const ThresholdInfo& info = *threshold.info;
    return {{"name", info.name},
            {"value", threshold.value},
            {"unit", info.unit},
            {"origin", name_of(threshold.origin)},
            {"change", threshold.change ? json::value(to_json(*threshold.change)) : json::value()},
            {"default", info.initial},
            {"low", info.low},
            {"high", info.high},
            {"help", info.help}};
}

ApiReply all_thresholds(ApiRequest& request, const std::string& firewall) {
    Thresholds& thresholds = request.directory.thresholds();
    if (request.method == "GET") {
        json::array list;
        for (const auto& threshold : thresholds.in_force(firewall)) {
            list.push_back(to_json(threshold));
        }
        json::array unusable;
        for (const auto& change : thresholds.unusable()) {
            auto entry = to_json(change);
            entry["name"] = change.name;
            unusable.push_back(std::move(entry));
        }
        return {.status = 200,
                .json = json::object{{"firewall", firewall},
                                     {"group", thresholds.group_of(firewall)},
                                     {"version", thresholds.version()},
                                     {"thresholds", std::move(list)},
                                     {"unusable", std::move(unusable)}}};
    }
    if (request.method == "DELETE") {
        const auto count = thresholds.reset_all(firewall, request.now, request.who);
        return count ? ApiReply{.status = 200, .json = json::object{{"reset", *count}}}
                     : failed(count.error());
    }
    return wrong_method(request, "GET, DELETE");
}

ApiReply show(const Thresholds& thresholds, const std::string& firewall, const std::string& name) {
    const auto threshold = thresholds.in_force(firewall, name);
    if (!threshold) {
        return failed(threshold.error());
    }
    const auto history = thresholds.history(name);
    if (!history) {
        return failed(history.error());
    }
    auto answer = to_json(*threshold);
    json::array changes;
    for (const auto& change : *history) {
        changes.push_back(to_json(change));
    }
    answer["changes"] = std::move(changes);
    return {.status = 200, .json = std::move(answer)};
}

ApiReply one_threshold(ApiRequest& request, const std::string& firewall, const std::string& name) {
    Thresholds& thresholds = request.directory.thresholds();
    if (request.method == "GET") {
        return show(thresholds, firewall, name);
    }
    if (request.method == "PUT") {
        FieldReader fields(request.body, "threshold", {"value"});
        const auto value = fields.integer("value", std::numeric_limits<std::int64_t>::min(),
                                          std::numeric_limits<std::int64_t>::max());
        if (!value && !fields.fault()) {
            fields.blame("value", Error{"read it", "it is missing", "send a number"});
        }
        if (fields.fault()) {
            return failed(*fields.fault());
        }
        const auto set = thresholds.set(firewall, name, *value, request.now, request.who);
        return set ? show(thresholds, firewall, name) : failed(set.error());
    }
    if (request.method == "DELETE") {
        return no_content(thresholds.reset(firewall, name, request.now, request.who));
    }
    return wrong_method(request, "GET, PUT, DELETE");
}

} // namespace

// "" = the default group; "@NAME" = a group.
std::string threshold_scope(const ApiRequest& request) {
    return request.query.contains("group") ? "@" + request.query_or("group", {})
                                           : request.query_or("firewall", {});
}

ApiReply handle_thresholds(ApiRequest& request) {
    if (request.path.size() > 2) {
        return no_route(request.method, "/v1/thresholds/...");
    }
    if (auto refused = request.refuse_query({"firewall", "group"})) {
        return std::move(*refused);
    }
    if (request.query.contains("firewall") && request.query.contains("group")) {
        return failed(
            Error{"read query parameter 'group'", "a firewall is named, too", "name one of them", EINVAL});
    }
    const std::string firewall = threshold_scope(request);
    if (auto good = check_scope(firewall); !good) {
        return failed(good.error());
    }
    return request.path.size() == 1 ? all_thresholds(request, firewall)
                                    : one_threshold(request, firewall, request.path[1]);
}

} // namespace stem::sm
