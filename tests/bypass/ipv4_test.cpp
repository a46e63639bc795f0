// SPDX-License-Identifier: Apache-2.0
// The IPv4 header: options, lengths, checksum, time to live, and addresses that cannot be.
#include "fortress.h"

namespace stem::test {
namespace {

class BypassIPv4 : public Fortress {
  protected:
    static Packet with_options(Bytes options) {
        return Ethernet{} / IPv4{.options = std::move(options)} / open_service;
    }
    static Packet between(const char* src, const char* dst) {
        return Ethernet{} / IPv4{.src = ip(src), .dst = ip(dst)} / open_service;
    }
    // Every inbound packet passes that is not dropped for its form.
    static DataPlane& open_plane() {
        DataPlane& box = DataPlane::with();
        box.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
        return box;
    }
};
INSTANTIATE_TEST_SUITE_P(Family, BypassIPv4, testing::Values(false), family_name);

TEST_P(BypassIPv4, SourceRoutes) {
    DataPlane& box = plane();
    for (const std::uint8_t type : U8{131, 137}) {
        for (const std::uint8_t pointer : U8{4, 8, 12}) { // to go, half done, done
            const Bytes route = {type, 7, pointer, 198, 51, 100, 20};
            expect_in(box, with_options(route), dropped(STEM_SOURCE_ROUTE));
            Bytes behind = {1, 148, 4, 0, 0}; // no operation, router alert, then the route
            behind.insert(behind.end(), route.begin(), route.end());
            expect_in(box, with_options(behind), dropped(STEM_SOURCE_ROUTE));
        }
        expect_in(box, with_options({type, 0, 0, 0}), dropped(STEM_SOURCE_ROUTE));
    }
    // An open pinhole opens no route either.
    expect_in(box,
              Ethernet{} / IPv4{.options = {131, 7, 4, 198, 51, 100, 20}} /
                  Udp{.sport = media_sport, .dport = media_dport} / Rtp{},
              dropped(STEM_SOURCE_ROUTE));
    EXPECT_EQ(box.flow_of(media_key(in())).packets, 0U);
}

TEST_P(BypassIPv4, Options) {
    DataPlane& box = plane();
    expect_in(box, with_options({148, 4, 0, 0}), forwarded(STEM_RULE_PASS)); // router alert
    expect_in(box, with_options({1, 1, 1, 0}), forwarded(STEM_RULE_PASS));
    expect_in(box, with_options({1, 1, 1, 1}), forwarded(STEM_RULE_PASS));
    expect_in(box, with_options(Bytes(40, 1)), forwarded(STEM_RULE_PASS));
    expect_in(box, with_options({0, 131, 7, 4, 1, 2, 3, 4}), forwarded(STEM_RULE_PASS)); // behind the end
    for (const std::uint8_t type : U8{7, 68, 130, 133, 134, 136, 149, 82, 30, 94, 158, 222, 10, 25, 255}) {
        expect_in(box, with_options({type, 4, 0, 0}), dropped(STEM_IPV4_OPTION)); // record route and so on
    }
    for (const std::uint8_t length : U8{0, 1, 2, 3, 5, 40, 255}) { // lying lengths
        expect_in(box, with_options({148, length, 0, 0}), dropped(STEM_IPV4_OPTION));
    }
    expect_in(box, with_options({1, 1, 1, 148}), dropped(STEM_IPV4_OPTION)); // over the header's end
    expect_in(box, with_options({1, 1, 148, 4}), dropped(STEM_IPV4_OPTION));
}

TEST_P(BypassIPv4, HeaderLengths) {
    DataPlane& box = plane();
    Packet packet = to(server()) / open_service / Payload{Bytes(20)};
    for (const std::uint8_t words : U8{0, 1, 4}) {
        packet.get<IPv4>().header_words = words;
        expect_in(box, packet, dropped(STEM_IPV4_HEADER));
    }
    // Ports out of the payload, behind "options" that are the TCP header.
    Packet two = to(server()) / closed_service / Payload{Packet(open_service).bytes()};
    two.get<IPv4>().header_words = 10;
    expect_in(box, two, dropped(STEM_IPV4_OPTION));
    packet.get<IPv4>().header_words.reset();
    for (const std::uint16_t length : U16{0, 1, 19, 61, 1500, 65535}) {
        packet.get<IPv4>().length = length;
        expect_in(box, packet, dropped(STEM_IPV4_HEADER));
    }
    for (std::uint16_t length = 20; length < 40; length++) { // TCP's header is not within
        packet.get<IPv4>().length = length;
        expect_in(box, packet, dropped(STEM_TCP_HEADER));
    }
}

TEST_P(BypassIPv4, ChecksumAndTtl) {
    DataPlane& box = plane();
    Packet packet = to(server()) / open_service;
    const Bytes right = packet.bytes();
    const auto sum = static_cast<std::uint16_t>(right[24] << 8 | right[25]);
    for (const std::uint16_t wrong :
         {std::uint16_t(sum + 1), std::uint16_t(~sum), std::uint16_t(sum << 8 | sum >> 8)}) {
        packet.get<IPv4>().checksum = wrong;
        expect_in(box, packet, dropped(STEM_IPV4_HEADER));
    }
    Packet with_option = with_options({148, 4, 0, 0});
    with_option.get<IPv4>().checksum = 0x1234;
    expect_in(box, with_option, dropped(STEM_IPV4_HEADER));
    packet.get<IPv4>().checksum.reset();
    packet.get<IPv4>().ttl = 0;
    expect_in(box, packet, dropped(STEM_IPV4_HEADER));
    packet.get<IPv4>().ttl = 1; // a bridge is no hop
    expect_in(box, packet, forwarded(STEM_RULE_PASS));
}

TEST_P(BypassIPv4, AddressesThatCannotBe) {
    DataPlane& box = open_plane();
    expect_in(box, between("192.0.2.10", "198.51.100.10"), forwarded(STEM_POLICY_PASS));
    expect_in(box, between("198.51.100.10", "198.51.100.10"), dropped(STEM_MARTIAN)); // land
    for (const char* src : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.1.1.1",
                            "240.0.0.1", "255.255.255.255"}) {
        expect_in(box, between(src, "198.51.100.10"), dropped(STEM_MARTIAN));
        expect_in(box, Ethernet{} / IPv4{.src = ip(src)} / Udp{} / Rtp{}, dropped(STEM_MARTIAN));
        expect_in(box, Ethernet{} / IPv4{.src = ip(src)} / Icmp{}, dropped(STEM_MARTIAN));
    }
    for (const char* dst : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "240.0.0.1", "255.255.255.254"}) {
        expect_in(box, between("192.0.2.10", dst), dropped(STEM_MARTIAN));
    }
    // A host without an address may ask for one, and for groups (RFC 2131, RFC 3376 4.2.13).
    for (const char* dst : {"255.255.255.255", "224.0.0.22"}) {
        expect_in(box,
                  Ethernet{} / IPv4{.src = ip("0.0.0.0"), .dst = ip(dst)} / Udp{.sport = 68, .dport = 67} /
                      Payload{},
                  forwarded(STEM_POLICY_PASS));
    }
}

TEST_P(BypassIPv4, FailsafeAsksForTheFormToo) {
    DataPlane& box = plane();
    const Tcp ssh{.dport = failsafe_port};
    expect_in(box, Ethernet{} / IPv4{.src = ip("203.0.113.1")} / ssh, forwarded(STEM_FAILSAFE));
    expect_in(box, Ethernet{} / IPv4{.src = ip("203.0.113.1"), .checksum = 1} / ssh,
              dropped(STEM_IPV4_HEADER));
    expect_in(box, Ethernet{} / IPv4{.src = ip("203.0.113.1"), .options = {131, 7, 4, 1, 2, 3, 4}} / ssh,
              dropped(STEM_SOURCE_ROUTE));
    expect_in(box, Ethernet{} / IPv4{.src = ip("203.0.113.1"), .dst = ip("203.0.113.1")} / ssh,
              dropped(STEM_MARTIAN));
    expect_in(box, Ethernet{} / IPv4{.src = ip("203.0.113.1")} / Tcp{.dport = failsafe_port, .flags = 0x03},
              dropped(STEM_TCP_HEADER));
}

} // namespace
} // namespace stem::test
