// SPDX-License-Identifier: Apache-2.0
// kill -9 of stemd in mid-call: the kernel carries the media on, and the new stemd ends the call cleanly.
#include <fmt/format.h>

#include <thread>

#include <csignal>

#include "demo/scenes.h"
#include "demo/scripted_call.h"

namespace stem::demo {

using namespace std::chrono_literals;

Result<Outcome> kill_stemd(Stage& stage, lab::Family family) {
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
    std::this_thread::sleep_for(400ms);
    stage.stemd().signal(SIGKILL);
    lab::eventually([&] { return !stage.stemd().running(); }, 2s);
    std::this_thread::sleep_for(1s); // nobody is there, and the call goes on
    if (auto started = stage.start_stemd(); !started) {
        return std::unexpected(started.error());
    }
    std::this_thread::sleep_for(400ms);
    call->caller_voice().pause_all();
    call->callee_voice().pause_all();
    std::this_thread::sleep_for(50ms);
    const auto in = call->callee_voice().counts(0);
    const auto out = call->caller_voice().counts(0);
    const auto sent_in = call->caller_voice().counts(0).sent;
    const auto sent_out = call->callee_voice().counts(0).sent;
    if (auto ended = call->hang_up(*erin); !ended) {
        return std::unexpected(ended.error());
    }
    const bool closed =
        lab::eventually([&] { return !stage.flow(call->caller_media(), call->callee_media()); }, 2s);
    const auto lost = (sent_in - in.received) + (sent_out - out.received);
    return Outcome{.held = lost == 0 && sent_in > 50 && sent_out > 50 && closed,
                   .evidence = fmt::format(
                       "{} RTP in, {} out, {} lost over kill -9 and restart; BYE {}, pinholes {}",
                       in.received, out.received, lost, "went through", closed ? "closed" : "left open")};
}

} // namespace stem::demo
