// SPDX-License-Identifier: Apache-2.0
// A caller on the spam list gets no answer, and nobody inside hears of the call.
#include <fmt/format.h>

#include "demo/scenes.h"
#include "lab/capture.h"
#include "lab/sip_agent.h"

namespace stem::demo {

using namespace std::chrono_literals;

Result<Outcome> spam(Stage& stage, lab::Family family) {
    const auto& world = stage.world();
    auto witness = lab::Capture::start(world.inside(), lab::inside_port);
    if (!witness) {
        return std::unexpected(witness.error());
    }
    const Address caller_address = world.outside_address(lab::host::intruder, family);
    auto spammer = lab::SipAgent::create(world.outside(), {.address = caller_address, .port = 0});
    if (!spammer) {
        return std::unexpected(spammer.error());
    }
    const auto before = stage.packets(STEM_SM_SPAM, STEM_INBOUND);
    auto invite = spammer->request("INVITE", "spammer", lab::sip_uri("erin", world.proxy(family)));
    invite.from = "sip:spammer@spam.example";
    invite.body = lab::sdp({.address = caller_address, .port = 40000});
    if (auto sent = spammer->send({.address = world.proxy(family), .port = 5060}, invite.text()); !sent) {
        return std::unexpected(sent.error());
    }
    lab::eventually([&] { return stage.packets(STEM_SM_SPAM, STEM_INBOUND) > before; }, 2s);
    const bool answered = spammer->receive(700ms).has_value();
    const auto dropped = stage.packets(STEM_SM_SPAM, STEM_INBOUND) - before;
    if (auto stopped = witness->stop(); !stopped) {
        return std::unexpected(stopped.error());
    }
    const auto inside = witness->count("sip.Method == \"INVITE\"");
    if (!inside) {
        return std::unexpected(inside.error());
    }
    return Outcome{.held = dropped == 1 && !answered && *inside == 0,
                   .evidence = fmt::format("{} INVITE dropped: sm_spam; {} captured inside; caller {}",
                                           dropped, *inside, answered ? "was answered" : "heard nothing")};
}

} // namespace stem::demo
