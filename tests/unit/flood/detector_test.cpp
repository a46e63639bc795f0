// SPDX-License-Identifier: Apache-2.0
#include "ctl/flood/detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stem::flood {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t second = 1'000'000'000;

class DetectorTest : public testing::Test {
  protected:
    DetectorTest() { stem_default_thresholds(&thresholds); }

    std::vector<Signal> pass(std::uint64_t invites, std::uint64_t answers, std::uint64_t syns = 0,
                             std::uint64_t syn_acks = 0) {
        now += second;
        totals[0].requests += invites;
        totals[0].answers += answers;
        totals[1].requests += syns;
        totals[1].answers += syn_acks;
        return detector.step(totals, thresholds, now);
    }

    Detector detector;
    stem_thresholds thresholds{};
    std::array<Counts, signals> totals{{{.requests = 1'000'000, .answers = 3}, {}}};
    std::uint64_t now = 77 * second;
};

TEST_F(DetectorTest, WhatWasBeforeItIsNoFlood) {
    EXPECT_THAT(pass(0, 0), IsEmpty());
    EXPECT_THAT(pass(10, 10), IsEmpty());
    EXPECT_EQ(detector.posture(), 0U);
}

TEST_F(DetectorTest, RaisesAndEndsAnAlarmOfOneSignal) {
    pass(100, 100);
    EXPECT_THAT(pass(100, 100), IsEmpty());
    EXPECT_THAT(pass(20'000, 50), ElementsAre(Signal::sip));
    EXPECT_EQ(detector.posture(), static_cast<std::uint32_t>(STEM_POSTURE_KNOWN_SIP));
    EXPECT_THAT(pass(20'000, 50), IsEmpty());
    ASSERT_EQ(detector.alarms().size(), 1U);
    EXPECT_EQ(detector.alarms()[0].began_ns, now - second);
    EXPECT_EQ(detector.alarms()[0].ended_ns, 0U);
    EXPECT_EQ(detector.alarms()[0].requests, 40'000U);
    EXPECT_EQ(detector.alarms()[0].answers, 100U);
    EXPECT_DOUBLE_EQ(detector.alarms()[0].peak, 10.0);
    int quiet = 0;
    while (pass(100, 100).empty() && quiet < 1000) {
        quiet++;
    }
    EXPECT_EQ(quiet, 39); // ten to come down, thirty of quiet
    EXPECT_EQ(detector.posture(), 0U);
    EXPECT_EQ(detector.alarms()[0].ended_ns, now);
    EXPECT_EQ(detector.raised(Signal::sip), 1U);
    EXPECT_EQ(detector.raised(Signal::syn), 0U);
}

TEST_F(DetectorTest, BothSignalsAtOnce) {
    pass(100, 100, 1000, 1000);
    pass(100, 100, 1000, 1000);
    EXPECT_THAT(pass(20'000, 0, 1'000'000, 1000), ElementsAre(Signal::sip, Signal::syn));
    EXPECT_EQ(detector.posture(),
              static_cast<std::uint32_t>(STEM_POSTURE_KNOWN_SIP | STEM_POSTURE_KNOWN_SYN));
}

TEST_F(DetectorTest, ComparesOncePerInterval) {
    thresholds.detector_interval = 10'000;
    pass(0, 0);
    for (int i = 0; i < 9; i++) {
        EXPECT_THAT(pass(20'000, 0), IsEmpty());
    }
    EXPECT_THAT(pass(20'000, 0), ElementsAre(Signal::sip));
}

TEST_F(DetectorTest, TakesOverAPosture) {
    detector.adopt(STEM_POSTURE_KNOWN_SYN, thresholds, now);
    EXPECT_EQ(detector.posture(), static_cast<std::uint32_t>(STEM_POSTURE_KNOWN_SYN));
    ASSERT_EQ(detector.alarms().size(), 1U);
    EXPECT_EQ(detector.alarms()[0].signal, Signal::syn);
}

TEST_F(DetectorTest, RemembersTheLatest) {
    thresholds.detector_quiet = 1;
    pass(0, 0);
    for (std::size_t i = 0; i < Detector::remembered + 5; i++) {
        EXPECT_THAT(pass(20'000, 0), ElementsAre(Signal::sip));
        while (pass(0, 0).empty()) {
        }
    }
    EXPECT_EQ(detector.alarms().size(), Detector::remembered);
    EXPECT_EQ(detector.alarms().back().ended_ns, now);
    EXPECT_EQ(detector.raised(Signal::sip), Detector::remembered + 5);
}

TEST_F(DetectorTest, CountersThatWereSetBackAreNoFlood) {
    pass(100, 100);
    totals[0] = {};
    EXPECT_THAT(pass(10, 10), IsEmpty());
    EXPECT_EQ(detector.cusum(Signal::sip).sum(), 0);
}

} // namespace
} // namespace stem::flood
