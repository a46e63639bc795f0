// SPDX-License-Identifier: Apache-2.0
// Real calls across a plain Linux bridge and a plain Linux router: what the lab's peers do when nothing
// judges them.
#include "lab/audio.h"
#include "lab/baresip.h"
#include "lab/capture.h"
#include "lab/kamailio.h"
#include "lab/rtp_endpoint.h"
#include "lab/sip_agent.h"
#include "lab/sipp.h"
#include "lab/world.h"
#include "tests/expect_ok.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <set>
#include <thread>
#include <tuple>

namespace stem::lab {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t sip_port = 5060;
constexpr unsigned bob = host::first_phone;
constexpr unsigned alice = host::first_caller;
constexpr unsigned carols_host = host::first_separate;
constexpr unsigned daves_host = host::first_separate + 1;

class PlainWorld : public testing::TestWithParam<std::tuple<Mode, Family>> {
  protected:
    void SetUp() override {
        auto world = World::create({.mode = std::get<0>(GetParam()), .middle = Middle::plain});
        ASSERT_OK(world);
        world_.emplace(std::move(*world));
    }

    [[nodiscard]] Family family() const { return std::get<1>(GetParam()); }
    [[nodiscard]] Address caller(unsigned number = alice) const {
        return world_->outside_address(number, family());
    }
    [[nodiscard]] Address phone(unsigned number = bob) const {
        return world_->inside_address(number, family());
    }
    [[nodiscard]] Endpoint proxy() const { return {.address = world_->proxy(family()), .port = sip_port}; }
    [[nodiscard]] const char* ip() const { return family() == Family::v4 ? "ip" : "ipv6"; }

    Result<Kamailio> start_kamailio() {
        return Kamailio::start(
            world_->inside(),
            {.addresses = {world_->proxy(Family::v4), world_->proxy(Family::v6)},
             .contacts = {
                 {.user = "bob",
                  .contact = {.address = world_->inside_address(bob, Family::v4), .port = sip_port}},
                 {.user = "bob",
                  .contact = {.address = world_->inside_address(bob, Family::v6), .port = sip_port}}}});
    }

    Result<Sipp> start_callee(const std::string& scenario, unsigned calls) {
        return Sipp::start(world_->inside(), {.scenario = scenario,
                                              .local = {.address = phone(), .port = sip_port},
                                              .remote = {},
                                              .calls = calls});
    }

    Result<Sipp> start_caller(const std::string& scenario, unsigned calls, std::chrono::milliseconds talk) {
        return Sipp::start(world_->outside(), {.scenario = scenario,
                                               .local = {.address = caller(), .port = sip_port},
                                               .remote = proxy(),
                                               .calls = calls,
                                               .rate = 100,
                                               .talk = talk});
    }

