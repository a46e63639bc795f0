// SPDX-License-Identifier: Apache-2.0
// Real packets of a third host outside, which knows all that a call's ends know, against a call that talks;
// and the same where nothing is dropped, only reported.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>
#include <tuple>

#include "demo/scripted_call.h"
#include "demo/stage.h"
#include "lab/sip_agent.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

// The sum of UDP's pseudo-header (RFC 768, RFC 8200 8.1), as a sender leaves it that has its device finish
// it.
std::uint16_t begun_checksum(const Endpoint& from, const Endpoint& to, std::size_t length) {
    std::size_t sum = IPPROTO_UDP + length;
    const auto add = [&](const auto& octets) {
        for (std::size_t at = 0; at < octets.size(); at += 2) {
            sum += octets[at] * std::size_t{256} + octets[at + 1];
        }
    };
    for (const Address& address : {from.address, to.address}) {
        address.is_v4() ? add(address.v4_octets()) : add(address.octets());
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(sum);
}

// Sends a datagram with `checksum`, right or wrong.
Result<> send_with_checksum(const lab::Netns& netns, const Endpoint& from, const Endpoint& to,
                            std::string_view text, std::uint16_t checksum) {
    return netns.run([&]() -> Result<> {
        const bool v4 = to.address.is_v4();
        const UniqueFd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
        std::string datagram;
        for (const std::size_t value :
             {std::size_t{from.port}, std::size_t{to.port}, 8 + text.size(), std::size_t{checksum}}) {
            datagram += static_cast<char>(value >> 8U);
            datagram += static_cast<char>(value & 0xffU);
        }
        datagram += text;
        const auto send = [&](const auto& source, const auto& destination) {
            return fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&source), sizeof(source)) == 0 &&
                   ::sendto(fd.get(), datagram.data(), datagram.size(), 0,
                            reinterpret_cast<const sockaddr*>(&destination),
                            sizeof(destination)) == static_cast<ssize_t>(datagram.size());
        };
        const auto in = [](const Address& address) {
            sockaddr_in at{};
            at.sin_family = AF_INET;
            std::ranges::copy(address.v4_octets(), reinterpret_cast<std::uint8_t*>(&at.sin_addr));
            return at;
        };
        const auto in6 = [](const Address& address) {
            sockaddr_in6 at{};
            at.sin6_family = AF_INET6;
            std::ranges::copy(address.octets(), at.sin6_addr.s6_addr);
            return at;
        };
        const bool sent =
            v4 ? send(in(from.address), in(to.address)) : send(in6(from.address), in6(to.address));
        return sent ? Result<>{} : fail_errno("send a datagram with a checksum of its own");
    });
}

class Spoof : public testing::TestWithParam<lab::WorldKind> {
  protected:
    void set_up(const std::string& config = "") {
        auto stage = Stage::set_up({.mode = std::get<0>(GetParam()),
                                    .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                                    .config = config});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
        auto erin = erin_phone(*stage_, family());
        ASSERT_OK(erin);
        erin_.emplace(std::move(*erin));
        auto stranger = lab::SipAgent::create(
            stage_->world().outside(),
            {.address = stage_->world().outside_address(lab::host::intruder, family()), .port = 5060});
        ASSERT_OK(stranger);
        stranger_.emplace(std::move(*stranger));
    }
    void call_and_talk() {
        auto call = ScriptedCall::establish(*stage_, {.family = family()}, *erin_);
        ASSERT_OK(call);
        call_.emplace(std::move(*call));
        ASSERT_OK(call_->talk(*stage_));
        ASSERT_TRUE(lab::eventually([&] { return call_->callee_voice().counts(0).received > 10; }, 5s));
    }
    [[nodiscard]] lab::Family family() const { return std::get<1>(GetParam()); }
    [[nodiscard]] Endpoint proxy() const {
        return {.address = stage_->world().proxy(family()), .port = 5060};
    }
    [[nodiscard]] std::uint64_t inbound(stem_reason reason) const {
        return stage_->packets(reason, STEM_INBOUND);
    }
    void expect_refused(const lab::SipRequest& request, stem_reason reason) {
        const auto before = inbound(reason);
        ASSERT_OK(stranger_->send(proxy(), request.text()));
        EXPECT_TRUE(lab::eventually([&] { return inbound(reason) == before + 1; }, 2s)) << request.method;
    }
    [[nodiscard]] bool hears_on() {
        const auto before = call_->callee_voice().counts(0).received;
        return lab::eventually([&] { return call_->callee_voice().counts(0).received > before + 20; }, 5s);
    }

    std::unique_ptr<Stage> stage_;
    std::optional<lab::SipAgent> erin_;
    std::optional<lab::SipAgent> stranger_;
    std::optional<ScriptedCall> call_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, Spoof, lab::every_world(), lab::name_of_world);

