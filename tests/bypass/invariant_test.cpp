// SPDX-License-Identifier: Apache-2.0
// The invariant of the suite: whatever is sent, what the hosts inside get out of what STEM forwarded is what
// the configuration allows. What they get, a reader of its own says (receiver.h).
#include "attacks.h"
#include "fortress.h"
#include "receiver.h"

#include <stem/reason.h>

#include <linux/bpf.h>

#include <algorithm>

namespace stem::test {
namespace {

constexpr unsigned rounds = 150'000;

HostAddress host(std::string_view text) {
    const stem_addr raw = ip(text).raw();
    HostAddress address{};
    std::ranges::copy(raw.octet, address.begin());
    return address;
}

struct Side {
    HostAddress attacker;
    HostAddress denied;
    HostAddress server;
    HostAddress managed_prefix;
    std::size_t managed_octets;
};

// Both families at once, as Fortress has them one at a time.
const std::array<Side, 2> sides = {
    Side{host("192.0.2.10"), host("192.0.2.66"), host("198.51.100.10"), host("203.0.113.0"), 15},
    Side{host("2001:db8:1::10"), host("2001:db8:1::66"), host("2001:db8:2::10"), host("2001:db8:9::"), 6}};

bool is_keepalive(Octets payload) {
    if (payload.size() <= 4) {
        return std::ranges::all_of(payload, [](std::uint8_t o) { return o == '\r' || o == '\n' || o == 0; });
    }
    return payload.size() >= 20 && payload.size() <= 128 && payload[4] == 0x21 && payload[5] == 0x12 &&
           payload[6] == 0xa4 && payload[7] == 0x42;
}

// What the configuration lets in, said again without its maps.
bool allowed(const Datagram& got) {
    const Side& side = sides[got.family == 4 ? 0 : 1];
    const auto ports = ports_of(got);
    if (got.elsewhere || got.src == side.denied || got.src == side.server || !ports) {
        return false;
    }
    if (got.protocol == 6) {
        const bool manager =
            std::equal(got.src.begin(), got.src.begin() + static_cast<std::ptrdiff_t>(side.managed_octets),
                       side.managed_prefix.begin());
        return (got.dst == side.server && ports->dst == 443) || (manager && ports->dst == 22);
    }
    if (got.protocol != 17) {
        return false;
    }
    const bool media = got.src == side.attacker && got.dst == side.server && ports->src == media_sport &&
                       ports->dst == media_dport;
    const std::size_t length = static_cast<std::size_t>(got.payload[4] << 8 | got.payload[5]);
    return media || (ports->dst == 5060 && is_keepalive(Octets(got.payload).subspan(8, length - 8)));
}

class BypassInvariant : public testing::Test {
  protected:
    static DataPlane& plane() {
        DataPlane& box = DataPlane::with({.event_rate = 0});
        std::vector<stem_rule> rules;
        for (const bool v6 : {false, true}) {
            const Path in{.shape = v6 ? Shape::v6 : Shape::v4};
            rules.push_back(to_rule({.ways = STEM_MATCH_INBOUND,
                                     .destination = Cidr::host(in.inside()),
                                     .protocol = 6,
                                     .dport = PortRange{443, 443}}));
            box.add_deny(ip(v6 ? "2001:db8:1::66" : "192.0.2.66"));
            box.set_flow(media_key(in), wide_flow());
            box.add_failsafe(Cidr::parse(v6 ? "2001:db8:9::/48" : "203.0.113.0/24").value(), 22, 6,
                             STEM_INBOUND);
        }
        box.set_rules(rules, STEM_ACTION_DROP, STEM_ACTION_PASS);
        stem_thresholds limits = DataPlane::default_thresholds();
        limits.neighbour_rate = 0;
        limits.neighbour_hold = 86400;
        limits.fragment_rate = 0;
        box.set_thresholds(limits);
        return box;
    }

