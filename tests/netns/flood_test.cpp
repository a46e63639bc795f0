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
#include "lab/enclosure.h"
#include "lab/sipp.h"
#include "lab/text_file.h"
#include "tests/expect_ok.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;
using bench::Flood;
using bench::Flooder;
using bench::FloodKind;
using Clock = std::chrono::steady_clock;

constexpr unsigned calls = 15;
constexpr double calls_per_second = 5;
constexpr std::uint64_t flood_rate = 2000;
constexpr std::uint64_t flood_least = 400; // that a loaded machine makes of it
constexpr std::uint32_t syn_burst = 100;   // below that

class Floods : public testing::TestWithParam<lab::Family> {
  protected:
    void SetUp() override {
        auto stage = Stage::set_up(
            {.mode = lab::Mode::bridge, .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD}});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
        const auto rules = lab::scratch() / "flood-rules.toml";
        ASSERT_OK(lab::write_text(rules, "[[rule]]\nname = \"sip-tcp\"\naction = \"pass\"\ndirection = "
                                         "\"inbound\"\nprotocol = \"tcp\"\ndestination_port = 5060\n"));
        ASSERT_OK(stage_->stemctl({"rules", "load", rules}));
        // dave, whom the flood calls, is at his phone and does not answer; our caller is one that STEM knows.
        ASSERT_OK(stage_->stemctl({"user", "set", "dave", "--profile", "office"}));
        ASSERT_OK(stage_->stemctl({"peers", "add", caller().to_string()}));
        ASSERT_OK(stage_->stemctl({"thresholds", "set", "syn_burst", std::to_string(syn_burst)}));
    }
    [[nodiscard]] Address caller() const {
        return world().outside_address(lab::host::first_caller + 1, family());
    }
    [[nodiscard]] Endpoint proxy() const { return {.address = world().proxy(family()), .port = 5060}; }
    // Of no network that anybody is in.
    [[nodiscard]] Address stranger() const {
        return Address::parse(family() == lab::Family::v4 ? "10.66.0.1" : "2001:db8:bad::1")
            .value_or(Address());
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
        // By the data plane, which counts each packet once; stemd's reasons are about those that it was
        // given.
        [[nodiscard]] std::uint64_t dropped() const {
            std::uint64_t sum = 0;
            for (const auto& [reason, packets] : counted) {
                const bool by_stemd = reason >= STEM_SIP_RELEASED || reason == STEM_SIP_UNKNOWN_QUEUE;
                sum += !by_stemd && stem_kind_of(reason) == STEM_KIND_DROP ? packets : 0;
            }
            return sum;
        }
        [[nodiscard]] std::uint64_t sum(std::initializer_list<stem_reason> reasons) const {
            std::uint64_t sum = 0;
            for (const auto reason : reasons) {
                sum += counted.at(reason);
            }
            return sum;
        }
        // What came in for the calls: INVITE, ACK and BYE of each, and what was sent again.
        [[nodiscard]] std::uint64_t of_calls() const { return 3 * calls.created + calls.retransmissions; }
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
        auto caller = lab::Sipp::start(world().outside(), {.scenario = "uac",
                                                           .local = {.address = this->caller(), .port = 5060},
                                                           .remote = proxy(),
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
    EXPECT_GT(outcome->made, flood_least);
    EXPECT_EQ(passed + outcome->dropped(), outcome->made);
    EXPECT_GT(outcome->counted.at(STEM_FLOW_BYTE_RATE) + outcome->counted.at(STEM_FLOW_PACKET_RATE), 0U);
    EXPECT_LE(passed, allowance(*pinhole, outcome->seconds));
    EXPECT_TRUE(call->hang_up(*erin)) << "the call that was attacked is still up";
}

constexpr std::uint32_t million = 0xfffff;

TEST_P(Floods, SynsOfOneSource) {
    const auto outcome = carry_calls_beside({.kind = FloodKind::syn,
                                             .source = {.address = stranger(), .port = 0},
                                             .destination = proxy(),
                                             .any_port = true});
    ASSERT_OK(outcome);
    EXPECT_EQ(outcome->calls.successful, calls);
    EXPECT_EQ(outcome->calls.failed, 0U);
    const auto passed = outcome->counted.at(STEM_RULE_PASS);
    EXPECT_GT(outcome->made, flood_least);
    EXPECT_EQ(passed + outcome->counted.at(STEM_SYN_CHALLENGED) + outcome->dropped(), outcome->made);
    EXPECT_GT(outcome->sum({STEM_SYN_SOURCE_RATE, STEM_SYN_BLOCKED}), 0U);
    stem_thresholds limits{};
    stem_default_thresholds(&limits);
    EXPECT_LE(passed, syn_burst + static_cast<std::uint64_t>(limits.syn_rate * outcome->seconds) + 1);
}

TEST_P(Floods, SynsOfManySources) {
    const auto outcome = carry_calls_beside({.kind = FloodKind::syn,
                                             .source = {.address = stranger(), .port = 0},
                                             .destination = proxy(),
                                             .source_spread = million,
                                             .any_port = true});
    ASSERT_OK(outcome);
    EXPECT_EQ(outcome->calls.successful, calls);
    EXPECT_EQ(outcome->calls.failed, 0U);
    EXPECT_GT(outcome->made, flood_least);
    EXPECT_EQ(outcome->sum({STEM_RULE_PASS, STEM_SYN_CHALLENGED}) + outcome->dropped(), outcome->made);
    // Once half-open connections are too many, unknown sources share one lane.
    EXPECT_LE(outcome->counted.at(STEM_RULE_PASS),
              256 + static_cast<std::uint64_t>(200 * (1 + outcome->seconds)) + 1)
        << "syn_half_open, and syn_unknown_rate with a second's worth at once";
    EXPECT_GT(outcome->counted.at(STEM_SYN_UNKNOWN_LANE), 0U);
}

TEST_P(Floods, InvitesOfOneSource) {
    const auto outcome = carry_calls_beside(
        {.kind = FloodKind::invite, .source = {.address = stranger(), .port = 0}, .destination = proxy()});
    ASSERT_OK(outcome);
    EXPECT_EQ(outcome->calls.successful, calls);
    EXPECT_EQ(outcome->calls.failed, 0U);
    EXPECT_GT(outcome->made, flood_least);
    EXPECT_EQ(outcome->counted.at(STEM_STEER_SIP) + outcome->dropped(), outcome->made + outcome->of_calls());
    EXPECT_GT(outcome->sum({STEM_SIP_INVITE_RATE, STEM_SIP_SOURCE_BLOCKED}), 0U);
    EXPECT_LE(outcome->counted.at(STEM_STEER_SIP) - outcome->of_calls(),
              static_cast<std::uint64_t>(20 * (10 + outcome->seconds)) + 1)
        << "sip_invites, and sip_interval's worth of them at once";
}

TEST_P(Floods, InvitesOfManySources) {
    // Budgets that a flood of a few seconds goes beyond, however slow this machine is.
    for (const auto& [name, value] :
         {std::pair{"sip_interval", "1000"}, {"sip_unknown_invites", "50"}, {"sip_prefix_factor", "1"}}) {
        ASSERT_OK(stage_->stemctl({"thresholds", "set", name, value}));
    }
    const auto outcome = carry_calls_beside({.kind = FloodKind::invite,
                                             .source = {.address = stranger(), .port = 0},
                                             .destination = proxy(),
                                             .source_spread = million});
    ASSERT_OK(outcome);
    EXPECT_EQ(outcome->calls.successful, calls);
    EXPECT_EQ(outcome->calls.failed, 0U);
    EXPECT_GT(outcome->made, flood_least);
    EXPECT_EQ(outcome->counted.at(STEM_STEER_SIP) + outcome->dropped(), outcome->made + outcome->of_calls());
    // The IPv6 ones are all of one /64, which has a budget of its own.
    EXPECT_GT(family() == lab::Family::v4 ? outcome->counted.at(STEM_SIP_UNKNOWN_LANE)
                                          : outcome->sum({STEM_SIP_INVITE_RATE, STEM_SIP_SOURCE_BLOCKED}),
              0U);
    const double rate = family() == lab::Family::v4 ? 50 : 20; // sip_unknown_invites, sip_invites
    EXPECT_LE(outcome->counted.at(STEM_STEER_SIP) - outcome->of_calls(),
              static_cast<std::uint64_t>(rate * (1 + outcome->seconds)) + 1);
}

} // namespace
} // namespace stem::demo
