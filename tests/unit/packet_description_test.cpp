// SPDX-License-Identifier: Apache-2.0
#include <ctl/kernel/packet_description.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stem::kernel {
namespace {

using testing::HasSubstr;

class Described : public testing::TestWithParam<const char*> {};

// What is understood is said again in the same words.
TEST_P(Described, IsUnderstood) {
    const auto packet = read_packet(GetParam());
    ASSERT_TRUE(packet) << packet.error().message();
    EXPECT_EQ(packet->to_string(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Each, Described,
                         testing::Values("inbound udp 192.0.2.1:4000 -> 198.51.100.9:5060",
                                         "inbound udp 192.0.2.1:4000 -> 198.51.100.9:5060 vlan 7",
                                         "outbound tcp [2001:db8::1]:0 -> [2001:db8::2]:65535 ack",
                                         "outbound icmpv6 2001:db8::1 -> 2001:db8::2 type 128",
                                         "inbound icmp 192.0.2.1 -> 198.51.100.9 type 0 vlan 4094",
                                         "inbound icmp 192.0.2.1 -> 198.51.100.9 fragment",
                                         "inbound udp 2001:db8::1 -> 2001:db8::2 fragment",
                                         "inbound gre 192.0.2.1 -> 198.51.100.9",
                                         "inbound 253 192.0.2.1 -> 198.51.100.9"));

TEST(PacketDescription, TakesAWordForTheArrow) {
    const auto packet = read_packet("inbound  udp 192.0.2.1:4000 to 198.51.100.9:5060");
    ASSERT_TRUE(packet) << packet.error().message();
    EXPECT_EQ(packet->fields.source_port, 4000);
    EXPECT_EQ(packet->fields.destination_port, 5060);
    EXPECT_EQ(packet->fields.protocol, 17);
    EXPECT_FALSE(packet->fields.is_v6());
}

struct Nonsense {
    const char* text;
    const char* says;
};

class NotDescribed : public testing::TestWithParam<Nonsense> {};

TEST_P(NotDescribed, IsRefusedWithWhatIsWrong) {
    const auto packet = read_packet(GetParam().text);
    ASSERT_FALSE(packet);
    EXPECT_THAT(packet.error().message(), HasSubstr(GetParam().says));
    EXPECT_FALSE(packet.error().remedy.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Each, NotDescribed,
    testing::Values(Nonsense{"", "too few"}, Nonsense{"udp 192.0.2.1:1 -> 192.0.2.2:2 vlan 1", "'udp'"},
                    Nonsense{"inbound upd 192.0.2.1:1 -> 192.0.2.2:2", "'upd'"},
                    Nonsense{"inbound udp 192.0.2.1:1 > 192.0.2.2:2", "'>'"},
                    Nonsense{"inbound udp 192.0.2.1.1:1 -> 192.0.2.2:2", "'192.0.2.1.1:1'"},
                    Nonsense{"inbound udp 192.0.2.1:1 -> 192.0.2.2:65536", "'192.0.2.2:65536'"},
                    Nonsense{"inbound udp 192.0.2.1:1 -> [2001:db8::2]:2", "families"},
                    Nonsense{"inbound udp 192.0.2.1 -> 192.0.2.2", "port at both ends"},
                    Nonsense{"inbound udp 192.0.2.1:1 -> 192.0.2.2", "port at both ends"},
                    Nonsense{"inbound udp 192.0.2.1:1 -> 192.0.2.2:2 fragment", "a fragment has none"},
                    Nonsense{"inbound gre 192.0.2.1:1 -> 192.0.2.2:2", "gre has none"},
                    Nonsense{"inbound icmp 192.0.2.1 -> 192.0.2.2", "has a type"},
                    Nonsense{"inbound gre 192.0.2.1 -> 192.0.2.2 type 8", "gre has none"},
                    Nonsense{"inbound icmp 192.0.2.1 -> 192.0.2.2 type 256", "0 to 255"},
                    Nonsense{"inbound icmp 192.0.2.1 -> 192.0.2.2 type", "0 to 255"},
                    Nonsense{"inbound gre 192.0.2.1 -> 192.0.2.2 vlan 4095", "4094"},
                    Nonsense{"inbound udp 192.0.2.1:1 -> 192.0.2.2:2 ack", "for tcp"},
                    Nonsense{"inbound udp 192.0.2.1:1 -> 192.0.2.2:2 syn", "'syn'"}));

} // namespace
} // namespace stem::kernel
