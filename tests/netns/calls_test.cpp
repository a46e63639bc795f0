// SPDX-License-Identifier: Apache-2.0
// Calls through an attached STEM, with real peers: what the demo's rows do not show.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>
#include <tuple>

#include "demo/scripted_call.h"
#include "demo/stage.h"
#include "lab/baresip.h"
#include "lab/capture.h"
#include "lab/sip_agent.h"
#include "lab/sipp.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

class Calls : public testing::TestWithParam<lab::WorldKind> {
  protected:
    void set_up(const std::string& config = "") {
        auto stage = Stage::set_up({.mode = std::get<0>(GetParam()),
                                    .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                                    .config = config});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
    }
    [[nodiscard]] lab::Family family() const { return std::get<1>(GetParam()); }
    [[nodiscard]] Endpoint proxy() const {
        return {.address = stage_->world().proxy(family()), .port = 5060};
    }
    [[nodiscard]] Address caller_address() const {
        return stage_->world().outside_address(lab::host::first_caller, family());
    }
    [[nodiscard]] Result<lab::SipAgent> caller(std::uint16_t port = 0) const {
        return lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = port});
    }
    [[nodiscard]] lab::SipRequest invite_of(const lab::SipAgent& agent, const std::string& user) const {
        auto invite = agent.request("INVITE", "alice", lab::sip_uri(user, proxy().address));
        invite.body = lab::sdp({.address = caller_address(), .port = 24000});
        return invite;
    }
    [[nodiscard]] std::uint64_t inbound(stem_reason reason) const {
        return stage_->packets(reason, STEM_INBOUND);
    }
    [[nodiscard]] bool all_closed() const {
        return lab::eventually(
            [&] { return stage_->flows().value_or(std::vector<kernel::FlowEntry>(1)).empty(); }, 3s);
    }

    std::unique_ptr<Stage> stage_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, Calls, lab::every_world(), lab::name_of_world);

TEST_P(Calls, HeldInviteIsAbsorbedAndCancelled) {
    set_up("[sm]\ndrill_delay_ms = 4000\n");
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    auto agent = caller();
    ASSERT_OK(erin);
    ASSERT_OK(agent);
    const auto invite = invite_of(*agent, "erin");
    ASSERT_OK(agent->send(proxy(), invite.text()));
    const auto trying = agent->receive(2s);
    ASSERT_TRUE(trying) << "100 Trying, when the decision takes its time";
    EXPECT_EQ(lab::status_of(trying->text), 100);
    const auto absorbed = inbound(STEM_SIP_ABSORBED);
    ASSERT_OK(agent->send(proxy(), invite.text()));
    ASSERT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_ABSORBED) == absorbed + 1; }, 1s));
    ASSERT_OK(agent->send(proxy(), lab::cancel_of(invite).text()));
    const auto cancelled = agent->receive_final("CANCEL", 1s);
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(lab::status_of(cancelled->text), 200);
    const auto terminated = agent->receive_final("INVITE", 1s);
    ASSERT_TRUE(terminated);
    EXPECT_EQ(lab::status_of(terminated->text), 487);
    ASSERT_OK(agent->send(proxy(), lab::ack_of_failure(invite, terminated->text).text()));
    EXPECT_FALSE(erin->receive(5s)) << "the phone never hears of it, also when the decision comes";
}

TEST_P(Calls, HeldInviteIsReleasedByteForByte) {
    set_up("[sm]\ndrill_delay_ms = 600\n");
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    auto agent = caller();
    ASSERT_OK(erin);
    ASSERT_OK(agent);
    auto witness = lab::Capture::start(stage_->world().inside(), lab::inside_port);
    ASSERT_OK(witness);
    const auto invite = invite_of(*agent, "erin");
    const auto before = std::chrono::steady_clock::now();
    ASSERT_OK(agent->send(proxy(), invite.text()));
    ASSERT_TRUE(erin->receive_request("INVITE", 3s));
    EXPECT_GE(std::chrono::steady_clock::now() - before, 550ms);
    ASSERT_OK(witness->stop());
    const auto bodies = witness->fields(
        fmt::format("sip.Method == \"INVITE\" && sip.Call-ID == \"{}\"", invite.call_id), {"udp.payload"});
    ASSERT_OK(bodies);
    ASSERT_GE(bodies->size(), 1U);
    std::string hex;
    for (const char octet : invite.text()) {
        hex += fmt::format("{:02x}", static_cast<unsigned char>(octet));
    }
    EXPECT_EQ((*bodies)[0][0], hex);
}

