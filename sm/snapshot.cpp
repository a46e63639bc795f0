// SPDX-License-Identifier: Apache-2.0
#include "sm/snapshot.h"

#include "sm/failure.h"
#include "sm/field_reader.h"
#include "sm/json.h"
#include "sm/timestamp.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <limits>

namespace stem::sm {
namespace {

namespace json = boost::json;

constexpr std::int64_t format_version = 1;

json::array networks_of(const std::vector<Cidr>& networks) {
    json::array list;
    for (const Cidr& network : networks) {
        list.emplace_back(network.to_string());
    }
    return list;
}

json::object to_json(const Settings& settings) {
    return {{"unknown_user", static_cast<int>(settings.unknown_user)},
            {"unknown_user_status", settings.unknown_user_status},
            {"unlocated", static_cast<int>(settings.unlocated)},
            {"outgoing", static_cast<int>(settings.outgoing)},
            {"outgoing_status", settings.outgoing_status},
            {"unchallenged", networks_of(settings.unchallenged)}};
}

Result<Settings> settings_from(const json::value& value) {
    FieldReader fields(
        value, "settings",
        {"unknown_user", "unknown_user_status", "unlocated", "outgoing", "outgoing_status", "unchallenged"});
    Settings settings;
    settings.unknown_user =
        static_cast<Settings::UnknownUser>(fields.integer("unknown_user", 0, 2).value_or(1));
    settings.unknown_user_status =
        static_cast<int>(fields.integer("unknown_user_status", 400, 699).value_or(404));
    settings.unlocated = static_cast<Settings::Unlocated>(fields.integer("unlocated", 0, 1).value_or(0));
    settings.outgoing = static_cast<Settings::Outgoing>(fields.integer("outgoing", 0, 2).value_or(0));
    settings.outgoing_status = static_cast<int>(fields.integer("outgoing_status", 400, 699).value_or(403));
    for (const std::string& text : fields.texts("unchallenged")) {
        if (const auto network = Cidr::parse(text)) {
            settings.unchallenged.push_back(*network);
        } else {
            fields.blame("unchallenged", network.error());
        }
    }
    return fields.fault() ? Result<Settings>(std::unexpected(*fields.fault())) : settings;
}

Result<Location> location_from_snapshot(const json::value& value) {
    FieldReader fields(value, "location", {"contact", "address", "origin", "uri", "expires_at", "q"});
    Location location{.uri = fields.text("uri").value_or(""), .contact = fields.required_text("contact")};
    const auto address = Address::parse(fields.required_text("address"));
    const auto origin = origin_from(fields.required_text("origin"));
    const auto expires = fields.text("expires_at");
    const QValue q = fields.qvalue("q");
    const auto at = expires ? parse_timestamp(*expires) : Result<TimePoint>(TimePoint());
    if (fields.fault()) {
        return std::unexpected(*fields.fault());
    }
    if (!address || !origin || !at) {
        return invalid("read a location", "its address, origin or expiry is broken");
    }
    location.address = *address;
    location.origin = *origin;
    location.q = q;
    if (expires) {
        location.expires = *at;
    }
    return location;
}

Result<> read_user(const json::value& value, Store::Contents& contents) {
    FieldReader fields(value, "user of a snapshot", {"user", "locations"});
    const auto* plain = fields.any("user");
    const auto* locations = fields.list("locations");
    if (fields.fault() || plain == nullptr || locations == nullptr) {
        return invalid("read a user of a snapshot", "user or locations are missing");
    }
    auto user = user_from(*plain);
    if (!user) {
        return std::unexpected(user.error());
    }
    for (const auto& item : *locations) {
        auto location = location_from_snapshot(item);
        if (!location) {
            return std::unexpected(location.error());
        }
        contents.locations.emplace_back(user->name, std::move(*location));
    }
    contents.users.push_back(std::move(*user));
    return {};
}

template<typename Read>
Result<> each(FieldReader& fields, std::string_view name, Read read) {
    const auto* list = fields.list(name);
    if (list == nullptr) {
        return invalid("read a snapshot", fmt::format("{} are missing", name));
    }
    for (const auto& item : *list) {
        if (auto good = read(item); !good) {
            return good;
        }
    }
    return {};
}

template<typename T>
Result<> append(Result<T> read, std::vector<T>& list) {
    if (!read) {
        return std::unexpected(read.error());
    }
    list.push_back(std::move(*read));
    return {};
}

// Rules say their position, which profile_from() takes for a rule to be added.
Result<> read_profile(const json::value& value, Store::Contents& contents) {
    return append(profile_from(value), contents.profiles);
}

} // namespace

std::string snapshot_of(const Directory& directory, const Settings& settings) {
    json::array users;
    for (const User& user : directory.users()) {
        json::array locations;
        for (const Location& location : directory.find_user(user.name)->locations) {
            locations.push_back(to_json(location));
        }
        users.push_back(json::object{{"user", to_json(user)}, {"locations", std::move(locations)}});
    }
    json::array profiles;
    for (const Profile& profile : directory.profiles()) {
        profiles.push_back(to_json(profile));
    }
    json::array spam;
    for (const SpamEntry& entry : directory.spam(std::nullopt)) {
        spam.push_back(to_json(entry));
    }
    return json::serialize(json::object{{"version", format_version},
                                        {"settings", to_json(settings)},
                                        {"profiles", std::move(profiles)},
                                        {"users", std::move(users)},
                                        {"spam", std::move(spam)}});
}

Result<Snapshot> snapshot_from(std::string_view text) {
    json::error_code error;
    const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
    if (error) {
        return invalid("read a snapshot", "not JSON: " + error.message());
    }
    FieldReader fields(value, "snapshot", {"version", "settings", "profiles", "users", "spam"});
    const auto version = fields.integer("version", 0, std::numeric_limits<std::int64_t>::max());
    if (fields.fault()) {
        return std::unexpected(*fields.fault());
    }
    if (version != format_version) {
        return invalid("read a snapshot", "it is of another version",
                       "are firewall and Security Manager of one version?");
    }
    const auto* plain = fields.any("settings");
    const auto settings = settings_from(plain == nullptr ? json::value() : *plain);
    if (!settings) {
        return std::unexpected(settings.error());
    }
    Store::Contents contents;
    const auto user = [&](const json::value& item) { return read_user(item, contents); };
    const auto profile = [&](const json::value& item) { return read_profile(item, contents); };
    const auto spam = [&](const json::value& item) { return append(spam_from(item), contents.spam); };
    auto read = each(fields, "profiles", profile);
    if (read) {
        read = each(fields, "users", user);
    }
    if (read) {
        read = each(fields, "spam", spam);
    }
    if (!read) {
        return std::unexpected(read.error());
    }
    return Snapshot{Directory::copy_of(std::move(contents)), *settings};
}

} // namespace stem::sm