    std::optional<World> world_;
};

std::string name_of(const testing::TestParamInfo<std::tuple<Mode, Family>>& info) {
    return fmt::format("{}_{}", std::get<0>(info.param) == Mode::bridge ? "bridge" : "router",
                       std::get<1>(info.param) == Family::v4 ? "v4" : "v6");
}

INSTANTIATE_TEST_SUITE_P(All, PlainWorld,
                         testing::Combine(testing::Values(Mode::bridge, Mode::router),
                                          testing::Values(Family::v4, Family::v6)),
                         name_of);

TEST_P(PlainWorld, SippCallsThroughKamailioAndEveryRtpPacketArrives) {
    constexpr unsigned calls = 20;
    constexpr std::uint16_t first_port = 20000;
    auto kamailio = start_kamailio();
    ASSERT_OK(kamailio);
    auto capture = Capture::start(world_->inside(), inside_port);
    ASSERT_OK(capture);
    auto callee = start_callee("uas", calls);
    ASSERT_OK(callee);

    std::vector<RtpStream> outwards;
    std::vector<RtpStream> inwards;
    for (unsigned call = 0; call < calls; ++call) {
        const auto port = static_cast<std::uint16_t>(first_port + 4 * call);
        const Endpoint left{.address = caller(), .port = port};
        const Endpoint right{.address = phone(), .port = port};
        outwards.push_back({.local = right, .remote = left});
        inwards.push_back({.local = left, .remote = right});
    }
    auto caller_media = RtpEndpoint::open(world_->outside(), inwards);
    auto phone_media = RtpEndpoint::open(world_->inside(), outwards);
    ASSERT_OK(caller_media);
    ASSERT_OK(phone_media);
    caller_media->send_all();
    phone_media->send_all();

    auto sipp = start_caller("uac", calls, 2000ms);
    ASSERT_OK(sipp);
    auto counts = sipp->wait(30s);
    ASSERT_OK(counts);
    EXPECT_EQ(counts->successful, calls) << sipp->error_log();
    EXPECT_EQ(counts->failed, 0U);
    auto callee_counts = callee->wait(10s);
    ASSERT_OK(callee_counts);
    EXPECT_EQ(callee_counts->successful, calls) << callee->error_log();

    caller_media->pause_all();
    phone_media->pause_all();
    std::this_thread::sleep_for(200ms);
    for (unsigned call = 0; call < calls; ++call) {
        const auto left = caller_media->counts(call);
        const auto right = phone_media->counts(call);
        EXPECT_GE(left.sent, 100U);
        EXPECT_EQ(left.received, right.sent) << "stream " << call;
        EXPECT_EQ(right.received, left.sent) << "stream " << call;
        EXPECT_EQ(left.received_octets, right.sent_octets);
        EXPECT_EQ(left.lost + right.lost + left.foreign + right.foreign + left.duplicates, 0U);
        EXPECT_GE(right.rtcp_received, 2U);
    }
    ASSERT_OK(capture->stop());
    auto seen = capture->count(fmt::format("rtp && {}.src == {}", ip(), caller().to_string()));
    ASSERT_OK(seen);
    EXPECT_EQ(*seen, phone_media->total().received);
    auto offers =
        capture->fields(fmt::format("sip.Method == \"INVITE\" && {}.src == {}", ip(), caller().to_string()),
                        {"sdp.media.port"});
    ASSERT_OK(offers);
    std::set<std::string> ports;
    for (const auto& row : *offers) {
        ports.insert(row.front());
    }
    std::set<std::string> expected;
    for (const auto& stream : inwards) {
        expected.insert(std::to_string(stream.local.port));
    }
    EXPECT_EQ(ports, expected);
    EXPECT_GT(kamailio->process().cpu_time(), 1ms);
}

TEST_P(PlainWorld, SippMovesItsMediaAndGivesUp) {
    auto kamailio = start_kamailio();
    ASSERT_OK(kamailio);
    for (const auto& [caller_does, callee_does] :
         {std::pair{"uac_reinvite", "uas"}, std::pair{"uac_cancel", "uas_ringing"}}) {
        auto callee = start_callee(callee_does, 5);
        ASSERT_OK(callee);
        auto sipp = start_caller(caller_does, 5, 300ms);
        ASSERT_OK(sipp);
        auto counts = sipp->wait(30s);
        ASSERT_OK(counts);
        EXPECT_EQ(counts->successful, 5U) << caller_does << sipp->error_log();
        auto callee_counts = callee->wait(30s);
        ASSERT_OK(callee_counts);
        EXPECT_EQ(callee_counts->successful, 5U) << callee_does << callee->error_log();
    }
}

TEST_P(PlainWorld, BaresipTalksBothWays) {
    auto kamailio = start_kamailio();
    ASSERT_OK(kamailio);
    auto inner = world_->add_host(Side::inside, carols_host);
    ASSERT_OK(inner);
    auto outer = world_->add_host(Side::outside, daves_host);
    ASSERT_OK(outer);
    auto carol = Baresip::start(*inner, {.user = "carol", .local = phone(carols_host), .proxy = proxy()});
    ASSERT_OK(carol);
    auto dave = Baresip::start(*outer, {.user = "dave", .local = caller(daves_host), .proxy = proxy()});
    ASSERT_OK(dave);
    auto capture = Capture::start(world_->outside(), outside_port);
    ASSERT_OK(capture);

    ASSERT_OK(dave->dial(carol->uri()));
    ASSERT_OK(carol->wait_for("CALL_ESTABLISHED", 5s));
    ASSERT_OK(dave->wait_for("CALL_ESTABLISHED", 5s));
    std::this_thread::sleep_for(3s);
    ASSERT_OK(dave->hang_up());
    ASSERT_OK(carol->wait_for("CALL_CLOSED", 5s));

    // Three seconds of our voice: well above the noise of an empty line, and complete but for the jitter
    // buffer.
    for (auto* listener : {&*carol, &*dave}) {
        auto heard = listener->heard();
        ASSERT_OK(heard);
        EXPECT_GT(heard->size(), 2U * audio_rate);
        EXPECT_GT(loudness(*heard), 0.7 * loudness(speech_like(3s)));
    }
    ASSERT_OK(capture->stop());
    for (const auto& [from, to] : {std::pair{caller(daves_host), phone(carols_host)},
                                   std::pair{phone(carols_host), caller(daves_host)}}) {
        auto packets = capture->fields(fmt::format("rtp.p_type == 8 && {0}.src == {1} && {0}.dst == {2}",
                                                   ip(), from.to_string(), to.to_string()),
                                       {"rtp.seq"});
        ASSERT_OK(packets);
        EXPECT_GE(packets->size(), 130U);
    }
}

TEST_P(PlainWorld, AgentsSayExactlyWhatTheTestSays) {
    auto kamailio = start_kamailio();
    ASSERT_OK(kamailio);
    auto caller_agent = SipAgent::create(world_->outside(), {.address = caller(), .port = 0});
    ASSERT_OK(caller_agent);
    auto phone_agent = SipAgent::create(world_->inside(), {.address = phone(), .port = sip_port});
    ASSERT_OK(phone_agent);

    auto invite = caller_agent->request("INVITE", "eve", sip_uri("bob", proxy().address));
    invite.body = sdp({.address = caller(), .port = 40000});
    ASSERT_OK(caller_agent->send(proxy(), invite.text()));
    auto received = phone_agent->receive_request("INVITE", 2s);
    ASSERT_TRUE(received);
    EXPECT_EQ(header_of(received->text, "Call-ID"), invite.call_id);
    EXPECT_EQ(body_of(received->text), invite.body);
    EXPECT_EQ(media_of(received->text), (Endpoint{.address = caller(), .port = 40000}));

    const std::string answer = sdp({.address = phone(), .port = 50000});
    const auto ok = response_text(received->text, 200, "OK", "bobs-tag", phone_agent->local(), answer);
    ASSERT_OK(phone_agent->send(received->from, ok));
    auto accepted = caller_agent->receive_final("INVITE", 2s);
    ASSERT_TRUE(accepted);
    EXPECT_EQ(status_of(accepted->text), 200);
    EXPECT_EQ(body_of(accepted->text), answer);

    ASSERT_OK(caller_agent->send(proxy(), in_dialog(invite, accepted->text, "ACK", unique_branch()).text()));
    EXPECT_TRUE(phone_agent->receive_request("ACK", 2s));
    ASSERT_OK(caller_agent->send(proxy(), in_dialog(invite, accepted->text, "BYE", unique_branch()).text()));
    auto bye = phone_agent->receive_request("BYE", 2s);
    ASSERT_TRUE(bye);
    EXPECT_EQ(tag_of(header_of(bye->text, "To").value_or("")), "bobs-tag");
    ASSERT_OK(phone_agent->send(bye->from, response_text(bye->text, 200, "OK")));
    EXPECT_TRUE(caller_agent->receive_final("BYE", 2s));
}

TEST_P(PlainWorld, RtpCountsForeignAndMissingPackets) {
    const Endpoint left{.address = caller(), .port = 20000};
    const Endpoint right{.address = phone(), .port = 20000};
    auto sender = RtpEndpoint::open(world_->outside(), {{.local = left, .remote = right, .rate = 2.0}});
    ASSERT_OK(sender);
    sender->send_all();
    std::this_thread::sleep_for(300ms); // into a closed port: these are lost for good, and before the first
    auto receiver = RtpEndpoint::open(world_->inside(), {{.local = right, .remote = left}});
    auto intruder = RtpEndpoint::open(
        world_->outside(), {{.local = {.address = caller(host::intruder), .port = 20000}, .remote = right}});
    ASSERT_OK(receiver);
    ASSERT_OK(intruder);
    intruder->send_all();
    std::this_thread::sleep_for(1s);
    sender->pause_all();
    intruder->pause_all();
    std::this_thread::sleep_for(100ms);
    const auto counts = receiver->counts(0);
    EXPECT_GE(counts.received, 80U); // twice 50 in a second
    EXPECT_LE(counts.received, 120U);
    EXPECT_LT(counts.received, sender->total().sent);
    EXPECT_EQ(counts.lost, 0U);
    EXPECT_EQ(counts.foreign, intruder->total().sent);
    EXPECT_GE(counts.foreign, 40U);
}

} // namespace
} // namespace stem::lab
