// SPDX-License-Identifier: Apache-2.0
// Sampled reports: what they say, their budget, and what becomes of those that find no room.
#include "media.h"
#include "verdict.h"

#include <linux/bpf.h>

namespace stem::test {
namespace {

using EventEveryPath = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, EventEveryPath, every_path(), name_of_path);

TEST_P(EventEveryPath, SaysWhatWasDropped) {
    DataPlane& plane = DataPlane::with();
    const Packet packet = path() / (Udp{.sport = 1234, .dport = 5678} / Rtp{});
    const Outcome outcome = plane.run(path().direction, packet.bytes());
    ASSERT_EQ(outcome.action, XDP_DROP);
    const auto events = plane.take_events();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(Address(events[0].src), path().src());
    EXPECT_EQ(Address(events[0].dst), path().dst());
    EXPECT_EQ(events[0].sport, 1234);
    EXPECT_EQ(events[0].dport, 5678);
    EXPECT_EQ(events[0].reason, STEM_NO_PINHOLE);
    EXPECT_EQ(events[0].vlan, path().vlan());
    EXPECT_EQ(events[0].length, packet.bytes().size());
    EXPECT_EQ(events[0].direction, path().direction);
    EXPECT_EQ(events[0].protocol, 17);
    EXPECT_EQ(events[0].ip_version, path().is_v6() ? 6 : 4);
    EXPECT_EQ(events[0].time_ns, DataPlane::start_ns);
}

TEST_P(EventEveryPath, HasABudget) {
    DataPlane& plane = DataPlane::with({.event_rate = 50}); // five at once, then one each 20 ms
    const Packet packet = path() / Packet(Udp{});
    const Verdict sent = dropped(STEM_NO_PINHOLE);
    const Verdict suppressed = sent.with_event(EventFate::suppressed);
    for (int i = 0; i < 5; i++) {
        expect(plane, path().direction, packet, sent);
    }
    expect(plane, path().direction, packet, suppressed);
    plane.advance(20 * milliseconds - 1);
    expect(plane, path().direction, packet, suppressed);
    plane.advance(1);
    expect(plane, path().direction, packet, sent);
    expect(plane, path().direction, packet, suppressed);
    plane.advance(3600 * seconds);
    for (int i = 0; i < 5; i++) {
        expect(plane, path().direction, packet, sent);
    }
    expect(plane, path().direction, packet, suppressed);
}

TEST(Events, NoneAtRateZero) {
    DataPlane& plane = DataPlane::with({.event_rate = 0});
    expect(plane, STEM_INBOUND, Path{} / Packet(Udp{}),
           dropped(STEM_NO_PINHOLE).with_event(EventFate::suppressed));
}

TEST(Events, OverflowIsCountedAndDropsGoOn) {
    DataPlane& plane = DataPlane::with();
    const Packet packet = Path{} / Packet(Udp{});
    const Bytes frame = packet.bytes();
    constexpr unsigned room = 256 * 1024 / (sizeof(stem_event) + 8); // the kernel's header is 8 octets
    unsigned sent = 0;
    while (plane.event_counters()[STEM_EVENTS_LOST] == 0 && sent <= room) {
        ASSERT_EQ(plane.run(STEM_INBOUND, frame).action, XDP_DROP);
        plane.advance(milliseconds);
        sent++;
    }
    EXPECT_GE(sent, room - 1);
    EXPECT_EQ(plane.event_counters()[STEM_EVENTS_LOST], 1U);
    expect(plane, STEM_INBOUND, packet, dropped(STEM_NO_PINHOLE).with_event(EventFate::lost));
    EXPECT_EQ(plane.take_events().size(), sent - 1);
    plane.advance(milliseconds);
    expect(plane, STEM_INBOUND, packet, dropped(STEM_NO_PINHOLE)); // there is room again
}

} // namespace
} // namespace stem::test
