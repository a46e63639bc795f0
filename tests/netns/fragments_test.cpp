// SPDX-License-Identifier: Apache-2.0
// SIP larger than a frame, over UDP, between real stacks: calls come about, a forward decision holds, and
// what is held is given up.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <tuple>

#include "demo/scripted_call.h"
#include "demo/stage.h"
#include "lab/sip_agent.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

class Fragments : public testing::TestWithParam<lab::WorldKind> {
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
    // Headers of so many octets that nobody reads.
    static std::vector<std::string> padding(int lines) {
        std::vector<std::string> headers;
        for (int line = 0; line < lines; line++) {
            headers.push_back(fmt::format("X-Padding-{}: {}", line, std::string(900, 'p')));
        }
        return headers;
    }
    [[nodiscard]] std::uint64_t inbound(stem_reason reason) const {
        return stage_->packets(reason, STEM_INBOUND);
    }

    std::unique_ptr<Stage> stage_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, Fragments, lab::every_world(), lab::name_of_world);

TEST_P(Fragments, LargeMessagesMakeACall) {
    set_up();
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto agent = lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = 0});
    ASSERT_OK(agent);
    auto invite = agent->request("INVITE", "alice", lab::sip_uri("erin", proxy().address));
    invite.headers = padding(4);
    invite.body = lab::sdp({.address = caller_address(), .port = 24000});
    ASSERT_GT(invite.text().size(), 3600U);
    ASSERT_OK(agent->send(proxy(), invite.text()));
    const auto offered = erin->receive_request("INVITE", 5s);
    ASSERT_TRUE(offered) << "three fragments, through STEM and the proxy";
    EXPECT_EQ(lab::body_of(offered->text), invite.body);
    EXPECT_EQ(lab::header_of(offered->text, "X-Padding-3"), std::string(900, 'p'));
    // And the answer, the other way.
    const std::string answer = lab::sdp({.address = erin->local().address, .port = 26000}) +
                               "a=x-padding:" + std::string(900, 'q') +
                               "\r\na=x-padding:" + std::string(900, 'q') + "\r\n";
    ASSERT_OK(erin->send(offered->from,
                         lab::response_text(offered->text, 200, "OK", "erin-tag", erin->local(), answer)));
    const auto ok = agent->receive_final("INVITE", 5s);
    ASSERT_TRUE(ok);
    EXPECT_EQ(lab::status_of(ok->text), 200);
    EXPECT_EQ(lab::body_of(ok->text), answer);
    EXPECT_TRUE(stage_->flow({.address = caller_address(), .port = 24000},
                             {.address = erin->local().address, .port = 26000}))
        << "the description in the fragments opened it";
    EXPECT_GE(inbound(STEM_SIP_RELEASED), 3U) << "each fragment is counted";
    EXPECT_EQ(inbound(STEM_FRAME_UNREADABLE), 0U);
}

TEST_P(Fragments, AForwardDecisionIsMadeAnew) {
    set_up();
    ASSERT_TRUE(stage_);
    auto carol = erin_phone(*stage_, family(), phone::carol);
    ASSERT_OK(carol);
    auto agent = lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = 0});
    ASSERT_OK(agent);
    auto invite = agent->request("INVITE", "alice", lab::sip_uri("dave", proxy().address));
    invite.headers = padding(3);
    invite.body = lab::sdp({.address = caller_address(), .port = 24000});
    ASSERT_OK(agent->send(proxy(), invite.text()));
    // Dave's profile names one URI for the calls of both families, so carol may be called over IPv4.
    auto carol4 = family() == lab::Family::v6 ? erin_phone(*stage_, lab::Family::v4, phone::carol)
                                              : std::unexpected(Error{});
    auto offered = carol->receive_request("INVITE", family() == lab::Family::v6 ? 1s : 5s);
    if (!offered && carol4) {
        offered = carol4->receive_request("INVITE", 4s);
    }
    ASSERT_TRUE(offered);
    EXPECT_EQ(lab::body_of(offered->text), invite.body);
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_REWRITTEN) >= 2; }, 2s));
}

