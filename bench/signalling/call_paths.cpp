// SPDX-License-Identifier: Apache-2.0
#include "signalling/call_paths.h"

#include "lab/sip_agent.h"

#include <filesystem>

namespace stem::bench {
namespace {

constexpr std::uint16_t sip_port = 5060;
constexpr auto family = lab::Family::v4;

} // namespace

Result<CallPath> path_of(const lab::World& world) {
    auto caller =
        TimedSocket::open(world.outside(), {.address = world.outside_address(lab::host::first_caller, family),
                                            .port = sip_port});
    if (!caller) {
        return std::unexpected(caller.error());
    }
    auto phone = TimedSocket::open(
        world.inside(), {.address = world.inside_address(demo::phone::erin, family), .port = sip_port});
    if (!phone) {
        return std::unexpected(phone.error());
    }
    return CallPath{.outside = world.outside(),
                    .inside = world.inside(),
                    .caller = std::move(*caller),
                    .phone = std::move(*phone),
                    .uri = lab::sip_uri("erin", world.proxy(family))};
}

lab::SipRequest CallPath::invite(const std::string& offer) const {
    lab::SipRequest request;
    request.uri = uri;
    request.via = caller.local();
    request.branch = lab::unique_branch();
    request.from = lab::sip_uri("alice", caller.local().address);
    request.from_tag = lab::unique_token();
    request.to = uri;
    request.call_id = lab::unique_token();
    request.body = offer;
    return request;
}

Result<std::unique_ptr<demo::Stage>> set_up_stage(const std::string& config) {
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    return demo::Stage::set_up({.mode = lab::Mode::bridge,
                                .programs = {.stemctl = here / "stemctl", .stemd = here / "stemd"},
                                .config = config});
}

Result<std::unique_ptr<CallPaths>> CallPaths::set_up(const std::string& config) {
    std::unique_ptr<CallPaths> paths(new CallPaths);
    auto stage = set_up_stage(config);
    if (!stage) {
        return std::unexpected(stage.error());
    }
    paths->stage_ = std::move(*stage);
    auto plain = lab::World::create({.mode = lab::Mode::bridge, .middle = lab::Middle::plain});
    if (!plain) {
        return std::unexpected(plain.error());
    }
    paths->plain_.emplace(std::move(*plain));
    auto through_stem = path_of(paths->stage_->world());
    auto through_bridge = path_of(*paths->plain_);
    if (!through_stem || !through_bridge) {
        return std::unexpected(through_stem ? through_bridge.error() : through_stem.error());
    }
    paths->stem_.emplace(std::move(*through_stem));
    paths->bridge_.emplace(std::move(*through_bridge));
    return paths;
}

} // namespace stem::bench
