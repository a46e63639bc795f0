// SPDX-License-Identifier: Apache-2.0
#include "calls/played_calls.h"

#include "demo/stage.h"
#include "lab/rtp_endpoint.h"
#include "lab/sipp.h"

#include <algorithm>
#include <vector>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned calls = 2;
constexpr std::uint16_t media_port = 20000; // SIPp's call n has the port 4 (n - 1) above it, at both ends
constexpr unsigned media_host = lab::host::first_caller + 1;
// Of the 50 packets in a second of talk; the first ones may come too early.
constexpr std::uint64_t packets_of_talk = 20;

// RTP of all calls, from before the first INVITE until the last BYE: what nobody has negotiated yet is
// dropped or is not, and counts little.
struct Talk {
    lab::RtpEndpoint outside;
    lab::RtpEndpoint inside;
};

Result<Talk> start_talk(const lab::World& world, const Address& caller, const Address& callee) {
    std::vector<lab::RtpStream> outward;
    std::vector<lab::RtpStream> inward;
    for (unsigned call = 0; call < calls; ++call) {
        const auto port = static_cast<std::uint16_t>(media_port + 4 * call);
        const Endpoint there{.address = caller, .port = port};
        const Endpoint here{.address = callee, .port = port};
        outward.push_back({.local = here, .remote = there});
        inward.push_back({.local = there, .remote = here});
    }
    auto outside = lab::RtpEndpoint::open(world.outside(), inward);
    auto inside = lab::RtpEndpoint::open(world.inside(), outward);
    if (!outside || !inside) {
        return std::unexpected(outside ? inside.error() : outside.error());
    }
    outside->send_all();
    inside->send_all();
    return Talk{.outside = std::move(*outside), .inside = std::move(*inside)};
}

unsigned heard_both_ways(const Talk& talk) {
    unsigned heard = 0;
    for (unsigned call = 0; call < calls; ++call) {
        const bool both = talk.outside.counts(call).received >= packets_of_talk &&
                          talk.inside.counts(call).received >= packets_of_talk;
        heard += both ? 1 : 0;
    }
    return heard;
}

} // namespace

Result<PlayedCalls> play_calls(const lab::World& world, const CallCase& call_case, lab::Family family,
                               std::uint16_t port) {
    const Endpoint callee{.address = world.inside_address(demo::phone::carol, family), .port = 5060};
    const Endpoint caller{.address = world.outside_address(lab::host::first_caller, family), .port = port};
    const Address media =
        call_case.uac == "call_elsewhere_uac" ? world.outside_address(media_host, family) : caller.address;
    lab::SippOptions answers{.scenario = std::string(call_case.uas),
                             .local = callee,
                             .remote = caller,
                             .transport = call_case.tcp ? "t1" : "u1",
                             .user = "carol",
                             .calls = calls,
                             .limit = 25s,
                             .patience = 8s};
    lab::SippOptions asks = answers;
    asks.scenario = call_case.uac;
    asks.local = caller;
    asks.remote = callee;
    asks.media_host = media;
    if (call_case.tcp) {
        answers.remote.reset(); // SIPp would connect to it
    }
    auto talk = start_talk(world, media, callee.address);
    auto uas = lab::Sipp::start(world.inside(), answers);
    auto uac = lab::Sipp::start(world.outside(), asks);
    if (!talk || !uas || !uac) {
        return std::unexpected(!talk ? talk.error() : !uas ? uas.error() : uac.error());
    }
    const auto called = uac->wait(40s);
    const auto answered = uas->wait(40s);
    if (!called || !answered) {
        return std::unexpected(called ? answered.error() : called.error());
    }
    PlayedCalls played{.calls = calls,
                       .lived = static_cast<unsigned>(std::min(called->successful, answered->successful))};
    if (call_case.media) {
        played.lived = std::min(played.lived, heard_both_ways(*talk));
    }
    return played;
}

} // namespace stem::bench
