// SPDX-License-Identifier: Apache-2.0
#include "sm/api_request.h"
#include "sm/failure.h"
#include "sm/field_reader.h"
#include "sm/json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <fmt/format.h>

#include <charconv>

namespace stem::sm {
namespace {

namespace json = boost::json;

ApiReply show(const Directory& directory, std::string_view name, int status = 200) {
    const auto profile = directory.profile(name);
    return profile ? ApiReply{.status = status, .json = to_json(*profile)} : failed(profile.error());
}

ApiReply shown_if(const Result<>& done, const Directory& directory, std::string_view name, int status = 200) {
    return done ? show(directory, name, status) : failed(done.error());
}

ApiReply all_profiles(ApiRequest& request) {
    if (request.method == "GET") {
        json::array list;
        for (const Profile& profile : request.directory.profiles()) {
            list.push_back(to_json(profile));
        }
        return {.status = 200, .json = json::object{{"profiles", std::move(list)}}};
    }
    if (request.method == "POST") {
        const auto profile = profile_from(request.body);
        if (!profile) {
            return failed(profile.error());
        }
        return shown_if(request.directory.add_profile(*profile), request.directory, profile->name, 201);
    }
    return wrong_method(request, "GET, POST");
}

ApiReply one_profile(ApiRequest& request, const std::string& name) {
    if (request.method == "GET") {
        return show(request.directory, name);
    }
    if (request.method == "PUT") {
        FieldReader fields(request.body, "profile change", {"default", "max_calls"});
        const json::value* fallback = fields.any("default");
        const auto max_calls = fields.integer("max_calls", 0, max_max_calls);
        if (fields.fault()) {
            return failed(*fields.fault());
        }
        if (max_calls) {
            if (const auto done = request.directory.set_max_calls(name, *max_calls); !done) {
                return failed(done.error());
            }
            if (fallback == nullptr) {
                return show(request.directory, name);
            }
        }
        const auto treatment = treatment_from(fallback == nullptr ? json::value() : *fallback);
        if (!treatment) {
            fields.blame("default", treatment.error());
            return failed(*fields.fault());
        }
        return shown_if(request.directory.set_fallback(name, *treatment), request.directory, name);
    }
    if (request.method == "DELETE") {
        return no_content(request.directory.remove_profile(name));
    }
    return wrong_method(request, "GET, PUT, DELETE");
}

ApiReply all_rules(ApiRequest& request, const std::string& name) {
    if (request.method == "GET") {
        const auto profile = request.directory.profile(name);
        if (!profile) {
            return failed(profile.error());
        }
        return {.status = 200, .json = json::object{{"rules", to_json(*profile).at("rules")}}};
    }
    if (request.method == "POST") {
        const auto rule = rule_from(request.body);
        const auto position = position_from(request.body);
        if (!rule || !position) {
            return failed(rule ? position.error() : rule.error());
        }
        const auto added = request.directory.add_rule(name, *rule, *position);
        return added ? show(request.directory, name, 201) : failed(added.error());
    }
    return wrong_method(request, "GET, POST");
}

ApiReply one_rule(ApiRequest& request, const std::string& name, const std::string& text) {
    std::size_t position = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), position);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return failed(Error{fmt::format("read rule position '{}'", text.substr(0, 80)), "not a number",
                            "positions count from 1", EINVAL});
    }
    Directory& directory = request.directory;
    if (request.method == "GET") {
        const auto profile = directory.profile(name);
        if (!profile) {
            return failed(profile.error());
        }
        if (position < 1 || position > profile->rules.size()) {
            return failed(Error{fmt::format("show rule {} of profile {}", position, name), "no such rule",
                                "show the profile to see its rules", ENOENT});
        }
        return {.status = 200, .json = to_json(profile->rules[position - 1], position)};
    }
    if (request.method == "PUT") {
        const auto rule = rule_from(request.body);
        if (!rule) {
            return failed(rule.error());
        }
        if (request.body.as_object().contains("position")) {
            return failed(Error{"change a rule", "field 'position': a change leaves the rule where it is",
                                "move it by POST to the rule's path", EINVAL});
        }
        return shown_if(directory.replace_rule(name, position, *rule), directory, name);
    }
    if (request.method == "POST") {
        FieldReader fields(request.body, "move", {"position"});
        const auto to = fields.integer("position", 1, 1'000'000);
        if (fields.fault() || !to) {
            return failed(fields.fault().value_or(
                Error{"read move, field 'position'", "missing", "send {\"position\": N}", EINVAL}));
        }
        return shown_if(directory.move_rule(name, position, static_cast<std::size_t>(*to)), directory, name);
    }
    if (request.method == "DELETE") {
        return no_content(directory.remove_rule(name, position));
    }
    return wrong_method(request, "GET, PUT, POST, DELETE");
}

} // namespace

ApiReply handle_profiles(ApiRequest& request) {
    if (auto refused = request.refuse_query({})) {
        return std::move(*refused);
    }
    const auto& path = request.path;
    if (path.size() == 1) {
        return all_profiles(request);
    }
    if (path.size() == 2) {
        return one_profile(request, path[1]);
    }
    if (path.size() == 3 && path[2] == "rules") {
        return all_rules(request, path[1]);
    }
    if (path.size() == 4 && path[2] == "rules") {
        return one_rule(request, path[1], path[3]);
    }
    return no_route(request.method, "/v1/profiles/...");
}

} // namespace stem::sm
