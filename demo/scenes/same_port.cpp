// SPDX-License-Identifier: Apache-2.0
// Two callers choose the same media port, and the phone answers both with one port of its own. When one hangs
// up, its media stop and the other's go on.
#include <fmt/format.h>

#include "demo/scenes.h"
#include "demo/scripted_call.h"

namespace stem::demo {

using namespace std::chrono_literals;

Result<Outcome> same_port(Stage& stage, lab::Family family) {
    const auto& world = stage.world();
    auto erin = erin_phone(stage, family);
    if (!erin) {
        return std::unexpected(erin.error());
    }
    auto first =
        ScriptedCall::establish(stage, {.family = family, .caller_host = lab::host::first_caller + 3}, *erin);
    if (!first) {
        return std::unexpected(first.error());
    }
    auto second =
        ScriptedCall::establish(stage, {.family = family, .caller_host = lab::host::first_caller + 4}, *erin);
    if (!second) {
        return std::unexpected(second.error());
    }
    auto one = lab::RtpEndpoint::open(
        world.outside(), {{.local = first->caller_media(), .remote = first->callee_media(), .rtcp = false}});
    auto two = lab::RtpEndpoint::open(
        world.outside(),
        {{.local = second->caller_media(), .remote = second->callee_media(), .rtcp = false}});
    if (!one || !two) {
        return std::unexpected(one ? two.error() : one.error());
    }
    one->send_all();
    two->send_all();
    const auto passed = [&](const ScriptedCall& call) {
        const auto flow = stage.flow(call.caller_media(), call.callee_media());
        return flow ? flow->value.packets : 0;
    };
    lab::eventually([&] { return passed(*first) >= 40 && passed(*second) >= 40; }, 3s);
    const auto first_passed = passed(*first);
    if (auto ended = first->hang_up(*erin); !ended) {
        return std::unexpected(ended.error());
    }
    const bool first_closed =
        lab::eventually([&] { return !stage.flow(first->caller_media(), first->callee_media()); }, 2s);
    const auto dropped_before = stage.packets(STEM_NO_PINHOLE, STEM_INBOUND);
    const auto second_before = passed(*second);
    lab::eventually([&] { return passed(*second) - second_before >= 40; }, 3s);
    const auto second_after = passed(*second) - second_before;
    const auto first_dropped = stage.packets(STEM_NO_PINHOLE, STEM_INBOUND) - dropped_before;
    if (auto ended = second->hang_up(*erin); !ended) {
        return std::unexpected(ended.error());
    }
    return Outcome{.held = first_passed >= 40 && first_closed && second_after >= 40 && first_dropped >= 30,
                   .evidence = fmt::format(
                       "port {} twice; after the first BYE: {} of its RTP dropped, {} of the other's "
                       "passed",
                       first->caller_media().port, first_dropped, second_after)};
}

} // namespace stem::demo
