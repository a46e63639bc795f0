// SPDX-License-Identifier: Apache-2.0
// Media with real peers: a phone behind a NAT made with nftables, who may be heard in its stead (nobody), the
// paper's attack inside an open pinhole, and what policy does with a stream that sends too much.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <thread>
#include <tuple>

#include "ctl/kernel/instance.h"
#include "demo/scripted_call.h"
#include "demo/stage.h"
#include "lab/audio.h"
#include "lab/baresip.h"
#include "lab/rtp_endpoint.h"
#include "lab/sip_agent.h"
#include "lab/sip_text.h"
#include "lab/socket_address.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t phone_port = 24000;
constexpr std::uint16_t erin_port = 26000;
constexpr std::uint16_t nat_low = 61000;
constexpr std::uint16_t nat_high = 61999;

class Media : public testing::TestWithParam<lab::WorldKind> {
  protected:
    void set_up(const std::string& config = "") {
        auto stage = Stage::set_up({.mode = std::get<0>(GetParam()),
                                    .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                                    .config = config});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
    }
    [[nodiscard]] lab::Family family() const { return std::get<1>(GetParam()); }
    [[nodiscard]] bool v6() const { return family() == lab::Family::v6; }
    [[nodiscard]] Endpoint proxy() const {
        return {.address = stage_->world().proxy(family()), .port = 5060};
    }
    [[nodiscard]] Address erin_address() const {
        return stage_->world().inside_address(phone::erin, family());
    }
    [[nodiscard]] std::uint64_t inbound(stem_reason reason) const {
        return stage_->packets(reason, STEM_INBOUND);
    }
    // The pinhole's octets as they are now.
    [[nodiscard]] std::optional<kernel::FlowEntry> flow_to(const Endpoint& destination) const {
        const auto all = stage_->flows();
        if (!all) {
            return std::nullopt;
        }
        const auto found = std::ranges::find_if(
            *all, [&](const kernel::FlowEntry& entry) { return entry.destination() == destination; });
        return found == all->end() ? std::nullopt : std::optional(*found);
    }
    // One threshold of the running instance.
    void set_threshold(std::uint32_t stem_thresholds::* which, std::uint32_t value) const {
        const auto map = stage_->instance().thresholds();
        ASSERT_OK(map);
        auto thresholds = map->get(0);
        ASSERT_OK(thresholds);
        ASSERT_TRUE(*thresholds);
        **thresholds.*which = value;
        ASSERT_OK(map->put(0, **thresholds));
    }

    std::unique_ptr<Stage> stage_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, Media, lab::every_world(), lab::name_of_world);

// The NAT is a host of the outside; behind it is a home with a phone. What leaves with a media port gets one
// of the NAT's own.
class BehindNat : public Media {
  protected:
    void set_up_home(const std::string& config = "") {
        set_up(config);
        ASSERT_TRUE(stage_);
        auto home = lab::Netns::create("home");
        ASSERT_OK(home);
        home_.emplace(std::move(*home));
        const lab::Netns& nat = stage_->alice();
        ASSERT_OK(lab::connect({.netns = nat, .interface = "home0"}, {.netns = *home_, .interface = "eth0"}));
        ASSERT_OK(nat.ip("link set home0 up\naddr add 192.168.1.1/24 dev home0\n"
                         "addr add fd00::1/64 dev home0 nodad\n"));
        ASSERT_OK(home_->ip("link set eth0 up\naddr add 192.168.1.5/24 dev eth0\n"
                            "addr add fd00::5/64 dev eth0 nodad\nroute add default via 192.168.1.1\n"
                            "route add default via fd00::1\n"));
        ASSERT_OK(nat.sysctl("ipv4/ip_forward", "1"));
        ASSERT_OK(nat.sysctl("ipv6/conf/all/forwarding", "1"));
        const auto ruled = lab::run_command({.name = "nft",
                                             .argv = {"nft", "-f", "-"},
                                             .netns = &nat,
                                             .input = fmt::format("table inet nat {{\nchain post {{\n"
                                                                  "type nat hook postrouting priority 100\n"
                                                                  "oifname \"home0\" accept\n"
                                                                  "udp sport 5060 masquerade\n"
                                                                  "udp dport >= 10000 masquerade to :{}-{}\n"
                                                                  "masquerade\n}}\n}}\n",
                                                                  nat_low, nat_high)});
        ASSERT_OK(ruled);
    }
    [[nodiscard]] Address home_address() const { return *Address::parse(v6() ? "fd00::5" : "192.168.1.5"); }
    [[nodiscard]] Address nat_address() const {
        return stage_->world().outside_address(phone::alice, family());
    }
    [[nodiscard]] Endpoint phone_media() const { return {.address = home_address(), .port = phone_port}; }
    [[nodiscard]] Endpoint erin_media() const { return {.address = erin_address(), .port = erin_port}; }

