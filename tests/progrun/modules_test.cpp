// SPDX-License-Identifier: Apache-2.0
// Every combination of modules: what one judges it judges in all of them, and what it does not judge any more
// falls to what is left.
#include "media.h"
#include "rule_spec.h"
#include "verdict.h"

#include <stem/module.h>

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace stem::test {
namespace {

constexpr std::uint32_t first_ones =
    STEM_MODULE_PATTERN_MATCHER | STEM_MODULE_FLOW_MONITOR | STEM_MODULE_SIP_STEERING;

// All combinations of the three that make the path; each with every other module off, and with all of them
// on.
std::vector<std::uint32_t> combinations() {
    std::set<std::uint32_t> masks;
    for (std::uint32_t mask = 0; mask <= first_ones; mask++) {
        if ((mask & ~first_ones) == 0) {
            masks.insert(mask);
            masks.insert(mask | (STEM_MODULES_ALL & ~first_ones));
        }
    }
    return {masks.begin(), masks.end()};
}

const std::vector<stem_rule>& rules() {
    static const std::vector<stem_rule> both = {
        to_rule({.action = STEM_ACTION_PASS, .protocol = 17, .dport = PortRange{9000, 9000}}),
        to_rule({.action = STEM_ACTION_DROP, .protocol = 17, .dport = PortRange{9001, 9001}})};
    return both;
}

class ModuleCombination : public testing::TestWithParam<std::uint32_t> {};

TEST_P(ModuleCombination, JudgesWhatItsModulesJudgeAndLeavesTheRest) {
    const std::uint32_t on = GetParam();
    DataPlane& plane = DataPlane::with({.modules = on});
    for (const auto policy : {STEM_ACTION_DROP, STEM_ACTION_PASS}) {
        plane.set_rules(rules(), policy, policy);
        const Verdict left =
            policy == STEM_ACTION_PASS ? forwarded(STEM_POLICY_PASS) : dropped(STEM_NO_PINHOLE);
        const auto judged = [&](stem_module module, const Verdict& verdict) {
            return (on & static_cast<std::uint32_t>(module)) != 0 ? verdict : left;
        };
        for (const auto shape : {Shape::v4, Shape::v6}) {
            for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
                const Path path{.shape = shape, .direction = direction};
                plane.set_flow(media_key(path), wide_flow());
                expect(plane, direction, media(path, Rtp{}),
                       judged(STEM_MODULE_FLOW_MONITOR, forwarded(STEM_FLOW)));
                expect(plane, direction, path / Packet(Udp{.dport = 9000}),
                       judged(STEM_MODULE_PATTERN_MATCHER, forwarded(STEM_RULE_PASS)));
                expect(plane, direction, path / Packet(Udp{.dport = 9001}),
                       judged(STEM_MODULE_PATTERN_MATCHER, dropped(STEM_RULE_DROP)));
                expect(plane, direction, path / (Udp{.dport = 5060} / Sip{}),
                       judged(STEM_MODULE_SIP_STEERING, dropped(STEM_CONTROLLER_AWAY)));
                expect(plane, direction, path / Packet(Udp{.dport = 9002}), left);
            }
        }
    }
}

// Denials and management are no module's.
TEST_P(ModuleCombination, KeepsDenialsAndManagement) {
    DataPlane& plane = DataPlane::with({.modules = GetParam()});
    for (const auto shape : {Shape::v4, Shape::v6}) {
        const Path path{.shape = shape, .direction = STEM_INBOUND};
        plane.set_flow(media_key(path), wide_flow());
        plane.set_rules(rules(), STEM_ACTION_PASS, STEM_ACTION_PASS);
        plane.add_deny(path.src());
        expect(plane, STEM_INBOUND, media(path, Rtp{}), dropped(STEM_DENY));
        expect(plane, STEM_INBOUND, path / Packet(Udp{.dport = 9000}), dropped(STEM_DENY));
        const Path back{.shape = shape, .direction = STEM_OUTBOUND};
        plane.set_rules({}, STEM_ACTION_DROP, STEM_ACTION_DROP);
        plane.add_failsafe(Cidr::host(back.src()), 22, 6, STEM_OUTBOUND);
        expect(plane, STEM_OUTBOUND, back / Packet(Tcp{.dport = 22}), forwarded(STEM_FAILSAFE));
    }
}

std::string name_of_combination(const testing::TestParamInfo<std::uint32_t>& combination) {
    std::string name;
    for (const auto& info : modules()) {
        if (is_on(combination.param, info)) {
            name += (name.empty() ? "" : "_") + std::string(info.label);
        }
    }
    return name.empty() ? "none" : name;
}

INSTANTIATE_TEST_SUITE_P(Every, ModuleCombination, testing::ValuesIn(combinations()), name_of_combination);

} // namespace
} // namespace stem::test
