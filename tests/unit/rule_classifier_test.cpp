// SPDX-License-Identifier: Apache-2.0
// The compiled rules, walked by the kernel's own lines (bpf/classify.h), against the plain reading of each
// rule.
#include "rule_samples.h"

#include <ctl/kernel/rule_compiler.h>
#include <ctl/kernel/rule_fields.h>
#include <ctl/kernel/rule_match.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>

namespace stem::kernel {
namespace {

using test::RuleSamples;

// One ruleset for all: it is 5 MB, and compiling must not depend on what was there.
stem_ruleset& scratch() {
    static const auto set = std::make_unique<stem_ruleset>();
    return *set;
}

void expect_same(const std::vector<stem_rule>& rules, const PacketFields& packet) {
    const RuleHits plain = first_match(rules, packet);
    const RuleHits walked = test::walk_rules(scratch(), packet);
    ASSERT_EQ(walked.decided, plain.decided) << test::text_of(packet);
    ASSERT_EQ(walked.logged, plain.logged) << test::text_of(packet);
}

void compile(const std::vector<stem_rule>& rules) {
    Rules written;
    written.rules = rules;
    const auto compiled = compile_rules(written, scratch());
    ASSERT_TRUE(compiled) << compiled.error().message();
}

TEST(RuleClassifier, NoRulesMatchNothing) {
    compile({});
    EXPECT_EQ(scratch().count, 0U);
    RuleSamples samples(1);
    for (int i = 0; i < 100; i++) {
        expect_same({}, samples.packet({}));
    }
}

// Twenty thousand small sets: every field, both families, ranges that touch, nest and overlap.
TEST(RuleClassifier, AgreesWithThePlainReadingOfSmallSets) {
    RuleSamples samples(20021002);
    std::size_t decided = 0;
    for (int set = 0; set < 20'000; set++) {
        const auto rules = samples.rules(1 + samples.below(12));
        compile(rules);
        for (int i = 0; i < 12; i++) {
            const PacketFields packet = samples.packet(rules);
            expect_same(rules, packet);
            decided += first_match(rules, packet).decided ? 1U : 0U;
            if (HasFatalFailure()) {
                FAIL() << "set " << set;
            }
        }
    }
    EXPECT_GT(decided, 20'000U); // the samples do reach the rules
}

TEST(RuleClassifier, AgreesWithThePlainReadingOfLargeSets) {
    RuleSamples samples(20260101);
    for (const std::size_t count : std::to_array<std::size_t>({63, 64, 65, 127, 500, 1024, 4097, 8192})) {
        const auto rules = samples.rules(count);
        compile(rules);
        for (int i = 0; i < 2'000; i++) {
            expect_same(rules, samples.packet(rules));
            if (HasFatalFailure()) {
                FAIL() << count << " rules";
            }
        }
    }
}

// The largest of the plain kind: each rule a host of its own at both ends, in both families.
TEST(RuleClassifier, TakesEightThousandHosts) {
    RuleSamples samples(3);
    std::vector<stem_rule> rules;
    for (std::uint32_t i = 0; i < STEM_RULES_MAX; i++) {
        stem_rule rule{};
        rule.action = STEM_ACTION_DROP;
        rule.match = STEM_MATCH_INBOUND;
        set_source(rule, Cidr::host(test::host(i % 2 == 1, 2 * i)));
        set_destination(rule, Cidr::host(test::host(i % 2 == 1, 70'000 + 2 * i)));
        rules.push_back(rule);
    }
    compile(rules);
    EXPECT_LE(scratch().classes_used, unsigned{STEM_CLASSES_MAX});
    PacketFields packet;
    packet.protocol = 253;
    for (std::uint32_t i = 0; i < STEM_RULES_MAX; i += 7) {
        packet.source = test::host(i % 2 == 1, 2 * i);
        packet.destination = test::host(i % 2 == 1, 70'000 + 2 * i);
        EXPECT_EQ(test::walk_rules(scratch(), packet).decided, i);
        packet.destination = test::host(i % 2 == 1, 70'001 + 2 * i);
        EXPECT_EQ(test::walk_rules(scratch(), packet).decided, std::nullopt);
    }
}

// Half of the rules name only the source, half only the destination: plain vectors would need 16 MB.
TEST(RuleClassifier, TakesRulesOfOneSidedHosts) {
    std::vector<stem_rule> rules;
    for (std::uint32_t i = 0; i < STEM_RULES_MAX; i++) {
        stem_rule rule{};
        rule.action = STEM_ACTION_PASS;
        rule.match = STEM_MATCH_INBOUND | STEM_MATCH_OUTBOUND;
        i % 2 == 0 ? set_source(rule, Cidr::host(test::host(false, i)))
                   : set_destination(rule, Cidr::host(test::host(false, i)));
        rules.push_back(rule);
    }
    compile(rules);
    PacketFields packet;
    packet.source = test::host(false, 4000);
    packet.destination = test::host(false, 1001);
    EXPECT_EQ(test::walk_rules(scratch(), packet).decided, 1001U);
    packet.destination = test::host(false, 5001);
    EXPECT_EQ(test::walk_rules(scratch(), packet).decided, 4000U);
}

TEST(RuleClassifier, RefusesWhatDoesNotFit) {
    // Port ranges that all overlap: each of 16,000 intervals has a vector of its own.
    std::vector<stem_rule> rules;
    for (std::uint32_t i = 0; i < STEM_RULES_MAX; i++) {
        stem_rule rule{};
        rule.action = STEM_ACTION_PASS;
        rule.protocol = 17;
        rule.match = STEM_MATCH_INBOUND | STEM_MATCH_PROTOCOL | STEM_MATCH_DESTINATION_PORT;
        rule.destination_port_low = static_cast<std::uint16_t>(i * 2);
        rule.destination_port_high = static_cast<std::uint16_t>(30'000 + i * 3);
        rules.push_back(rule);
    }
    Rules written;
    written.file = "wide.toml";
    written.rules = rules;
    const auto refused = compile_rules(written, scratch());
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), testing::HasSubstr("wide.toml"));
    EXPECT_THAT(refused.error().message(), testing::HasSubstr("overlap"));
    EXPECT_FALSE(check_rules_fit(written));

    written.rules.assign(STEM_RULES_MAX + 1, rules[0]);
    const auto over = compile_rules(written, scratch());
    ASSERT_FALSE(over);
    EXPECT_THAT(over.error().message(), testing::HasSubstr("8192"));
}

} // namespace
} // namespace stem::kernel