    // The phone at home calls erin; the answer is up when this returns.
    void call(const lab::SipAgent& erin) {
        auto agent = lab::SipAgent::create(*home_, {.address = home_address(), .port = 5060});
        ASSERT_OK(agent);
        phone_.emplace(std::move(*agent));
        auto invite = phone_->request("INVITE", "alice", lab::sip_uri("erin", proxy().address));
        invite.body = lab::sdp(phone_media());
        ASSERT_OK(phone_->send(proxy(), invite.text()));
        answer(erin);
        const auto ok = phone_->receive_final("INVITE", 3s);
        ASSERT_TRUE(ok);
        ASSERT_EQ(lab::status_of(ok->text), 200);
        ASSERT_OK(
            phone_->send(proxy(), lab::in_dialog(invite, ok->text, "ACK", lab::unique_branch()).text()));
    }
    void answer(const lab::SipAgent& erin) const {
        const auto offered = erin.receive_request("INVITE", 5s);
        ASSERT_TRUE(offered);
        ASSERT_OK(erin.send(offered->from, lab::response_text(offered->text, 200, "OK", lab::unique_token(),
                                                              erin.local(), lab::sdp(erin_media()))));
    }
    // Where the peer of erin's RTP port is, once it is learned.
    [[nodiscard]] std::optional<Endpoint> learned() const {
        std::optional<Endpoint> peer;
        (void)lab::eventually(
            [&] {
                const auto flow = flow_to(erin_media());
                peer = flow ? std::optional(flow->source()) : std::nullopt;
                return peer.has_value();
            },
            3s);
        return peer;
    }
    // What the intruder gets and does, on ports of its own.
    [[nodiscard]] Result<lab::RtpEndpoint> intruder(const Endpoint& victim, std::uint16_t port) const {
        return lab::RtpEndpoint::open(
            stage_->world().outside(),
            {{.local = {.address = stage_->world().outside_address(lab::host::intruder, family()),
                        .port = port},
              .remote = victim,
              .packet_time = 10ms,
              .rtcp = false}});
    }

    std::optional<lab::Netns> home_;
    std::optional<lab::SipAgent> phone_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, BehindNat, lab::every_world(), lab::name_of_world);