TEST_P(Calls, ProfileRejectsWithItsStatus) {
    set_up();
    ASSERT_TRUE(stage_);
    ASSERT_OK(stage_->stemctl({"profile", "add", "busy"}));
    ASSERT_OK(stage_->stemctl({"profile", "rule", "add", "busy", "--reject", "486"}));
    ASSERT_OK(stage_->stemctl({"user", "set", "erin", "--profile", "busy"}));
    auto agent = caller();
    ASSERT_OK(agent);
    const auto invite = invite_of(*agent, "erin");
    ASSERT_OK(agent->send(proxy(), invite.text()));
    const auto answer = agent->receive_final("INVITE", 2s);
    ASSERT_TRUE(answer);
    EXPECT_EQ(lab::status_of(answer->text), 486);
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SM_REJECTED) == 1; }, 1s));
    ASSERT_OK(agent->send(proxy(), lab::ack_of_failure(invite, answer->text).text()));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_ABSORBED) == 1; }, 1s));
    // A number that nobody has.
    const auto unknown = invite_of(*agent, "nobody");
    ASSERT_OK(agent->send(proxy(), unknown.text()));
    const auto refused = agent->receive_final("INVITE", 2s);
    ASSERT_TRUE(refused);
    EXPECT_EQ(lab::status_of(refused->text), 404);
}

TEST_P(Calls, RegistrationThroughStemIsLearned) {
    set_up();
    ASSERT_TRUE(stage_);
    ASSERT_OK(stage_->stemctl({"user", "add", "alice", "--uri", lab::sip_uri("alice", proxy().address)}));
    const auto where = stage_->world().outside_address(phone::alice, family());
    auto alice = lab::Baresip::start(stage_->alice(), {.user = "alice", .local = where, .proxy = proxy()});
    ASSERT_OK(alice);
    const auto listed = stage_->stemctl({"location", "list", "alice", "--json"});
    ASSERT_OK(listed);
    EXPECT_NE(listed->find(where.to_string()), std::string::npos) << *listed;
    EXPECT_NE(listed->find("learned"), std::string::npos) << *listed;
}

TEST_P(Calls, InsidePhoneCallsOut) {
    set_up();
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    const Address outside = world.outside_address(lab::host::first_caller, family());
    auto remote = lab::SipAgent::create(world.outside(), {.address = outside, .port = 5060});
    auto phone = lab::SipAgent::create(
        world.inside(), {.address = world.inside_address(phone::erin, family()), .port = 5060});
    ASSERT_OK(remote);
    ASSERT_OK(phone);
    auto invite = phone->request("INVITE", "erin", lab::sip_uri("carrier", outside));
    const Endpoint phone_media{.address = phone->local().address, .port = 26000};
    const Endpoint remote_media{.address = outside, .port = 24000};
    invite.body = lab::sdp(phone_media);
    ASSERT_OK(phone->send(remote->local(), invite.text()));
    const auto arrived = remote->receive_request("INVITE", 2s);
    ASSERT_TRUE(arrived);
    ASSERT_OK(remote->send(arrived->from, lab::response_text(arrived->text, 200, "OK", "r1", remote->local(),
                                                             lab::sdp(remote_media))));
    const auto ok = phone->receive_final("INVITE", 2s);
    ASSERT_TRUE(ok);
    EXPECT_TRUE(stage_->flow(phone_media, remote_media)) << "open when the answer arrives";
    EXPECT_TRUE(stage_->flow(remote_media, phone_media));
    ASSERT_OK(
        phone->send(remote->local(), lab::in_dialog(invite, ok->text, "ACK", lab::unique_branch()).text()));
    ASSERT_TRUE(remote->receive_request("ACK", 2s));
    ASSERT_OK(
        phone->send(remote->local(), lab::in_dialog(invite, ok->text, "BYE", lab::unique_branch()).text()));
    const auto bye = remote->receive_request("BYE", 2s);
    ASSERT_TRUE(bye);
    ASSERT_OK(remote->send(bye->from, lab::response_text(bye->text, 200, "OK")));
    ASSERT_TRUE(phone->receive_final("BYE", 2s));
    EXPECT_TRUE(all_closed());
}

TEST_P(Calls, SippMovesItsMediaByReinvite) {
    set_up();
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    const Address carol = world.inside_address(phone::carol, family());
    auto uas = lab::Sipp::start(world.inside(), {.scenario = "uas", .local = {carol, 5060}, .calls = 3});
    auto uac = lab::Sipp::start(world.outside(), {.scenario = "uac_reinvite",
                                                  .local = {caller_address(), 5060},
                                                  .remote = proxy(),
                                                  .user = "carol",
                                                  .calls = 3,
                                                  .talk = 600ms});
    ASSERT_OK(uas);
    ASSERT_OK(uac);
    const auto calls = uac->wait(20s);
    ASSERT_OK(calls);
    EXPECT_EQ(calls->successful, 3U) << uac->error_log();
    EXPECT_EQ(calls->failed, 0U);
    EXPECT_TRUE(all_closed());
    EXPECT_EQ(inbound(STEM_SIP_STATE) + inbound(STEM_SIP_CSEQ) + inbound(STEM_SIP_NO_DIALOG), 0U);
}

