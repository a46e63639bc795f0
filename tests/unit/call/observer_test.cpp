// SPDX-License-Identifier: Apache-2.0
// Who the monitor says is somebody: those that were answered, and nobody else. And by which stream the media
// stop.
#include <gmock/gmock.h>

#include "fakes.h"

namespace stem::call {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Witness final : public Observer {
  public:
    void registered(const Address& peer, const std::string& binding, std::chrono::seconds lifetime,
                    std::uint64_t) override {
        seen.push_back("registered " + peer.to_string() + " " + binding + " " +
                       std::to_string(lifetime.count()));
    }
    void call_up(std::uint64_t, const Address& peer, std::uint64_t) override {
        seen.push_back("up " + peer.to_string());
    }
    void call_over(std::uint64_t, std::uint64_t) override { seen.emplace_back("over"); }
    void invite_answered() override { seen.emplace_back("answered"); }
    void invite_retried() override { seen.emplace_back("retried"); }
    void deny_asked(const Address& source, std::chrono::seconds lifetime, const std::string& note) override {
        seen.push_back("deny " + source.to_string() + " " + std::to_string(lifetime.count()) + " " + note);
    }

    std::vector<std::string> take() { return std::exchange(seen, {}); }
    std::vector<std::string> seen;
};

class ObserverTest : public MonitorTest, public testing::WithParamInterface<bool> {
  protected:
    ObserverTest() {
        script.v6 = GetParam();
        settings.stream_seed = 77;
        restart();
        monitor->watch_with(witness);
    }
    Witness witness;
};
INSTANTIATE_TEST_SUITE_P(Families, ObserverTest, testing::Bool(),
                         [](const auto& family) { return family.param ? "v6" : "v4"; });

TEST_P(ObserverTest, ACallIsUpWithItsAcknowledgement) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    EXPECT_THAT(witness.take(), IsEmpty()) << "who only asks is nobody";
    expect_released(from_callee(script.response(100, "INVITE", 1, "")));
    EXPECT_THAT(witness.take(), IsEmpty());
    expect_released(from_callee(script.response(180, "INVITE", 1, script.callee_tag)));
    EXPECT_THAT(witness.take(), ElementsAre("answered"));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    EXPECT_THAT(witness.take(), IsEmpty()) << "an INVITE has one answer, and a 2xx alone may be to a forger";
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    EXPECT_THAT(witness.take(), ElementsAre("up " + script.caller_ip()));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    EXPECT_THAT(witness.take(), IsEmpty());
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    EXPECT_THAT(witness.take(), ElementsAre("over"));
}

TEST_P(ObserverTest, FailuresEarnNothing) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(404, "INVITE", 1, script.callee_tag)));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag)));
    expect_released(from_caller(script.request("OPTIONS", 3, "", "", "z9hG4bK-options")));
    expect_released(from_callee(script.response(200, "OPTIONS", 3, "t", "", "z9hG4bK-options")));
    expect_released(from_caller(script.request("REGISTER", 4, "", "", "z9hG4bK-register")));
    expect_released(from_callee(script.response(403, "REGISTER", 4, "t", "", "z9hG4bK-register")));
    EXPECT_THAT(witness.take(), ElementsAre("over"));
}

TEST_P(ObserverTest, BusyIsAnAnswer) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(486, "INVITE", 1, script.callee_tag)));
    EXPECT_EQ(witness.take().front(), "answered");
}

TEST_P(ObserverTest, ARetryWithCredentialsIsNoOtherCall) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(407, "INVITE", 1, script.callee_tag)));
    EXPECT_THAT(witness.take(), ElementsAre("over")) << "a challenge is a server's";
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag)));
    expect_released(from_caller(script.request("INVITE", 2, script.caller_sdp(), "", "z9hG4bK-2")));
    EXPECT_THAT(witness.take(), ElementsAre("retried"));
    expect_released(from_callee(script.response(180, "INVITE", 2, script.callee_tag, "", "z9hG4bK-2")));
    EXPECT_THAT(witness.take(), ElementsAre("answered"));
}

