// SPDX-License-Identifier: Apache-2.0
#include "sm/api_change.h"

#include "sm/json.h"

#include <boost/json/object.hpp>

#include <fmt/format.h>

namespace stem::sm {
namespace {

namespace json = boost::json;

std::string text_of(const json::value& object, std::string_view name) {
    const auto* fields = object.if_object();
    const auto* value = fields == nullptr ? nullptr : fields->if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// What the request is about: a user, a profile, ... as GET shows it. null where there is none.
json::value subject(const ApiRequest& request, std::string name) {
    const Directory& directory = request.directory;
    const std::string& collection = request.path[0];
    if (request.path.size() > 1) {
        name = request.path[1];
    }
    if (collection == "users") {
        const auto* entry = directory.find_user(name);
        if (entry == nullptr) {
            return {};
        }
        json::value shown = to_json(entry->user);
        json::array locations;
        for (const Location& location : entry->locations) {
            locations.push_back(to_json(location));
        }
        shown.as_object()["locations"] = std::move(locations);
        return shown;
    }
    if (collection == "profiles") {
        const auto* profile = directory.find_profile(name);
        return profile == nullptr ? json::value() : to_json(*profile);
    }
    if (collection == "limits") {
        const auto found = directory.limits().find(name);
        return found == directory.limits().end() ? json::value() : to_json(found->second);
    }
    if (collection == "blocks") {
        const auto found = directory.blocks().find(name);
        return found == directory.blocks().end() ? json::value() : to_json(found->second);
    }
    if (collection == "spam" && request.method == "DELETE") {
        const std::string caller = request.query_or("caller", {});
        const auto pattern = Pattern::parse(caller);
        const std::string user = request.query_or("user", {});
        for (const SpamEntry& entry : pattern ? directory.spam(user) : std::vector<SpamEntry>()) {
            if (entry.caller == *pattern) {
                return to_json(entry);
            }
        }
        return {};
    }
    if (collection == "thresholds") {
        const std::string firewall = threshold_scope(request);
        json::object values;
        for (const auto& threshold : directory.thresholds().in_force(firewall)) {
            if (name.empty() || name == threshold.info->name) {
                values[threshold.info->name] = threshold.value;
            }
        }
        return values;
    }
    if (collection == "groups") {
        for (const FirewallGroup& group : directory.thresholds().groups()) {
            if (group.name == name) {
                json::array firewalls(group.firewalls.begin(), group.firewalls.end());
                return json::object{{"name", group.name}, {"firewalls", std::move(firewalls)}};
            }
        }
    }
    return {};
}

} // namespace

ChangeRecord::ChangeRecord(const ApiRequest& request)
    : request_(request), records_(request.method != "GET" && request.admission.trail() != nullptr) {
    if (records_) {
        before_ = subject(request_, text_of(request_.body, "name"));
    }
}

void ChangeRecord::write(const ApiReply& reply) const {
    if (!records_) {
        return;
    }
    std::string target = fmt::format("/v1/{}", fmt::join(request_.path, "/"));
    char mark = '?';
    for (const auto& [name, value] : request_.query) {
        target += fmt::format("{}{}={}", mark, name, value);
        mark = '&';
    }
    audit::Record record(audit::Kind::change, request_.now, request_.who);
    record.text("action", request_.method).text("target", target).number("status", reply.status);
    if (request_.path[0] == "users") {
        record.text("user", request_.path.size() > 1 ? request_.path[1] : text_of(request_.body, "name"));
    } else if (request_.path[0] == "blocks" && request_.path.size() > 1) {
        record.text("user", request_.path[1]);
    } else {
        record.text("user", request_.query_or("user", text_of(request_.body, "user")));
    }
    constexpr int failures = 400;
    if (reply.status >= failures) {
        const auto* error = reply.json.is_object() ? reply.json.get_object().if_contains("error") : nullptr;
        record.text("why", error == nullptr ? "" : text_of(*error, "message"));
    } else {
        const bool is_list = request_.path[0] == "spam"; // the answer says what was added
        record.value("before", before_)
            .value("after", is_list ? reply.json : subject(request_, text_of(request_.body, "name")));
    }
    request_.admission.trail()->write(record);
}

} // namespace stem::sm
