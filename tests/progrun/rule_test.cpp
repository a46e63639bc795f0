// SPDX-License-Identifier: Apache-2.0
// Pattern Matcher and default policy: each field, first match, whole generations.
#include "media.h"
#include "rule_spec.h"
#include "verdict.h"

#include <fmt/format.h>

namespace stem::test {
namespace {

using RuleEveryPath = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, RuleEveryPath, every_path(), name_of_path);

Cidr network(const Address& address, unsigned spare_bits) {
    auto octets = address.octets();
    for (unsigned bit = 0; bit < spare_bits; bit++) {
        octets[15 - bit / 8] &= static_cast<std::uint8_t>(~(1U << (bit % 8)));
    }
    const unsigned length = (address.is_v4() ? 32 : 128) - spare_bits;
    return Cidr::parse(fmt::format("{}/{}", Address::v6(octets).to_string(), length)).value();
}

// One rule that passes, in a plane that drops: does it match?
void expect_match(const Path& path, const RuleSpec& rule, const Packet& packet, bool matches,
                  stem_reason otherwise = STEM_NO_PINHOLE) {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({to_rule(rule)});
    expect(plane, path.direction, packet, matches ? forwarded(STEM_RULE_PASS) : dropped(otherwise));
    const stem_counter counted = plane.hits(0);
    EXPECT_EQ(counted.packets, matches ? 1U : 0U);
    EXPECT_EQ(counted.bytes, matches ? packet.bytes().size() : 0U);
}

TEST_P(RuleEveryPath, MatchesDirection) {
    const Packet packet = path() / Packet(Udp{});
    const std::uint16_t own = path().direction == STEM_INBOUND ? STEM_MATCH_INBOUND : STEM_MATCH_OUTBOUND;
    const std::uint16_t both = STEM_MATCH_INBOUND | STEM_MATCH_OUTBOUND;
    expect_match(path(), {.ways = own}, packet, true);
    expect_match(path(), {.ways = both}, packet, true);
    expect_match(path(), {.ways = static_cast<std::uint16_t>(both & ~own)}, packet, false);
    expect_match(path(), {.ways = 0}, packet, false);
}

TEST_P(RuleEveryPath, MatchesAddresses) {
    const Packet packet = path() / Packet(Udp{});
    for (const unsigned spare_bits : {0U, 1U, 8U, 16U, 31U, 32U}) {
        expect_match(path(), {.source = network(path().src(), spare_bits)}, packet, true);
        expect_match(path(), {.destination = network(path().dst(), spare_bits)}, packet, true);
    }
    const Address neighbour = ip(path().is_v6() ? "2001:db8:1::12" : "192.0.2.12");
    expect_match(path(), {.source = Cidr::host(neighbour)}, packet, false);
    expect_match(path(), {.destination = Cidr::host(neighbour)}, packet, false);
    expect_match(path(), {.source = Cidr::host(path().dst())}, packet, false);
    expect_match(path(), {.source = Cidr::host(path().src()), .destination = Cidr::host(path().dst())},
                 packet, true);
    expect_match(path(), {.source = Cidr::host(path().src()), .destination = Cidr::host(neighbour)}, packet,
                 false);
    // A whole family is a network like any other, and never the other family.
    expect_match(path(), {.source = Cidr::parse("0.0.0.0/0").value()}, packet, !path().is_v6());
    expect_match(path(), {.source = Cidr::parse("::/0").value()}, packet, path().is_v6());
    expect_match(path(), {.destination = Cidr::parse("::/1").value()}, packet, path().is_v6());
}

TEST_P(RuleEveryPath, MatchesProtocol) {
    expect_match(path(), {.protocol = 17}, path() / Packet(Udp{}), true);
    expect_match(path(), {.protocol = 6}, path() / Packet(Udp{}), false);
    expect_match(path(), {.protocol = 6}, path() / Packet(Tcp{}), true);
    expect_match(path(), {.protocol = 17}, path() / Packet(Tcp{}), false, STEM_POLICY_DROP);
    expect_match(path(), {.protocol = 253}, path() / Packet(Payload{Bytes(8)}), true);
}

TEST_P(RuleEveryPath, MatchesPorts) {
    for (const Packet& transport :
         {Packet(Udp{.sport = 1024, .dport = 5061}), Packet(Tcp{.sport = 1024, .dport = 5061})}) {
        const bool udp = std::holds_alternative<Udp>(transport.layers()[0]);
        const stem_reason otherwise = udp ? STEM_NO_PINHOLE : STEM_POLICY_DROP;
        struct Case {
            PortRange range;
            bool source_matches;
            bool destination_matches;
        };
        for (const Case& each :
             {Case{{5061, 5061}, false, true}, Case{{5060, 5060}, false, false},
              Case{{5062, 5062}, false, false}, Case{{5000, 5061}, false, true},
              Case{{5061, 6000}, false, true}, Case{{0, 65535}, true, true}, Case{{1024, 1024}, true, false},
              Case{{0, 1023}, false, false}, Case{{1025, 5060}, false, false}, Case{{1024, 5061}, true, true},
              // 5061 with its octets swapped: byte order must not matter by chance
              Case{{50451, 50451}, false, false}}) {
            expect_match(path(), {.sport = each.range}, path() / transport, each.source_matches, otherwise);
            expect_match(path(), {.dport = each.range}, path() / transport, each.destination_matches,
                         otherwise);
        }
    }
    // What has no ports matches no rule that names them, not even all of them.
    expect_match(path(), {.dport = PortRange{0, 65535}}, path() / Packet(Payload{Bytes(8)}), false,
                 STEM_POLICY_DROP);
}

TEST_P(RuleEveryPath, MatchesIcmpType) {
    const std::uint8_t protocol = path().is_v6() ? 58 : 1;
    for (const std::uint8_t type : U8{0, 3, 8, 11, 128, 129, 255}) {
        expect_match(path(), {.protocol = protocol, .icmp_type = type}, path().icmp(type), true);
        expect_match(path(), {.protocol = protocol, .icmp_type = type},
                     path().icmp(static_cast<std::uint8_t>(type ^ 1)), false, STEM_POLICY_DROP);
    }
    expect_match(path(), {.protocol = protocol, .icmp_type = 0}, path() / Packet(Payload{Bytes(8)}), false,
                 STEM_POLICY_DROP);
}

TEST_P(RuleEveryPath, MatchesTheOuterVlan) {
    const Packet packet = path() / Packet(Udp{});
    for (const std::uint16_t id : U16{0, 1, 100, 200, 4095}) {
        expect_match(path(), {.vlan = id}, packet, id == path().vlan());
    }
}

TEST_P(RuleEveryPath, MatchesFragmentsByTheirFirst) {
    const auto fragment = [&](std::uint16_t offset, bool more, const Packet& body) {
        Packet packet = path().network();
        if (path().is_v6()) {
            return packet / Fragment{.offset = offset, .more = more, .next = 17} / body;
        }
        packet.get<IPv4>().fragment_offset = offset;
        packet.get<IPv4>().more_fragments = more;
        packet.get<IPv4>().protocol = 17;
        return packet / body;
    };
    const Packet first = fragment(0, true, Udp{.sport = 7000, .dport = 8000} / Payload{Bytes(56)});
    expect_match(path(), {.protocol = 17, .dport = PortRange{8000, 8000}}, first, true);
    expect_match(path(), {.sport = PortRange{7000, 7000}}, first, true);
    expect_match(path(), {.protocol = 17, .dport = PortRange{8001, 8001}}, first, false, STEM_FRAGMENT);
    expect_match(path(), {.protocol = 1, .icmp_type = 0}, first, false, STEM_FRAGMENT);
    // Later ones have no ports, and whatever a rule says, they need a first one.
    for (const RuleSpec& rule : {RuleSpec{.dport = PortRange{0, 65535}}, RuleSpec{.protocol = 17},
                                 RuleSpec{.source = Cidr::host(path().src())}}) {
        DataPlane& plane = DataPlane::with();
        plane.set_rules({to_rule(rule)});
        const Packet last = fragment(8, false, Payload{Bytes(9)});
        expect(plane, path().direction, last, dropped(STEM_FRAGMENT_ORPHAN));
        expect(plane, path().direction, first, forwarded(STEM_RULE_PASS));
        expect(plane, path().direction, last, forwarded(STEM_RULE_PASS));
        expect(plane, path().direction, last, dropped(STEM_FRAGMENT_ORPHAN));
        EXPECT_EQ(plane.hits(0).packets, 1U);
    }
    if (!path().is_v6()) {
        // "Don't fragment" is no fragment.
        Packet whole = path() / Packet(Udp{});
        whole.get<IPv4>().dont_fragment = true;
        expect_match(path(), {.dport = PortRange{30000, 30000}}, whole, true);
    }
}

TEST_P(RuleEveryPath, TheFirstMatchDecides) {
    DataPlane& plane = DataPlane::with();
    const RuleSpec host{.action = STEM_ACTION_DROP, .source = Cidr::host(path().src())};
    const RuleSpec port{.action = STEM_ACTION_PASS, .dport = PortRange{30000, 30000}};
    plane.set_rules({to_rule(host), to_rule(port)});
    expect(plane, path().direction, path() / Packet(Udp{}), dropped(STEM_RULE_DROP));
    EXPECT_EQ(plane.hits(0).packets, 1U);
    EXPECT_EQ(plane.hits(1).packets, 0U);
    plane.set_rules({to_rule(port), to_rule(host)});
    expect(plane, path().direction, path() / Packet(Udp{}), forwarded(STEM_RULE_PASS));
    expect(plane, path().direction, path() / Packet(Udp{.dport = 30001}), dropped(STEM_RULE_DROP));
    EXPECT_EQ(plane.hits(0).packets, 1U);
    EXPECT_EQ(plane.hits(1).packets, 1U);
}

TEST_P(RuleEveryPath, WalksSixtyFourRules) {
    DataPlane& plane = DataPlane::with();
    std::vector<stem_rule> rules;
    for (std::uint16_t i = 0; i < 64; i++) {
        const auto port = static_cast<std::uint16_t>(20000 + i);
        rules.push_back(to_rule(
            {.action = i % 2 == 0 ? STEM_ACTION_PASS : STEM_ACTION_DROP, .dport = PortRange{port, port}}));
    }
    plane.set_rules(rules);
    for (std::uint16_t i = 0; i < 64; i++) {
        expect(plane, path().direction, path() / Packet(Udp{.dport = static_cast<std::uint16_t>(20000 + i)}),
               i % 2 == 0 ? forwarded(STEM_RULE_PASS) : dropped(STEM_RULE_DROP));
        EXPECT_EQ(plane.hits(i).packets, 1U);
    }
    expect(plane, path().direction, path() / Packet(Udp{.dport = 20064}), dropped(STEM_NO_PINHOLE));
    // What lies behind the count is not in force.
    rules.resize(10);
    plane.set_rules(rules);
    expect(plane, path().direction, path() / Packet(Udp{.dport = 20010}), dropped(STEM_NO_PINHOLE));
}

TEST_P(RuleEveryPath, FlipsWholeGenerations) {
    DataPlane& plane = DataPlane::with();
    const Packet packet = path() / Packet(Udp{});
    plane.set_rules({to_rule({.action = STEM_ACTION_DROP})});
    expect(plane, path().direction, packet, dropped(STEM_RULE_DROP));
    kernel::Rules next;
    next.rules = {to_rule({.action = STEM_ACTION_PASS, .protocol = 17})};
    next.policy[path().direction] = STEM_ACTION_PASS;
    next.policy[path().back().direction] = STEM_ACTION_DROP;
    plane.flip_rules(plane.make_generation(next, 2));
    expect(plane, path().direction, packet, forwarded(STEM_RULE_PASS));
    expect(plane, path().direction, path() / Packet(Tcp{}), forwarded(STEM_POLICY_PASS));
    expect(plane, path().back().direction, path().back() / Packet(Tcp{}), dropped(STEM_POLICY_DROP));
    EXPECT_EQ(plane.hits(0).packets, 1U); // the old generation counts no more
}

TEST_P(RuleEveryPath, PolicyIsEachDirectionsOwn) {
    DataPlane& plane = DataPlane::with();
    for (const auto inbound : {STEM_ACTION_PASS, STEM_ACTION_DROP}) {
        for (const auto outbound : {STEM_ACTION_PASS, STEM_ACTION_DROP}) {
            plane.set_rules({}, inbound, outbound);
            const bool passes = (path().direction == STEM_INBOUND ? inbound : outbound) == STEM_ACTION_PASS;
            const Verdict pass = forwarded(STEM_POLICY_PASS);
            expect(plane, path().direction, path() / Packet(Udp{}), passes ? pass : dropped(STEM_NO_PINHOLE));
            expect(plane, path().direction, path() / Packet(Tcp{}),
                   passes ? pass : dropped(STEM_POLICY_DROP));
            expect(plane, path().direction, path().icmp(8), passes ? pass : dropped(STEM_POLICY_DROP));
        }
    }
}

TEST(RuleModule, SwitchedOffJudgesNothing) {
    DataPlane& plane = DataPlane::with({.modules = 0});
    plane.set_rules({to_rule({.action = STEM_ACTION_PASS})});
    expect(plane, STEM_INBOUND, Path{} / Packet(Udp{}), dropped(STEM_NO_PINHOLE));
    EXPECT_EQ(plane.hits(0).packets, 0U);
}

// What must not happen: no generation at all. Nothing may pass then.
TEST(RuleGeneration, MissingFailsClosed) {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    plane.remove_rules();
    expect(plane, STEM_INBOUND, Path{} / Packet(Udp{}), dropped(STEM_INTERNAL));
    expect(plane, STEM_OUTBOUND, Path{.shape = Shape::v6, .direction = STEM_OUTBOUND} / Packet(Tcp{}),
           dropped(STEM_INTERNAL));
}

TEST(BridgePorts, AMissingOneIsCounted) {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    plane.remove_port(STEM_PORT_INTERNAL);
    expect(plane, STEM_INBOUND, Path{} / Packet(Udp{}), dropped(STEM_REDIRECT_FAILED));
    expect(plane, STEM_OUTBOUND, Path{.direction = STEM_OUTBOUND} / Packet(Udp{}),
           forwarded(STEM_POLICY_PASS));
}

} // namespace
} // namespace stem::test