TEST_P(BehindNat, IsLearnedAndNobodyElseIs) {
    set_up_home();
    ASSERT_TRUE(home_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    ASSERT_NO_FATAL_FAILURE(call(*erin));
    auto erin_voice = lab::RtpEndpoint::open(
        stage_->world().inside(), {{.local = erin_media(), .remote = {.address = nat_address(), .port = 0}}});
    ASSERT_OK(erin_voice);

    // The window is open. An intruder sprays the port, and listens.
    auto sprayer = intruder(erin_media(), 40000);
    ASSERT_OK(sprayer);
    sprayer->send_all();
    ASSERT_TRUE(lab::eventually([&] { return inbound(STEM_RTP_UNLEARNED) > 20; }, 3s));
    EXPECT_FALSE(flow_to(erin_media())) << "nothing is learned from elsewhere";
    EXPECT_EQ(erin_voice->counts(0).received + erin_voice->counts(0).foreign, 0U);

    auto home_voice = lab::RtpEndpoint::open(*home_, {{.local = phone_media(), .remote = erin_media()}});
    ASSERT_OK(home_voice);
    home_voice->send_all();
    const auto peer = learned();
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->address, nat_address());
    EXPECT_GE(peer->port, nat_low);
    EXPECT_LE(peer->port, nat_high);
    erin_voice->set_remote(0, *peer);
    erin_voice->send_all();
    ASSERT_TRUE(lab::eventually([&] { return home_voice->counts(0).received > 50; }, 4s)) << "audio home";
    EXPECT_GT(erin_voice->counts(0).received, 50U) << "audio from home";
    // After the lock the intruder is as deaf and dumb as before.
    EXPECT_EQ(erin_voice->counts(0).foreign, 0U);
    EXPECT_EQ(sprayer->counts(0).received, 0U);
    EXPECT_EQ(learned(), peer);
    // RTCP came after it, from the NAT's port for that.
    EXPECT_TRUE(lab::eventually(
        [&] {
            return flow_to({.address = erin_address(), .port = erin_port + 1}) &&
                   erin_voice->counts(0).rtcp_received > 0;
        },
        4s));

    // A new stemd keeps what was learned.
    ASSERT_TRUE(lab::eventually(
        [&] { return stage_->flows().value_or(std::vector<kernel::FlowEntry>{}).size() == 4; }, 3s));
    stage_->stop_stemd();
    const auto before = erin_voice->counts(0).received;
    ASSERT_OK(stage_->start_stemd());
    EXPECT_EQ(stage_->flows().value_or(std::vector<kernel::FlowEntry>{}).size(), 4U);
    EXPECT_TRUE(lab::eventually([&] { return erin_voice->counts(0).received > before + 20; }, 3s));
    EXPECT_EQ(learned(), peer);
}

TEST_P(BehindNat, BaresipIsHeardAndHears) {
    set_up_home();
    ASSERT_TRUE(home_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto phone = lab::Baresip::start(
        *home_, {.user = "alice", .local = home_address(), .proxy = proxy(), .registers = false});
    ASSERT_OK(phone);
    ASSERT_OK(phone->dial(lab::sip_uri("erin", proxy().address)));
    ASSERT_NO_FATAL_FAILURE(answer(*erin));
    ASSERT_OK(phone->wait_for("CALL_ESTABLISHED", 5s));
    auto erin_voice = lab::RtpEndpoint::open(
        stage_->world().inside(), {{.local = erin_media(), .remote = {.address = nat_address(), .port = 0}}});
    ASSERT_OK(erin_voice);
    const auto peer = learned();
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->address, nat_address());
    erin_voice->set_remote(0, *peer);
    erin_voice->send_all();
    ASSERT_TRUE(lab::eventually([&] { return erin_voice->counts(0).received > 100; }, 5s));
    ASSERT_OK(phone->hang_up());
    const auto heard = phone->heard();
    ASSERT_OK(heard);
    EXPECT_GT(lab::loudness(*heard), 0.5 * lab::loudness(lab::speech_like(3s)));
}

TEST_P(BehindNat, IsStrictWhereNatIsNever) {
    set_up_home("[media]\nnat = \"never\"\n");
    ASSERT_TRUE(home_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    ASSERT_NO_FATAL_FAILURE(call(*erin));
    auto home_voice = lab::RtpEndpoint::open(*home_, {{.local = phone_media(), .remote = erin_media()}});
    ASSERT_OK(home_voice);
    home_voice->send_all();
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_NO_PINHOLE) > 20; }, 3s));
    EXPECT_EQ(inbound(STEM_RTP_UNLEARNED), 0U);
}

