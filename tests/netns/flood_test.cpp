// SPDX-License-Identifier: Apache-2.0
// Floods in miniature, beside legitimate calls through an attached STEM and Kamailio: every call completes,
// and every packet of the flood is accounted for, as let through within the allowance or as dropped with a
// reason. How many more it could be is ./run bench's to tell.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <thread>
#include <tuple>

#include "demo/scripted_call.h"
#include "demo/stage.h"
#include "flood/flooder.h"
#include "lab/sipp.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;
using bench::Flood;
using bench::Flooder;
using bench::FloodKind;
using Clock = std::chrono::steady_clock;

#define ASSERT_OK(result) ASSERT_TRUE(result) << (result).error().message()

constexpr unsigned calls = 15;
constexpr double calls_per_second = 5;
constexpr std::uint64_t flood_rate = 2000;

class Floods : public testing::TestWithParam<lab::Family> {
  protected:
    void SetUp() override {
        auto stage = Stage::set_up(
            {.mode = lab::Mode::bridge, .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD}});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
    }
    [[nodiscard]] lab::Family family() const { return GetParam(); }
    [[nodiscard]] const lab::World& world() const { return stage_->world(); }

    // Inbound, by reason.
    [[nodiscard]] std::map<stem_reason, std::uint64_t> inbound() const {
        std::map<stem_reason, std::uint64_t> counts;
        for (const auto reason : all_reasons()) {
            counts[reason] = stage_->packets(reason, STEM_INBOUND);
        }
        return counts;
    }
    static std::vector<stem_reason> all_reasons() {
        return {
#define STEM_TEST_REASON(name, number, kind, label, help) STEM_##name,
            STEM_REASONS(STEM_TEST_REASON)
#undef STEM_TEST_REASON
        };
    }

    struct Outcome {
        std::uint64_t made = 0; // by the flood
        double seconds = 0;     // it lasted
        lab::SippCounts calls;
        std::map<stem_reason, std::uint64_t> counted; // inbound, by reason, calls included
        [[nodiscard]] std::uint64_t dropped() const {
            std::uint64_t sum = 0;
            for (const auto& [reason, packets] : counted) {
                sum += stem_kind_of(reason) == STEM_KIND_DROP ? packets : 0;
            }
            return sum;
        }
    };

    // The flood lasts until the calls beside it have ended.
    Result<Outcome> carry_calls_beside(Flood flood) {
        bench::Port way_in{.netns = &world().outside(), .name = lab::outside_port};
        bench::Port inside{.netns = &world().inside(), .name = "lan0"};
        for (auto* port : {&way_in, &inside}) {
            if (auto known = port->identify(); !known) {
                return std::unexpected(known.error());
            }
        }
        flood.station = inside.station;
        flood.rate = flood_rate;
        auto flooder = Flooder::create(way_in, flood);
        if (!flooder) {
            return std::unexpected(flooder.error());
        }
        auto callee = lab::Sipp::start(
            world().inside(),
            {.scenario = "uas",
             .local = {.address = world().inside_address(phone::carol, family()), .port = 5060},
             .calls = calls});
        if (!callee) {
            return std::unexpected(callee.error());
        }
        const auto before = inbound();
        const auto begun = Clock::now();
        (*flooder)->start();
        auto caller = lab::Sipp::start(
            world().outside(),
            {.scenario = "uac",
             .local = {.address = world().outside_address(lab::host::first_caller + 1, family()),
                       .port = 5060},
             .remote = Endpoint{.address = world().proxy(family()), .port = 5060},
             .user = "carol",
             .calls = calls,
             .rate = calls_per_second,
             .talk = 300ms});
        auto ended = caller ? caller->wait(60s) : std::unexpected(caller.error());
        auto made = (*flooder)->stop();
        if (!ended || !made) {
            return std::unexpected(ended ? made.error() : ended.error());
        }
        const std::chrono::duration<double> time = Clock::now() - begun;
        Outcome outcome{.made = *made, .seconds = time.count(), .calls = *ended, .counted = inbound()};
        for (auto& [reason, packets] : outcome.counted) {
            packets -= before.at(reason);
        }
        return outcome;
    }

    // Most packets of 20 ms of G.711 that a pinhole lets through in that time: what its buckets hold, and
    // what runs into them.
    [[nodiscard]] std::uint64_t allowance(const kernel::FlowEntry& pinhole, double seconds) const {
        const double octets = (family() == lab::Family::v4 ? 20 : 40) + 8 + 12 + 160;
        const auto packets = [&](double burst_ns, double ns_per_packet) {
            return static_cast<std::uint64_t>((seconds * 1e9 + burst_ns) / ns_per_packet) + 1;
        };
        const auto& flow = pinhole.value;
        return std::min(packets(static_cast<double>(flow.packets_burst_ns), flow.ns_per_packet),
                        packets(static_cast<double>(flow.bytes_burst_ns), flow.ns_per_kib * octets / 1024));
    }

    std::unique_ptr<Stage> stage_;
};

INSTANTIATE_TEST_SUITE_P(Families, Floods, testing::Values(lab::Family::v4, lab::Family::v6),
                         [](const auto& family) { return family.param == lab::Family::v4 ? "v4" : "v6"; });

TEST_P(Floods, RtpInsideAPinhole) {
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(call);
    const auto pinhole = stage_->flow(call->caller_media(), call->callee_media());
    ASSERT_TRUE(pinhole);
    const auto outcome = carry_calls_beside(
        {.kind = FloodKind::rtp, .source = call->caller_media(), .destination = call->callee_media()});
    ASSERT_OK(outcome);
    EXPECT_EQ(outcome->calls.successful, calls);
    EXPECT_EQ(outcome->calls.failed, 0U);
    // Nothing else sends media, and nothing else is dropped.
    const auto passed = outcome->counted.at(STEM_FLOW);
    EXPECT_GT(outcome->made, 1000U);
    EXPECT_EQ(passed + outcome->dropped(), outcome->made);
    EXPECT_GT(outcome->counted.at(STEM_FLOW_BYTE_RATE) + outcome->counted.at(STEM_FLOW_PACKET_RATE), 0U);
    EXPECT_LE(passed, allowance(*pinhole, outcome->seconds));
    EXPECT_TRUE(call->hang_up(*erin)) << "the call that was attacked is still up";
}

} // namespace
} // namespace stem::demo