TEST_P(Spoof, RightTagsFromAnotherHostDoNothing) {
    set_up();
    ASSERT_TRUE(stranger_);
    call_and_talk();
    ASSERT_TRUE(call_);
    auto moved = call_->request("INVITE", 20);
    moved.body = lab::sdp({.address = stranger_->local().address, .port = 25000});
    expect_refused(moved, STEM_SIP_FLOW);
    moved.method = "UPDATE";
    moved.branch = lab::unique_branch();
    expect_refused(moved, STEM_SIP_FLOW);
    expect_refused(call_->request("INFO", 21), STEM_SIP_FLOW);
    expect_refused(lab::cancel_of(call_->invite()), STEM_SIP_FLOW);
    auto guessed = call_->request("BYE", 22);
    guessed.to_tag = "guess";
    expect_refused(guessed, STEM_SIP_NO_DIALOG);
    // A stray answer, that names a branch of nobody; and one that names the call's own.
    const auto before = inbound(STEM_SIP_NO_TRANSACTION);
    ASSERT_OK(stranger_->send(proxy(), call_->answer()));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_NO_TRANSACTION) == before + 1; }, 2s))
        << "nothing inside has asked";
    EXPECT_FALSE(erin_->receive(300ms)) << "the phone heard of none of it";
    EXPECT_TRUE(hears_on());
    EXPECT_TRUE(stage_->flow(call_->caller_media(), call_->callee_media()));
    EXPECT_FALSE(stage_->flow({.address = stranger_->local().address, .port = 25000}, call_->callee_media()));
    EXPECT_EQ(call_->callee_voice().counts(0).lost, 0U);
    ASSERT_OK(call_->hang_up(*erin_));
}

TEST_P(Spoof, ByeFromAnotherHostWaitsWhileTheCallTalks) {
    set_up();
    ASSERT_TRUE(stranger_);
    call_and_talk();
    ASSERT_TRUE(call_);
    ASSERT_OK(stranger_->send(proxy(), call_->request("BYE", 30).text()));
    EXPECT_FALSE(erin_->receive_request("BYE", 4s)) << "the caller's voice goes on";
    EXPECT_TRUE(hears_on());
    EXPECT_TRUE(stage_->flow(call_->caller_media(), call_->callee_media()));
    // Now the caller is silent: whoever said BYE may have been it, behind a new address.
    call_->caller_voice().pause_all();
    const auto bye = erin_->receive_request("BYE", 6s);
    ASSERT_TRUE(bye);
    ASSERT_OK(erin_->send(bye->from, lab::response_text(bye->text, 200, "OK")));
    EXPECT_TRUE(
        lab::eventually([&] { return !stage_->flow(call_->caller_media(), call_->callee_media()); }, 3s));
}

// Its receiver drops what has a wrong checksum, so for STEM it must not end the call either; whole or in
// fragments.
TEST_P(Spoof, AWrongChecksumIsNoMessage) {
    set_up();
    ASSERT_TRUE(stranger_);
    call_and_talk();
    ASSERT_TRUE(call_);
    const auto& outside = stage_->world().outside();
    const Endpoint caller = call_->caller().local();
    auto bye = call_->request("BYE", 30);
    for (const bool large : {false, true}) {
        if (large) {
            for (int line = 0; line < 4; line++) {
                bye.headers.push_back(fmt::format("X-Padding-{}: {}", line, std::string(900, 'p')));
            }
        }
        const std::string text = bye.text();
        const std::uint64_t before = inbound(STEM_FRAME_UNREADABLE);
        const auto begun = begun_checksum(caller, proxy(), 8 + text.size());
        ASSERT_OK(send_with_checksum(outside, caller, proxy(), text, static_cast<std::uint16_t>(begun ^ 1U)));
        EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_FRAME_UNREADABLE) > before; }, 2s)) << large;
    }
    EXPECT_FALSE(erin_->receive_request("BYE", 500ms));
    EXPECT_TRUE(hears_on());
    EXPECT_TRUE(stage_->flow(call_->caller_media(), call_->callee_media()));
    // One that is only begun, by a local sender, is put right: what STEM follows is what its receiver has.
    const std::string text = call_->request("BYE", 31).text();
    ASSERT_OK(
        send_with_checksum(outside, caller, proxy(), text, begun_checksum(caller, proxy(), 8 + text.size())));
    const auto arrived = erin_->receive_request("BYE", 3s);
    ASSERT_TRUE(arrived);
    ASSERT_OK(erin_->send(arrived->from, lab::response_text(arrived->text, 200, "OK")));
    EXPECT_TRUE(
        lab::eventually([&] { return !stage_->flow(call_->caller_media(), call_->callee_media()); }, 3s));
}

