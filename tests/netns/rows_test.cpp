// SPDX-License-Identifier: Apache-2.0
// SIPp against SIPp through STEM: the rows of docs/calls.md that it can play. In each `_bad` pair one end
// sends what breaks the protocol; the other end's scenario does not have it, and fails if it arrives.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "demo/stage.h"
#include "lab/sipp.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

struct Row {
    const char* scenario;
    stem_reason reason = STEM_CONTINUE; // of what is dropped; none: nothing is
    stem_direction direction = STEM_INBOUND;
};

constexpr Row rows[] = {
    {"prack"},
    {"prack_bad", STEM_SIP_STATE},
    {"update"},
    {"update_bad", STEM_SIP_CSEQ},
    {"offerless"},
    {"offerless_bad", STEM_SIP_CSEQ},
    {"busy"},
    {"busy_bad", STEM_SIP_STATE, STEM_OUTBOUND},
    {"redirect"},
    {"auth"},
    {"cancel_crossing"},
    {"cancel_bad", STEM_SIP_STATE},
    {"callee_bye"},
    {"callee_bye_bad", STEM_SIP_STATE, STEM_OUTBOUND},
    {"early_bye"},
    {"bye_bad", STEM_SIP_CSEQ},
    {"reinvite_bad", STEM_SIP_STATE},
    {"callee_reinvite"},
    {"session"},
    {"refer"},
    {"replaces"},
    {"replaces_bad", STEM_SIP_MALFORMED},
    {"retransmitted"},
    {"forked"},
    {"info"},
    {"info_bad", STEM_SIP_NO_DIALOG},
    {"notify_bad", STEM_SIP_NO_DIALOG},
    {"repeated"},
    {"repeated_bad", STEM_SIP_STATE},
    {"merged"},
    {"live_bad", STEM_SIP_STATE},
    {"untagged"},
    {"glare"},
    {"answer_bad", STEM_SIP_NO_TRANSACTION, STEM_OUTBOUND},
    {"ringing_bad", STEM_SIP_STATE, STEM_OUTBOUND},
    {"redirect_bad", STEM_SIP_STATE, STEM_OUTBOUND},
};

class Rows : public testing::TestWithParam<lab::WorldKind> {};

INSTANTIATE_TEST_SUITE_P(Worlds, Rows, lab::every_world(), lab::name_of_world);

TEST_P(Rows, SippPlaysThem) {
    const auto [mode, family] = GetParam();
    auto set_up = Stage::set_up({.mode = mode,
                                 .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                                 .config = "[sm]\nunknown_user = \"accept\"\n"});
    ASSERT_OK(set_up);
    const Stage& stage = **set_up;
    const auto& world = stage.world();
    constexpr unsigned calls = 2;
    std::uint16_t port = 5070; // another for each: what is late of one pair is none of the next one's
    for (const Row& row : rows) {
        SCOPED_TRACE(row.scenario);
        const Endpoint callee{.address = world.inside_address(phone::carol, family), .port = 5060};
        const Endpoint caller{.address = world.outside_address(lab::host::first_caller, family),
                              .port = port++};
        std::uint64_t before = 0;
        std::uint64_t all_before = 0;
        const auto dropped = [&] {
            std::uint64_t sum = 0;
            for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
                for (const auto reason : {STEM_SIP_STATE, STEM_SIP_CSEQ, STEM_SIP_NO_DIALOG,
                                          STEM_SIP_NO_TRANSACTION, STEM_SIP_FLOW, STEM_SIP_MALFORMED}) {
                    sum += stage.packets(reason, direction);
                }
            }
            return sum;
        };
        if (row.reason != STEM_CONTINUE) {
            before = stage.packets(row.reason, row.direction);
        }
        all_before = dropped();
        const std::string name = fmt::format("row_{}", row.scenario);
        auto uas = lab::Sipp::start(world.inside(), {.scenario = name + "_uas",
                                                     .local = callee,
                                                     .remote = caller,
                                                     .user = "carol",
                                                     .calls = calls,
                                                     .patience = 8s});
        auto uac = lab::Sipp::start(world.outside(), {.scenario = name + "_uac",
                                                      .local = caller,
                                                      .remote = callee,
                                                      .user = "carol",
                                                      .calls = calls,
                                                      .talk = 100ms,
                                                      .patience = 8s});
        ASSERT_OK(uas);
        ASSERT_OK(uac);
        const auto called = uac->wait(30s);
        const auto answered = uas->wait(20s);
        ASSERT_OK(called);
        ASSERT_OK(answered);
        EXPECT_EQ(called->successful, calls) << uac->error_log();
        EXPECT_EQ(answered->successful, calls) << uas->error_log();
        if (row.reason == STEM_CONTINUE) {
            EXPECT_EQ(dropped(), all_before);
        } else {
            EXPECT_EQ(stage.packets(row.reason, row.direction), before + calls);
            EXPECT_EQ(dropped(), all_before + calls);
        }
    }
}

} // namespace
} // namespace stem::demo