// An INVITE that fills its packet, and becomes longer by the decision.
TEST_P(Fragments, AForwardThatOutgrowsTheMtuLeavesInFragments) {
    set_up();
    ASSERT_TRUE(stage_);
    const std::string target = lab::sip_uri("erin", proxy().address) + ";x-hop=" + std::string(60, 'h');
    ASSERT_OK(stage_->stemctl({"profile", "add", "elsewhere"}));
    ASSERT_OK(stage_->stemctl({"profile", "rule", "add", "elsewhere", "--forward", target}));
    ASSERT_OK(stage_->stemctl(
        {"user", "add", "frank", "--profile", "elsewhere", "--uri", lab::sip_uri("frank", proxy().address)}));
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto agent = lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = 0});
    ASSERT_OK(agent);
    auto invite = agent->request("INVITE", "alice", lab::sip_uri("frank", proxy().address));
    invite.body = lab::sdp({.address = caller_address(), .port = 24000});
    const std::size_t full = 1500 - 8 - (family() == lab::Family::v4 ? 20 : 40);
    const std::string name = "X-Padding: ";
    ASSERT_LT(invite.text().size() + name.size() + 2, full);
    invite.headers = {name + std::string(full - invite.text().size() - name.size() - 2, 'p')};
    ASSERT_EQ(invite.text().size(), full);
    ASSERT_OK(agent->send(proxy(), invite.text()));
    const auto offered = erin->receive_request("INVITE", 5s);
    ASSERT_TRUE(offered) << "two fragments, through the proxy";
    EXPECT_EQ(lab::body_of(offered->text), invite.body);
    // Counted once both fragments are away, of which the phone may hear first.
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_REWRITTEN) >= 1; }, 2s));
    EXPECT_EQ(inbound(STEM_SIP_REWRITTEN), 1U) << "one frame came in";
    EXPECT_EQ(inbound(STEM_RELEASE_FAILED), 0U);
}

TEST_P(Fragments, WhatNeverBecomesWholeIsGivenUp) {
    set_up("[fragments]\ndatagram = 2000\ntimeout_ms = 300\n");
    ASSERT_TRUE(stage_);
    auto agent = lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = 0});
    ASSERT_OK(agent);
    auto invite = agent->request("INVITE", "alice", lab::sip_uri("erin", proxy().address));
    invite.headers = padding(5);
    ASSERT_OK(agent->send(proxy(), invite.text()));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_FRAGMENT_FORM) >= 2; }, 3s))
        << "larger than [fragments] datagram";
    EXPECT_FALSE(agent->receive(500ms));
    // One whose last fragment is lost on the way to us.
    const auto lose = [&](bool some) {
        return lab::run_command(
            {.name = "nft",
             .argv = {"nft", "-f", "-"},
             .netns = &stage_->world().outside(),
             .input = some ? fmt::format("table netdev lossy {{ chain out {{\n"
                                         "type filter hook egress device \"{}\" priority 0;\n"
                                         "ip frag-off & 0x1fff != 0 drop\n"
                                         "meta protocol ip6 frag frag-off != 0 drop\n"
                                         "}}\n}}\n",
                                         lab::outside_port)
                           : std::string("delete table netdev lossy\n")});
    };
    ASSERT_OK(lose(true));
    auto cut = agent->request("OPTIONS", "alice", lab::sip_uri("erin", proxy().address));
    cut.headers = padding(1);
    cut.headers.push_back("X-More: " + std::string(700, 'm'));
    ASSERT_OK(agent->send(proxy(), cut.text()));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_FRAGMENT_ORPHAN) == 1; }, 3s))
        << "given up after [fragments] timeout_ms";
    EXPECT_EQ(inbound(STEM_SIP_RELEASED), 0U);
    ASSERT_OK(lose(false));
    // One that fits is a call, or at least an answer.
    auto small = agent->request("OPTIONS", "alice", lab::sip_uri("erin", proxy().address));
    small.headers = padding(1);
    small.headers.push_back("X-More: " + std::string(700, 'm'));
    ASSERT_OK(agent->send(proxy(), small.text()));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_RELEASED) >= 1; }, 3s));
}

} // namespace
} // namespace stem::demo
