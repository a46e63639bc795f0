// SPDX-License-Identifier: Apache-2.0
#include "sm/embedded_link.h"
#include "sm_fixture.h"

namespace stem::sm {
namespace {

class SmLink : public DirectoryTest {
  protected:
    TimePoint now_ = monday_nine;
    Admission admission_{directory(), Settings{}, nullptr, [this] { return now_; }};
    EmbeddedLink link_{directory(), admission_, [this] { return now_; }};

    Decision call_alice() {
        Decision answer;
        int calls = 0;
        link_.decide({"sip:x@example.com", "sip:alice@example.org", "id", STEM_INBOUND, now_},
                     [&](Decision decision) {
                         answer = std::move(decision);
                         ++calls;
                     });
        EXPECT_EQ(calls, 1);
        return answer;
    }
    void register_alice(std::string contact, std::string_view at, int lifetime) {
        link_.learn({"sip:alice@example.org", std::move(contact), address(at), std::chrono::seconds(lifetime),
                     false});
    }
    static std::vector<Address> terminals(const Decision& decision) {
        const auto* accept = std::get_if<Accept>(&decision.action);
        EXPECT_NE(accept, nullptr) << decision.why;
        return accept == nullptr ? std::vector<Address>{} : accept->terminals;
    }
};

TEST_F(SmLink, AnswersAtOnce) {
    EXPECT_EQ(std::get<Reject>(call_alice().action).status, 404);
    user("alice");
    EXPECT_TRUE(terminals(call_alice()).empty());
}

TEST_F(SmLink, WhatIsLearnedBoundsTheNextCall) {
    user("alice");
    register_alice("sip:a@192.0.2.1", "192.0.2.1", 60);
    register_alice("sip:a@[2001:db8::1]", "2001:db8::1", 120);
    EXPECT_EQ(terminals(call_alice()), (std::vector{address("192.0.2.1"), address("2001:db8::1")}));
    now_ += std::chrono::seconds(60);
    EXPECT_EQ(terminals(call_alice()), std::vector{address("2001:db8::1")});
    register_alice("sip:a@[2001:db8::1]", "2001:db8::1", 0);
    EXPECT_TRUE(terminals(call_alice()).empty());
    EXPECT_EQ(link_.counters().stored, 2U);
    EXPECT_EQ(link_.counters().removed, 1U);
    EXPECT_EQ(link_.counters().failed, 0U);
    EXPECT_EQ(link_.last_failure(), "");
}

TEST_F(SmLink, CountsWhatItIgnores) {
    register_alice("sip:a@192.0.2.1", "192.0.2.1", 60);
    EXPECT_EQ(link_.counters().unknown_user, 1U);
    link_.learn({"garbage", "sip:a@192.0.2.1", address("192.0.2.1"), std::chrono::seconds(60), false});
    EXPECT_EQ(link_.counters().failed, 1U);
    EXPECT_NE(link_.last_failure().find("garbage"), std::string::npos);
    EXPECT_EQ(link_.counters().stored, 0U);
}

} // namespace
} // namespace stem::sm
