// SPDX-License-Identifier: Apache-2.0
// Large rule sets in the kernel: the first match at every size, in every family; and rules that report.
#include "media.h"
#include "rule_spec.h"
#include "verdict.h"

#include <stem/reason.h>

#include <linux/bpf.h>

#include <array>

namespace stem::test {
namespace {

using RuleScale = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, RuleScale, every_path(), name_of_path);

// Hosts that differ in their upper and lower halves.
Address peer(bool v6, std::size_t number) {
    const auto high = static_cast<std::uint8_t>(number >> 8);
    const auto low = static_cast<std::uint8_t>(number);
    if (!v6) {
        return Address::v4({198, 18, high, low});
    }
    std::array<std::uint8_t, 16> octets = {0x20, 0x01, 0x0d, 0xb8};
    octets[5] = high;
    octets[14] = low;
    return Address::v6(octets);
}

// `count` rules: rule i takes UDP from host i to port 10000 + i, and every second one drops.
std::vector<stem_rule> host_rules(bool v6, std::size_t count) {
    std::vector<stem_rule> rules;
    for (std::size_t i = 0; i < count; i++) {
        const auto port = static_cast<std::uint16_t>(10'000 + i);
        rules.push_back(to_rule({.action = i % 2 == 0 ? STEM_ACTION_PASS : STEM_ACTION_DROP,
                                 .source = Cidr::host(peer(v6, i)),
                                 .protocol = 17,
                                 .dport = PortRange{port, port}}));
    }
    return rules;
}

TEST_P(RuleScale, TheFirstMatchDecidesAmongAnyNumber) {
    DataPlane& plane = DataPlane::with();
    const bool v6 = path().is_v6();
    for (const std::size_t count : std::to_array<std::size_t>({1, 64, 1024, 8192})) {
        auto rules = host_rules(v6, count);
        plane.set_rules(rules);
        for (const std::size_t i : {std::size_t{0}, count / 2, count - 1}) {
            const Packet packet = path().network(peer(v6, i), path().dst()) /
                                  Udp{.dport = static_cast<std::uint16_t>(10'000 + i)};
            expect(plane, path().direction, packet,
                   i % 2 == 0 ? forwarded(STEM_RULE_PASS) : dropped(STEM_RULE_DROP));
            EXPECT_GE(plane.hits(i).packets, 1U);
        }
        // The right host with another's port, and a host beyond.
        expect(plane, path().direction,
               path().network(peer(v6, 0), path().dst()) / Udp{.dport = static_cast<std::uint16_t>(10'001)},
               dropped(STEM_NO_PINHOLE));
        expect(plane, path().direction, path().network(peer(v6, 60'000), path().dst()) / Udp{.dport = 10'000},
               dropped(STEM_NO_PINHOLE));
        // A wide rule in front of all takes everything; behind all, only what is left.
        const stem_rule wide = to_rule({.action = STEM_ACTION_PASS, .protocol = 17});
        rules.back() = wide;
        plane.set_rules(rules);
        expect(plane, path().direction, path().network(peer(v6, 60'000), path().dst()) / Udp{.dport = 9},
               forwarded(STEM_RULE_PASS));
        rules.front() = wide;
        plane.set_rules(rules);
        if (count > 2) {
            expect(plane, path().direction, path().network(peer(v6, 1), path().dst()) / Udp{.dport = 10'001},
                   forwarded(STEM_RULE_PASS));
            EXPECT_EQ(plane.hits(0).packets, 1U);
            EXPECT_EQ(plane.hits(1).packets, 0U);
        }
    }
}

TEST_P(RuleScale, CountsPacketsAndBytesOfEachRule) {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({to_rule({.action = STEM_ACTION_PASS, .protocol = 6}),
                     to_rule({.action = STEM_ACTION_DROP, .protocol = 17})});
    const Bytes tcp = (path() / Packet(Tcp{})).bytes();
    const Bytes udp = (path() / (Udp{} / Payload{Bytes(100)})).bytes();
    plane.run(path().direction, tcp, 0, 0, 7);
    plane.run(path().direction, udp, 0, 0, 11);
    EXPECT_EQ(plane.hits(0).packets, 7U);
    EXPECT_EQ(plane.hits(0).bytes, 7 * tcp.size());
    EXPECT_EQ(plane.hits(1).packets, 11U);
    EXPECT_EQ(plane.hits(1).bytes, 11 * udp.size());
}

// Runs one packet; the events that it made, and its verdict's counter.
std::vector<stem_event> events_of(DataPlane& plane, const Path& path, stem_reason reason) {
    const Counters before = plane.counters();
    const Outcome outcome = plane.run(path.direction, (path / Packet(Udp{})).bytes());
    EXPECT_EQ(outcome.action, stem_kind_of(reason) == STEM_KIND_DROP ? XDP_DROP : XDP_REDIRECT);
    const auto rise = only_rise(before, plane.counters()); // what only reports counts nowhere
    EXPECT_TRUE(rise && rise->reason == reason) << label_of(reason);
    return plane.take_events();
}

TEST_P(RuleScale, ALogRuleReportsAndMatchingGoesOn) {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({to_rule({.action = STEM_ACTION_LOG, .flags = STEM_RULE_LOG, .protocol = 17}),
                     to_rule({.action = STEM_ACTION_PASS, .protocol = 6}),
                     to_rule({.action = STEM_ACTION_LOG, .flags = STEM_RULE_LOG}),
                     to_rule({.action = STEM_ACTION_PASS, .flags = STEM_RULE_LOG, .protocol = 17}),
                     to_rule({.action = STEM_ACTION_LOG, .flags = STEM_RULE_LOG})});
    const auto events = events_of(plane, path(), STEM_RULE_PASS);
    ASSERT_EQ(events.size(), 3U);
    for (std::size_t i = 0; i < events.size(); i++) {
        EXPECT_EQ(events[i].reason, STEM_RULE_LOGGED);
        EXPECT_EQ(events[i].rule, std::to_array<int>({1, 3, 4})[i]);
        EXPECT_EQ(events[i].generation, 1U);
        EXPECT_EQ(Address(events[i].src), path().src());
        EXPECT_EQ(events[i].dport, Udp{}.dport);
    }
    for (const std::size_t rule : std::to_array<std::size_t>({0, 2, 3})) {
        EXPECT_EQ(plane.hits(rule).packets, 1U);
    }
    EXPECT_EQ(plane.hits(1).packets, 0U);
    EXPECT_EQ(plane.hits(4).packets, 0U); // behind the one that decided
    note_seen(STEM_RULE_LOGGED);
}

TEST_P(RuleScale, ALogRuleAloneLeavesThePacketToTheNextStage) {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({to_rule({.action = STEM_ACTION_LOG, .flags = STEM_RULE_LOG})}, STEM_ACTION_PASS,
                    STEM_ACTION_PASS);
    const auto passed = events_of(plane, path(), STEM_POLICY_PASS);
    ASSERT_EQ(passed.size(), 1U);
    EXPECT_EQ(passed[0].reason, STEM_RULE_LOGGED);
    plane.set_rules({to_rule({.action = STEM_ACTION_LOG, .flags = STEM_RULE_LOG})});
    const auto dropped = events_of(plane, path(), STEM_NO_PINHOLE);
    ASSERT_EQ(dropped.size(), 2U);
    EXPECT_EQ(dropped[1].reason, STEM_NO_PINHOLE);
    EXPECT_EQ(dropped[1].rule, 0); // no rule decided
}

TEST_P(RuleScale, ADropNamesItsRule) {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({to_rule({.action = STEM_ACTION_PASS, .protocol = 6}),
                     to_rule({.action = STEM_ACTION_DROP, .flags = STEM_RULE_LOG})});
    const auto events = events_of(plane, path(), STEM_RULE_DROP);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].reason, STEM_RULE_LOGGED);
    EXPECT_EQ(events[1].reason, STEM_RULE_DROP);
    EXPECT_EQ(events[0].rule, 2);
    EXPECT_EQ(events[1].rule, 2);
}

// A packet may meet a rule that logs in each of the 128 words, and a last one that decides.
TEST_P(RuleScale, LogsAcrossAllWordsBeforeTheLastRuleDecides) {
    DataPlane& plane = DataPlane::with();
    std::vector<stem_rule> rules(STEM_RULES_MAX, to_rule({.action = STEM_ACTION_DROP, .protocol = 6}));
    for (std::size_t word = 0; word < STEM_RULE_WORDS; word++) {
        rules[word * 64 + word % 63] = to_rule({.action = STEM_ACTION_LOG, .protocol = 17}); // counts only
    }
    rules.back() = to_rule({.action = STEM_ACTION_PASS, .protocol = 17});
    plane.set_rules(rules);
    expect(plane, path().direction, path() / Packet(Udp{}), forwarded(STEM_RULE_PASS));
    for (std::size_t word = 0; word < STEM_RULE_WORDS; word++) {
        EXPECT_EQ(plane.hits(word * 64 + word % 63).packets, 1U);
    }
    EXPECT_EQ(plane.hits(STEM_RULES_MAX - 1).packets, 1U);
}

} // namespace
} // namespace stem::test
