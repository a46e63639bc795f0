// SPDX-License-Identifier: Apache-2.0
// The envelope that every message of the control channel comes in:
//
//   {"version": 1, "time": MS, "sequence": N, "id": "...", "type": "query", "body": {...}}
//
// `time`: milliseconds since 1970 UTC, when it was sent. `sequence`: 1, 2, 3, ... on each connection and in
// each direction. `id`: names an exchange; an answer has the id of what it answers.
#pragma once

#include "sm/channel/message_type.h"
#include "sm/channel/refusal.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace stem::channel {

inline constexpr std::int64_t protocol_version = 1;
inline constexpr std::size_t longest_id = 64;
inline constexpr std::size_t default_message_limit = 256U * 1024U; // octets

struct Envelope {
    std::int64_t time_ms = 0;
    std::uint64_t sequence = 0;
    std::string id;
    std::string type_label;          // as it stood
    std::optional<MessageType> type; // nullopt: not one of ours
    boost::json::object body;
};

// Octets that are no UTF-8, as a caller may have them in a URI, become U+FFFD: else who is to read it would
// refuse all of it as malformed, and end the connection.
std::string encode(std::int64_t time_ms, std::uint64_t sequence, std::string_view id, MessageType type,
                   const boost::json::object& body);
// Looks at the form alone: oversized, truncated, malformed, version.
std::expected<Envelope, Refused> decode(std::string_view text, std::size_t limit);

} // namespace stem::channel
