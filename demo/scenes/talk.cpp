// SPDX-License-Identifier: Apache-2.0
// A real phone calls a real phone: accepted, talked both ways, hung up, and the ports are closed again.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "demo/scenes.h"
#include "lab/baresip.h"
#include "lab/rtp_endpoint.h"
#include "lab/sip_text.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

// Samples that are more than the quiet of an open line.
std::size_t audible(const std::vector<std::int16_t>& samples) {
    return static_cast<std::size_t>(
        std::ranges::count_if(samples, [](std::int16_t sample) { return std::abs(int{sample}) > 500; }));
}

} // namespace

Result<Outcome> talk(Stage& stage, lab::Family family) {
    const auto& world = stage.world();
    const Endpoint proxy{.address = world.proxy(family), .port = 5060};
    auto bob = lab::Baresip::start(
        stage.bob(), {.user = "bob", .local = world.inside_address(phone::bob, family), .proxy = proxy});
    if (!bob) {
        return std::unexpected(bob.error());
    }
    auto alice = lab::Baresip::start(
        stage.alice(),
        {.user = "alice", .local = world.outside_address(phone::alice, family), .proxy = proxy});
    if (!alice) {
        return std::unexpected(alice.error());
    }
    if (auto dialled = alice->dial(lab::sip_uri("bob", proxy.address)); !dialled) {
        return std::unexpected(dialled.error());
    }
    if (auto up = alice->wait_for("CALL_ESTABLISHED", 5s); !up) {
        return std::unexpected(up.error());
    }
    // One and a half seconds of speech, counted in the kernel.
    std::uint64_t bytes[STEM_DIRECTIONS] = {0, 0};
    std::optional<kernel::FlowEntry> towards_bob;
    const bool talked = lab::eventually(
        [&] {
            bytes[STEM_INBOUND] = bytes[STEM_OUTBOUND] = 0;
            for (const auto& entry : stage.flows().value_or(std::vector<kernel::FlowEntry>{})) {
                if (entry.value.kind == STEM_FLOW_RTP) {
                    bytes[entry.key.direction & 1] += entry.value.bytes;
                    if (entry.key.direction == STEM_INBOUND) {
                        towards_bob = entry;
                    }
                }
            }
            return std::min(bytes[STEM_INBOUND], bytes[STEM_OUTBOUND]) >= 75 * 200;
        },
        6s);
    if (auto ended = alice->hang_up(); !ended) {
        return std::unexpected(ended.error());
    }
    const bool closed = lab::eventually(
        [&] { return stage.flows().value_or(std::vector<kernel::FlowEntry>(1)).empty(); }, 3s);
    bob->process().stop();
    alice->process().stop();
    const std::size_t heard_inside = audible(bob->heard().value_or(std::vector<std::int16_t>{}));
    const std::size_t heard_outside = audible(alice->heard().value_or(std::vector<std::int16_t>{}));

    // The same five-tuple again: nothing may come through now.
    std::uint64_t late_sent = 0;
    std::uint64_t late_dropped = 0;
    if (towards_bob) {
        const auto before = stage.packets(STEM_NO_PINHOLE, STEM_INBOUND);
        auto late = lab::RtpEndpoint::open(
            stage.alice(),
            {{.local = towards_bob->source(), .remote = towards_bob->destination(), .rtcp = false}});
        if (!late) {
            return std::unexpected(late.error());
        }
        late->send_all();
        lab::eventually([&] { return late->total().sent >= 10; }, 2s);
        late->pause_all();
        late_sent = late->total().sent;
        lab::eventually([&] { return stage.packets(STEM_NO_PINHOLE, STEM_INBOUND) - before >= late_sent; },
                        1s);
        late_dropped = stage.packets(STEM_NO_PINHOLE, STEM_INBOUND) - before;
    }
    return Outcome{.held = talked && closed && heard_inside > 4000 && heard_outside > 4000 &&
                           late_sent >= 10 && late_dropped == late_sent,
                   .evidence = fmt::format(
                       "kernel: {} B in, {} B out; heard {:.1f} s / {:.1f} s of speech; after BYE {} of {} "
                       "RTP dropped: no_pinhole",
                       bytes[STEM_INBOUND], bytes[STEM_OUTBOUND], static_cast<double>(heard_inside) / 8000,
                       static_cast<double>(heard_outside) / 8000, late_dropped, late_sent)};
}

} // namespace stem::demo
