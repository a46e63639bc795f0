// SPDX-License-Identifier: Apache-2.0
#include "rule_samples.h"

#include <ctl/kernel/rule_shadow.h>
#include <ctl/kernel/rules_file.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stem::kernel {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string rule(const std::string& name, const std::string& body, const std::string& action = "pass") {
    return "[[rule]]\nname = \"" + name + "\"\naction = \"" + action + "\"\n" + body;
}

std::vector<std::string> warnings(const std::string& text) {
    const auto rules = parse_rules(text, "site.toml");
    EXPECT_TRUE(rules) << rules.error().message();
    return rules ? shadow_warnings(*rules) : std::vector<std::string>{};
}

TEST(RuleShadow, NamesBothLines) {
    EXPECT_THAT(
        warnings(rule("all", "") + rule("dns", "protocol = \"udp\"\ndestination_port = 53\n")),
        ElementsAre("site.toml line 4: rule 'dns' can never match: rule 'all' in line 1 takes all that "
                    "it would"));
}

TEST(RuleShadow, FindsWhatIsInside) {
    const auto hidden = [](const std::string& outer, const std::string& inner) {
        return !warnings(rule("outer", outer) + rule("inner", inner)).empty();
    };
    EXPECT_TRUE(hidden("source = \"192.0.2.0/24\"\n", "source = \"192.0.2.7\"\n"));
    EXPECT_FALSE(hidden("source = \"192.0.2.7\"\n", "source = \"192.0.2.0/24\"\n"));
    EXPECT_FALSE(hidden("source = \"192.0.2.0/24\"\n", "destination = \"192.0.2.7\"\n"));
    EXPECT_TRUE(hidden("source = \"::/0\"\n", "source = \"2001:db8::/32\"\n"));
    EXPECT_FALSE(hidden("source = \"::/0\"\n", "source = \"192.0.2.0/24\"\n"));
    EXPECT_FALSE(hidden("source = \"0.0.0.0/0\"\n", "source = \"::/0\"\n"));
    EXPECT_TRUE(hidden("protocol = \"udp\"\ndestination_port = \"10-20\"\n",
                       "protocol = \"udp\"\ndestination_port = \"10-19\"\n"));
    EXPECT_FALSE(hidden("protocol = \"udp\"\ndestination_port = \"10-20\"\n",
                        "protocol = \"udp\"\ndestination_port = \"10-21\"\n"));
    EXPECT_FALSE(hidden("protocol = \"udp\"\nsource_port = \"10-20\"\n", "protocol = \"udp\"\n"));
    EXPECT_FALSE(hidden("protocol = \"udp\"\n", "protocol = \"tcp\"\n"));
    EXPECT_TRUE(hidden("direction = \"inbound\"\n", "direction = \"inbound\"\nvlan = 7\n"));
    EXPECT_FALSE(hidden("direction = \"inbound\"\n", "vlan = 7\n"));
    EXPECT_FALSE(hidden("vlan = 8\n", "vlan = 7\n"));
    EXPECT_FALSE(hidden("protocol = \"icmp\"\nicmp_type = 8\n", "protocol = \"icmp\"\n"));
    EXPECT_TRUE(hidden("protocol = \"icmp\"\n", "protocol = \"icmp\"\nicmp_type = 8\n"));
}

TEST(RuleShadow, ARuleThatOnlyLogsHidesNothing) {
    EXPECT_THAT(warnings(rule("watch", "", "log") + rule("all", "")), IsEmpty());
    EXPECT_EQ(warnings(rule("all", "") + rule("watch", "", "log")).size(), 1U);
}

// What is called shadowed must never decide, whatever the packet.
TEST(RuleShadow, IsNeverWrong) {
    test::RuleSamples samples(7);
    std::size_t found = 0;
    for (int set = 0; set < 2'000; set++) {
        const auto rules = samples.rules(10);
        const auto shadows = find_shadows(rules);
        found += shadows.size();
        for (int i = 0; i < 50; i++) {
            const auto decided = first_match(rules, samples.packet(rules)).decided;
            for (const auto& shadow : shadows) {
                ASSERT_LT(shadow.by, shadow.rule);
                ASSERT_NE(decided, shadow.rule);
            }
        }
    }
    EXPECT_GT(found, 100U);
}

} // namespace
} // namespace stem::kernel