    // The hosts inside are known on each VLAN that attacks come by.
    static void introduce(DataPlane& box) {
        for (std::uint16_t outer = 0; outer < 3; outer++) {
            for (std::uint16_t inner = 0; inner < 3; inner++) {
                for (const int tags : {0, 1, 2}) {
                    Packet link = Ethernet{.src = station(0x12)};
                    link = tags > 0 ? link / Vlan{.id = outer} : link;
                    link = tags > 1 ? link / Vlan{.id = inner} : link;
                    const Address v4 = ip("198.51.100.10");
                    const Address v6 = ip("2001:db8:2::10");
                    box.run(STEM_OUTBOUND, (link / Arp{.operation = 2, .sender = v4, .target = v4}).bytes());
                    box.run(STEM_OUTBOUND,
                            (link / IPv6{.src = v6, .dst = ip("ff02::1"), .hop_limit = 255} /
                             Icmpv6{.type = 136, .rest = 0} / discovery_body(v6, station(0x12)))
                                .bytes());
                }
            }
        }
    }
};

TEST_F(BypassInvariant, NothingElseGetsIn) {
    DataPlane& box = plane();
    introduce(box);
    Attacks attacks({.sources = {ip("192.0.2.10"), ip("192.0.2.66"), ip("198.51.100.10"), ip("203.0.113.7"),
                                 ip("2001:db8:1::10"), ip("2001:db8:1::66"), ip("2001:db8:2::10"),
                                 ip("2001:db8:9::7"), ip("fe80::1")},
                     .destinations = {ip("198.51.100.10"), ip("198.51.100.20"), ip("2001:db8:2::10"),
                                      ip("2001:db8:2::20"), ip("198.51.100.10"), ip("2001:db8:2::10")},
                     .ports = {443, 443, 22, 5060, 40000, 30000, 8443}},
                    20021002);
    Reassembly hosts;
    std::array<unsigned, 4> delivered{}; // whole TCP, whole UDP, put together, claims
    for (unsigned round = 0; round < rounds; round++) {
        box.advance(round % 3 == 0 ? 1 : 700 * milliseconds);
        if (round % 64 == 0) { // a host waits half a minute for pieces, STEM two seconds
            box.advance(31 * seconds);
            hosts.clear();
            introduce(box);
        }
        for (const Bytes& frame : attacks.next()) {
            const Outcome outcome = box.run(STEM_INBOUND, frame);
            SCOPED_TRACE("round " + std::to_string(round) + ": " + to_hex(frame));
            ASSERT_TRUE(outcome.action == XDP_DROP || outcome.action == XDP_REDIRECT);
            ASSERT_EQ(outcome.output, frame);
            if (outcome.action == XDP_DROP) {
                continue;
            }
            if (const auto claim = claim_of(frame)) {
                if (std::ranges::all_of(vlans_of(frame), [](std::uint16_t id) { return id < 3; })) {
                    ASSERT_NE(*claim, sides[0].server);
                    ASSERT_NE(*claim, sides[1].server);
                }
                delivered[3]++;
                continue;
            }
            const auto got = datagram_of(frame);
            ASSERT_TRUE(got || is_arp(frame)) << "forwarded, but no host reads it";
            if (!got) {
                continue; // an ARP probe
            }
            if (got->piece) {
                ASSERT_NE(got->src, sides[got->family == 4 ? 0 : 1].denied);
                for (const Datagram& whole : hosts.add(*got)) {
                    ASSERT_TRUE(allowed(whole)) << "put together by the host";
                    delivered[2]++;
                }
                continue;
            }
            // Discovery and listening claim nothing of anybody where claim_of() found nothing.
            if (got->family == 6 && got->protocol == 58 && !got->payload.empty() && got->payload[0] >= 130) {
                continue;
            }
            ASSERT_TRUE(allowed(*got));
            delivered[got->protocol == 6 ? 0 : 1]++;
        }
    }
    for (const unsigned count : delivered) { // it was no siege of a closed gate
        EXPECT_GT(count, 100U);
    }
}

} // namespace
} // namespace stem::test
