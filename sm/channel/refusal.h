// SPDX-License-Identifier: Apache-2.0
// Why a message of the control channel was refused. One list makes the name, the metrics label, the member
// "reason" of a `refused` message, and the table in docs/control-channel.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace stem::channel {

// X(NAME, label, closes, help). `closes`: going on would be unsafe, so the connection is closed.
#define STEM_REFUSALS(X)                                                                                     \
    X(oversized, "oversized", true, "longer than the limit of its receiver")                                 \
    X(truncated, "truncated", true, "ends in the middle of its JSON")                                        \
    X(malformed, "malformed", true, "not JSON in UTF-8, or not an envelope")                                 \
    X(version, "version", true, "of a version of the protocol that its receiver does not know")              \
    X(repeated, "repeated", true, "its sequence number was there before: a replay")                          \
    X(reordered, "reordered", true, "its sequence number is not the next: something is missing before it")   \
    X(stale, "stale", false, "its time is further back than the skew that is allowed")                       \
    X(ahead, "ahead", false, "its time is further ahead than the skew that is allowed")                      \
    X(unknown_type, "unknown_type", false, "its receiver does not know the type")                            \
    X(wrong_role, "wrong_role", true, "its sender's role may not send that type")                            \
    X(order, "order", true, "not hello first, or hello twice")                                               \
    X(body, "body", false, "its body is not what its type wants")                                            \
    X(unasked, "unasked", false, "answers nothing that was asked on this connection")                        \
    X(slow_reader, "slow_reader", true, "its receiver does not take in what is sent")

enum class Refusal : std::uint8_t {
#define STEM_REFUSAL(name, label, closes, help) name,
    STEM_REFUSALS(STEM_REFUSAL)
#undef STEM_REFUSAL
};

inline constexpr std::size_t refusal_count = 0
#define STEM_REFUSAL(name, label, closes, help) +1
    STEM_REFUSALS(STEM_REFUSAL)
#undef STEM_REFUSAL
    ;

std::string_view label_of(Refusal refusal);
std::string_view help_of(Refusal refusal);
bool closes(Refusal refusal);

using RefusalCounts = std::array<std::uint64_t, refusal_count>;

struct Refused {
    Refusal reason = Refusal::malformed;
    std::string detail;    // for people; holds nothing of a call but what names a field
    std::string type = {}; // as far as it could be read
    std::string id = {};
    std::uint64_t sequence = 0;
    bool close = false;  // also where the reason alone would not, as before hello
    bool answer = true;  // not of a "refused": two sides would refuse each other's words for ever
    bool in_time = true; // it was neither too old nor ahead
};

} // namespace stem::channel