TEST_P(Spoof, StrayAnswersToARingingCallDoNothing) {
    set_up();
    ASSERT_TRUE(stranger_);
    // A phone inside calls out; the stranger answers before the called one does.
    const auto& world = stage_->world();
    const Address outside = world.outside_address(lab::host::first_caller, family());
    auto remote = lab::SipAgent::create(world.outside(), {.address = outside, .port = 5060});
    ASSERT_OK(remote);
    auto invite = erin_->request("INVITE", "erin", lab::sip_uri("carrier", outside));
    const Endpoint phone_media{.address = erin_->local().address, .port = 26000};
    invite.body = lab::sdp(phone_media);
    ASSERT_OK(erin_->send(remote->local(), invite.text()));
    const auto arrived = remote->receive_request("INVITE", 3s);
    ASSERT_TRUE(arrived);
    const Endpoint trap{.address = stranger_->local().address, .port = 25000};
    for (const int status : {180, 200, 486}) {
        const auto before = inbound(STEM_SIP_FLOW);
        ASSERT_OK(stranger_->send(erin_->local(), lab::response_text(arrived->text, status, "X", "evil",
                                                                     stranger_->local(), lab::sdp(trap))));
        EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_FLOW) == before + 1; }, 2s)) << status;
    }
    EXPECT_FALSE(erin_->receive(200ms));
    const Endpoint remote_media{.address = outside, .port = 24000};
    ASSERT_OK(remote->send(arrived->from, lab::response_text(arrived->text, 200, "OK", "r1", remote->local(),
                                                             lab::sdp(remote_media))));
    ASSERT_TRUE(erin_->receive_final("INVITE", 3s));
    EXPECT_TRUE(stage_->flow(phone_media, remote_media));
    EXPECT_FALSE(stage_->flow(phone_media, trap));
}

TEST_P(Spoof, MonitorOnlyLetsEverythingPassAndReportsIt) {
    set_up("[calls]\nmonitor_only = \"yes\"\n");
    ASSERT_TRUE(stranger_);
    call_and_talk();
    ASSERT_TRUE(call_);
    ASSERT_OK(stranger_->send(proxy(), call_->request("INFO", 30).text()));
    EXPECT_TRUE(erin_->receive_request("INFO", 3s)) << "it goes on";
    EXPECT_EQ(inbound(STEM_SIP_FLOW), 0U);
    EXPECT_GE(inbound(STEM_SIP_MONITORED), 1U);
    const auto listed = stage_->stemctl({"drops", "--monitored", "--json"});
    ASSERT_OK(listed);
    EXPECT_NE(listed->find("sip_flow"), std::string::npos) << *listed;
    const auto status = stage_->stemctl({"status"});
    ASSERT_OK(status);
    EXPECT_NE(status->find("EVERYBODY"), std::string::npos) << *status;
    // Media that no call negotiated.
    const Endpoint from{.address = stranger_->local().address, .port = 25000};
    const Endpoint to{.address = erin_->local().address, .port = 27000};
    auto sender = lab::RtpEndpoint::open(stage_->world().outside(), {{.local = from, .remote = to}});
    auto receiver = lab::RtpEndpoint::open(stage_->world().inside(), {{.local = to, .remote = from}});
    ASSERT_OK(sender);
    ASSERT_OK(receiver);
    sender->send_all();
    EXPECT_TRUE(lab::eventually([&] { return receiver->counts(0).received > 20; }, 5s));
    EXPECT_EQ(inbound(STEM_NO_PINHOLE), 0U);
    EXPECT_GE(inbound(STEM_MONITORED), 20U);
    ASSERT_OK(call_->hang_up(*erin_));
}

TEST_P(Spoof, OnlyTheMonitoredPeerIsLetThrough) {
    set_up(fmt::format(
        "[calls]\nmonitored_peers = [\"{}\"]\n",
        std::get<1>(GetParam()) == lab::Family::v4
            ? (std::get<0>(GetParam()) == lab::Mode::bridge ? "192.0.2.66" : "198.51.100.66")
            : (std::get<0>(GetParam()) == lab::Mode::bridge ? "2001:db8:1::66" : "2001:db8:100::66")));
    ASSERT_TRUE(stranger_);
    auto bye = stranger_->request("MESSAGE", "mallory", lab::sip_uri("erin", proxy().address));
    bye.method = "BYE";
    bye.to_tag = "guess";
    ASSERT_OK(stranger_->send(proxy(), bye.text()));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_MONITORED) == 1; }, 2s));
    auto other = lab::SipAgent::create(
        stage_->world().outside(),
        {.address = stage_->world().outside_address(lab::host::first_caller, family()), .port = 0});
    ASSERT_OK(other);
    auto second = other->request("BYE", "mallory", lab::sip_uri("erin", proxy().address));
    second.to_tag = "guess";
    ASSERT_OK(other->send(proxy(), second.text()));
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_NO_DIALOG) == 1; }, 2s));
    EXPECT_EQ(inbound(STEM_SIP_MONITORED), 1U);
}

} // namespace
} // namespace stem::demo
