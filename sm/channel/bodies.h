// SPDX-License-Identifier: Apache-2.0
// The bodies of messages. Each from_body() fails on a member that is unknown, missing, of another type or out
// of range, and names it.
#pragma once

#include "sm/decision.h"
#include "sm/model.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stem::channel {

struct Hello {
    std::string software;                 // "stemd 0.1.0"
    std::string name;                     // the firewall's instance, the Security Manager's name
    std::int64_t thresholds_version = -1; // a firewall's: what it has; -1 = none yet
    bool snapshots = false;               // a firewall's: it wants them
};

// Calls in progress: all of a firewall's, in as many messages as it takes. What the last one does not
// complete is over.
struct Calls {
    bool first = false;
    bool last = false;
    std::vector<sm::Link::CallEvent> calls; // none of them ended
};
inline constexpr std::size_t most_calls = 256; // in one message
// Octets that calls may take in one message, as size_in_calls() counts them: it stays below the limit of a
// message.
inline constexpr std::size_t calls_limit = 192U * 1024U;
std::size_t size_in_calls(const sm::Link::CallEvent& event);

struct ThresholdsPush {
    std::int64_t version = 0;
    std::map<std::string, std::int64_t> values; // by name; a firewall passes over names it does not know
};

struct DenyInstruction {
    Cidr source;
    std::chrono::seconds lifetime{0}; // 0 = for ever
    std::string note;                 // at most 35 octets are kept
};

struct Ack {
    bool ok = true;
    std::string detail; // "stored"; why not
};

// A snapshot of what decisions are made from, without its content.
struct SnapshotHead {
    std::string manifest;    // JSON, the very octets that were signed
    std::string signature;   // base64
    std::string certificate; // of its signer, PEM
    std::int64_t parts = 0;  // 0: the content is what the firewall has already
};

struct SnapshotPart {
    std::int64_t index = 0; // from 0
    std::string data;
};

// Octets of content in one part, at most; escaped in JSON it is at most six times as long.
inline constexpr std::size_t default_part_limit = 32U * 1024U;

struct RefusedBody {
    std::string reason;
    std::string detail;
};

boost::json::object to_body(const Hello& hello);
boost::json::object to_body(const sm::Query& query);
boost::json::object to_body(const sm::Decision& decision);
boost::json::object to_body(const sm::Link::Binding& binding);
boost::json::object to_body(const sm::Link::StreamEnd& end);
// Texts longer than 1024 octets are cut: they are for people, and to count by.
boost::json::object to_body(const sm::Link::CallEvent& event);
boost::json::object to_body(const Calls& calls);
boost::json::object to_body(const ThresholdsPush& push);
boost::json::object to_body(const DenyInstruction& instruction);
boost::json::object to_body(const Ack& ack);
boost::json::object to_body(const SnapshotHead& head);
boost::json::object to_body(const SnapshotPart& part);

Result<Hello> hello_from(const boost::json::object& body);
Result<sm::Query> query_from(const boost::json::object& body);
Result<sm::Decision> decision_from(const boost::json::object& body);
Result<sm::Link::Binding> binding_from(const boost::json::object& body);
Result<sm::Link::StreamEnd> stream_end_from(const boost::json::object& body);
Result<sm::Link::CallEvent> call_from(const boost::json::object& body);
Result<Calls> calls_from(const boost::json::object& body);
Result<ThresholdsPush> thresholds_from(const boost::json::object& body);
Result<DenyInstruction> deny_from(const boost::json::object& body);
Result<Ack> ack_from(const boost::json::object& body);
Result<SnapshotHead> snapshot_from(const boost::json::object& body);
Result<SnapshotPart> snapshot_part_from(const boost::json::object& body);
Result<RefusedBody> refused_from(const boost::json::object& body);
// ping and pong
Result<> nothing_from(const boost::json::object& body);

} // namespace stem::channel
