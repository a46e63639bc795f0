// SPDX-License-Identifier: Apache-2.0
// The packet builder itself: if it lies, every test of the data plane does.
#include <packet/packet.h>

#include <gtest/gtest.h>

namespace stem::test {
namespace {

constexpr std::size_t ethernet = 14;

// Zero when a checksum in `octets` is right (RFC 1071).
std::uint16_t residue(std::span<const std::uint8_t> octets, std::uint32_t sum = 0) {
    return checksum_finish(checksum_add(sum, octets));
}

TEST(Checksum, OfTheExampleInRfc1071) {
    const Bytes octets = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(checksum_finish(checksum_add(0, octets)), 0x220d);
    EXPECT_EQ(checksum_add(0, Bytes{0xab}), 0xab00U);
}

TEST(PacketBytes, AreThoseOfAKnownPacket) {
    const Packet packet = Ethernet{} / Vlan{.id = 7, .priority = 3} / IPv4{.ttl = 9} /
                          Udp{.sport = 1, .dport = 2} / Payload{{'h', 'i'}};
    EXPECT_EQ(to_hex(packet.bytes()), "00005e005301"
                                      "00005e005302"
                                      "81006007"
                                      "0800"
                                      "4500001e123400000911b353c000020ac633640a"
                                      "00010002000aab25"
                                      "6869");
}

TEST(PacketBytes, HaveRightChecksums) {
    for (const std::size_t payload : {0U, 1U, 2U, 33U}) {
        const Bytes v4 =
            (Ethernet{} / IPv4{.options = {1, 1, 1}} / Udp{} / Payload{Bytes(payload, 0xa5)}).bytes();
        const std::span<const std::uint8_t> packet(v4.data() + ethernet, v4.size() - ethernet);
        EXPECT_EQ(packet.size(), 20 + 4 + 8 + payload);
        EXPECT_EQ(residue(packet.first(24)), 0);
        const auto length = static_cast<std::uint32_t>(8 + payload);
        EXPECT_EQ(residue(packet.subspan(24), checksum_add(17 + length, packet.subspan(12, 8))), 0);

        const Bytes v6 =
            (Ethernet{} / IPv6{} / Tcp{.options = {2, 4, 5, 180}} / Payload{Bytes(payload, 0x5a)}).bytes();
        const std::span<const std::uint8_t> segment(v6.data() + ethernet + 40, v6.size() - ethernet - 40);
        EXPECT_EQ(segment.size(), 24 + payload);
        const std::span<const std::uint8_t> addresses(v6.data() + ethernet + 8, 32);
        EXPECT_EQ(residue(segment, checksum_add(6 + static_cast<std::uint32_t>(segment.size()), addresses)),
                  0);
    }
}

TEST(PacketBytes, ChainExtensionHeaders) {
    const Bytes frame = (Ethernet{} / IPv6{} / HopByHop{} / DestinationOptions{.options = Bytes(9)} /
                         Routing{} / Authentication{} / Fragment{.offset = 3, .more = true} / Udp{})
                            .bytes();
    const std::size_t hop_by_hop = ethernet + 40;
    EXPECT_EQ(frame.size(), hop_by_hop + 8 + 16 + 24 + 24 + 8 + 8);
    EXPECT_EQ(frame[ethernet + 5], 8 + 16 + 24 + 24 + 8 + 8); // payload length
    EXPECT_EQ(frame[ethernet + 6], 0);
    EXPECT_EQ(frame[hop_by_hop], 60);
    EXPECT_EQ(frame[hop_by_hop + 1], 0);
    EXPECT_EQ(frame[hop_by_hop + 8], 43);
    EXPECT_EQ(frame[hop_by_hop + 9], 1);
    EXPECT_EQ(frame[hop_by_hop + 24], 51);
    EXPECT_EQ(frame[hop_by_hop + 25], 2);
    EXPECT_EQ(frame[hop_by_hop + 48], 44);
    EXPECT_EQ(frame[hop_by_hop + 49], 4);
    EXPECT_EQ(frame[hop_by_hop + 72], 17);
    EXPECT_EQ(frame[hop_by_hop + 75], (3 << 3) | 1);
}

TEST(PacketBytes, KeepWhatATestGotWrong) {
    const Bytes frame =
        (Ethernet{.type = 0x1234} / IPv4{.header_words = 3, .length = 7, .protocol = 99, .checksum = 0xdead} /
         Udp{.length = 5, .checksum = 0xbeef})
            .bytes();
    EXPECT_EQ(to_hex(std::span(frame).subspan(12, 6)), "123443000007");
    EXPECT_EQ(to_hex(std::span(frame).subspan(ethernet + 8, 4)), "4063dead");
    EXPECT_EQ(to_hex(std::span(frame).subspan(ethernet + 24, 4)), "0005beef");
}

TEST(PacketScapy, SaysWhatWasSet) {
    EXPECT_EQ((Ethernet{} / Vlan{.id = 7} / IPv4{.length = 9} / Udp{.dport = 5060}).scapy(),
              "Ether(dst='00:00:5e:00:53:01',src='00:00:5e:00:53:02')/Dot1Q(vlan=7,prio=0)/"
              "IP(src='192.0.2.10',dst='198.51.100.10',ttl=64,tos=0,id=4660,version=4,flags=0,frag=0,len=9)/"
              "UDP(sport=40000,dport=5060)");
}

} // namespace
} // namespace stem::test
