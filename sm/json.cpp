// SPDX-License-Identifier: Apache-2.0
#include "sm/json.h"

#include "sm/failure.h"
#include "sm/field_reader.h"
#include "sm/timestamp.h"

#include <stem/utf8.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <fmt/format.h>

#include <limits>

namespace stem::sm {
namespace {

namespace json = boost::json;

constexpr std::int64_t max_position = 1'000'000;

std::unexpected<Error> fault_of(const FieldReader& fields) {
    return std::unexpected(*fields.fault());
}

json::array texts(const std::vector<std::string>& list) {
    json::array array;
    for (const std::string& text : list) {
        array.emplace_back(text);
    }
    return array;
}

json::array addresses(const std::vector<Address>& list) {
    json::array array;
    for (const Address& address : list) {
        array.emplace_back(address.to_string());
    }
    return array;
}

void put(json::object& object, const Treatment& treatment) {
    object["action"] = std::string(name_of(treatment.action));
    if (treatment.action == Treatment::Action::forward) {
        object["target"] = treatment.target;
    }
    if (treatment.action == Treatment::Action::reject) {
        object["status"] = treatment.status;
    }
    if (treatment.deny_seconds != 0) {
        object["deny_seconds"] = treatment.deny_seconds;
    }
}

Treatment read_treatment(FieldReader& fields) {
    Treatment treatment;
    const std::string word = fields.required_text("action");
    const auto action = action_from(word);
    if (!action) {
        fields.blame("action", Error{fmt::format("read '{}'", word), "not an action",
                                     "write accept, forward, reject or drop", EINVAL});
        return treatment;
    }
    treatment.action = *action;
    treatment.target = fields.text("target").value_or("");
    const bool reject = treatment.action == Treatment::Action::reject;
    treatment.status = static_cast<int>(fields.integer("status", 0, 699).value_or(reject ? 403 : 0));
    Treatment without_denial = treatment;
    treatment.deny_seconds = fields.integer("deny_seconds", 0, max_deny_seconds).value_or(0);
    if (auto good = without_denial.check(); !good) {
        fields.blame(reject || treatment.status != 0 ? "status" : "target", good.error());
    } else if (good = treatment.check(); !good) {
        fields.blame("deny_seconds", good.error());
    }
    return treatment;
}

Pattern read_pattern(FieldReader& fields) {
    auto pattern = Pattern::parse(fields.required_text("caller"));
    if (!pattern) {
        fields.blame("caller", pattern.error());
        return {};
    }
    return std::move(*pattern);
}

} // namespace

json::value to_json(const User& user) {
    json::object object{{"name", user.name},
                        {"display_name", user.display_name},
                        {"profile", user.profile.empty() ? json::value() : json::value(user.profile)},
                        {"uris", texts(user.uris)}};
    if (user.max_calls != 0) {
        object["max_calls"] = user.max_calls;
    }
    return object;
}

json::value to_json(const Location& location) {
    return json::object{
        {"contact", location.contact},
        {"address", location.address.to_string()},
        {"origin", std::string(name_of(location.origin))},
        {"uri", location.uri.empty() ? json::value() : json::value(location.uri)},
        {"expires_at", location.expires ? json::value(to_timestamp(*location.expires)) : json::value()},
        {"q", location.q.to_string()}};
}

json::value to_json(const Treatment& treatment) {
    json::object object;
    put(object, treatment);
    return object;
}

json::value to_json(const Rule& rule, std::size_t position) {
    json::object object{{"position", position},
                        {"caller", rule.caller.to_string()},
                        {"when", rule.when ? json::value(rule.when->to_string()) : json::value()}};
    if (rule.registered) {
        object["registered"] = *rule.registered ? "yes" : "no";
    }
    put(object, rule.then);
    return object;
}

json::value to_json(const Profile& profile) {
    json::array rules;
    for (const Rule& rule : profile.rules) {
        rules.push_back(to_json(rule, rules.size() + 1));
    }
    json::object object{
        {"name", profile.name}, {"default", to_json(profile.fallback)}, {"rules", std::move(rules)}};
    if (profile.max_calls != 0) {
        object["max_calls"] = profile.max_calls;
    }
    return object;
}

json::value to_json(const SpamEntry& entry) {
    json::object object{{"caller", entry.caller.to_string()},
                        {"user", entry.user.empty() ? json::value() : json::value(entry.user)},
                        {"note", entry.note}};
    if (entry.deny_seconds != 0) {
        object["deny_seconds"] = entry.deny_seconds;
    }
    return object;
}

json::value to_json(const Decision& decision) {
    json::object object;
    if (const auto* accept = std::get_if<Accept>(&decision.action)) {
        object["action"] = "accept";
        object["terminals"] = addresses(accept->terminals);
    } else if (const auto* forward = std::get_if<Forward>(&decision.action)) {
        object["action"] = "forward";
        object["target"] = forward->target;
        object["terminals"] = addresses(forward->terminals);
    } else if (const auto* reject = std::get_if<Reject>(&decision.action)) {
        object["action"] = "reject";
        object["status"] = reject->status;
    } else if (const auto* drop = std::get_if<Drop>(&decision.action)) {
        object["action"] = "drop";
        object["spam"] = drop->spam;
    } else if (const auto* challenge = std::get_if<Challenge>(&decision.action)) {
        object["action"] = "challenge";
        object["status"] = 407;
        object["stale"] = challenge->stale;
    }
    if (decision.deny.count() != 0) {
        object["deny_seconds"] = decision.deny.count();
    }
    if (decision.max_duration.count() != 0) {
        object["max_duration"] = decision.max_duration.count();
    }
    object["user"] = decision.user.empty() ? json::value() : json::value(decision.user);
    object["why"] = decision.why;
    return object;
}

json::value to_json(const Steps& steps) {
    json::array list;
    for (const Step& step : steps) {
        list.push_back(json::object{{"step", step.what}, {"decided", step.decided}, {"why", step.why}});
    }
    return list;
}

json::value to_json(const Levels& levels) {
    const auto level = [](const std::optional<std::int64_t>& value) {
        return value ? json::value(*value) : json::value();
    };
    return json::object{{"warning", level(levels.warning)}, {"critical", level(levels.critical)}};
}

json::value to_json(const Limit& limit) {
    const auto text = [](const std::string& value) {
        return value.empty() ? json::value() : json::value(value);
    };
    return json::object{{"name", limit.name},
                        {"user", text(limit.user)},
                        {"prefix", text(limit.prefix)},
                        {"when", limit.when ? json::value(limit.when->to_string()) : json::value()},
                        {"calls_per_minute", to_json(limit.calls_per_minute)},
                        {"concurrent", to_json(limit.concurrent)},
                        {"duration", to_json(limit.duration)},
                        {"sequential", to_json(limit.sequential)},
                        {"status", limit.status},
                        {"block_seconds", limit.block_seconds}};
}

json::value to_json(const Block& block) {
    return json::object{{"user", block.user}, {"until", to_timestamp(block.until)}, {"why", block.why}};
}

json::value to_json(const Error& error) {
    return json::object{{"error",
                         {{"message", valid_utf8(error.message())}, // it may quote what was asked
                          {"attempt", valid_utf8(error.attempt)},
                          {"cause", valid_utf8(error.cause)},
                          {"remedy", valid_utf8(error.remedy)}}}};
}

Result<User> user_from(const json::value& body) {
    FieldReader fields(body, "user", {"name", "display_name", "profile", "uris", "max_calls"});
    User user;
    user.name = fields.required_text("name");
    user.display_name = fields.text("display_name").value_or("");
    user.profile = fields.text("profile").value_or("");
    user.uris = fields.texts("uris");
    user.max_calls = fields.integer("max_calls", 0, max_max_calls).value_or(0);
    return fields.fault() ? Result<User>(fault_of(fields)) : user;
}

Result<Directory::UserChange> user_change_from(const json::value& body) {
    FieldReader fields(body, "user change", {"display_name", "profile", "max_calls"});
    Directory::UserChange change{.display_name = fields.text("display_name"),
                                 .profile = fields.text("profile"),
                                 .max_calls = fields.integer("max_calls", 0, max_max_calls)};
    // Here null says something: no profile from now on.
    const auto* object = body.if_object();
    const auto* profile = object == nullptr ? nullptr : object->if_contains("profile");
    if (profile != nullptr && profile->is_null()) {
        change.profile = "";
    }
    return fields.fault() ? Result<Directory::UserChange>(fault_of(fields)) : change;
}

Result<Treatment> treatment_from(const json::value& body) {
    FieldReader fields(body, "action", {"action", "target", "status", "deny_seconds"});
    Treatment treatment = read_treatment(fields);
    return fields.fault() ? Result<Treatment>(fault_of(fields)) : treatment;
}

Result<Rule> rule_from(const json::value& body) {
    FieldReader fields(
        body, "rule",
        {"position", "caller", "when", "registered", "action", "target", "status", "deny_seconds"});
    Rule rule;
    rule.caller = read_pattern(fields);
    if (const auto when = fields.text("when")) {
        auto schedule = Schedule::parse(*when);
        if (schedule) {
            rule.when = *schedule;
        } else {
            fields.blame("when", schedule.error());
        }
    }
    if (const auto registered = fields.text("registered")) {
        rule.registered = *registered == "yes";
        if (*registered != "yes" && *registered != "no") {
            fields.blame("registered",
                         Error{fmt::format("read '{}'", registered->substr(0, 40)), "not a condition",
                               "write yes or no, or leave it away for either", EINVAL});
        }
    }
    rule.then = read_treatment(fields);
    return fields.fault() ? Result<Rule>(fault_of(fields)) : rule;
}

Result<std::optional<std::size_t>> position_from(const json::value& body) {
    FieldReader fields(
        body, "rule",
        {"position", "caller", "when", "registered", "action", "target", "status", "deny_seconds"});
    const auto position = fields.integer("position", 1, max_position);
    if (fields.fault()) {
        return fault_of(fields);
    }
    return position ? std::optional(static_cast<std::size_t>(*position)) : std::nullopt;
}

Result<Profile> profile_from(const json::value& body) {
    FieldReader fields(body, "profile", {"name", "default", "rules", "max_calls"});
    Profile profile;
    profile.name = fields.required_text("name");
    profile.max_calls = fields.integer("max_calls", 0, max_max_calls).value_or(0);
    if (const auto* fallback = fields.any("default")) {
        auto treatment = treatment_from(*fallback);
        if (treatment) {
            profile.fallback = std::move(*treatment);
        } else {
            fields.blame("default", treatment.error());
        }
    }
    if (const auto* rules = fields.list("rules")) {
        for (const auto& item : *rules) {
            auto rule = rule_from(item);
            if (!rule) {
                fields.blame(fmt::format("rules[{}]", profile.rules.size()), rule.error());
                break;
            }
            profile.rules.push_back(std::move(*rule));
        }
    }
    return fields.fault() ? Result<Profile>(fault_of(fields)) : profile;
}

Result<Limit> limit_from(const json::value& body) {
    FieldReader fields(body, "limit",
                       {"name", "user", "prefix", "when", "calls_per_minute", "concurrent", "duration",
                        "sequential", "status", "block_seconds"});
    Limit limit;
    limit.name = fields.required_text("name");
    limit.user = fields.text("user").value_or("");
    limit.prefix = fields.text("prefix").value_or("");
    if (const auto when = fields.text("when")) {
        if (auto schedule = Schedule::parse(*when)) {
            limit.when = *schedule;
        } else {
            fields.blame("when", schedule.error());
        }
    }
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    const auto levels = [&](std::string_view name) {
        Levels read;
        if (const auto* value = fields.any(name)) {
            FieldReader inner(*value, name, {"warning", "critical"});
            read = {.warning = inner.integer("warning", 0, most),
                    .critical = inner.integer("critical", 0, most)};
            if (inner.fault()) {
                fields.blame(name, *inner.fault());
            }
        }
        return read;
    };
    limit.calls_per_minute = levels("calls_per_minute");
    limit.concurrent = levels("concurrent");
    limit.duration = levels("duration");
    limit.sequential = levels("sequential");
    limit.status = static_cast<int>(fields.integer("status", 400, 699).value_or(403));
    limit.block_seconds = fields.integer("block_seconds", 0, max_deny_seconds).value_or(0);
    if (fields.fault()) {
        return fault_of(fields);
    }
    if (auto good = limit.check(); !good) {
        return std::unexpected(good.error());
    }
    return limit;
}

Result<SpamEntry> spam_from(const json::value& body) {
    FieldReader fields(body, "spam caller", {"caller", "user", "note", "deny_seconds"});
    SpamEntry entry;
    entry.caller = read_pattern(fields);
    entry.user = fields.text("user").value_or("");
    entry.note = fields.text("note").value_or("");
    entry.deny_seconds = fields.integer("deny_seconds", 0, max_deny_seconds).value_or(0);
    return fields.fault() ? Result<SpamEntry>(fault_of(fields)) : entry;
}

Result<std::string> uri_from(const json::value& body) {
    FieldReader fields(body, "URI", {"uri"});
    std::string uri = fields.required_text("uri");
    return fields.fault() ? Result<std::string>(fault_of(fields)) : uri;
}

Result<Location> location_from(const json::value& body, TimePoint now) {
    FieldReader fields(body, "location", {"contact", "address", "expires_at", "expires_in", "q"});
    Location location;
    location.contact = fields.text("contact").value_or("");
    if (auto address = Address::parse(fields.required_text("address"))) {
        location.address = *address;
    } else {
        fields.blame("address", address.error());
    }
    location.q = fields.qvalue("q");
    if (const auto seconds = fields.integer("expires_in", 1, 0xffffffff)) {
        location.expires = std::chrono::floor<std::chrono::seconds>(now) + std::chrono::seconds(*seconds);
    }
    if (const auto at = fields.text("expires_at")) {
        auto expires = parse_timestamp(*at);
        if (location.expires) {
            fields.blame("expires_at",
                         Error{"read both", "expires_in says it already", "send one of them", EINVAL});
        } else if (expires) {
            location.expires = *expires;
        } else {
            fields.blame("expires_at", expires.error());
        }
    }
    return fields.fault() ? Result<Location>(fault_of(fields)) : location;
}

} // namespace stem::sm
