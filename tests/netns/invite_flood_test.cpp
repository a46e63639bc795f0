// SPDX-License-Identifier: Apache-2.0
// Signalling floods through an attached STEM, with real peers: who is known goes on, whoever floods.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <packet/packet.h>

#include <atomic>
#include <thread>
#include <tuple>

#include "demo/scripted_call.h"
#include "demo/stage.h"
#include "lab/sip_agent.h"
#include "lab/sipp.h"
#include "packet_socket.h"
#include "phone_crowd.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

constexpr unsigned known_host = lab::host::first_caller + 4;
constexpr unsigned flooder_host = lab::host::first_caller + 5;
constexpr unsigned registrar_host = 54;

class InviteFlood : public testing::TestWithParam<lab::WorldKind> {
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
    [[nodiscard]] Address outside(unsigned host) const {
        return stage_->world().outside_address(host, family());
    }
    [[nodiscard]] std::uint64_t inbound(stem_reason reason) const {
        return stage_->packets(reason, STEM_INBOUND);
    }
    [[nodiscard]] boost::json::array listed(const std::string& command, const std::string& member) const {
        const auto text =
            stage_->stemctl(command == "peers" ? std::vector<std::string>{"peers", "list", "--json"}
                                               : std::vector<std::string>{command, "--json"});
        EXPECT_TRUE(text) << text.error().message();
        return text ? boost::json::parse(*text).at(member).as_array() : boost::json::array();
    }
    // What `stemctl peers list` says of an address; null: it is not known.
    [[nodiscard]] boost::json::value peer(const Address& address) const {
        for (const auto& entry : listed("peers", "peers")) {
            if (entry.at("address").as_string() == address.to_string()) {
                return entry;
            }
        }
        return nullptr;
    }
    // A phone at `host` registers at the proxy.
    void register_phone(unsigned host) {
        auto phone = lab::SipAgent::create(stage_->world().outside(), {.address = outside(host), .port = 0});
        ASSERT_OK(phone);
        auto request = phone->request("REGISTER", "known", test::registrar_uri(proxy().address));
        request.from = lab::sip_uri("known", proxy().address);
        request.to = request.from;
        request.headers.emplace_back("Expires: 600");
        ASSERT_OK(phone->send(proxy(), request.text()));
        const auto answer = phone->receive_final("REGISTER", 3s);
        ASSERT_TRUE(answer);
        ASSERT_EQ(lab::status_of(answer->text), 200) << answer->text;
    }
    // SIPp's calls from the known phone's address to carol, while something else goes on.
    void expect_calls_succeed(unsigned calls) {
        const auto& world = stage_->world();
        auto callee = lab::Sipp::start(
            world.inside(), {.scenario = "uas",
                             .local = {.address = world.inside_address(phone::carol, family()), .port = 5060},
                             .calls = calls});
        ASSERT_OK(callee);
        auto caller =
            lab::Sipp::start(world.outside(), {.scenario = "uac",
                                               .local = {.address = outside(known_host), .port = 5060},
                                               .remote = proxy(),
                                               .user = "carol",
                                               .calls = calls,
                                               .rate = 10,
                                               .talk = 200ms});
        ASSERT_OK(caller);
        const auto ended = caller->wait(60s);
        callee->stop();
        ASSERT_OK(ended);
        EXPECT_EQ(ended->successful, calls);
        EXPECT_EQ(ended->failed, 0U);
    }

    std::unique_ptr<Stage> stage_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, InviteFlood, lab::every_world(), lab::name_of_world);

// Sends one message over and over, with a pause that makes it some 20,000 a second at most.
class Flooder {
  public:
    Flooder(lab::SipAgent agent, const Endpoint& to, const lab::SipRequest& request)
        : thread_([agent = std::move(agent), to, request = lab::SipRequest(request),
                   this](const std::stop_token& stop) mutable {
              for (std::uint64_t i = 0; !stop.stop_requested(); i++) {
                  request.call_id = fmt::format("flood-{}", i);
                  request.branch = fmt::format("z9hG4bK-flood-{}", i);
                  (void)agent.send(to, request.text());
                  sent_++;
                  if (i % 200 == 0) {
                      std::this_thread::sleep_for(10ms);
                  }
              }
          }) {}
    [[nodiscard]] std::uint64_t sent() const { return sent_; }

  private:
    std::atomic<std::uint64_t> sent_ = 0;
    std::jthread thread_;
};

