// SPDX-License-Identifier: Apache-2.0
// Below IP: tags, ethertypes, padding, truncation, and IP in what is not Ethernet II.
#include "fortress.h"

namespace stem::test {
namespace {

class BypassLink : public Fortress {
  protected:
    static Packet inner(const Address& dst, const Tcp& tcp = open_service) {
        const Packet whole = to(dst);
        Packet packet;
        if (is_v6()) {
            packet = std::get<IPv6>(whole.layers().at(1));
        } else {
            packet = std::get<IPv4>(whole.layers().at(1));
        }
        return packet / tcp;
    }
    [[nodiscard]] static std::uint16_t ethertype() { return is_v6() ? 0x86dd : 0x0800; }
};
INSTANTIATE_TEST_SUITE_P(Family, BypassLink, testing::Bool(), family_name);

TEST_P(BypassLink, TagsHideNothing) {
    DataPlane& box = plane();
    for (const std::uint16_t outer : U16{0x8100, 0x88a8, 0x9100}) {
        for (const std::uint16_t id : U16{0, 1, 100, 4094}) {
            const Packet tagged = Ethernet{} / Vlan{.id = id, .tpid = outer};
            expect_in(box, tagged / inner(server()), forwarded(STEM_RULE_PASS));
            expect_in(box, tagged / inner(bystander()), dropped(STEM_POLICY_DROP));
            for (const std::uint16_t under : U16{0x8100, 0x88a8, 0x9100}) {
                const Packet two = tagged / Vlan{.id = 7, .tpid = under};
                expect_in(box, two / inner(bystander()), dropped(STEM_POLICY_DROP));
                expect_in(box, two / Vlan{} / inner(server()), dropped(STEM_VLAN_DEPTH));
                expect_in(box, two / Vlan{} / Vlan{} / inner(server()), dropped(STEM_VLAN_DEPTH));
            }
        }
        // Reserved (IEEE 802.1Q table 9-2).
        expect_in(box, Ethernet{} / Vlan{.id = 4095, .tpid = outer} / inner(server()),
                  dropped(STEM_VLAN_DEPTH));
        expect_in(box, Ethernet{} / Vlan{.id = 1, .tpid = outer} / Vlan{.id = 4095} / inner(server()),
                  dropped(STEM_VLAN_DEPTH));
        expect_in(box, Ethernet{} / Vlan{.id = 0, .tpid = outer} / Vlan{.id = 4095} / inner(server()),
                  dropped(STEM_VLAN_DEPTH));
    }
    for (const std::uint16_t unknown : U16{0x9200, 0x9300, 0x88e7, 0x8a88}) {
        expect_in(box, Ethernet{} / Vlan{.tpid = unknown} / inner(server()), dropped(STEM_ETHERTYPE));
    }
}

// A station reads on behind a priority tag (id 0): the VLAN is the one inside.
TEST_P(BypassLink, APriorityTagHidesNoVlan) {
    DataPlane& box = plane();
    box.set_rules(
        {to_rule({.action = STEM_ACTION_DROP, .vlan = 666}), to_rule({.destination = Cidr::host(server())})},
        STEM_ACTION_DROP, STEM_ACTION_PASS);
    const Packet hidden = Ethernet{} / Vlan{.id = 0} / Vlan{.id = 666};
    expect_in(box, Ethernet{} / Vlan{.id = 666} / inner(server()), dropped(STEM_RULE_DROP));
    expect_in(box, hidden / inner(server()), dropped(STEM_RULE_DROP));
    expect_in(box, Ethernet{} / Vlan{.id = 0} / Vlan{.id = 667} / inner(server()), forwarded(STEM_RULE_PASS));
    expect_in(box, Ethernet{} / Vlan{.id = 0} / inner(server()), forwarded(STEM_RULE_PASS));
}

TEST_P(BypassLink, OnlyEthernetTwo) {
    DataPlane& box = plane();
    const Bytes packet = inner(server()).bytes();
    const auto length = static_cast<std::uint16_t>(packet.size() + 8);
    // 802.3 with LLC and SNAP (RFC 1042), raw 802.3, LLC for IP, and jumbo lengths.
    Bytes snap = {0xaa,
                  0xaa,
                  0x03,
                  0,
                  0,
                  0,
                  static_cast<std::uint8_t>(ethertype() >> 8),
                  static_cast<std::uint8_t>(ethertype())};
    snap.insert(snap.end(), packet.begin(), packet.end());
    Bytes llc = {0x06, 0x06, 0x03};
    llc.insert(llc.end(), packet.begin(), packet.end());
    for (const Bytes& body : {snap, llc, packet}) {
        for (const std::uint16_t type : U16{length, 0, 46, 1500, 0x8870, 0xffff}) {
            expect_in(box, (Ethernet{.type = type} / Payload{body}).padded_to(60), dropped(STEM_ETHERTYPE));
            expect_in(box, Ethernet{} / Vlan{.type = type} / Payload{body}, dropped(STEM_ETHERTYPE));
        }
    }
    // MPLS, PPPoE, MACsec, PBB, EtherIP's own: nobody is asked what is in there.
    for (const std::uint16_t type : U16{0x8847, 0x8848, 0x8863, 0x8864, 0x88e5, 0x88e7, 0x6558, 0x8906}) {
        expect_in(box, Ethernet{.type = type} / Payload{packet}, dropped(STEM_ETHERTYPE));
    }
    // The one family under the other's ethertype.
    expect_in(box, Ethernet{.type = std::uint16_t(is_v6() ? 0x0800 : 0x86dd)} / Payload{packet},
              dropped(is_v6() ? STEM_IPV4_HEADER : STEM_IPV6_HEADER));
}

// Padding is no packet; and what is cut short is never filled up with it.
TEST_P(BypassLink, PaddingAndTruncation) {
    DataPlane& box = plane();
    const Bytes whole = (Ethernet{} / inner(server()) / Payload{Bytes(20)}).bytes();
    for (std::size_t length = 14; length < whole.size(); length++) {
        const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        box.advance(20 * milliseconds);
        expect(box, STEM_INBOUND, cut, "cut to " + std::to_string(length),
               dropped(is_v6() ? STEM_IPV6_HEADER : STEM_IPV4_HEADER));
    }
    // A packet to the open service in the padding of one to another.
    Bytes two = (Ethernet{} / inner(bystander())).bytes();
    const Bytes second = inner(server()).bytes();
    two.insert(two.end(), second.begin(), second.end());
    box.advance(20 * milliseconds);
    expect(box, STEM_INBOUND, two, "one behind the other", dropped(STEM_POLICY_DROP));
    expect_in(box, (Ethernet{} / inner(server())).padded_to(1500), forwarded(STEM_RULE_PASS));
}

} // namespace
} // namespace stem::test
