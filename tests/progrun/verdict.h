// SPDX-License-Identifier: Apache-2.0
// What a packet must come to: the XDP action, the reason, the counters, the event and the octets.
#pragma once

#include "data_plane.h"

#include <packet/packet.h>

#include <map>
#include <optional>
#include <set>
#include <string>

namespace stem::test {

enum class EventFate { none, sent, suppressed, lost };

// What must leave the program. Not set: the frame as it came, or any frame where the test looks itself.
struct Verdict {
    std::uint32_t action; // XDP_*
    stem_reason reason;
    EventFate event = EventFate::none;
    std::optional<Bytes> output = {};
    std::optional<stem_reason> would_drop = {}; // the event's reason, of a peer that is only monitored
    bool steer_ready = true;                    // of a steered frame
    bool proxied = false;                       // of a steered frame
    std::optional<stem_sip_lane> lane = {}; // of a steered frame; not set: known from inside, else unknown

    [[nodiscard]] Verdict with_output(Bytes octets) const {
        Verdict verdict = *this;
        verdict.output = std::move(octets);
        return verdict;
    }
    [[nodiscard]] Verdict with_event(EventFate fate) const {
        Verdict verdict = *this;
        verdict.event = fate;
        return verdict;
    }
    [[nodiscard]] Verdict for_proxy() const {
        Verdict verdict = *this;
        verdict.proxied = true;
        return verdict;
    }
    [[nodiscard]] Verdict by_lane(stem_sip_lane of) const {
        Verdict verdict = *this;
        verdict.lane = of;
        return verdict;
    }
    [[nodiscard]] Verdict not_ready() const {
        Verdict verdict = *this;
        verdict.steer_ready = false;
        return verdict;
    }
};

[[nodiscard]] Verdict forwarded(stem_reason reason);
// Passed, as its peer is only monitored; with an event that says why not else.
[[nodiscard]] Verdict monitored(stem_reason would_drop);
[[nodiscard]] Verdict dropped(stem_reason reason); // with its event sent
[[nodiscard]] Verdict steered(stem_reason reason);
[[nodiscard]] Verdict to_stack(stem_reason reason);

// Runs the packet and checks all of it: the action; that exactly one counter rose, by one packet and the
// frame's octets; the event counters and, when an event was due, the event; the output, octet by octet
// (of a steered frame: its metadata, then the frame). On failure the packet is printed as scapy text.
void expect(DataPlane& plane, stem_direction direction, const Packet& packet, const Verdict& verdict,
            std::uint32_t queue = 0);
void expect(DataPlane& plane, stem_direction direction, const Bytes& frame, const std::string& name,
            const Verdict& verdict, std::uint32_t queue = 0, std::uint32_t metadata = 0);

// Which counter rose since `before`, by how much; fails the test if none or several did.
struct Rise {
    stem_reason reason;
    stem_direction direction;
    stem_counter by;
};
[[nodiscard]] std::optional<Rise> only_rise(const Counters& before, const Counters& after);

// All reasons that expect() has seen rise in this process.
[[nodiscard]] const std::set<stem_reason>& reasons_seen();
// For a test that counts by itself.
void note_seen(stem_reason reason);
// For a reason that this kernel's BPF_PROG_TEST_RUN gives no packet a way to: why, for the report at the end.
void note_out_of_reach(stem_reason reason, const std::string& cause);
[[nodiscard]] const std::map<stem_reason, std::string>& reasons_out_of_reach();

} // namespace stem::test
