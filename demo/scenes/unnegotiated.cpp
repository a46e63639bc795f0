// SPDX-License-Identifier: Apache-2.0
// While a call is up, a stranger sends good RTP to its port, and to a port that no call negotiated.
#include <fmt/format.h>

#include <thread>

#include "demo/scenes.h"
#include "demo/scripted_call.h"

namespace stem::demo {

using namespace std::chrono_literals;

Result<Outcome> unnegotiated(Stage& stage, lab::Family family) {
    const auto& world = stage.world();
    auto erin = erin_phone(stage, family);
    if (!erin) {
        return std::unexpected(erin.error());
    }
    auto call = ScriptedCall::establish(stage, {.family = family}, *erin);
    if (!call) {
        return std::unexpected(call.error());
    }
    if (auto talking = call->talk(stage); !talking) {
        return std::unexpected(talking.error());
    }
    const Endpoint other{.address = call->callee_media().address, .port = 27000};
    auto ear = lab::RtpEndpoint::open(world.inside(), {{.local = other, .remote = {}, .rtcp = false}});
    if (!ear) {
        return std::unexpected(ear.error());
    }
    const auto before = stage.packets(STEM_NO_PINHOLE, STEM_INBOUND);
    const Address intruder = world.outside_address(lab::host::intruder, family);
    auto attack = lab::RtpEndpoint::open(
        world.outside(),
        {{.local = {.address = intruder, .port = 24000}, .remote = call->callee_media(), .rtcp = false},
         {.local = {.address = intruder, .port = 24002}, .remote = other, .rtcp = false}});
    if (!attack) {
        return std::unexpected(attack.error());
    }
    attack->send_all();
    lab::eventually([&] { return attack->total().sent >= 100; }, 3s);
    attack->pause_all();
    const auto sent = attack->total().sent;
    lab::eventually([&] { return stage.packets(STEM_NO_PINHOLE, STEM_INBOUND) - before >= sent; }, 1s);
    const auto dropped = stage.packets(STEM_NO_PINHOLE, STEM_INBOUND) - before;
    call->caller_voice().pause_all();
    std::this_thread::sleep_for(50ms);
    const auto heard = call->callee_voice().counts(0);
    if (auto ended = call->hang_up(*erin); !ended) {
        return std::unexpected(ended.error());
    }
    const auto arrived = ear->total().received + ear->total().foreign + heard.foreign;
    return Outcome{
        .held = sent >= 100 && dropped == sent && arrived == 0 && heard.lost == 0 && heard.received > 0,
        .evidence =
            fmt::format("{} of {} RTP dropped: no_pinhole; {} reached a phone; the call lost {} of {}",
                        dropped, sent, arrived, heard.lost, heard.received)};
}

} // namespace stem::demo