TEST_P(InviteFlood, OneSourceFloodsWhileAKnownPeerCalls) {
    set_up();
    ASSERT_TRUE(stage_);
    register_phone(known_host);
    ASSERT_TRUE(lab::eventually([&] { return !peer(outside(known_host)).is_null(); }, 2s));
    auto agent =
        lab::SipAgent::create(stage_->world().outside(), {.address = outside(flooder_host), .port = 0});
    ASSERT_OK(agent);
    auto invite = agent->request("INVITE", "mallory", lab::sip_uri("nobody", proxy().address));
    invite.body = lab::sdp({.address = outside(flooder_host), .port = 24000});
    {
        const Flooder flooder(std::move(*agent), proxy(), invite);
        ASSERT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_STREAM_BLOCKED) > 100; }, 5s));
        expect_calls_succeed(20);
        EXPECT_GT(flooder.sent(), 1000U);
    }
    EXPECT_TRUE(peer(outside(flooder_host)).is_null()) << "who only sends is nobody";
    EXPECT_EQ(inbound(STEM_SIP_UNKNOWN_LANE), 0U) << "a blocked stream takes nothing of the others' lane";
}

TEST_P(InviteFlood, ManyForgedSourcesFloodWhileAKnownPeerCalls) {
    if (std::get<0>(GetParam()) == lab::Mode::router) {
        GTEST_SKIP() << "the frames are made for a bridge; what is tested comes before the mode";
    }
    set_up();
    ASSERT_TRUE(stage_);
    register_phone(known_host);
    ASSERT_TRUE(lab::eventually([&] { return !peer(outside(known_host)).is_null(); }, 2s));
    const auto socket = test::PacketSocket::open(stage_->world().outside(), lab::outside_port);
    ASSERT_OK(socket);
    {
        const std::jthread flood([&](const std::stop_token& stop) {
            for (unsigned i = 0; !stop.stop_requested(); i++) {
                const Address source =
                    family() == lab::Family::v4
                        ? Address::v4({10, static_cast<std::uint8_t>(i >> 16U),
                                       static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)})
                        : *Address::parse(fmt::format("2001:db8:{:x}:{:x}::1", i >> 16U, i & 0xffffU));
                const test::Packet sip =
                    test::Sip{.start_line = "INVITE sip:nobody@" + proxy().address.to_string() + " SIP/2.0"};
                const test::Packet udp = test::Udp{.sport = 5060, .dport = 5060} / sip;
                const test::Packet frame = family() == lab::Family::v4
                                               ? test::Ethernet{.dst = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} /
                                                     test::IPv4{.src = source, .dst = proxy().address} / udp
                                               : test::Ethernet{.dst = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} /
                                                     test::IPv6{.src = source, .dst = proxy().address} / udp;
                (void)socket->send(frame.bytes());
                if (i % 100 == 0) {
                    std::this_thread::sleep_for(10ms);
                }
            }
        });
        ASSERT_TRUE(lab::eventually([&] { return inbound(STEM_SIP_UNKNOWN_LANE) > 1000; }, 10s));
        EXPECT_TRUE(lab::eventually(
            [&] {
                const auto alarms = listed("alarms", "alarms");
                return !alarms.empty() && alarms.at(0).at("signal") == "sip";
            },
            10s));
        const auto status = stage_->stemctl({"status", "--json"});
        ASSERT_OK(status);
        EXPECT_TRUE(boost::json::parse(*status).at("posture").at("known_sip_first").as_bool());
        expect_calls_succeed(20);
    }
}

TEST_P(InviteFlood, OneStreamsMediaStopAndItsNeighboursGoOn) {
    set_up();
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, family());
    ASSERT_OK(erin);
    auto bad = ScriptedCall::establish(*stage_, {.family = family()}, *erin);
    ASSERT_OK(bad);
    auto good = ScriptedCall::establish(
        *stage_, {.family = family(), .caller_media_port = 24100, .callee_media_port = 26100}, *erin);
    ASSERT_OK(good);
    ASSERT_OK(bad->talk(*stage_));
    ASSERT_OK(good->talk(*stage_));
    const auto heard = [](ScriptedCall& call) { return call.callee_voice().counts(0).received; };
    ASSERT_TRUE(lab::eventually([&] { return heard(*bad) > 10 && heard(*good) > 10; }, 5s));
    // The first phone floods from the socket that it called by: a known peer's stream, so a multiple of its
    // budget has to come.
    auto invite = bad->caller().request("INVITE", "alice", lab::sip_uri("nobody", proxy().address));
    for (int i = 0; i < 100'000 && inbound(STEM_SIP_STREAM_BLOCKED) == 0; i++) {
        invite.call_id = fmt::format("flood-{}", i);
        (void)bad->caller().send(proxy(), invite.text());
    }
    ASSERT_GT(inbound(STEM_SIP_STREAM_BLOCKED), 0U);
    std::this_thread::sleep_for(100ms);
    const auto bad_before = heard(*bad);
    const auto good_before = heard(*good);
    ASSERT_TRUE(lab::eventually([&] { return heard(*good) > good_before + 50; }, 5s));
    EXPECT_EQ(heard(*bad), bad_before);
}

