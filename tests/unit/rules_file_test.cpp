// SPDX-License-Identifier: Apache-2.0
#include <ctl/kernel/rule_fields.h>
#include <ctl/kernel/rules_file.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

namespace stem::kernel {
namespace {

using testing::HasSubstr;

TEST(RulesFile, EmptyFileDropsEverything) {
    const auto rules = parse_rules("", "empty.toml");
    ASSERT_TRUE(rules) << rules.error().message();
    EXPECT_EQ(rules->count, 0U);
    EXPECT_EQ(rules->policy[STEM_INBOUND], STEM_ACTION_DROP);
    EXPECT_EQ(rules->policy[STEM_OUTBOUND], STEM_ACTION_DROP);
}

TEST(RulesFile, ReadsEveryField) {
    const auto rules = parse_rules(R"(
[policy]
inbound = "drop"
outbound = "pass"

[[rule]]
name = "dns4"
action = "pass"
direction = "outbound"
source = "192.0.2.0/24"
destination = "198.51.100.53"
protocol = "udp"
source_port = "1024-65535"
destination_port = 53
vlan = 12

[[rule]]
name = "dns6"
action = "drop"
direction = "inbound"
source = "2001:db8::/32"
protocol = 17

[[rule]]
name = "ping"
action = "pass"
protocol = "icmpv6"
icmp_type = 128
)",
                                   "all.toml");
    ASSERT_TRUE(rules) << rules.error().message();
    EXPECT_EQ(rules->policy[STEM_OUTBOUND], STEM_ACTION_PASS);
    ASSERT_EQ(rules->count, 3U);

    const auto& v4 = rules->rule[0];
    EXPECT_STREQ(v4.name, "dns4");
    EXPECT_EQ(v4.match, STEM_MATCH_OUTBOUND | STEM_MATCH_SOURCE | STEM_MATCH_DESTINATION |
                            STEM_MATCH_PROTOCOL | STEM_MATCH_SOURCE_PORT | STEM_MATCH_DESTINATION_PORT |
                            STEM_MATCH_VLAN);
    EXPECT_EQ(rule_source(v4), "192.0.2.0/24");
    EXPECT_EQ(rule_destination(v4), "198.51.100.53");
    EXPECT_EQ(rule_source_port(v4), "1024-65535");
    EXPECT_EQ(rule_destination_port(v4), "53");
    EXPECT_EQ(v4.vlan, 12);
    // What the data plane compares: the mapped address, cut to the mask.
    EXPECT_EQ(v4.source[0] & ~v4.source_mask[0], 0U);
    EXPECT_EQ(v4.source[1] & ~v4.source_mask[1], 0U);
    EXPECT_EQ(v4.source_mask[0], ~__u64{0});

    const auto& v6 = rules->rule[1];
    EXPECT_EQ(v6.match, STEM_MATCH_INBOUND | STEM_MATCH_SOURCE | STEM_MATCH_PROTOCOL);
    EXPECT_EQ(rule_source(v6), "2001:db8::/32");
    EXPECT_EQ(v6.protocol, IPPROTO_UDP);
    EXPECT_EQ(v6.source_mask[1], 0U);