TEST_P(ObserverTest, ARegistrationNamesItsBindings) {
    const auto contact = "<sip:alice@" + Script::host(script.caller_ip()) + ">";
    expect_released(from_caller(script.request("REGISTER", 1)));
    auto granted = script.response(200, "REGISTER", 1, "t");
    const auto at = granted.find("Contact: ");
    granted.replace(at, granted.find("\r\n", at) - at, "Contact: " + contact + ";expires=1800");
    expect_released(from_callee(granted));
    const auto seen = witness.take();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_THAT(seen[0], testing::StartsWith("registered " + script.caller_ip() + " "));
    EXPECT_THAT(seen[0], testing::EndsWith(" 1800"));
}

TEST_P(ObserverTest, FlowsCarryTheStreamOfTheirSender) {
    establish();
    const stem_addr caller = Address::parse(script.caller_ip())->raw();
    const stem_addr proxy = Address::parse(script.proxy_ip())->raw();
    const auto callers = stem_stream_id(77, &caller, 5060, &proxy, 5060, 17);
    const auto callees = stem_stream_id(77, &proxy, 5060, &caller, 5060, 17);
    ASSERT_EQ(flows.map.size(), 4U);
    for (const auto& [flow_key, flow] : flows.map) {
        EXPECT_EQ(flow.stream, flow_key.direction == STEM_INBOUND ? callers : callees);
    }
}

TEST_P(ObserverTest, UnknownSourcesLeaveRoomForCalls) {
    settings.max_calls = 4;
    restart();
    const auto call = [&](int number, stem_sip_lane lane) {
        auto other = script;
        other.call_id = "call-" + std::to_string(number);
        other.branch = "z9hG4bK-c" + std::to_string(number);
        auto carrier = std::make_unique<TextCarrier>(other.request("INVITE", 1, other.caller_sdp()));
        Packet packet;
        packet.source = {.address = *Address::parse(script.caller_ip()), .port = 5060};
        packet.destination = {.address = *Address::parse(script.proxy_ip()), .port = 5060};
        packet.payload = carrier->text();
        packet.carrier = std::move(carrier);
        packet.lane = lane;
        monitor->receive(std::move(packet), now);
        return egress.take().back().reason;
    };
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(call(i, STEM_LANE_UNKNOWN), STEM_SIP_RELEASED);
    }
    EXPECT_EQ(call(3, STEM_LANE_UNKNOWN), STEM_CALL_LIMIT);
    EXPECT_EQ(call(4, STEM_LANE_KNOWN), STEM_SIP_RELEASED);
    EXPECT_EQ(call(5, STEM_LANE_KNOWN), STEM_CALL_LIMIT);
}

TEST_P(ObserverTest, ARefusalMayDenyWhereTheInviteCameFrom) {
    sm.decision = {.action = sm::Drop{.spam = true},
                   .user = {},
                   .why = "spam",
                   .deny = std::chrono::seconds(60),
                   .deny_note = "spam *"};
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    EXPECT_THAT(witness.take(), ElementsAre("deny " + script.caller_ip() + " 60 spam *"));
    from_caller(script.request("INVITE", 1, script.caller_sdp())); // repeated: decided already
    EXPECT_THAT(witness.take(), IsEmpty());
}

// Nothing inside is ever denied for what it dials.
TEST_P(ObserverTest, OutgoingCallsDenyNobody) {
    sm.decision = {
        .action = sm::Reject{}, .user = {}, .why = "no", .deny = std::chrono::seconds(60), .deny_note = "no"};
    from_callee(script.request("INVITE", 1, script.caller_sdp()));
    EXPECT_THAT(witness.take(), IsEmpty());
}

} // namespace
} // namespace stem::call
