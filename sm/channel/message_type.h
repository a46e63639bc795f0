// SPDX-License-Identifier: Apache-2.0
// The types of messages, and who may send them. docs/control-channel.md has what each carries.
#pragma once

#include <cstdint>
#include <string_view>

namespace stem::channel {

enum class Sender : std::uint8_t { firewall = 1, manager = 2, both = 3 };

// X(NAME, label, sender, help)
#define STEM_MESSAGES(X)                                                                                     \
    X(hello, "hello", both, "the first message of either side: who it is, and what it has")                  \
    X(query, "query", firewall, "asks what becomes of a new call")                                           \
    X(decision, "decision", manager, "answers a query")                                                      \
    X(learn, "learn", firewall, "a binding that a REGISTER and its 200 have made known")                     \
    X(report, "report", firewall, "a media stream that was ended for its excess")                            \
    X(call, "call", firewall, "what became of a call that was let in")                                       \
    X(calls, "calls", firewall, "calls in progress, after a connection has begun")                           \
    X(thresholds, "thresholds", manager, "all thresholds that are in force for this firewall")               \
    X(deny, "deny", manager, "drop what comes from a source")                                                \
    X(snapshot, "snapshot", manager, "signed manifest of what decisions are made from")                      \
    X(snapshot_part, "snapshot_part", manager, "a part of its content")                                      \
    X(ack, "ack", both, "what became of learn, report, call, thresholds, deny or snapshot")                  \
    X(ping, "ping", both, "is the other side there?")                                                        \
    X(pong, "pong", both, "answers a ping")                                                                  \
    X(refused, "refused", both, "a message was refused; never refused itself")

enum class MessageType : std::uint8_t {
#define STEM_MESSAGE(name, label, sender, help) name,
    STEM_MESSAGES(STEM_MESSAGE)
#undef STEM_MESSAGE
};

std::string_view label_of(MessageType type);
bool may_send(Sender sender, MessageType type);

} // namespace stem::channel
