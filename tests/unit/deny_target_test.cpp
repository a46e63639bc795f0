// SPDX-License-Identifier: Apache-2.0
// What can be denied, as people write it.
#include <ctl/kernel/deny_origin.h>
#include <ctl/kernel/deny_target.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace stem::kernel {
namespace {

using testing::HasSubstr;

TEST(DenyTarget, IsWrittenAsItIsRead) {
    const struct {
        const char* text;
        DenyKind kind;
    } cases[] = {
        {"198.51.100.7", DenyKind::address},
        {"2001:db8::7", DenyKind::address},
        {"198.51.100.0/24", DenyKind::network},
        {"2001:db8::/48", DenyKind::network},
        {"stream:udp:198.51.100.7:5060-203.0.113.5:5060", DenyKind::stream},
        {"stream:tcp:198.51.100.7:1-203.0.113.5:65535", DenyKind::stream},
        {"stream:udp:[2001:db8::7]:5060-[2001:db8::5]:5060", DenyKind::stream},
        {"flow:198.51.100.7:4000-203.0.113.5:10000", DenyKind::flow},
        {"flow:[2001:db8::7]:4000-[2001:db8::5]:10000", DenyKind::flow},
    };
    for (const auto& [text, kind] : cases) {
        const auto target = parse_deny_target(text);
        ASSERT_TRUE(target) << target.error().message();
        EXPECT_EQ(kind_of(*target), kind) << text;
        EXPECT_EQ(to_string(*target), text);
        EXPECT_EQ(deny_kind_from(name_of(kind)), kind);
    }
    EXPECT_EQ(to_string(*parse_deny_target("198.51.100.7/32")), "198.51.100.7");
    EXPECT_FALSE(deny_kind_from("streams"));
}

TEST(DenyTarget, HasBothEndsInOrder) {
    const auto target = parse_deny_target("stream:tcp:[2001:db8::7]:5061-[2001:db8::5]:5060");
    ASSERT_TRUE(target);
    const auto& stream = std::get<StreamTarget>(*target);
    EXPECT_EQ(stream.protocol, IPPROTO_TCP);
    EXPECT_EQ(stream.source.to_string(), "[2001:db8::7]:5061");
    EXPECT_EQ(stream.destination.to_string(), "[2001:db8::5]:5060");
}

TEST(DenyTarget, SaysWhatIsWrong) {
    const struct {
        const char* text;
        const char* cause;
    } cases[] = {
        {"", "neither IPv4 nor IPv6"},
        {"example.org", "neither IPv4 nor IPv6"},
        {"198.51.100.7/33", "0 to 32"},
        {"198.51.100.7/24", "beyond the prefix"},
        {"198.51.100.7:5060", "neither IPv4 nor IPv6"},
        {"Stream:udp:198.51.100.7:5060-203.0.113.5:5060", "neither IPv4 nor IPv6"},
        {"stream:", "neither udp nor tcp"},
        {"stream:udp", "neither udp nor tcp"},
        {"stream:sctp:198.51.100.7:5060-203.0.113.5:5060", "'sctp' is neither udp nor tcp"},
        {"stream:198.51.100.7:5060-203.0.113.5:5060", "neither udp nor tcp"},
        {"stream:udp:198.51.100.7:5060", "two ends"},
        {"stream:udp:198.51.100.7:5060-203.0.113.5:5060-203.0.113.6:1", "two ends"},
        {"stream:udp:198.51.100.7-203.0.113.5:5060", "'198.51.100.7' has no port"},
        {"stream:udp:198.51.100.7:0-203.0.113.5:5060", "port '0'"},
        {"stream:udp:198.51.100.7:65536-203.0.113.5:5060", "port '65536'"},
        {"stream:udp:198.51.100.7:+1-203.0.113.5:5060", "port '+1'"},
        {"stream:udp:198.51.100.7:-203.0.113.5:5060", "port ''"},
        {"stream:udp:198.51.100.7:5060-203.0.113.5:sip", "port 'sip'"},
        {"flow:2001:db8::7:4000-2001:db8::5:10000", "without brackets"},
        {"flow:[2001:db8::7]-[2001:db8::5]:10000", "'[2001:db8::7]' has no port"},
        {"flow:[2001:db8::7:4000-[2001:db8::5]:10000", "has no port"},
        {"flow:[198.51.100.7]:4000-203.0.113.5:10000", "'[198.51.100.7]' is neither"},
        {"flow:198.51.100.7:4000-[2001:db8::5]:10000", "one end is IPv4"},
        {"flow:bob:4000-203.0.113.5:10000", "'bob' is neither"},
        {"flow:198.51.100.0/24:4000-203.0.113.5:10000", "'198.51.100.0/24' is neither"},
    };
    for (const auto& [text, cause] : cases) {
        const auto target = parse_deny_target(text);
        ASSERT_FALSE(target) << text;
        EXPECT_THAT(target.error().attempt, HasSubstr(std::string("'") + text + "'"));
        EXPECT_THAT(target.error().cause, HasSubstr(cause)) << text;
        EXPECT_THAT(target.error().remedy, HasSubstr("write ")) << text;
    }
}

TEST(DenyOrigin, HasANameEach) {
    for (const auto origin : deny_origins) {
        EXPECT_EQ(deny_origin_from(name_of_origin(origin)), origin);
    }
    EXPECT_EQ(name_of_origin(STEM_DENY_SYN_MONITOR), "syn_monitor");
    EXPECT_EQ(name_of_origin(0), "unknown");
    EXPECT_FALSE(deny_origin_from("unknown"));
}

} // namespace
} // namespace stem::kernel
