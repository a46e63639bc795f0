// SPDX-License-Identifier: Apache-2.0
// ARP and neighbour discovery in bridge mode: claims from outside for inside addresses, rogue routers,
// redirects, and what RFC 4861 calls invalid.
#include "fortress.h"

namespace stem::test {
namespace {

constexpr std::uint64_t hold = 300 * seconds;

class BypassNeighbour : public Fortress {
  protected:
    // "This address is at my station": a gratuitous ARP, or an unsolicited advertisement.
    static Packet claim(const Address& address, const Mac& mac) {
        if (!is_v6()) {
            return Ethernet{.src = mac} /
                   Arp{.operation = 2, .sender_station = mac, .sender = address, .target = address};
        }
        return Ethernet{.src = mac} / IPv6{.src = address, .dst = ip("ff02::1"), .hop_limit = 255} /
               Icmpv6{.type = 136, .rest = 0x20000000} / option_body(address, 2, mac);
    }
    // "Who has `target`? Tell me."
    static Packet question(const Address& from, const Address& target, const Mac& mac) {
        if (!is_v6()) {
            return Ethernet{.src = mac} / Arp{.sender_station = mac, .sender = from, .target = target};
        }
        return Ethernet{.src = mac} / IPv6{.src = from, .dst = ip("ff02::1:ff00:10"), .hop_limit = 255} /
               Icmpv6{.type = 135, .rest = 0} / option_body(target, 1, mac);
    }
    // "Is it free?" (RFC 5227 2.1, RFC 4862 5.4).
    static Packet probe(const Address& address, const Mac& mac) {
        if (!is_v6()) {
            return Ethernet{.src = mac} /
                   Arp{.sender_station = mac, .sender = ip("0.0.0.0"), .target = address};
        }
        return Ethernet{.src = mac} / IPv6{.src = ip("::"), .dst = ip("ff02::1:ff00:10"), .hop_limit = 255} /
               Icmpv6{.type = 135, .rest = 0} /
               Payload{Bytes(address.octets().begin(), address.octets().end())};
    }
    static Payload option_body(const Address& target, std::uint8_t type, const Mac& mac) {
        Payload body = discovery_body(target, mac);
        body.octets[16] = type;
        return body;
    }
    static void expect_out(DataPlane& plane, const Packet& packet, const Verdict& verdict) {
        plane.advance(20 * milliseconds);
        expect(plane, STEM_OUTBOUND, packet, verdict);
    }