TEST_P(Calls, SilenceClosesACall) {
    set_up("[media]\nsilence_seconds = 5\n");
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(call);
    EXPECT_TRUE(stage_->flow(call->caller_media(), call->callee_media()));
    std::this_thread::sleep_for(3s);
    EXPECT_TRUE(stage_->flow(call->caller_media(), call->callee_media())) << "too early";
    EXPECT_TRUE(
        lab::eventually([&] { return !stage_->flow(call->caller_media(), call->callee_media()); }, 4s));
}

TEST_P(Calls, OperatorDropsACall) {
    set_up();
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(call);
    const auto listed = stage_->stemctl({"calls", "--json"});
    ASSERT_OK(listed);
    const auto rows = boost::json::parse(*listed).at("calls").as_array();
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].at("state").as_string(), "up");
    const std::string id(rows[0].at("id").as_string());
    ASSERT_OK(stage_->stemctl({"calls", "drop", id}));
    EXPECT_TRUE(all_closed());
    EXPECT_FALSE(stage_->stemctl({"calls", "drop", id})) << "it is gone";
    ASSERT_OK(call->hang_up(*erin));
}

TEST_P(Calls, WithoutStemdSignallingIsClosedAndMediaGoOn) {
    set_up();
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(call);
    ASSERT_OK(call->talk(*stage_));
    stage_->stop_stemd();
    auto agent = lab::SipAgent::create(
        stage_->world().outside(),
        {.address = stage_->world().outside_address(lab::host::intruder, family()), .port = 0});
    ASSERT_OK(agent);
    ASSERT_OK(agent->send(proxy(), invite_of(*agent, "erin").text()));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_CONTROLLER_AWAY) == 1; }, 1s));
    EXPECT_FALSE(erin->receive(300ms));
    for (const auto* command : {"status", "flows", "drops", "modules"}) {
        EXPECT_TRUE(stage_->stemctl({command, "--json"})) << command << " works without stemd";
    }
    const auto refused = stage_->stemctl({"calls"});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("stemd"), std::string::npos) << refused.error().message();
    const auto before = call->callee_voice().counts(0).received;
    EXPECT_TRUE(lab::eventually([&] { return call->callee_voice().counts(0).received > before + 20; }, 2s));
    EXPECT_EQ(call->callee_voice().counts(0).lost, 0U);
    ASSERT_OK(stage_->start_stemd());
    ASSERT_OK(call->hang_up(*erin));
    EXPECT_TRUE(all_closed());
}

TEST_P(Calls, DenyWorksInMidCall) {
    set_up();
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(call);
    ASSERT_OK(call->talk(*stage_));
    ASSERT_TRUE(lab::eventually([&] { return call->callee_voice().counts(0).received > 10; }, 2s));
    ASSERT_OK(stage_->stemctl({"deny", "add", caller_address().to_string(), "--note", "test"}));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_DENY) >= 10; }, 2s));
    const auto cut = call->callee_voice().counts(0).received;
    std::this_thread::sleep_for(200ms);
    EXPECT_LE(call->callee_voice().counts(0).received, cut + 1);
    ASSERT_OK(stage_->stemctl({"deny", "del", caller_address().to_string()}));
    EXPECT_TRUE(lab::eventually([&] { return call->callee_voice().counts(0).received > cut + 10; }, 2s));
}

TEST_P(Calls, StrangersCannotEndACall) {
    set_up();
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(call);
    auto stranger = lab::SipAgent::create(
        stage_->world().outside(),
        {.address = stage_->world().outside_address(lab::host::intruder, family()), .port = 0});
    ASSERT_OK(stranger);
    auto bye = stranger->request("BYE", "alice", lab::sip_uri("erin", proxy().address));
    bye.to_tag = "guess";
    bye.cseq = 100;
    ASSERT_OK(stranger->send(proxy(), bye.text()));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_NO_DIALOG) == 1; }, 1s));
    ASSERT_OK(stranger->send(proxy(), "SIP/2.0 200 OK\r\nthis is not SIP\r\n\r\n"));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_MALFORMED) == 1; }, 1s));
    EXPECT_FALSE(erin->receive(300ms));
    EXPECT_TRUE(stage_->flow(call->caller_media(), call->callee_media()));
    ASSERT_OK(call->hang_up(*erin));
}

} // namespace
} // namespace stem::demo
