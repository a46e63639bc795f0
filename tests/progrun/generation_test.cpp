// SPDX-License-Identifier: Apache-2.0
// Generations of rules are flipped while packets run on other threads: no packet is lost to a flip, and none
// is judged by a mixture of two generations.
#include "media.h"
#include "rule_spec.h"
#include "verdict.h"

#include <stem/reason.h>

#include <linux/bpf.h>

#include <array>
#include <atomic>
#include <thread>

namespace stem::test {
namespace {

constexpr int flips = 400;
constexpr int burst = 64; // packets of one BPF_PROG_TEST_RUN

// Two generations, of which each lets through one packet only, and each decides one by a rule and the other
// by its policy, so that rules of one and policy of the other give a third verdict:
//
//             UDP to 7000                         TCP to 7001
//     even    rule drops it                       no rule; policy drops it
//     odd     no rule; policy passes it           rule passes it
//     mixed   policy drops it (no_pinhole)        policy passes it (one policy_pass too many)
//
// The sets differ in size, and the rule stands elsewhere, so that tables of one read with those of the other
// lead to the rules between, which steer, or to no rule.
kernel::Rules generation(const Path& path, bool odd, std::size_t size) {
    kernel::Rules rules;
    const auto policy = static_cast<std::uint8_t>(odd ? STEM_ACTION_PASS : STEM_ACTION_DROP);
    rules.policy = {policy, policy};
    const auto port = static_cast<std::uint16_t>(odd ? 7001 : 7000);
    rules.rules.assign(size, to_rule({.action = STEM_ACTION_STEER, .source = Cidr::host(path.dst())}));
    rules.rules[odd ? size - 1 : size / 3] = to_rule({.action = odd ? STEM_ACTION_PASS : STEM_ACTION_DROP,
                                                      .source = Cidr::host(path.src()),
                                                      .dport = PortRange{port, port}});
    return rules;
}

struct Tally {
    std::array<std::uint64_t, STEM_REASON_SLOTS> packets{};
    std::uint64_t sum = 0;
};

Tally tally(const Counters& before, const Counters& after) {
    Tally tally;
    for (std::size_t slot = 0; slot < after.size(); slot++) {
        const std::uint64_t rise = after[slot].packets - before[slot].packets;
        tally.packets[slot / STEM_DIRECTIONS] += rise;
        tally.sum += rise;
    }
    return tally;
}

using Generations = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, Generations,
                         testing::Combine(testing::Values(Shape::v4, Shape::v6_qinq),
                                          testing::Values(STEM_INBOUND, STEM_OUTBOUND)),
                         name_of_path);

TEST_P(Generations, FlipUnderTrafficWithoutAMixture) {
    DataPlane& plane = DataPlane::with({.event_rate = 1}); // a drop's event is not what is counted here
    const std::array<Bytes, 2> packets = {
        (path() / (Udp{.dport = 7000} / Payload{Bytes(60)})).bytes(),
        (path() / (Tcp{.dport = 7001, .ack = true} / Payload{Bytes(60)})).bytes()};
    std::array<UniqueFd, 2> made = {plane.make_generation(generation(path(), false, 40), 2),
                                    plane.make_generation(generation(path(), true, 8'192), 3)};
    plane.flip_rules(made[0]);

    const Counters before = plane.counters();
    std::atomic<bool> stop = false;
    std::array<std::atomic<std::uint64_t>, 2> sent{};
    {
        std::array<std::jthread, 2> senders;
        for (std::size_t i = 0; i < senders.size(); i++) {
            senders[i] = std::jthread([&, i] {
                while (!stop) {
                    plane.run(path().direction, packets[i], 0, 0, burst);
                    sent[i] += burst;
                }
            });
        }
        // Each flip waits until packets of both kinds have run since the last one: so each generation has
        // judged some.
        for (int flip = 1; flip <= flips; flip++) {
            plane.flip_rules(made[static_cast<std::size_t>(flip % 2)]);
            const std::array<std::uint64_t, 2> then = {sent[0], sent[1]};
            while (sent[0] == then[0] || sent[1] == then[1]) {
                std::this_thread::yield();
            }
        }
        stop = true;
    }
    const Tally seen = tally(before, plane.counters());
    // Lost: judged by no generation at all. Misjudged: any verdict that neither generation gives.
    EXPECT_EQ(seen.packets[STEM_INTERNAL], 0U);
    EXPECT_EQ(seen.packets[STEM_NO_PINHOLE], 0U);
    EXPECT_EQ(seen.sum, sent[0] + sent[1]);
    EXPECT_EQ(seen.packets[STEM_RULE_DROP] + seen.packets[STEM_POLICY_PASS], sent[0].load());
    EXPECT_EQ(seen.packets[STEM_POLICY_DROP] + seen.packets[STEM_RULE_PASS], sent[1].load());
    // Both generations have judged both packets.
    for (const auto reason : {STEM_RULE_PASS, STEM_RULE_DROP, STEM_POLICY_PASS, STEM_POLICY_DROP}) {
        EXPECT_GT(seen.packets[reason], 0U) << label_of(reason);
    }
}

} // namespace
} // namespace stem::test
