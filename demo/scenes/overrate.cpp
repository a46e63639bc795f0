// SPDX-License-Identifier: Apache-2.0
// A caller sends ten times what G.711 may: what reaches the phone is the allowed rate, and no more.
#include <fmt/format.h>

#include <thread>

#include "demo/scenes.h"
#include "demo/scripted_call.h"

namespace stem::demo {

using namespace std::chrono_literals;

Result<Outcome> overrate(Stage& stage, lab::Family family) {
    auto erin = erin_phone(stage, family);
    if (!erin) {
        return std::unexpected(erin.error());
    }
    auto call = ScriptedCall::establish(stage, {.family = family}, *erin);
    if (!call) {
        return std::unexpected(call.error());
    }
    const auto pinhole = stage.flow(call->caller_media(), call->callee_media());
    if (!pinhole) {
        return fail("find the call's pinhole", "it is not open");
    }
    const auto limits_hit = [&] {
        return stage.packets(STEM_FLOW_BYTE_RATE, STEM_INBOUND) +
               stage.packets(STEM_FLOW_PACKET_RATE, STEM_INBOUND);
    };
    const auto before = limits_hit();
    if (auto talking = call->talk(stage, 10.0); !talking) {
        return std::unexpected(talking.error());
    }
    const auto begin = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(3s);
    call->caller_voice().pause_all();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::this_thread::sleep_for(50ms);
    const auto sent = call->caller_voice().counts(0).sent;
    const auto received = call->callee_voice().counts(0).received;
    const auto dropped = limits_hit() - before;
    const auto back = call->callee_voice().counts(0).sent;
    const auto back_received = call->caller_voice().counts(0).received;
    if (auto ended = call->hang_up(*erin); !ended) {
        return std::unexpected(ended.error());
    }
    const double ip_length = family == lab::Family::v4 ? 200 : 220;
    const double rate = static_cast<double>(received) * ip_length / seconds;
    const double allowed = static_cast<double>(pinhole->bytes_per_second());
    // The bucket may be full at the start: its depth is let through once, on top of the rate.
    const double burst = allowed * static_cast<double>(pinhole->value.bytes_burst_ns) / 1e9;
    const bool cut = static_cast<double>(received) * ip_length <= allowed * seconds * 1.02 + burst;
    const bool served = rate >= allowed * 0.9; // the attacker's own excess is dropped, not its whole stream
    return Outcome{
        .held = sent > 1000 && cut && served && dropped + received >= sent && back_received + 5 >= back,
        .evidence = fmt::format("sent {:.0f} kb/s, allowed {:.0f}, arrived {:.0f}; {} dropped by rate; "
                                "other way {} of {} arrived",
                                static_cast<double>(sent) * ip_length * 8 / seconds / 1000,
                                allowed * 8 / 1000, rate * 8 / 1000, dropped, back_received, back)};
}

} // namespace stem::demo