    const auto& ping = rules->rule[2];
    EXPECT_EQ(ping.match,
              STEM_MATCH_INBOUND | STEM_MATCH_OUTBOUND | STEM_MATCH_PROTOCOL | STEM_MATCH_ICMP_TYPE);
    EXPECT_EQ(rule_protocol(ping), "icmpv6/128");
}

struct Mistake {
    const char* text;
    const char* place; // line and key, as the error has to name them
    const char* says;
};

class RulesFileMistake : public testing::TestWithParam<Mistake> {};

TEST_P(RulesFileMistake, IsNamedWithFileLineAndKey) {
    const auto rules = parse_rules(GetParam().text, "site.toml");
    ASSERT_FALSE(rules);
    const std::string message = rules.error().message();
    EXPECT_THAT(message, HasSubstr(std::string("site.toml line ") + GetParam().place));
    EXPECT_THAT(message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Each, RulesFileMistake,
    testing::Values(
        Mistake{"[policy\n", "1", "TOML"}, Mistake{"\nrules = 1\n", "2, key 'rules'", "policy, rule"},
        Mistake{"policy = 1\n", "1, key 'policy'", "[policy]"},
        Mistake{"[policy]\ninbound = \"deny\"\n", "2, key 'policy.inbound'", "\"pass\" or \"drop\""},
        Mistake{"[policy]\ninbond = \"drop\"\n", "2, key 'policy.inbond'", "inbound, outbound"},
        Mistake{"[policy]\noutbound = 1\n", "2, key 'outbound'", "not a string"},
        Mistake{"[rule]\nname = \"x\"\n", "1, key 'rule'", "[[rule]]"},
        Mistake{"[[rule]]\naction = \"pass\"\n", "1, key 'name'", "needs a name"},
        Mistake{"[[rule]]\nname = \"a-name-of-more-than-thirty-one-octets\"\naction = \"pass\"\n",
                "1, key 'name'", "31 octets"},
        Mistake{"[[rule]]\nname = \"x\"\n", "1, key 'action'", "without an action"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"allow\"\n", "3, key 'action'", "'allow'"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nport = 1\n", "4, key 'port'", "known are name"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\ndirection = \"in\"\n", "4, key 'direction'",
                "'in'"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nsource = \"192.0.2.1/24\"\n", "4, key 'source'",
                "192.0.2.1/24"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\ndestination = \"2001:db8::/129\"\n",
                "4, key 'destination'", "2001:db8::/129"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nsource = \"::/0\"\n", "4, key 'source'", "IPv4"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nsource = \"192.0.2.0/24\"\n"
                "destination = \"2001:db8::/32\"\n",
                "5, key 'destination'", "families"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nprotocol = \"tpc\"\n", "4, key 'protocol'",
                "'tpc'"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nprotocol = 256\n", "4, key 'protocol'", "256"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\ndestination_port = 53\n",
                "4, key 'destination_port'", "without protocol"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nprotocol = \"udp\"\nsource_port = \"20-10\"\n",
                "5, key 'source_port'", "20-10"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nprotocol = \"udp\"\nsource_port = 65536\n",
                "5, key 'source_port'", "65536"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nprotocol = \"udp\"\nicmp_type = 8\n",
                "5, key 'icmp_type'", "icmp"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nvlan = 4095\n", "4, key 'vlan'", "0 to 4094"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"steer\"\nprotocol = \"tcp\"\n", "3, key 'action'", "UDP"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\n[[rule]]\nname = \"x\"\naction = \"pass\"\n",
                "5, key 'name'", "'x'"}));

TEST(RulesFile, HoldsSixtyFourRulesAndNoMore) {
    std::string text;
    for (int i = 0; i < STEM_RULES_MAX; i++) {
        text += "[[rule]]\nname = \"r" + std::to_string(i) + "\"\naction = \"drop\"\n";
    }
    const auto full = parse_rules(text, "full.toml");
    ASSERT_TRUE(full) << full.error().message();
    EXPECT_EQ(full->count, unsigned{STEM_RULES_MAX});
    const auto over = parse_rules(text + "[[rule]]\nname = \"one more\"\naction = \"drop\"\n", "full.toml");
    ASSERT_FALSE(over);
    EXPECT_THAT(over.error().message(), HasSubstr("line 193"));
}

TEST(RulesFile, MissingFileIsNamed) {
    const auto rules = read_rules_file("/nonexistent/rules.toml");
    ASSERT_FALSE(rules);
    EXPECT_THAT(rules.error().message(), HasSubstr("/nonexistent/rules.toml"));
    EXPECT_FALSE(read_rules_file("/"));
}

} // namespace
} // namespace stem::kernel
