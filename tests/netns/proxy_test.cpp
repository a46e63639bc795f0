// SPDX-License-Identifier: Apache-2.0
// SIP to any inside address goes to the proxy (Kamailio), through stemd, and back as from the called address.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "demo/scripted_call.h"
#include "demo/stage.h"
#include "lab/sip_agent.h"
#include "lab/sipp.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

class ProxyCalls : public testing::TestWithParam<lab::WorldKind> {
  protected:
    void set_up(const std::string& config = "") {
        auto stage = Stage::set_up({.mode = std::get<0>(GetParam()),
                                    .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                                    .config = config});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
        ASSERT_OK(stage_->stemctl({"proxy", "set", proxy().to_string()}));
        if (std::get<0>(GetParam()) == lab::Mode::bridge) { // the proxy's link address is learned
            auto voice =
                lab::SipAgent::create(stage_->world().inside(), {.address = proxy().address, .port = 0});
            ASSERT_OK(voice);
            ASSERT_OK(voice->send({.address = caller_address(), .port = 9}, "hello"));
            ASSERT_TRUE(lab::eventually(
                [&] {
                    const auto shown = stage_->stemctl({"proxy", "show"});
                    return shown && shown->find("learned") != std::string::npos;
                },
                3s));
        }
    }
    [[nodiscard]] lab::Family family() const { return std::get<1>(GetParam()); }
    [[nodiscard]] Endpoint proxy() const {
        return {.address = stage_->world().proxy(family()), .port = 5060};
    }
    [[nodiscard]] Endpoint called(unsigned host) const {
        return {.address = stage_->world().inside_address(host, family()), .port = 5060};
    }
    [[nodiscard]] Address caller_address() const {
        return stage_->world().outside_address(lab::host::first_caller, family());
    }
    [[nodiscard]] Result<lab::SipAgent> caller() const {
        return lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = 0});
    }

    std::unique_ptr<Stage> stage_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, ProxyCalls, lab::every_world(), lab::name_of_world);

TEST_P(ProxyCalls, ACallToAnInsideAddressGoesThroughTheProxy) {
    set_up();
    ASSERT_TRUE(stage_);
    // Nobody listens at the address that is called: only the proxy can bring the call to erin.
    const Endpoint nobody = called(lab::host::first_phone + 10);
    auto erin = erin_phone(*stage_, family());
    auto alice = caller();
    ASSERT_OK(erin);
    ASSERT_OK(alice);
    auto invite = alice->request("INVITE", "alice", lab::sip_uri("erin", proxy().address));
    const Endpoint caller_media{.address = caller_address(), .port = 24000};
    const Endpoint phone_media{.address = erin->local().address, .port = 26000};
    invite.body = lab::sdp(caller_media);
    ASSERT_OK(alice->send(nobody, invite.text()));
    const auto arrived = erin->receive_request("INVITE", 3s);
    ASSERT_TRUE(arrived);
    EXPECT_EQ(arrived->from, proxy());
    ASSERT_OK(erin->send(arrived->from, lab::response_text(arrived->text, 200, "OK", "e1", erin->local(),
                                                           lab::sdp(phone_media))));
    const auto ok = alice->receive_final("INVITE", 3s);
    ASSERT_TRUE(ok);
    EXPECT_EQ(lab::status_of(ok->text), 200);
    EXPECT_EQ(ok->from, nobody) << "as from the address that was called";
    EXPECT_TRUE(stage_->flow(caller_media, phone_media))
        << "stemd has judged one call, from one pair of ends";
    EXPECT_TRUE(stage_->flow(phone_media, caller_media));
    ASSERT_OK(alice->send(nobody, lab::in_dialog(invite, ok->text, "ACK", lab::unique_branch()).text()));
    ASSERT_TRUE(erin->receive_request("ACK", 3s));
    ASSERT_OK(alice->send(nobody, lab::in_dialog(invite, ok->text, "BYE", lab::unique_branch()).text()));
    const auto bye = erin->receive_request("BYE", 3s);
    ASSERT_TRUE(bye);
    ASSERT_OK(erin->send(bye->from, lab::response_text(bye->text, 200, "OK")));
    const auto bye_ok = alice->receive_final("BYE", 3s);
    ASSERT_TRUE(bye_ok);
    EXPECT_EQ(bye_ok->from, nobody);
    EXPECT_TRUE(lab::eventually(
        [&] { return stage_->flows().value_or(std::vector<kernel::FlowEntry>(1)).empty(); }, 3s));
}

