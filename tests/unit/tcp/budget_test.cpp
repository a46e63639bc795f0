// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <ctl/tcp/budget.h>

namespace stem::tcp {
namespace {

using test::ms;
using test::sip;

Address address(std::string_view text) {
    return Address::parse(text).value();
}

MessageRates rates() {
    MessageRates rates{.per_second = {}, .interval_ms = 1000, .known_factor = 3};
    rates.per_second[STEM_SIP_KIND_INVITE] = 2;
    rates.per_second[STEM_SIP_KIND_RESPONSE] = 4;
    return rates;
}

TEST(MessageBudget, TellsKindsAsTheDataPlaneDoes) {
    EXPECT_EQ(kind_of(sip("INVITE", "1")), STEM_SIP_KIND_INVITE);
    EXPECT_EQ(kind_of(sip("REGISTER", "1")), STEM_SIP_KIND_REGISTER);
    EXPECT_EQ(kind_of(sip("OPTIONS", "1")), STEM_SIP_KIND_OPTIONS);
    EXPECT_EQ(kind_of(sip("INVITES", "1")), STEM_SIP_KIND_REQUEST);
    EXPECT_EQ(kind_of(sip("BYE", "1")), STEM_SIP_KIND_REQUEST);
    EXPECT_EQ(kind_of("sip/2.0 200 OK\r\n"), STEM_SIP_KIND_RESPONSE);
}

TEST(MessageBudget, WhatIsAboveItWaitsUntilThereIsRoom) {
    MessageBudget budget;
    budget.set(rates());
    std::uint64_t now = 5'000'000 * ms;
    const Address source = address("192.0.2.1");
    const std::string invite = sip("INVITE", "1");
    EXPECT_EQ(budget.delay(source, invite, false, now), 0U);
    EXPECT_EQ(budget.delay(source, invite, false, now), 0U); // a second's worth at once
    const std::uint64_t wait = budget.delay(source, invite, false, now);
    EXPECT_EQ(wait, 500 * ms);
    EXPECT_EQ(budget.delay(source, invite, false, now), wait); // asking takes nothing
    EXPECT_EQ(budget.delay(source, "SIP/2.0 200 OK\r\n", false, now), 0U);
    EXPECT_EQ(budget.delay(source, sip("BYE", "1"), false, now), 0U); // no limit is set for it
    EXPECT_EQ(budget.delay(address("192.0.2.2"), invite, false, now), 0U);
    now += wait;
    EXPECT_EQ(budget.delay(source, invite, false, now), 0U);
}

TEST(MessageBudget, KnownSourcesHaveAMultipleAndIpv6ItsPrefix) {
    MessageBudget budget;
    budget.set(rates());
    const std::uint64_t now = 5'000'000 * ms;
    int passed = 0;
    for (int i = 0; i < 20; ++i) {
        passed += budget.delay(address("192.0.2.1"), sip("INVITE", "1"), true, now) == 0 ? 1 : 0;
    }
    EXPECT_EQ(passed, 6);
    passed = 0;
    for (int i = 1; i < 10; ++i) {
        const Address host = address("2001:db8::" + std::to_string(i));
        passed += budget.delay(host, sip("INVITE", "1"), false, now) == 0 ? 1 : 0;
    }
    EXPECT_EQ(passed, 2);
}

TEST(MessageBudget, ForgetsThoseWhoseBudgetIsWhole) {
    MessageBudget budget;
    budget.set(rates());
    const std::uint64_t now = 5'000'000 * ms;
    (void)budget.delay(address("192.0.2.1"), sip("INVITE", "1"), false, now);
    budget.expire(now);
    EXPECT_EQ(budget.size(), 1U);
    budget.expire(now + 501 * ms);
    EXPECT_EQ(budget.size(), 0U);
}

} // namespace
} // namespace stem::tcp
