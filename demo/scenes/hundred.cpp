// SPDX-License-Identifier: Apache-2.0
// A trunk: a hundred calls at once on one signalling five-tuple, each with media of its own, both ways.
#include <fmt/format.h>

#include <thread>

#include <algorithm>

#include "demo/scenes.h"
#include "lab/rtp_endpoint.h"
#include "lab/sipp.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;
constexpr unsigned calls = 100;
constexpr std::uint16_t first_port = 30000;
constexpr unsigned port_step = 4; // of lab/sipp.h

std::vector<lab::RtpStream> streams(const Address& from, const Address& to) {
    std::vector<lab::RtpStream> all;
    for (unsigned i = 0; i < calls; i++) {
        const auto port = static_cast<std::uint16_t>(first_port + port_step * i);
        all.push_back({.local = {.address = from, .port = port}, .remote = {.address = to, .port = port}});
    }
    return all;
}

} // namespace

Result<Outcome> hundred(Stage& stage, lab::Family family) {
    const auto& world = stage.world();
    const Address caller = world.outside_address(lab::host::first_caller + 2, family);
    const Address carol = world.inside_address(phone::carol, family);
    auto callee = lab::Sipp::start(
        world.inside(), {.scenario = "uas", .local = {.address = carol, .port = 5060}, .calls = calls});
    if (!callee) {
        return std::unexpected(callee.error());
    }
    auto trunk =
        lab::Sipp::start(world.outside(), {.scenario = "uac",
                                           .local = {.address = caller, .port = 5060},
                                           .remote = Endpoint{.address = world.proxy(family), .port = 5060},
                                           .user = "carol",
                                           .calls = calls,
                                           .rate = 100,
                                           .talk = 5000ms,
                                           .media_port = first_port});
    if (!trunk) {
        return std::unexpected(trunk.error());
    }
    std::size_t open = 0;
    lab::eventually(
        [&] {
            open = stage.flows().value_or(std::vector<kernel::FlowEntry>{}).size();
            return open >= calls * 4;
        },
        4s);
    auto outside = lab::RtpEndpoint::open(world.outside(), streams(caller, carol));
    auto inside = lab::RtpEndpoint::open(world.inside(), streams(carol, caller));
    if (!outside || !inside) {
        return std::unexpected(outside ? inside.error() : outside.error());
    }
    outside->send_all();
    inside->send_all();
    std::this_thread::sleep_for(1500ms);
    outside->pause_all();
    inside->pause_all();
    std::this_thread::sleep_for(100ms);
    unsigned both_ways = 0;
    for (unsigned i = 0; i < calls; i++) {
        const bool in = inside->counts(i).received > 25 && inside->counts(i).lost == 0;
        const bool out = outside->counts(i).received > 25 && outside->counts(i).lost == 0;
        both_ways += in && out ? 1 : 0;
    }
    const auto lost = inside->total().lost + outside->total().lost;
    const auto received = inside->total().received + outside->total().received;
    const auto ended = trunk->wait(20s);
    callee->stop();
    if (!ended) {
        return std::unexpected(ended.error());
    }
    const bool closed = lab::eventually(
        [&] { return stage.flows().value_or(std::vector<kernel::FlowEntry>(1)).empty(); }, 3s);
    return Outcome{.held = open == calls * 4 && both_ways == calls && ended->successful == calls &&
                           ended->failed == 0 && closed,
                   .evidence =
                       fmt::format("{} calls up on one 5-tuple, {} pinholes; {} with media both ways; {} RTP "
                                   "through, {} lost; {}",
                                   ended->successful, open, both_ways, received, lost,
                                   closed ? "all closed" : "pinholes left open")};
}

} // namespace stem::demo
