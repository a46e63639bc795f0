// SPDX-License-Identifier: Apache-2.0
// Dave is away: his profile forwards to carol, and SIPp's call arrives there with a new request URI.
#include <fmt/format.h>

#include "demo/scenes.h"
#include "lab/capture.h"
#include "lab/sip_text.h"
#include "lab/sipp.h"

namespace stem::demo {

using namespace std::chrono_literals;

Result<Outcome> forward(Stage& stage, lab::Family family) {
    const auto& world = stage.world();
    auto witness = lab::Capture::start(world.inside(), lab::inside_port);
    if (!witness) {
        return std::unexpected(witness.error());
    }
    auto carol = lab::Sipp::start(
        world.inside(), {.scenario = "uas",
                         .local = {.address = world.inside_address(phone::carol, family), .port = 5060},
                         .calls = 1});
    if (!carol) {
        return std::unexpected(carol.error());
    }
    auto caller = lab::Sipp::start(
        world.outside(),
        {.scenario = "uac",
         .local = {.address = world.outside_address(lab::host::first_caller + 1, family), .port = 5060},
         .remote = Endpoint{.address = world.proxy(family), .port = 5060},
         .user = "dave",
         .calls = 1,
         .talk = 300ms});
    if (!caller) {
        return std::unexpected(caller.error());
    }
    const auto calls = caller->wait(10s);
    carol->stop();
    if (auto stopped = witness->stop(); !stopped) {
        return std::unexpected(stopped.error());
    }
    if (!calls) {
        return std::unexpected(calls.error());
    }
    // Dave's profile names one URI for the calls of both families.
    const std::string target = lab::sip_uri("carol", world.proxy(lab::Family::v4));
    const auto rewritten =
        witness->count(fmt::format("sip.Method == \"INVITE\" && sip.r-uri == \"{}\"", target));
    const auto to_dave = witness->count("sip.Method == \"INVITE\" && sip.r-uri.user == \"dave\"");
    if (!rewritten || !to_dave) {
        return std::unexpected(rewritten ? to_dave.error() : rewritten.error());
    }
    return Outcome{.held = calls->successful == 1 && calls->failed == 0 && *rewritten >= 1 && *to_dave == 0,
                   .evidence =
                       fmt::format("call {}; captured inside: {} INVITE to carol, {} to dave",
                                   calls->successful == 1 ? "complete" : "failed", *rewritten, *to_dave)};
}

} // namespace stem::demo
