// SPDX-License-Identifier: Apache-2.0
// Asks stemd, for the commands that need it.
#pragma once

#include "ctl/stemctl/session.h"

#include <chrono>
#include <functional>

namespace stem::stemctl {

// True: the request is for a Security Manager elsewhere (--sm).
bool goes_to_remote_manager(const Session& session, std::string_view target);

inline constexpr std::chrono::milliseconds usual_patience{10000};

// stemd's answer as JSON, or the remote Security Manager's; null where it has nothing to say. What it refuses
// is an error in its words.
Result<boost::json::value> ask_stemd(const Session& session, const std::string& method,
                                     const std::string& target, const boost::json::value& body = nullptr,
                                     std::chrono::milliseconds patience = usual_patience);

// Asks, and prints the answer: as it came with --json, else what `show` makes of it. Returns the exit code.
int ask_and_print(const Session& session, const std::string& method, const std::string& target,
                  const boost::json::value& body,
                  const std::function<std::string(const boost::json::value&)>& show);

// For a part of a path or a query (RFC 3986 2.1).
std::string escaped(std::string_view text);
// "name=value&name=value" of those that are not empty, behind "?"; "" for none.
std::string query_of(std::initializer_list<std::pair<std::string_view, std::string>> parameters);

// Members of stemd's answers. Text, "" for null and what is missing; numbers as written.
std::string member(const boost::json::value& object, std::string_view name);
const boost::json::array& members(const boost::json::value& object, std::string_view name);

} // namespace stem::stemctl