// Larger than a frame, both ways, and called at another port than the proxy's; with a phone at the address
// that is called, which must not hear of it.
TEST_P(ProxyCalls, FragmentsGoThroughTheProxyToo) {
    set_up();
    ASSERT_TRUE(stage_);
    auto carol = erin_phone(*stage_, family(), phone::carol);
    auto erin = erin_phone(*stage_, family());
    auto alice = caller();
    ASSERT_OK(carol);
    ASSERT_OK(erin);
    ASSERT_OK(alice);
    const Endpoint& phone = carol->local();
    auto invite = alice->request("INVITE", "alice", lab::sip_uri("erin", proxy().address));
    for (int line = 0; line < 4; line++) {
        invite.headers.push_back("X-Padding-" + std::to_string(line) + ": " + std::string(900, 'p'));
    }
    invite.body = lab::sdp({.address = caller_address(), .port = 24000});
    ASSERT_GT(invite.text().size(), 3600U);
    ASSERT_OK(alice->send(phone, invite.text()));
    const auto arrived = erin->receive_request("INVITE", 5s);
    ASSERT_TRUE(arrived);
    EXPECT_EQ(arrived->from, proxy());
    EXPECT_EQ(lab::body_of(arrived->text), invite.body);
    EXPECT_FALSE(carol->receive(200ms)) << "it was called around the proxy";
    const std::string answer = lab::sdp({.address = erin->local().address, .port = 26000}) +
                               "a=x-padding:" + std::string(900, 'q') +
                               "\r\na=x-padding:" + std::string(900, 'q') + "\r\n";
    ASSERT_OK(
        erin->send(arrived->from, lab::response_text(arrived->text, 200, "OK", "e1", erin->local(), answer)));
    const auto ok = alice->receive_final("INVITE", 5s);
    ASSERT_TRUE(ok);
    EXPECT_EQ(lab::status_of(ok->text), 200);
    EXPECT_EQ(lab::body_of(ok->text), answer);
    EXPECT_EQ(ok->from, phone) << "as from the address that was called";
    EXPECT_TRUE(stage_->flow({.address = caller_address(), .port = 24000},
                             {.address = erin->local().address, .port = 26000}));
}

// One that fills its packet, and leaves in fragments for the longer request URI of the decision.
TEST_P(ProxyCalls, AForwardThatOutgrowsTheMtuGoesThroughTheProxyToo) {
    set_up();
    ASSERT_TRUE(stage_);
    const std::string target = lab::sip_uri("erin", proxy().address) + ";x-hop=" + std::string(60, 'h');
    ASSERT_OK(stage_->stemctl({"profile", "add", "elsewhere"}));
    ASSERT_OK(stage_->stemctl({"profile", "rule", "add", "elsewhere", "--forward", target}));
    ASSERT_OK(stage_->stemctl(
        {"user", "add", "frank", "--profile", "elsewhere", "--uri", lab::sip_uri("frank", proxy().address)}));
    auto erin = erin_phone(*stage_, family());
    auto alice = caller();
    ASSERT_OK(erin);
    ASSERT_OK(alice);
    auto invite = alice->request("INVITE", "alice", lab::sip_uri("frank", proxy().address));
    invite.body = lab::sdp({.address = caller_address(), .port = 24000});
    const std::size_t full = 1500 - 8 - (family() == lab::Family::v4 ? 20 : 40);
    const std::string name = "X-Padding: ";
    invite.headers = {name + std::string(full - invite.text().size() - name.size() - 2, 'p')};
    ASSERT_EQ(invite.text().size(), full);
    ASSERT_OK(alice->send(called(lab::host::first_phone + 10), invite.text()));
    const auto arrived = erin->receive_request("INVITE", 5s);
    ASSERT_TRUE(arrived);
    EXPECT_EQ(lab::body_of(arrived->text), invite.body);
}

