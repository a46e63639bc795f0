// SPDX-License-Identifier: Apache-2.0
// The JSON forms of what the Security Manager knows and decides; docs/api-sm.md describes them.
#pragma once

#include "sm/decider.h"
#include "sm/decision.h"
#include "sm/directory.h"
#include "sm/model.h"

#include <boost/json/value.hpp>

#include <string_view>

namespace stem::sm {

boost::json::value to_json(const User& user);
boost::json::value to_json(const Location& location);
boost::json::value to_json(const Treatment& treatment);
boost::json::value to_json(const Rule& rule, std::size_t position);
boost::json::value to_json(const Profile& profile);
boost::json::value to_json(const SpamEntry& entry);
boost::json::value to_json(const Decision& decision);
boost::json::value to_json(const Steps& steps);
boost::json::value to_json(const Limit& limit);
boost::json::value to_json(const Block& block);
boost::json::value to_json(const Error& error);

// Each fails on a field that is unknown, missing, of another type or unreadable, and names it.
Result<User> user_from(const boost::json::value& body);
Result<Directory::UserChange> user_change_from(const boost::json::value& body);
Result<Treatment> treatment_from(const boost::json::value& body);
// "position" is allowed and left to the caller, as position_from() reads it.
Result<Rule> rule_from(const boost::json::value& body);
Result<std::optional<std::size_t>> position_from(const boost::json::value& body);
Result<Profile> profile_from(const boost::json::value& body);
Result<Limit> limit_from(const boost::json::value& body);
Result<SpamEntry> spam_from(const boost::json::value& body);
Result<std::string> uri_from(const boost::json::value& body);
// A location to be set: "contact", "address", and "expires_at" or "expires_in" (seconds from `now`), "q".
Result<Location> location_from(const boost::json::value& body, TimePoint now);

} // namespace stem::sm