// The attack of the paper: large packets of one sequence number, inside an open pinhole.
TEST_P(Media, TheAttackOfThePaperHarmsNobody) {
    set_up();
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto honest = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(honest);
    auto attacked = ScriptedCall::establish(*stage_,
                                            {.family = family(),
                                             .caller_host = lab::host::first_caller + 1,
                                             .caller_media_port = 24100,
                                             .callee_media_port = 26100},
                                            *erin);
    ASSERT_OK(attacked);
    ASSERT_OK(honest->talk(*stage_));
    ASSERT_TRUE(lab::eventually([&] { return honest->callee_voice().counts(0).received > 10; }, 3s));
    // From the second caller's own address and port, and with a payload type that it negotiated.
    const Endpoint from = attacked->caller_media();
    const Endpoint to = attacked->callee_media();
    const auto flooded = stage_->world().outside().run([&]() -> Result<> {
        const auto socket = lab::bind_udp(from);
        if (!socket) {
            return std::unexpected(socket.error());
        }
        const sockaddr_in6 address = lab::to_socket_address(to);
        std::string packet(400, '\x55');
        packet.replace(0, 12, std::string("\x80\x08\x12\x34\0\0\0\0\x01\x02\x03\x04", 12));
        for (int i = 0; i < 20000; i++) {
            if (::sendto(socket->get(), packet.data(), packet.size(), 0,
                         reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0 &&
                errno != EAGAIN) {
                return fail_errno("send to " + to.to_string());
            }
        }
        return {};
    });
    ASSERT_OK(flooded);
    EXPECT_GT(inbound(STEM_RTP_REPEATED), 10000U);
    const auto flow = stage_->flow(from, to);
    ASSERT_TRUE(flow);
    EXPECT_LE(flow->value.packets, 17U) << "one, and sixteen repetitions";
    EXPECT_GT(flow->value.faults[STEM_FAULT_REPEATED], 10000U);
    const auto shown = stage_->stemctl({"flows", "--json"});
    ASSERT_OK(shown);
    EXPECT_NE(shown->find("\"repeated\":"), std::string::npos);
    // The other call heard nothing of it.
    const auto received = honest->callee_voice().counts(0).received;
    EXPECT_TRUE(
        lab::eventually([&] { return honest->callee_voice().counts(0).received > received + 25; }, 3s));
    const auto clean = stage_->flow(honest->caller_media(), honest->callee_media());
    ASSERT_TRUE(clean);
    EXPECT_EQ(clean->value.dropped_packets, 0U);
}

TEST_P(Media, ExcessIsDroppedLoweredOrEnded) {
    set_up();
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(call);
    const auto stream = [&] { return stage_->flow(call->caller_media(), call->callee_media()); };
    ASSERT_OK(call->talk(*stage_, 5.0));
    ASSERT_TRUE(lab::eventually([&] { return stream() && stream()->value.dropped_packets > 200; }, 10s));
    EXPECT_EQ(stream()->value.state, 0) << "dropped, and no more";
    set_threshold(&stem_thresholds::rtp_reaction, STEM_REACT_LOWER);
    ASSERT_TRUE(
        lab::eventually([&] { return stream() && stream()->value.state == STEM_STREAM_LOWERED; }, 10s));
    EXPECT_LT(stream()->bytes_per_second(), 4100U);
    EXPECT_TRUE(
        lab::eventually([&] { return stage_->stemd().errors().find("lowered") != std::string::npos; }, 2s));
    set_threshold(&stem_thresholds::rtp_reaction, STEM_REACT_END);
    ASSERT_TRUE(lab::eventually([&] { return !stream(); }, 10s)) << "stemd closes the pinhole";
    EXPECT_TRUE(lab::eventually(
        [&] { return stage_->stemd().errors().find("ended: flow_") != std::string::npos; }, 2s));
    EXPECT_TRUE(stage_->flow(call->callee_media(), call->caller_media())) << "the way back stays";
    ASSERT_OK(call->hang_up(*erin));
}

TEST_P(Media, CallsThatDoNotFitAreRefused) {
    set_up();
    ASSERT_TRUE(stage_);
    set_threshold(&stem_thresholds::rtp_total_kbps, 200); // one call, not two
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(call);
    auto agent = lab::SipAgent::create(
        stage_->world().outside(),
        {.address = stage_->world().outside_address(lab::host::first_caller + 1, family()), .port = 0});
    ASSERT_OK(agent);
    auto invite = agent->request("INVITE", "bob", lab::sip_uri("erin", proxy().address));
    invite.body = lab::sdp({.address = agent->local().address, .port = 24100});
    ASSERT_OK(agent->send(proxy(), invite.text()));
    const auto refused = agent->receive_final("INVITE", 2s);
    ASSERT_TRUE(refused);
    EXPECT_EQ(lab::status_of(refused->text), 503);
    // stemd counts the refusal just after it has answered.
    EXPECT_TRUE(lab::eventually([&] { return inbound(STEM_MEDIA_TOTAL) == 1; }, 3s));
    ASSERT_OK(call->talk(*stage_));
    EXPECT_TRUE(lab::eventually([&] { return call->callee_voice().counts(0).received > 50; }, 3s));
    EXPECT_EQ(inbound(STEM_FLOW_TOTAL), 0U);
}

// Real phones: SDES, DTLS-SRTP, and ICE with it.
TEST_P(Media, SecurePhonesAndIceWork) {
    struct Kind {
        const char* encryption;
        bool ice;
        unsigned flags; // of the flow that carries the sound
    };
    set_up();
    ASSERT_TRUE(stage_);
    for (const Kind& kind :
         {Kind{"srtp-mand", false, STEM_FLOW_SRTP}, Kind{"dtls_srtp", false, STEM_FLOW_SRTP | STEM_FLOW_DTLS},
          Kind{"dtls_srtp", true, STEM_FLOW_SRTP | STEM_FLOW_DTLS | STEM_FLOW_STUN}}) {
        if (kind.ice && v6()) {
            continue; // baresip 1.0 writes "IN IP6" before its IPv4 candidate, and then refuses that itself
        }
        SCOPED_TRACE(fmt::format("{} {}", kind.encryption, kind.ice ? "with ICE" : ""));
        auto bob =
            lab::Baresip::start(stage_->bob(), {.user = "bob",
                                                .local = stage_->world().inside_address(phone::bob, family()),
                                                .proxy = proxy(),
                                                .encryption = kind.encryption,
                                                .ice = kind.ice});
        ASSERT_OK(bob);
        auto alice = lab::Baresip::start(stage_->alice(),
                                         {.user = "alice",
                                          .local = stage_->world().outside_address(phone::alice, family()),
                                          .proxy = proxy(),
                                          .encryption = kind.encryption,
                                          .ice = kind.ice});
        ASSERT_OK(alice);
        ASSERT_OK(alice->dial(lab::sip_uri("bob", proxy().address)));
        const auto up = alice->wait_for("CALL_ESTABLISHED", 10s);
        ASSERT_TRUE(up) << up.error().message() << "\n" << stage_->stemd().errors();
        std::uint64_t packets[STEM_DIRECTIONS] = {0, 0};
        unsigned flags = 0;
        const bool talked = lab::eventually(
            [&] {
                packets[STEM_INBOUND] = packets[STEM_OUTBOUND] = 0;
                for (const auto& entry : stage_->flows().value_or(std::vector<kernel::FlowEntry>{})) {
                    if (entry.value.kind == STEM_FLOW_RTP) {
                        auto& count = packets[entry.key.direction & 1];
                        count = std::max<std::uint64_t>(count, entry.value.packets);
                        flags |= entry.value.packets > 100 ? entry.value.flags : 0U;
                    }
                }
                return std::min(packets[STEM_INBOUND], packets[STEM_OUTBOUND]) > 150;
            },
            15s);
        EXPECT_TRUE(talked) << packets[STEM_INBOUND] << " in, " << packets[STEM_OUTBOUND] << " out";
        EXPECT_EQ(flags & kind.flags, kind.flags);
        ASSERT_OK(alice->hang_up());
        EXPECT_TRUE(lab::eventually(
            [&] { return stage_->flows().value_or(std::vector<kernel::FlowEntry>(1)).empty(); }, 5s));
        bob->process().stop();
        alice->process().stop();
        for (lab::Baresip* each : {&*alice, &*bob}) {
            const auto heard = each->heard();
            ASSERT_OK(heard);
            EXPECT_GT(lab::loudness(*heard), 0.2 * lab::loudness(lab::speech_like(3s)));
        }
    }
    EXPECT_EQ(inbound(STEM_RTP_VERSION) + stage_->packets(STEM_RTP_VERSION, STEM_OUTBOUND), 0U);
    EXPECT_EQ(inbound(STEM_MEDIA_FORM) + stage_->packets(STEM_MEDIA_FORM, STEM_OUTBOUND), 0U);
}

} // namespace
} // namespace stem::demo