TEST_P(ProxyCalls, OnePortMayCallSeveralAddressesAtOnce) {
    set_up();
    ASSERT_TRUE(stage_);
    auto trunk = caller();
    ASSERT_OK(trunk);
    // Two questions to two addresses, asked before either is answered; and one to the proxy itself.
    const auto ask = [&](const Endpoint& to) {
        const auto options = trunk->request("OPTIONS", "trunk", "sip:" + proxy().to_string());
        EXPECT_TRUE(trunk->send(to, options.text()));
        return options.call_id;
    };
    const Endpoint first = called(lab::host::first_phone + 10);
    const Endpoint second = called(lab::host::first_phone + 11);
    const std::map<std::string, Endpoint> expected{
        {ask(first), first}, {ask(second), second}, {ask(proxy()), proxy()}};
    for (std::size_t i = 0; i < expected.size(); i++) {
        const auto answer = trunk->receive_final("OPTIONS", 3s);
        ASSERT_TRUE(answer);
        const auto call = std::ranges::find_if(
            expected, [&](const auto& each) { return answer->text.find(each.first) != std::string::npos; });
        ASSERT_NE(call, expected.end());
        EXPECT_EQ(answer->from, call->second);
    }
}

TEST_P(ProxyCalls, WhatStemdAnswersItselfComesFromTheCalledAddress) {
    set_up("[sm]\ndrill_delay_ms = 3000\n");
    ASSERT_TRUE(stage_);
    const Endpoint nobody = called(lab::host::first_phone + 10);
    auto alice = caller();
    ASSERT_OK(alice);
    auto invite = alice->request("INVITE", "alice", lab::sip_uri("erin", proxy().address));
    invite.body = lab::sdp({.address = caller_address(), .port = 24000});
    ASSERT_OK(alice->send(nobody, invite.text()));
    const auto trying = alice->receive(2s);
    ASSERT_TRUE(trying);
    EXPECT_EQ(lab::status_of(trying->text), 100);
    EXPECT_EQ(trying->from, nobody);
    ASSERT_OK(alice->send(nobody, lab::cancel_of(invite).text()));
    const auto cancelled = alice->receive_final("CANCEL", 2s);
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(cancelled->from, nobody);
    const auto terminated = alice->receive_final("INVITE", 2s);
    ASSERT_TRUE(terminated);
    EXPECT_EQ(lab::status_of(terminated->text), 487);
    EXPECT_EQ(terminated->from, nobody);
}

TEST_P(ProxyCalls, SippCallsAPhonesAddress) {
    set_up();
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    const Address carol = world.inside_address(phone::carol, family());
    ASSERT_OK(stage_->stemctl({"user", "uri", "add", "carol", lab::sip_uri("carol", carol)}));
    auto uas = lab::Sipp::start(world.inside(), {.scenario = "uas", .local = {carol, 5060}, .calls = 0});
    ASSERT_OK(uas);
    // The request URI names the phone, and so does the packet; Kamailio passes it on to where it points.
    auto uac = lab::Sipp::start(world.outside(), {.scenario = "uac",
                                                  .local = {caller_address(), 5060},
                                                  .remote = Endpoint{.address = carol, .port = 5060},
                                                  .user = "carol",
                                                  .calls = 5,
                                                  .talk = 200ms});
    ASSERT_OK(uac);
    const auto counts = uac->wait(30s);
    ASSERT_OK(counts);
    EXPECT_EQ(counts->successful, 5U) << uac->error_log();
    EXPECT_EQ(counts->failed, 0U);
    uas->stop();
}

} // namespace
} // namespace stem::demo