    static constexpr Mac inside = station(0x12);
    static constexpr Mac outside = station(0x02);
    static constexpr Mac evil = station(0x66);
};
INSTANTIATE_TEST_SUITE_P(Family, BypassNeighbour, testing::Bool(), family_name);

TEST_P(BypassNeighbour, NobodyOutsideSpeaksForAnInsideHost) {
    DataPlane& box = plane();
    expect_out(box, question(server(), attacker(), inside), forwarded(STEM_NEIGHBOUR));
    expect_in(box, claim(server(), evil), dropped(STEM_NEIGHBOUR_SPOOF));
    expect_in(box, question(server(), bystander(), evil), dropped(STEM_NEIGHBOUR_SPOOF));
    // Whatever station it says it is.
    expect_in(box, claim(server(), inside), dropped(STEM_NEIGHBOUR_SPOOF));
    // Who lives outside may speak, and ask, and ask whether an address is free.
    expect_in(box, claim(attacker(), outside), forwarded(STEM_NEIGHBOUR));
    expect_in(box, question(attacker(), server(), outside), forwarded(STEM_NEIGHBOUR));
    expect_in(box, probe(server(), outside), forwarded(STEM_NEIGHBOUR));
    expect_out(box, claim(server(), inside), forwarded(STEM_NEIGHBOUR)); // the answer to that
}

TEST_P(BypassNeighbour, AClaimFromOutsideAheadOfTimeBlocksNobody) {
    DataPlane& box = plane();
    expect_in(box, claim(server(), evil), forwarded(STEM_NEIGHBOUR)); // nobody inside has it yet
    expect_out(box, claim(server(), inside), forwarded(STEM_NEIGHBOUR));
    expect_in(box, claim(server(), evil), dropped(STEM_NEIGHBOUR_SPOOF));
}

TEST_P(BypassNeighbour, HostsMove) {
    DataPlane& box = plane();
    expect_out(box, claim(server(), inside), forwarded(STEM_NEIGHBOUR));
    expect_out(box, claim(server(), station(0x13)), forwarded(STEM_NEIGHBOUR)); // to another station inside
    box.advance(hold - 40 * milliseconds);
    expect_in(box, claim(server(), evil), dropped(STEM_NEIGHBOUR_SPOOF));
    box.advance(40 * milliseconds);
    expect_in(box, claim(server(), outside), forwarded(STEM_NEIGHBOUR));   // to the outside, in the end
    expect_out(box, claim(attacker(), inside), forwarded(STEM_NEIGHBOUR)); // and in, at once
    expect_in(box, claim(attacker(), outside), dropped(STEM_NEIGHBOUR_SPOOF));
}

TEST_P(BypassNeighbour, VlansAreApart) {
    DataPlane& box = plane();
    expect_out(box, claim(server(), inside), forwarded(STEM_NEIGHBOUR));
    const Packet untagged = claim(server(), evil);
    Packet tagged = Packet(untagged.layers().at(0)) / Vlan{.id = 5};
    for (std::size_t i = 1; i < untagged.layers().size(); i++) {
        tagged = tagged / Packet(untagged.layers().at(i));
    }
    expect_in(box, tagged, forwarded(STEM_NEIGHBOUR));
}

TEST_P(BypassNeighbour, NobodyDeniesAnAddressToOneWhoAsksForIt) {
    DataPlane& box = plane();
    expect_out(box, probe(server(), inside), forwarded(STEM_NEIGHBOUR));
    expect_in(box, claim(server(), evil), dropped(STEM_NEIGHBOUR_SPOOF)); // "it is mine"
    expect_in(box, probe(server(), evil), dropped(STEM_NEIGHBOUR_SPOOF)); // "I ask for it too"
    // But who had it before is heard.
    expect_in(box, claim(bystander(), outside), forwarded(STEM_NEIGHBOUR));
    expect_out(box, probe(bystander(), inside), forwarded(STEM_NEIGHBOUR));
    expect_in(box, claim(bystander(), outside), forwarded(STEM_NEIGHBOUR));
}

TEST_P(BypassNeighbour, AFloodOutsidePushesNobodyInsideOut) {
    DataPlane& box = plane();
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.neighbour_rate = 0;
    box.set_thresholds(limits);
    expect_out(box, claim(server(), inside), forwarded(STEM_NEIGHBOUR));
    for (unsigned i = 0; i < 40'000; i++) { // more than both maps hold
        Bytes frame = claim(attacker(), evil).bytes();
        const std::size_t at = is_v6() ? 14 + 40 + 8 + 12 : 14 + 14 + 2;
        frame[at] = static_cast<std::uint8_t>(i >> 8);
        frame[at + 1] = static_cast<std::uint8_t>(i);
        box.run(STEM_INBOUND, frame);
    }
    expect_in(box, claim(server(), evil), dropped(STEM_NEIGHBOUR_SPOOF));
}

TEST_P(BypassNeighbour, EachStationHasABudget) {
    DataPlane& box = plane();
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.neighbour_rate = 10;
    box.set_thresholds(limits);
    for (int i = 0; i < 10; i++) {
        expect(box, STEM_INBOUND, question(attacker(), server(), outside), forwarded(STEM_NEIGHBOUR));
    }
    expect(box, STEM_INBOUND, question(attacker(), server(), outside), dropped(STEM_NEIGHBOUR_RATE));
    expect(box, STEM_INBOUND, question(bystander(), server(), evil), forwarded(STEM_NEIGHBOUR));
    expect(box, STEM_OUTBOUND, question(server(), attacker(), outside), forwarded(STEM_NEIGHBOUR));
    box.advance(100 * milliseconds);
    expect(box, STEM_INBOUND, question(attacker(), server(), outside), forwarded(STEM_NEIGHBOUR));
    expect(box, STEM_INBOUND, question(attacker(), server(), outside), dropped(STEM_NEIGHBOUR_RATE));
}

TEST_P(BypassNeighbour, TheGuardCanBeSwitchedOff) {
    DataPlane& box = plane();
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.neighbour_hold = 0;
    box.set_thresholds(limits);
    expect_out(box, claim(server(), inside), forwarded(STEM_NEIGHBOUR));
    expect_in(box, claim(server(), outside), forwarded(STEM_NEIGHBOUR));
}

TEST(BypassArp, MakesSense) {
    DataPlane& box = DataPlane::with();
    const auto arrives = [&](const Arp& arp, const Verdict& verdict) {
        box.advance(20 * milliseconds);
        expect(box, STEM_INBOUND, Ethernet{} / arp, verdict);
    };
    for (const std::uint16_t operation : U16{0, 3, 4, 8, 9, 0x0100, 0xffff}) {
        arrives({.operation = operation}, dropped(STEM_ARP_HEADER));
    }
    for (const char* sender : {"127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.1", "240.0.0.1"}) {
        arrives({.sender = ip(sender)}, dropped(STEM_ARP_HEADER));
        arrives({.operation = 2, .sender = ip(sender)}, dropped(STEM_ARP_HEADER));
    }
    arrives({.operation = 2, .sender = ip("0.0.0.0")}, dropped(STEM_ARP_HEADER));
    arrives({.sender_station = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
            dropped(STEM_ARP_HEADER)); // RFC 1812 3.3.2
    arrives({.sender_station = {0x01, 0, 0x5e, 0, 0, 1}}, dropped(STEM_ARP_HEADER));
}

class BypassDiscovery : public testing::Test {
  protected:
    static Packet message(const char* src, const char* dst, std::uint8_t type, Bytes body,
                          std::uint8_t code = 0, std::uint32_t rest = 0) {
        return Ethernet{} / IPv6{.src = ip(src), .dst = ip(dst), .hop_limit = 255} /
               Icmpv6{.type = type, .code = code, .rest = rest} / Payload{std::move(body)};
    }
    static Bytes target(const char* address) {
        const Address parsed = ip(address);
        return {parsed.octets().begin(), parsed.octets().end()};
    }
    static Bytes joined(Bytes a, const Bytes& b) {
        a.insert(a.end(), b.begin(), b.end());
        return a;
    }
    static void arrives(DataPlane& box, const Packet& packet, const Verdict& verdict) {
        box.advance(20 * milliseconds);
        expect(box, STEM_INBOUND, packet, verdict);
    }
};

TEST_F(BypassDiscovery, RoutersOutside) {
    DataPlane& box = DataPlane::with();
    const Bytes prefix = {3,    4, 64,  0xc0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
                          0x20, 1, 0xd, 0xb8, 6, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const Packet advertisement = message("fe80::1", "ff02::1", 134, joined(Bytes(8), prefix));
    const Packet redirect =
        message("fe80::1", "2001:db8:2::10", 137, joined(target("fe80::66"), target("2001:db8:9::1")));
    arrives(box, advertisement, forwarded(STEM_NEIGHBOUR)); // the gateway is outside as a rule
    arrives(box, redirect, dropped(STEM_ROUTER_GUARD));
    expect(box, STEM_OUTBOUND, redirect, forwarded(STEM_NEIGHBOUR)); // a router inside may
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.neighbour_router_guard = 1;
    limits.neighbour_redirect_guard = 0;
    box.set_thresholds(limits);
    arrives(box, advertisement, dropped(STEM_ROUTER_GUARD));
    box.advance(301 * seconds);
    arrives(box, redirect, forwarded(STEM_NEIGHBOUR));
    expect(box, STEM_OUTBOUND, advertisement, forwarded(STEM_NEIGHBOUR));
    // From now on the router fe80::1 is inside: nobody outside speaks in its name.
    arrives(box, redirect, dropped(STEM_NEIGHBOUR_SPOOF));
}

TEST_F(BypassDiscovery, RoutersAndRedirectsAreLinkLocal) {
    DataPlane& box = DataPlane::with();
    for (const char* src : {"2001:db8:1::1", "::", "ff02::1"}) {
        arrives(box, message(src, "ff02::1", 134, Bytes(8)), dropped(STEM_ICMP_HEADER));
        arrives(box, message(src, "2001:db8:2::10", 137, Bytes(32)), dropped(STEM_ICMP_HEADER));
    }
}

TEST_F(BypassDiscovery, InvalidIsDropped) {
    DataPlane& box = DataPlane::with();
    const Bytes host = target("2001:db8:2::10");
    const Bytes station_option = {1, 1, 0, 0, 0x5e, 0, 0x53, 2};
    const char* solicited = "ff02::1:ff00:10";
    struct Case {
        Packet packet;
        bool valid;
    };
    for (const Case& each : {
             Case{message("fe80::1", solicited, 135, joined(host, station_option)), true},
             Case{message("fe80::1", solicited, 135, host), true},
             Case{message("fe80::1", solicited, 135, host, 1), false},                    // code
             Case{message("fe80::1", solicited, 135, target("ff02::1")), false},          // target
             Case{message("fe80::1", solicited, 135, Bytes(15)), false},                  // cut short
             Case{message("fe80::1", solicited, 135, joined(host, {1, 0, 0, 0})), false}, // option of 0
             Case{message("fe80::1", solicited, 135, joined(host, {1, 2, 0, 0, 0, 0, 0, 0})), false},
             Case{message("fe80::1", solicited, 135, joined(host, {1})), false},
             Case{message("ff02::1", solicited, 135, host), false},
             Case{message("::", solicited, 135, joined(host, station_option)), false},
             Case{message("::", "2001:db8:2::10", 135, host), false},
             Case{message("::", "ff02::1", 135, host), false},
             Case{message("fe80::1", "ff02::1", 136, host), true},
             Case{message("fe80::1", "ff02::1", 136, host, 0, 0x40000000), false}, // solicited by all
             Case{message("::", "ff02::1", 136, host), false},
             Case{message("fe80::1", "ff02::1", 136, target("ff02::2")), false},
             Case{message("::", "ff02::2", 133, {}), true},
             Case{message("::", "ff02::2", 133, station_option), false},
             Case{message("fe80::1", "ff02::1", 134, Bytes(7)), false},
         }) {
        arrives(box, each.packet, each.valid ? forwarded(STEM_NEIGHBOUR) : dropped(STEM_ICMP_HEADER));
    }
    Bytes many = host;
    for (int i = 0; i < 40; i++) {
        many.insert(many.end(), station_option.begin(), station_option.end());
    }
    arrives(box, message("fe80::1", solicited, 135, many), dropped(STEM_ICMP_HEADER));
    // From another link, it is not discovery (RFC 4861 11.2), and policy's.
    Packet remote = message("fe80::1", solicited, 135, host);
    for (const std::uint8_t hop_limit : U8{1, 64, 254}) {
        remote.get<IPv6>().hop_limit = hop_limit;
        arrives(box, remote, dropped(STEM_POLICY_DROP));
    }
    // Behind extension headers it is what it is (RFC 7113), and a home address makes it no other's.
    arrives(box,
            Ethernet{} / IPv6{.src = ip("fe80::1"), .dst = ip("ff02::1"), .hop_limit = 255} /
                DestinationOptions{.options = {1, 4, 0, 0, 0, 0}} / Icmpv6{.type = 136, .rest = 0} /
                Payload{target("ff02::2")},
            dropped(STEM_ICMP_HEADER));
}

TEST_F(BypassDiscovery, ListeningIsOfTheLink) {
    DataPlane& box = DataPlane::with();
    for (const std::uint8_t type : U8{130, 131, 132, 143}) {
        for (const auto& [src, fine] : {std::pair{"fe80::1", true}, std::pair{"::", true},
                                        std::pair{"2001:db8:1::10", false}, std::pair{"ff02::1", false}}) {
            arrives(box,
                    Ethernet{} / IPv6{.src = ip(src), .dst = ip("ff02::16"), .hop_limit = 1} /
                        HopByHop{.options = {5, 2, 0, 0, 1, 0}} / Icmpv6{.type = type, .rest = 0} /
                        Payload{Bytes(16)},
                    fine ? forwarded(STEM_NEIGHBOUR) : dropped(STEM_ICMP_HEADER));
        }
    }
}

} // namespace
} // namespace stem::test
