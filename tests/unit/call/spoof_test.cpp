// SPDX-License-Identifier: Apache-2.0
// Messages that know everything of a call but do not come from where its legs signal (docs/calls.md).
#include "fakes.h"

namespace stem::call {
namespace {

constexpr const char* stranger_v4 = "198.51.100.66";
constexpr const char* stranger_v6 = "2001:db8:66::66";

class SpoofTest : public MonitorTest, public ::testing::WithParamInterface<bool> {
  protected:
    SpoofTest() { script.v6 = GetParam(); }
    [[nodiscard]] std::string stranger() const { return script.v6 ? stranger_v6 : stranger_v4; }
    std::vector<Sent> from_stranger(const std::string& text) { return feed(STEM_INBOUND, text, stranger()); }
    [[nodiscard]] std::string bye(const std::string& branch = "z9hG4bK-spoof") const {
        return script.request("BYE", 9, "", script.callee_tag, branch);
    }
    // The caller's voice, a packet each 20 ms.
    void talk(std::uint64_t ns) {
        for (std::uint64_t passed = 0; passed < ns; passed += 20'000'000) {
            for (auto& [flow_key, flow] : flows.map) {
                if (flow_key.direction == STEM_INBOUND) {
                    flow.last_seen_ns = now;
                }
            }
            pass_time(20'000'000);
        }
    }
    // A phone behind a NAT: what it says of itself is a private address, and no host that we could see.
    void establish_behind_nat() {
        script.callee_tag = "bob-1";
        nat_ = "203.0.113.9";
        expect_released(from_nat(private_contact(script.request("INVITE", 1, script.caller_sdp())), 40000));
        expect_released(
            from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
        expect_released(
            from_nat(private_contact(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")), 40000));
    }
    std::vector<Sent> from_nat(const std::string& text, std::uint16_t port) {
        return feed(STEM_INBOUND, text, nat_, "", port);
    }
    [[nodiscard]] std::string private_contact(std::string text) const {
        const std::string host = Script::host(script.caller_ip());
        for (const std::string& where : {"Via: SIP/2.0/UDP " + host, "<sip:alice@" + host}) {
            const auto at = text.find(where);
            text.replace(at, where.size(), where.substr(0, where.size() - host.size()) + "10.0.0.7");
        }
        return text;
    }
    std::string nat_;
};

INSTANTIATE_TEST_SUITE_P(Families, SpoofTest, ::testing::Bool(), family_name);

TEST_P(SpoofTest, ByeWaitsWhileTheLegsMediaGoOn) {
    establish();
    talk(second);
    EXPECT_TRUE(from_stranger(bye()).empty());
    EXPECT_EQ(monitor->totals().byes_waiting, 1U);
    EXPECT_EQ(only_state(), "up");
    expect_dropped(from_stranger(bye()), STEM_SIP_ABSORBED);
    talk(33 * second);
    const auto sent = egress.take();
    expect_dropped(sent, STEM_SIP_FLOW);
    EXPECT_EQ(only_state(), "up");
    EXPECT_EQ(flows.map.size(), 4U);
    EXPECT_EQ(monitor->totals().byes_refused, 1U);
    EXPECT_EQ(monitor->totals().byes_waiting, 0U);
    // The true party's own goes through at once, with the CSeq that a spoofed one must not have used up.
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
}

TEST_P(SpoofTest, ByeGoesThroughWhenTheLegsMediaHaveStopped) {
    establish();
    talk(second);
    EXPECT_TRUE(from_stranger(bye()).empty());
    pass_time(second);
    EXPECT_TRUE(egress.take().empty()) << "quiet for one second only";
    pass_time(second);
    pass_time(second / 2);
    expect_released(egress.take());
    EXPECT_EQ(only_state(), "closing");
    expect_released(from_callee(script.response(200, "BYE", 9, script.callee_tag, "", "z9hG4bK-spoof")));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
}

TEST_P(SpoofTest, WaitingByesEndWithTheirCallAndAreBounded) {
    establish();
    talk(second);
    for (int i = 0; i < 20; i++) {
        from_stranger(bye("z9hG4bK-s" + std::to_string(i)));
    }
    EXPECT_EQ(monitor->totals().byes_waiting, 4U);
    const auto sent = from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye"));
    ASSERT_EQ(sent.size(), 5U);
    EXPECT_EQ(monitor->totals().byes_waiting, 0U);
    EXPECT_EQ(sent.back().how, Sent::How::released);
}

TEST_P(SpoofTest, RequestsInsideTheCallFromElsewhereDoNothing) {
    establish();
    const auto open = flows.map;
    script.caller_media_port = "6000";
    for (const char* method : {"INVITE", "UPDATE", "INFO", "REFER", "MESSAGE", "NOTIFY", "OPTIONS"}) {
        expect_dropped(from_stranger(script.request(method, 9, script.sdp(stranger(), "6000"),
                                                    script.callee_tag, std::string("z9hG4bK-") + method)),
                       STEM_SIP_FLOW);
    }
    expect_dropped(from_stranger(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-a")),
                   STEM_SIP_FLOW);
    expect_dropped(from_stranger(script.request("CANCEL", 1)), STEM_SIP_FLOW);
    EXPECT_EQ(flows.map.size(), open.size());
    // None of them used up a CSeq.
    expect_released(from_caller(script.request("INFO", 2, "", script.callee_tag, "z9hG4bK-i")));
}

TEST_P(SpoofTest, ResponsesFromElsewhereDoNothing) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    const auto from_elsewhere = [&](const std::string& text) {
        return feed(STEM_OUTBOUND, text, stranger());
    };
    for (const int status : {100, 180, 200, 302, 486, 603}) {
        expect_dropped(
            from_elsewhere(script.response(status, "INVITE", 1, script.callee_tag, script.callee_sdp())),
            STEM_SIP_FLOW);
    }
    EXPECT_EQ(only_state(), "calling");
    // From the right host with another's tags.
    auto other = script;
    other.caller_tag = "mallory";
    expect_dropped(from_callee(other.response(200, "INVITE", 1, script.callee_tag)), STEM_SIP_NO_TRANSACTION);
    EXPECT_TRUE(flows.map.empty());
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    EXPECT_EQ(flows.map.size(), 4U);
}

TEST_P(SpoofTest, CancelFromElsewhereDoesNothing) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_dropped(from_stranger(script.request("CANCEL", 1)), STEM_SIP_FLOW);
    script.call_id = "held";
    sm.late = true;
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    expect_dropped(from_stranger(script.request("CANCEL", 1)), STEM_SIP_FLOW);
    EXPECT_EQ(monitor->totals().held, 1U);
}

// docs/calls.md: from a machine that stands for its sender it passes, whether the INVITE went on or is held.
TEST_P(SpoofTest, CancelOfAHeldInvitePassesFromWhereThatOfAnotherWould) {
    const std::string other = script.v6 ? "2001:db8:1::12" : "192.0.2.12";
    const Cidr network = *Cidr::parse(script.v6 ? "2001:db8:1::/64" : "192.0.2.0/24");
    for (const bool nat : {false, true}) {
        settings.clusters = nat ? std::vector<Cidr>{} : std::vector{network};
        settings.nat_networks = nat ? std::vector{network} : std::vector<Cidr>{};
        restart();
        sm.late = true;
        script.call_id = nat ? "nat" : "cluster";
        EXPECT_TRUE(from_caller(script.request("INVITE", 1, script.caller_sdp())).empty());
        expect_dropped(from_stranger(script.request("CANCEL", 1)), STEM_SIP_FLOW);
        const auto sent = feed(STEM_INBOUND, script.request("CANCEL", 1), other);
        ASSERT_EQ(sent.size(), 4U);
        EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 200 ")) << sent[0].text;
        EXPECT_TRUE(sent[2].text.starts_with("SIP/2.0 487 ")) << sent[2].text;
        EXPECT_EQ(monitor->totals().held, 0U);
    }
}

// RFC 3261 9.1: it has the request URI of what it cancels.
TEST_P(SpoofTest, CancelOfAHeldInviteNamesItsRequestUri) {
    sm.late = true;
    EXPECT_TRUE(from_caller(script.request("INVITE", 1, script.caller_sdp())).empty());
    auto other = script.request("CANCEL", 1);
    other.replace(other.find("sip:bob@"), 8, "sip:eve@");
    expect_dropped(from_caller(other), STEM_SIP_STATE);
    EXPECT_EQ(monitor->totals().held, 1U);
    EXPECT_EQ(from_caller(script.request("CANCEL", 1)).size(), 4U);
}

// The party's own words name its other hosts: the next hop of its requests may be one of them (12.2.1.1).
TEST_P(SpoofTest, RouteSetAndContactAreTheLegsOwn) {
    const std::string hop = script.v6 ? "2001:db8:1::77" : "192.0.2.77";
    const auto with_route = [&](std::string text) {
        return text.insert(text.find("Max-Forwards"), "Record-Route: <sip:" + Script::host(hop) + ";lr>\r\n");
    };
    expect_released(from_caller(with_route(script.request("INVITE", 1, script.caller_sdp()))));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    expect_released(feed(STEM_INBOUND, script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack"), hop));
    // The callee's phone speaks for itself, without the proxy: its Contact said where it is.
    expect_released(feed(STEM_OUTBOUND, script.callee_request("INFO", 1, "z9hG4bK-i"), script.callee_ip()));
    talk(second);
    expect_released(feed(STEM_INBOUND, script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye"), hop));
    EXPECT_EQ(only_state(), "closing");
}

TEST_P(SpoofTest, ClusterSignalsForOneAnother) {
    settings.clusters = {*Cidr::parse(script.v6 ? "2001:db8:66::/64" : "198.51.100.0/24"),
                         *Cidr::parse(script.v6 ? "2001:db8:1::/64" : "192.0.2.0/24")};
    restart();
    const std::string other = script.v6 ? "2001:db8:1::78" : "192.0.2.78";
    establish();
    talk(second);
    expect_dropped(from_stranger(script.request("INFO", 2, "", script.callee_tag, "z9hG4bK-i")),
                   STEM_SIP_FLOW);
    expect_released(feed(STEM_INBOUND, bye(), other));
}

TEST_P(SpoofTest, PhoneBehindNatMayChangeItsPort) {
    if (script.v6) {
        GTEST_SKIP() << "the NAT is one of IPv4";
    }
    establish_behind_nat();
    // Another port in each request: its NAT makes new bindings.
    expect_released(from_nat(
        private_contact(script.request("INVITE", 2, script.caller_sdp(), script.callee_tag, "z9hG4bK-r")),
        40001));
    expect_released(
        from_callee(script.response(200, "INVITE", 2, script.callee_tag, script.callee_sdp(), "z9hG4bK-r")));
    expect_released(
        from_nat(private_contact(script.request("ACK", 2, "", script.callee_tag, "z9hG4bK-ra")), 40002));
    EXPECT_GE(monitor->totals().peers_moved, 2U);
    // Its BYE waits, as the NAT has others behind it, and goes through when it is silent.
    EXPECT_TRUE(from_nat(private_contact(script.request("BYE", 3, "", script.callee_tag, "z9hG4bK-b")), 40003)
                    .empty());
    pass_time(5 * second / 2);
    expect_released(egress.take());
    EXPECT_EQ(only_state(), "closing");
}

TEST_P(SpoofTest, RegistrationShowsWhereAPhoneHasGone) {
    establish();
    talk(second);
    const std::string there = stranger();
    const std::string host = Script::host(there);
    const auto head = [&](const std::string& first, const std::string& tag) {
        return first + "\r\nVia: SIP/2.0/UDP " + host +
               ":5060;branch=z9hG4bK-reg\r\nFrom: <sip:alice@example.org>;tag=r\r\nTo: "
               "<sip:alice@example.org>" +
               tag + "\r\nCall-ID: reg\r\nCSeq: 1 REGISTER\r\nContact: <sip:alice@" + host +
               ">\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n";
    };
    const auto reinvite =
        script.request("INVITE", 2, script.sdp(there, "11000"), script.callee_tag, "z9hG4bK-m");
    expect_dropped(from_stranger(reinvite), STEM_SIP_FLOW);
    expect_released(from_stranger(head("REGISTER sip:" + Script::host(script.proxy_ip()) + " SIP/2.0", "")));
    expect_dropped(from_stranger(reinvite), STEM_SIP_FLOW); // not answered yet
    expect_released(feed(STEM_OUTBOUND, head("SIP/2.0 200 OK", ";tag=s"), script.proxy_ip(), there));
    expect_released(from_stranger(reinvite));
    expect_released(feed(
        STEM_OUTBOUND, script.response(200, "INVITE", 2, script.callee_tag, script.callee_sdp(), "z9hG4bK-m"),
        script.proxy_ip(), there));
    EXPECT_TRUE(flows.map.contains(key(there, "11000", script.callee_ip(), "20000", STEM_INBOUND)));
}

TEST_P(SpoofTest, LegsAreKnownAfterARestart) {
    establish();
    restart();
    monitor->adopt(now);
    talk(second);
    expect_dropped(from_stranger(script.request("INFO", 9, "", script.callee_tag, "z9hG4bK-i")),
                   STEM_SIP_FLOW);
    EXPECT_TRUE(from_stranger(bye()).empty());
    expect_released(feed(STEM_OUTBOUND, script.callee_request("INFO", 1, "z9hG4bK-i2"), script.callee_ip()));
    expect_released(feed(STEM_INBOUND, script.request("INFO", 2, "", script.callee_tag, "z9hG4bK-i3"),
                         script.caller_ip(), "", 6060));
}

} // namespace
} // namespace stem::call