TEST_P(InviteFlood, AThousandPhonesBehindOneAddressAreBackWithinAMinute) {
    set_up();
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    constexpr std::size_t phones = 1000;
    constexpr std::size_t sockets = 100;
    const Endpoint registrar{.address = world.inside_address(registrar_host, family()), .port = 5060};
    auto agent = lab::SipAgent::create(world.inside(), registrar);
    ASSERT_OK(agent);
    const test::ChallengingRegistrar server(std::move(*agent));
    std::vector<lab::SipAgent> lines;
    for (std::size_t i = 0; i < sockets; i++) {
        auto line = lab::SipAgent::create(world.outside(), {.address = outside(known_host), .port = 0});
        ASSERT_OK(line);
        lines.push_back(std::move(*line));
    }
    ASSERT_TRUE(peer(outside(known_host)).is_null()) << "nobody is known at the start";
    test::PhoneCrowd crowd(std::move(lines), phones, registrar);
    const auto begin = std::chrono::steady_clock::now();
    while (crowd.registered() < phones && std::chrono::steady_clock::now() - begin < 60s) {
        crowd.run();
        server.serve();
        std::this_thread::sleep_for(1ms);
    }
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    RecordProperty("seconds", fmt::format("{:.1f}", took));
    EXPECT_EQ(crowd.registered(), phones) << crowd.sent() << " sent, " << crowd.gave_up() << " gave up";
    EXPECT_EQ(inbound(STEM_SIP_SOURCE_BLOCKED), 0U);
    EXPECT_EQ(inbound(STEM_SIP_STREAM_BLOCKED), 0U);
    const auto known = peer(outside(known_host));
    ASSERT_FALSE(known.is_null());
    EXPECT_EQ(known.at("phones").to_number<std::size_t>(), phones);
    // The peers outlive stemd.
    stage_->stop_stemd();
    EXPECT_FALSE(peer(outside(known_host)).is_null());
    ASSERT_OK(stage_->start_stemd());
    EXPECT_EQ(peer(outside(known_host)).at("phones").to_number<std::size_t>(), phones);
}

TEST_P(InviteFlood, TrunksAreNamedByTheOperator) {
    const auto named = std::get<1>(GetParam()) == lab::Family::v4 ? std::string("203.0.113.9")
                                                                  : std::string("2001:db8:ffff::9");
    set_up("[peers]\ntrunks = [\"" + named + "\"]\n");
    ASSERT_TRUE(stage_);
    const Address configured = *Address::parse(named);
    EXPECT_EQ(peer(configured).at("kinds").as_array().at(0), "configured");
    const std::string other = outside(known_host).to_string();
    ASSERT_OK(stage_->stemctl({"peers", "add", other}));
    EXPECT_TRUE(peer(outside(known_host)).at("remaining_seconds").is_null());
    ASSERT_OK(stage_->stemctl({"peers", "remove", other}));
    EXPECT_TRUE(peer(outside(known_host)).is_null());
    EXPECT_FALSE(stage_->stemctl({"peers", "remove", other}));
    EXPECT_FALSE(stage_->stemctl({"peers", "add", "10.0.0.0/8"}));
    stage_->stop_stemd(); // then stemctl writes itself
    ASSERT_OK(stage_->stemctl({"peers", "add", other}));
    EXPECT_FALSE(stage_->stemctl({"alarms"}));
    ASSERT_OK(stage_->start_stemd());
    EXPECT_EQ(peer(outside(known_host)).at("kinds").as_array().at(0), "trunk");
    EXPECT_EQ(peer(configured).at("kinds").as_array().at(0), "configured");
}

} // namespace
} // namespace stem::demo
