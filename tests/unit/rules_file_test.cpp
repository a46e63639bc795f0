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
    EXPECT_EQ(rules->rules.size(), 0U);
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
    ASSERT_EQ(rules->rules.size(), 3U);

    const auto& v4 = rules->rules[0];
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

    const auto& v6 = rules->rules[1];
    EXPECT_EQ(v6.match, STEM_MATCH_INBOUND | STEM_MATCH_SOURCE | STEM_MATCH_PROTOCOL);
    EXPECT_EQ(rule_source(v6), "2001:db8::/32");
    EXPECT_EQ(v6.protocol, IPPROTO_UDP);
    EXPECT_EQ(v6.source_mask[1], 0U);

    const auto& ping = rules->rules[2];
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
                "2, key 'name'", "31 octets"},
        Mistake{"[[rule]]\nname = \"x\"\n", "1, key 'action'", "without an action"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"allow\"\n", "3, key 'action'", "'allow'"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nport = 1\n", "4, key 'port'", "known are name"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\ndirection = \"in\"\n", "4, key 'direction'",
                "'in'"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nsource = \"192.0.2.1/24\"\n", "4, key 'source'",
                "192.0.2.1/24"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\ndestination = \"2001:db8::/129\"\n",
                "4, key 'destination'", "2001:db8::/129"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\nlog = \"yes\"\n", "4, key 'log'", "true"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"log\"\nlog = false\n", "4, key 'log'", "logs"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\ninterface = 1\n", "4, key 'interface'",
                "not a string"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\ninterface = \"a-name-too-long\u00e9\"\n",
                "4, key 'interface'", "interface's name"},
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
        Mistake{"[[rule]]\nname = \"x\"\naction = \"steer\"\nprotocol = \"icmp\"\n", "3, key 'action'",
                "TCP"},
        Mistake{"[[rule]]\nname = \"x\"\naction = \"pass\"\n[[rule]]\nname = \"x\"\naction = \"pass\"\n",
                "5, key 'name'", "line 2"}));

TEST(RulesFile, HoldsAsManyRulesAsTheKernelAndNoMore) {
    std::string text;
    for (int i = 0; i < STEM_RULES_MAX; i++) {
        text += "[[rule]]\nname = \"r" + std::to_string(i) + "\"\naction = \"drop\"\n";
    }
    const auto full = parse_rules(text, "full.toml");
    ASSERT_TRUE(full) << full.error().message();
    EXPECT_EQ(full->rules.size(), std::size_t{STEM_RULES_MAX});
    const auto over = parse_rules(text + "[[rule]]\nname = \"one more\"\naction = \"drop\"\n", "full.toml");
    ASSERT_FALSE(over);
    EXPECT_THAT(over.error().message(), HasSubstr("line " + std::to_string(3 * STEM_RULES_MAX + 1)));
}

TEST(RulesFile, ReadsKeepState) {
    const auto rules =
        parse_rules("[[rule]]\nname = \"web\"\naction = \"pass\"\nkeep_state = true\nlog = true\n"
                    "[[rule]]\nname = \"plain\"\naction = \"drop\"\nkeep_state = false\n",
                    "site.toml");
    ASSERT_TRUE(rules) << rules.error().message();
    EXPECT_EQ(rules->rules[0].flags, STEM_RULE_KEEP_STATE | STEM_RULE_LOG);
    EXPECT_EQ(rule_action(rules->rules[0]), "pass, log, keep state");
    EXPECT_EQ(rules->rules[1].flags, 0);
    for (const char* action : {"drop", "steer", "log"}) {
        const auto wrong = parse_rules(std::string("[[rule]]\nname = \"a\"\naction = \"") + action +
                                           "\"\nkeep_state = true\n",
                                       "site.toml");
        ASSERT_FALSE(wrong);
        EXPECT_THAT(wrong.error().message(), HasSubstr("line 4"));
        EXPECT_THAT(wrong.error().message(), HasSubstr("keep_state"));
    }
    EXPECT_FALSE(parse_rules("[[rule]]\nname = \"a\"\naction = \"pass\"\nkeep_state = \"yes\"\n", "x"));
}

TEST(RulesFile, ReadsLogAndInterface) {
    auto rules = parse_rules(R"(
[[rule]]
name = "watch"
action = "log"
interface = "eth0"

[[rule]]
name = "in"
action = "pass"
log = true
direction = "outbound"
interface = "eth1"

[[rule]]
name = "all6"
action = "drop"
source = "::/0"
)",
                             "site.toml");
    ASSERT_TRUE(rules) << rules.error().message();
    EXPECT_EQ(rules->rules[0].action, STEM_ACTION_LOG);
    EXPECT_EQ(rules->rules[0].flags, STEM_RULE_LOG);
    EXPECT_EQ(rules->rules[1].flags, STEM_RULE_LOG);
    EXPECT_EQ(rule_action(rules->rules[1]), "pass, log");
    EXPECT_EQ(rules->rules[2].flags, 0);
    EXPECT_EQ(rule_source(rules->rules[2]), "::/0");
    EXPECT_TRUE(accepts_family(rules->rules[2], STEM_FAMILY_V6));
    EXPECT_FALSE(accepts_family(rules->rules[2], STEM_FAMILY_V4));
    EXPECT_TRUE(names_interfaces(*rules));

    ASSERT_TRUE(resolve_interfaces(*rules, {"eth0", "eth1"}));
    EXPECT_EQ(rules->rules[0].match, STEM_MATCH_INBOUND | STEM_MATCH_INTERFACE);
    EXPECT_EQ(rules->rules[1].match, STEM_MATCH_OUTBOUND | STEM_MATCH_INTERFACE);

    const auto unknown = resolve_interfaces(*rules, {"wan0", "eth1"});
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().message(), HasSubstr("site.toml line 5, key 'interface'"));
    EXPECT_THAT(unknown.error().message(), HasSubstr("wan0 (external) or eth1 (internal)"));
    const auto contrary = resolve_interfaces(*rules, {"eth1", "eth0"});
    ASSERT_FALSE(contrary);
    EXPECT_THAT(contrary.error().message(), HasSubstr("direction"));
}

TEST(RulesFile, MissingFileIsNamed) {
    const auto rules = read_rules_file("/nonexistent/rules.toml");
    ASSERT_FALSE(rules);
    EXPECT_THAT(rules.error().message(), HasSubstr("/nonexistent/rules.toml"));
    EXPECT_FALSE(read_rules_file("/"));
}

} // namespace
} // namespace stem::kernel
