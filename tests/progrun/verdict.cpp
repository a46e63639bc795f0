// SPDX-License-Identifier: Apache-2.0
#include "verdict.h"

#include <stem/reason.h>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <cstring>

namespace stem::test {
namespace {

std::set<stem_reason>& seen() {
    static std::set<stem_reason> reasons;
    return reasons;
}

std::map<stem_reason, std::string>& out_of_reach() {
    static std::map<stem_reason, std::string> causes;
    return causes;
}

EventCounters expected_events(EventCounters counts, EventFate fate) {
    switch (fate) {
    case EventFate::none:
        break;
    case EventFate::sent:
        counts[STEM_EVENTS_SENT]++;
        break;
    case EventFate::suppressed:
        counts[STEM_EVENTS_SUPPRESSED]++;
        break;
    case EventFate::lost:
        counts[STEM_EVENTS_LOST]++;
        break;
    }
    return counts;
}

void expect_event(DataPlane& plane, stem_direction direction, std::size_t length, const Verdict& verdict) {
    if (verdict.event == EventFate::lost) {
        return; // the ring is full of older ones: the test that filled it looks at them
    }
    const auto events = plane.take_events();
    ASSERT_EQ(events.size(), verdict.event == EventFate::sent ? 1U : 0U);
    if (events.empty()) {
        return;
    }
    EXPECT_EQ(events[0].reason, verdict.would_drop.value_or(verdict.reason)) << label_of(events[0].reason);
    EXPECT_EQ(events[0].direction, direction);
    EXPECT_EQ(events[0].length, length);
    EXPECT_EQ(events[0].time_ns, plane.now());
    EXPECT_EQ(events[0].monitored, verdict.would_drop ? 1 : 0);
}

void expect_steered(stem_direction direction, const Bytes& frame, const Verdict& verdict,
                    const Bytes& output) {
    stem_steer_meta about{};
    ASSERT_GE(output.size(), sizeof(about));
    std::memcpy(&about, output.data(), sizeof(about));
    EXPECT_EQ(about.magic, STEM_STEER_MAGIC);
    EXPECT_EQ(about.direction, direction);
    const auto lane = verdict.lane.value_or(direction == STEM_OUTBOUND ? STEM_LANE_KNOWN : STEM_LANE_UNKNOWN);
    EXPECT_EQ(about.flags, (verdict.steer_ready ? STEM_STEER_READY : 0) |
                               (verdict.proxied ? STEM_STEER_PROXIED : 0) |
                               (lane == STEM_LANE_KNOWN ? STEM_STEER_KNOWN : 0));
    EXPECT_EQ(about.reason, verdict.reason);
    EXPECT_NE(about.time_ns, 0U);
    const Bytes rest(output.begin() + sizeof(about), output.end());
    EXPECT_EQ(to_hex(rest), to_hex(verdict.output.value_or(frame)));
}

} // namespace

Verdict forwarded(stem_reason reason) {
    return {.action = XDP_REDIRECT, .reason = reason};
}

Verdict monitored(stem_reason would_drop) {
    Verdict verdict = forwarded(STEM_MONITORED).with_event(EventFate::sent);
    verdict.would_drop = would_drop;
    return verdict;
}

Verdict dropped(stem_reason reason) {
    return {.action = XDP_DROP, .reason = reason, .event = EventFate::sent};
}

Verdict steered(stem_reason reason) {
    return {.action = XDP_REDIRECT, .reason = reason};
}

Verdict to_stack(stem_reason reason) {
    return {.action = XDP_PASS, .reason = reason};
}

std::optional<Rise> only_rise(const Counters& before, const Counters& after) {
    std::optional<Rise> found;
    for (std::uint32_t slot = 0; slot < STEM_COUNTER_SLOTS; slot++) {
        const stem_counter by{.packets = after[slot].packets - before[slot].packets,
                              .bytes = after[slot].bytes - before[slot].bytes};
        if (by.packets == 0 && by.bytes == 0) {
            continue;
        }
        const auto reason = static_cast<stem_reason>(slot / STEM_DIRECTIONS);
        const auto direction = static_cast<stem_direction>(slot % STEM_DIRECTIONS);
        if (found) {
            ADD_FAILURE() << "counted twice: " << label_of(found->reason) << " and " << label_of(reason);
            return std::nullopt;
        }
        found = Rise{.reason = reason, .direction = direction, .by = by};
    }
    return found;
}

void expect(DataPlane& plane, stem_direction direction, const Bytes& frame, const std::string& name,
            const Verdict& verdict, std::uint32_t queue, std::uint32_t metadata) {
    SCOPED_TRACE(fmt::format("{}, {}, must be {}", name, label_of(direction), label_of(verdict.reason)));
    const Counters before = plane.counters();
    const EventCounters events_before = plane.event_counters();
    const Outcome outcome = plane.run(direction, frame, queue, metadata);
    const std::size_t length = frame.size() - metadata;

    EXPECT_EQ(outcome.action, verdict.action);
    const auto rise = only_rise(before, plane.counters());
    ASSERT_TRUE(rise) << "no counter, or several";
    EXPECT_EQ(rise->reason, verdict.reason) << "was " << label_of(rise->reason);
    EXPECT_EQ(rise->direction, direction);
    EXPECT_EQ(rise->by.packets, 1U);
    EXPECT_EQ(rise->by.bytes, length);
    EXPECT_EQ(plane.event_counters(), expected_events(events_before, verdict.event));
    expect_event(plane, direction, length, verdict);
    if (stem_kind_of(verdict.reason) == STEM_KIND_STEER) {
        expect_steered(direction, frame, verdict, outcome.output);
    } else {
        EXPECT_EQ(to_hex(outcome.output), to_hex(verdict.output.value_or(frame)));
    }
    note_seen(rise->reason);
}

void expect(DataPlane& plane, stem_direction direction, const Packet& packet, const Verdict& verdict,
            std::uint32_t queue) {
    expect(plane, direction, packet.bytes(), packet.scapy(), verdict, queue);
}

const std::set<stem_reason>& reasons_seen() {
    return seen();
}

void note_seen(stem_reason reason) {
    seen().insert(reason);
}

void note_out_of_reach(stem_reason reason, const std::string& cause) {
    out_of_reach().emplace(reason, cause);
}

const std::map<stem_reason, std::string>& reasons_out_of_reach() {
    return out_of_reach();
}

} // namespace stem::test
