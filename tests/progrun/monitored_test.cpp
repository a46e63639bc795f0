// SPDX-License-Identifier: Apache-2.0
// Peers outside that are only monitored: their media pass, and what would have been dropped is counted and
// told.
#include "media.h"
#include "verdict.h"

namespace stem::test {
namespace {

using MonitoredEveryPath = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, MonitoredEveryPath, every_path(), name_of_path);

Cidr outside_of(const Path& path) {
    return Cidr::host(path.direction == STEM_INBOUND ? path.src() : path.dst());
}
Cidr inside_of(const Path& path) {
    return Cidr::host(path.direction == STEM_INBOUND ? path.dst() : path.src());
}

TEST_P(MonitoredEveryPath, MediaWithoutAPinholePass) {
    DataPlane& plane = DataPlane::with();
    const Packet packet = media(path(), Rtp{});
    expect(plane, path().direction, packet, dropped(STEM_NO_PINHOLE));
    plane.set_monitored(outside_of(path()));
    expect(plane, path().direction, packet, monitored(STEM_NO_PINHOLE));
    const stem_counter counter = plane.would_drops(STEM_NO_PINHOLE, path().direction);
    EXPECT_EQ(counter.packets, 1U);
    EXPECT_EQ(counter.bytes, packet.bytes().size());
}

TEST_P(MonitoredEveryPath, EverybodyMayBe) {
    DataPlane& plane = DataPlane::with();
    plane.set_monitored(*Cidr::parse("::/0"));
    expect(plane, path().direction, media(path(), Rtp{}), monitored(STEM_NO_PINHOLE));
}

TEST_P(MonitoredEveryPath, OnlyThePeerOutsideCounts) {
    DataPlane& plane = DataPlane::with();
    plane.set_monitored(inside_of(path()));
    expect(plane, path().direction, media(path(), Rtp{}), dropped(STEM_NO_PINHOLE));
}

TEST_P(MonitoredEveryPath, WhatAPinholeWouldStopPasses) {
    DataPlane& plane = DataPlane::with();
    plane.set_monitored(outside_of(path()));
    plane.set_flow(media_key(path()), wide_flow());
    expect(plane, path().direction, media(path(), Rtp{}), forwarded(STEM_FLOW));
    plane.advance(20 * milliseconds);
    expect(plane, path().direction, media(path(), Rtp{.payload_type = 77}), monitored(STEM_RTP_PAYLOAD_TYPE));
    expect(plane, path().direction, media(path(), Rtp{.version = 1}), monitored(STEM_RTP_VERSION));
    stem_flow denied = wide_flow();
    denied.denied_until_ns = ~0ULL;
    plane.set_flow(media_key(path()), denied);
    expect(plane, path().direction, media(path(), Rtp{}), dropped(STEM_FLOW_DENIED)); // an operator's word
}

TEST_P(MonitoredEveryPath, WhatIsNoMediaIsDroppedAsEver) {
    DataPlane& plane = DataPlane::with();
    plane.set_monitored(outside_of(path()));
    expect(plane, path().direction, path() / (Udp{.sport = media_sport, .dport = 1023} / Rtp{}),
           dropped(STEM_NO_PINHOLE));
    expect(plane, path().direction, path() / (Udp{.sport = 53, .dport = media_dport} / Rtp{}),
           dropped(STEM_NO_PINHOLE));
    plane.add_deny(path().src());
    expect(plane, path().direction, media(path(), Rtp{}), dropped(STEM_DENY));
}

} // namespace
} // namespace stem::test
