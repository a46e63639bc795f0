// SPDX-License-Identifier: Apache-2.0
// SIP over TCP through an attached STEM: the kernel's TCP, SIPp and baresip as peers.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <thread>
#include <tuple>

#include "demo/stage.h"
#include "lab/audio.h"
#include "lab/bad_wire.h"
#include "lab/baresip.h"
#include "lab/sip_agent.h"
#include "lab/sip_stream.h"
#include "lab/sipp.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;
using lab::SipListener;
using lab::SipStream;

class TcpCalls : public testing::TestWithParam<lab::WorldKind> {
  protected:
    void set_up(const std::string& config = "", bool kamailio_tcp = false, bool fallback_open = false) {
        auto stage = Stage::set_up({.mode = std::get<0>(GetParam()),
                                    .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                                    .config = config,
                                    .fallback_open = fallback_open,
                                    .tcp = kamailio_tcp});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
    }
    // A connection from outside to the phone of erin.
    void connect() {
        if (!listener_) {
            auto listener = SipListener::create(stage_->world().inside(), erin());
            ASSERT_OK(listener);
            listener_.emplace(std::move(*listener));
        }
        auto client = SipStream::connect(stage_->world().outside(), {.address = caller(), .port = 0}, erin());
        ASSERT_OK(client);
        auto server = listener_->accept(3s);
        ASSERT_TRUE(server);
        EXPECT_EQ(server->remote(), client->local()) << "the phone sees the caller's own address";
        client_.emplace(std::move(*client));
        server_.emplace(std::move(*server));
    }
    [[nodiscard]] lab::Family family() const { return std::get<1>(GetParam()); }
    [[nodiscard]] Endpoint erin() const {
        return {.address = stage_->world().inside_address(phone::erin, family()), .port = 5060};
    }
    [[nodiscard]] Endpoint carol() const {
        return {.address = stage_->world().inside_address(phone::carol, family()), .port = 5060};
    }
    [[nodiscard]] Endpoint proxy() const {
        return {.address = stage_->world().proxy(family()), .port = 5060};
    }
    [[nodiscard]] Address caller(unsigned host = lab::host::first_caller) const {
        return stage_->world().outside_address(host, family());
    }
    [[nodiscard]] lab::SipRequest invite_of(const SipStream& stream, const std::string& user) const {
        auto invite = stream.request("INVITE", "alice", lab::sip_uri(user, proxy().address));
        invite.body = lab::sdp({.address = caller(), .port = 24000});
        return invite;
    }
    // A call over the connection: INVITE, 200, ACK, BYE, 200.
    void call_and_hang_up(const std::string& user = "erin") {
        const auto invite = invite_of(*client_, user);
        const Endpoint media{.address = erin().address, .port = 26000};
        ASSERT_OK(client_->send(invite.text()));
        const auto offered = server_->receive_request("INVITE", 3s);
        ASSERT_TRUE(offered);
        ASSERT_OK(server_->send(lab::response_text(*offered, 200, "OK", "e1", erin(), lab::sdp(media))));
        const auto ok = client_->receive_final("INVITE", 3s);
        ASSERT_TRUE(ok);
        EXPECT_EQ(lab::status_of(*ok), 200);
        EXPECT_TRUE(stage_->flow({.address = caller(), .port = 24000}, media))
            << "open when the answer arrives";
        auto request = [&](std::string method) {
            auto next = lab::in_dialog(invite, *ok, std::move(method), lab::unique_branch());
            next.transport = "TCP";
            return next.text();
        };
        ASSERT_OK(client_->send(request("ACK")));
        ASSERT_TRUE(server_->receive_request("ACK", 3s));
        ASSERT_OK(client_->send(request("BYE")));
        const auto bye = server_->receive_request("BYE", 3s);
        ASSERT_TRUE(bye);
        ASSERT_OK(server_->send(lab::response_text(*bye, 200, "OK")));
        ASSERT_TRUE(client_->receive_final("BYE", 3s));
    }
    [[nodiscard]] std::uint64_t counted(stem_reason reason) const {
        return stage_->packets(reason, STEM_INBOUND) + stage_->packets(reason, STEM_OUTBOUND);
    }
    [[nodiscard]] bool all_closed() const {
        return lab::eventually(
            [&] { return stage_->flows().value_or(std::vector<kernel::FlowEntry>(1)).empty(); }, 3s);
    }
    // As `stemctl connections` shows them.
    [[nodiscard]] boost::json::array connections() const {
        const auto shown = stage_->stemctl({"connections", "--json"});
        EXPECT_TRUE(shown) << shown.error().message();
        return shown ? boost::json::parse(*shown).at("connections").as_array() : boost::json::array{};
    }

    std::unique_ptr<Stage> stage_;
    std::optional<SipListener> listener_;
    std::optional<SipStream> client_;
    std::optional<SipStream> server_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, TcpCalls, lab::every_world(), lab::name_of_world);

TEST_P(TcpCalls, ACallAndItsMedia) {
    set_up();
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    ASSERT_NO_FATAL_FAILURE(call_and_hang_up());
    EXPECT_TRUE(all_closed());
    EXPECT_GT(counted(STEM_TCP_TAKEN), 8U);
    EXPECT_EQ(counted(STEM_TCP_CHECKSUM), 0U);
    client_->close_writing();
    EXPECT_EQ(server_->wait_for_end(2s), SipStream::End::closed);
    server_->close_writing();
    EXPECT_EQ(client_->wait_for_end(2s), SipStream::End::closed);
}

TEST_P(TcpCalls, OneOctetASegmentAndManyMessagesInOne) {
    set_up();
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    const auto options = client_->request("OPTIONS", "alice", lab::sip_uri("erin", proxy().address)).text();
    ASSERT_OK(client_->send_in_pieces(options, 1));
    EXPECT_EQ(server_->receive(5s), options);
    std::string all;
    std::vector<std::string> messages;
    for (int i = 0; i < 12; ++i) {
        messages.push_back(
            client_->request("OPTIONS", "alice", lab::sip_uri("erin", proxy().address)).text());
        all += messages.back();
    }
    ASSERT_OK(client_->send(all));
    for (const auto& message : messages) {
        EXPECT_EQ(server_->receive(3s), message);
    }
    // Larger than a segment, and than a frame of AF_XDP.
    auto large = client_->request("MESSAGE", "alice", lab::sip_uri("erin", proxy().address));
    large.content_type = "text/plain";
    large.body = std::string(6000, 'b');
    ASSERT_OK(client_->send(large.text()));
    EXPECT_EQ(server_->receive(3s), large.text());
    // Keep-alives (RFC 5626 3.5.1): a ping and its pong.
    ASSERT_OK(client_->send("\r\n\r\n"));
    EXPECT_EQ(server_->receive_octets(4, 2s), "\r\n\r\n");
    ASSERT_OK(server_->send("\r\n"));
    EXPECT_EQ(client_->receive_octets(2, 2s), "\r\n");
}

TEST_P(TcpCalls, AHeldInviteIsDelayedAndOthersPass) {
    set_up("[sm]\ndrill_delay_ms = 1500\n");
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    const auto invite = invite_of(*client_, "erin");
    const auto before = std::chrono::steady_clock::now();
    ASSERT_OK(client_->send(invite.text()));
    const auto trying = client_->receive(1s);
    ASSERT_TRUE(trying) << "100 Trying in the stream, when the decision takes its time";
    EXPECT_EQ(lab::status_of(*trying), 100);
    const auto options = client_->request("OPTIONS", "alice", lab::sip_uri("erin", proxy().address)).text();
    ASSERT_OK(client_->send(options));
    EXPECT_EQ(server_->receive(1s), options) << "nobody waits for another's decision";
    EXPECT_EQ(server_->receive(3s), invite.text()) << "byte for byte";
    EXPECT_GE(std::chrono::steady_clock::now() - before, 1400ms);
}

TEST_P(TcpCalls, AHeldInviteIsCancelledInTheStream) {
    set_up("[sm]\ndrill_delay_ms = 3000\n");
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    auto invite = invite_of(*client_, "erin");
    ASSERT_OK(client_->send(invite.text()));
    auto cancel = lab::cancel_of(invite);
    cancel.transport = "TCP";
    ASSERT_OK(client_->send(cancel.text()));
    const auto cancelled = client_->receive_final("CANCEL", 1s);
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(lab::status_of(*cancelled), 200);
    const auto terminated = client_->receive_final("INVITE", 1s);
    ASSERT_TRUE(terminated);
    EXPECT_EQ(lab::status_of(*terminated), 487);
    ASSERT_OK(client_->send(lab::ack_of_failure(invite, *terminated).text()));
    EXPECT_FALSE(server_->receive(4s)) << "the phone never hears of it, also when the decision comes";
}

// Rejected, forwarded and let in, one after the other: the numbers are right for the rest of the connection.
TEST_P(TcpCalls, DecisionsChangeTheStreamAndItGoesOn) {
    set_up();
    ASSERT_TRUE(stage_);
    ASSERT_OK(stage_->stemctl({"profile", "add", "busy"}));
    ASSERT_OK(stage_->stemctl({"profile", "rule", "add", "busy", "--reject", "486"}));
    ASSERT_OK(stage_->stemctl({"user", "set", "bob", "--profile", "busy"}));
    ASSERT_NO_FATAL_FAILURE(connect());
    for (int round = 0; round < 3; ++round) {
        const auto rejected = invite_of(*client_, "bob");
        ASSERT_OK(client_->send(rejected.text()));
        const auto answer = client_->receive_final("INVITE", 2s);
        ASSERT_TRUE(answer);
        EXPECT_EQ(lab::status_of(*answer), 486);
        ASSERT_OK(client_->send(lab::ack_of_failure(rejected, *answer).text()));

        const auto forwarded = invite_of(*client_, "dave");
        ASSERT_OK(client_->send(forwarded.text()));
        const auto arrived = server_->receive_request("INVITE", 2s);
        ASSERT_TRUE(arrived);
        EXPECT_TRUE(arrived->starts_with("INVITE sip:carol@")) << *arrived;
        ASSERT_OK(server_->send(lab::response_text(*arrived, 404, "Not Found", "x")));
        ASSERT_TRUE(client_->receive_final("INVITE", 2s));

        ASSERT_NO_FATAL_FAILURE(call_and_hang_up());
    }
    EXPECT_EQ(counted(STEM_SM_REJECTED), 3U);
    EXPECT_EQ(counted(STEM_SIP_REWRITTEN), 3U);
    const auto shown = connections();
    ASSERT_EQ(shown.size(), 1U);
    EXPECT_EQ(shown[0].at("state").as_string(), "open");
    EXPECT_GT(shown[0].at("inbound").at("discarded_octets").to_number<int>(), 500);
    EXPECT_EQ(shown[0].at("inbound").at("held_octets"), 0);
}

TEST_P(TcpCalls, AStreamThatCannotBeFollowedIsResetForBoth) {
    set_up();
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    ASSERT_OK(client_->send("POST /sip HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_EQ(client_->wait_for_end(3s), SipStream::End::reset);
    EXPECT_EQ(server_->wait_for_end(3s), SipStream::End::reset);
    EXPECT_EQ(server_->receive_octets(1, 0s), "") << "nothing of it arrived";
    EXPECT_EQ(counted(STEM_TCP_FRAMING), 1U);
    ASSERT_NO_FATAL_FAILURE(connect()); // the next one is welcome
    ASSERT_NO_FATAL_FAILURE(call_and_hang_up());
}

TEST_P(TcpCalls, ASlowMessageIsReset) {
    set_up("[tcp]\nmessage_seconds = 1\n");
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    ASSERT_OK(client_->send("OPTIONS sip:erin@example.org SIP/2.0\r\nVia: "));
    EXPECT_EQ(client_->wait_for_end(4s), SipStream::End::reset);
    EXPECT_EQ(counted(STEM_TCP_SLOW), 1U);
}

TEST_P(TcpCalls, ManyCallsOverOneConnectionAndOneEach) {
    set_up("[sm]\nunknown_user = \"accept\"\n");
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    for (const std::string transport : {"t1", "tn"}) {
        SCOPED_TRACE(transport);
        constexpr unsigned calls = 100;
        auto uas = lab::Sipp::start(world.inside(),
                                    {.scenario = "uas", .local = carol(), .transport = "t1", .calls = calls});
        ASSERT_OK(uas);
        auto uac = lab::Sipp::start(world.outside(), {.scenario = "uac",
                                                      .local = {caller(), 5060},
                                                      .remote = carol(),
                                                      .transport = transport,
                                                      .user = "carol",
                                                      .calls = calls,
                                                      .rate = 50,
                                                      .talk = 1000ms});
        ASSERT_OK(uac);
        const auto counts = uac->wait(60s);
        ASSERT_TRUE(counts) << counts.error().message() << stage_->stemctl({"drops"}).value_or("")
                            << stage_->stemctl({"connections"}).value_or("") << stage_->stemd().last_words();
        EXPECT_EQ(counts->successful, calls) << uac->error_log();
        EXPECT_EQ(counts->failed, 0U) << uac->error_log();
        static_cast<void>(uas->stop());
        EXPECT_TRUE(all_closed());
    }
    EXPECT_EQ(counted(STEM_TCP_CHECKSUM), 0U);
}

TEST_P(TcpCalls, GoesToTheProxyAndComesBackAsTheCalledAddress) {
    set_up();
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    auto at_proxy = SipListener::create(world.inside(), proxy());
    ASSERT_OK(at_proxy);
    ASSERT_OK(stage_->stemctl({"proxy", "set", proxy().to_string()}));
    if (stage_->mode() == lab::Mode::bridge) { // its link address is learned from what it says
        auto agent = lab::SipAgent::create(world.inside(), {.address = proxy().address, .port = 0});
        ASSERT_OK(agent);
        ASSERT_TRUE(lab::eventually(
            [&] {
                static_cast<void>(agent->send({.address = caller(), .port = 9}, "x"));
                const auto shown = stage_->stemctl({"proxy", "show"});
                return shown && shown->find("learned") != std::string::npos;
            },
            5s));
    }
    auto client = SipStream::connect(world.outside(), {.address = caller(), .port = 0}, carol());
    ASSERT_OK(client);
    auto server = at_proxy->accept(3s);
    ASSERT_TRUE(server) << "called carol's address, and the proxy took it";
    EXPECT_EQ(server->remote(), client->local());
    client_.emplace(std::move(*client));
    server_.emplace(std::move(*server));
    ASSERT_NO_FATAL_FAILURE(call_and_hang_up());
    const auto shown = connections();
    ASSERT_EQ(shown.size(), 1U);
    EXPECT_EQ(shown[0].at("inside").as_string(), carol().to_string());
    EXPECT_EQ(shown[0].at("served_by").as_string(), proxy().to_string());
    // To the proxy itself.
    auto direct = SipStream::connect(world.outside(), {.address = caller(), .port = 0}, proxy());
    ASSERT_OK(direct);
    EXPECT_TRUE(at_proxy->accept(3s));
}

TEST_P(TcpCalls, InsidePhoneCallsOut) {
    set_up();
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    const Endpoint carrier{.address = caller(), .port = 5060};
    auto listener = SipListener::create(world.outside(), carrier);
    ASSERT_OK(listener);
    auto phone = SipStream::connect(world.inside(), {.address = erin().address, .port = 0}, carrier);
    ASSERT_OK(phone);
    auto remote = listener->accept(3s);
    ASSERT_TRUE(remote);
    auto invite = phone->request("INVITE", "erin", lab::sip_uri("carrier", carrier.address));
    invite.body = lab::sdp({.address = erin().address, .port = 26000});
    ASSERT_OK(phone->send(invite.text()));
    const auto arrived = remote->receive_request("INVITE", 3s);
    ASSERT_TRUE(arrived);
    ASSERT_OK(remote->send(lab::response_text(*arrived, 200, "OK", "r1", carrier,
                                              lab::sdp({.address = caller(), .port = 24000}))));
    ASSERT_TRUE(phone->receive_final("INVITE", 3s));
    EXPECT_TRUE(
        stage_->flow({.address = caller(), .port = 24000}, {.address = erin().address, .port = 26000}));
}

// stemd is started anew while connections are up: one of which nothing was changed goes on, another is reset.
TEST_P(TcpCalls, OutlivesARestartWhereNothingWasChanged) {
    set_up();
    ASSERT_TRUE(stage_);
    ASSERT_OK(stage_->stemctl({"profile", "add", "busy"}));
    ASSERT_OK(stage_->stemctl({"profile", "rule", "add", "busy", "--reject", "486"}));
    ASSERT_OK(stage_->stemctl({"user", "set", "bob", "--profile", "busy"}));
    ASSERT_NO_FATAL_FAILURE(connect());
    ASSERT_NO_FATAL_FAILURE(call_and_hang_up());
    auto second_client =
        SipStream::connect(stage_->world().outside(), {.address = caller(), .port = 0}, erin());
    ASSERT_OK(second_client);
    auto second_server = listener_->accept(3s);
    ASSERT_TRUE(second_server);
    ASSERT_OK(second_client->send(invite_of(*second_client, "bob").text()));
    ASSERT_TRUE(second_client->receive_final("INVITE", 2s));
    std::this_thread::sleep_for(100ms); // until it is acknowledged
    stage_->stop_stemd();
    EXPECT_EQ(second_client->wait_for_end(2s), SipStream::End::reset);
    EXPECT_EQ(second_server->wait_for_end(2s), SipStream::End::reset);
    ASSERT_OK(stage_->start_stemd());
    ASSERT_NO_FATAL_FAILURE(call_and_hang_up());
    const auto shown = connections();
    ASSERT_EQ(shown.size(), 1U);
    EXPECT_EQ(shown[0].at("state").as_string(), "open");
}

// The same where stemd is killed; but not of a connection that no stemd has followed.
TEST_P(TcpCalls, OutlivesAKillIfItWasFollowed) {
    set_up();
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    ASSERT_NO_FATAL_FAILURE(call_and_hang_up());
    auto second_client =
        SipStream::connect(stage_->world().outside(), {.address = caller(), .port = 0}, erin());
    ASSERT_OK(second_client);
    auto second_server = listener_->accept(3s);
    ASSERT_TRUE(second_server);
    const auto kept = stage_->instance().sip_connections();
    ASSERT_OK(kept);
    EXPECT_EQ(kept->count(), 2U);
    std::this_thread::sleep_for(100ms); // until all is acknowledged
    ASSERT_EQ(::kill(stage_->stemd().pid(), SIGKILL), 0);
    ASSERT_OK(kept->erase({.outside = caller().raw(),
                           .inside = erin().address.raw(),
                           .outside_port = second_client->local().port,
                           .inside_port = erin().port,
                           .zero = {}}));
    ASSERT_OK(stage_->start_stemd());
    ASSERT_NO_FATAL_FAILURE(call_and_hang_up());
    EXPECT_EQ(counted(STEM_TCP_SLOW), 0U);
    ASSERT_OK(second_client->send(invite_of(*second_client, "erin").text()));
    EXPECT_EQ(second_client->wait_for_end(3s), SipStream::End::reset);
    EXPECT_EQ(second_server->receive_octets(1, 0s), "") << "nothing of it arrived";
    ASSERT_OK(second_server->send("\r\n\r\n"));
    EXPECT_EQ(second_server->wait_for_end(3s), SipStream::End::reset);
    const auto shown = connections();
    ASSERT_EQ(shown.size(), 1U);
    EXPECT_EQ(shown[0].at("state").as_string(), "open");
    client_->close_writing();
    server_->close_writing();
    EXPECT_TRUE(lab::eventually([&] { return kept->count() == 0U; }, 3s));
}

// With the fallback open most of a body passes by unjudged, and then stemd is back. What it would take for an
// OPTIONS and an INVITE in its body is the rest of that body to the phone, and an INVITE.
TEST_P(TcpCalls, NoMessageHidesInOneThatBeganUnjudged) {
    set_up("", false, true);
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    ASSERT_NO_FATAL_FAILURE(call_and_hang_up());
    const auto another = [&]() -> std::optional<std::pair<SipStream, SipStream>> {
        auto client = SipStream::connect(stage_->world().outside(), {.address = caller(), .port = 0}, erin());
        auto server = listener_->accept(3s);
        if (!client || !server) {
            return std::nullopt;
        }
        return std::pair(std::move(*client), std::move(*server));
    };
    auto followed = another();
    ASSERT_TRUE(followed);
    std::this_thread::sleep_for(100ms); // until all is acknowledged
    stage_->stop_stemd();
    auto unseen = another();
    ASSERT_TRUE(unseen);
    std::string rest =
        unseen->first.request("OPTIONS", "alice", lab::sip_uri("erin", proxy().address)).text();
    rest = rest.substr(0, rest.find("Content-Length:"));
    for (auto* each : {&*followed, &*unseen}) {
        auto& [client, server] = *each;
        auto begun = client.request("MESSAGE", "alice", lab::sip_uri("erin", proxy().address));
        begun.content_type = "text/plain";
        begun.body = std::string(4000, 'b');
        const std::string text = begun.text();
        const std::string start = text.substr(0, text.size() - 3900);
        ASSERT_OK(client.send(start));
        EXPECT_EQ(server.receive_octets(start.size(), 2s), start) << "passes unjudged";
    }
    std::this_thread::sleep_for(100ms);
    ASSERT_OK(stage_->start_stemd());
    for (auto* each : {&*followed, &*unseen}) {
        auto& [client, server] = *each;
        const std::string invite = invite_of(client, "dave").text(); // whose calls are forwarded
        const std::size_t body = 3900 - rest.size() - std::string_view("Content-Length: 0000\r\n\r\n").size();
        ASSERT_OK(client.send(fmt::format("{}Content-Length: {:04}\r\n\r\n{}{}", rest, body + invite.size(),
                                          std::string(body, 'b'), invite)));
        EXPECT_EQ(client.wait_for_end(5s), SipStream::End::reset);
        EXPECT_EQ(server.receive_octets(1, 0s), "") << "nothing of it arrived";
    }
    ASSERT_NO_FATAL_FAILURE(call_and_hang_up()); // on the one that was silent meanwhile
    const auto shown = connections();
    EXPECT_EQ(
        std::ranges::count(shown, "open", [](const auto& each) { return each.at("state").as_string(); }), 1);
}

TEST_P(TcpCalls, NoMessagePassesIfSipIsNotLoaded) {
    set_up("[parsers]\nload = [\"mgcp\"]\n");
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    ASSERT_OK(
        client_->send(client_->request("OPTIONS", "alice", lab::sip_uri("erin", proxy().address)).text()));
    ASSERT_OK(client_->send(invite_of(*client_, "erin").text()));
    EXPECT_FALSE(server_->receive(1s));
    EXPECT_EQ(counted(STEM_SIP_METHOD), 2U);
}

TEST_P(TcpCalls, OperatorResetsAConnection) {
    set_up();
    ASSERT_TRUE(stage_);
    ASSERT_NO_FATAL_FAILURE(connect());
    const auto shown = connections();
    ASSERT_EQ(shown.size(), 1U);
    EXPECT_EQ(shown[0].at("outside").as_string(), client_->local().to_string());
    const auto text = stage_->stemctl({"connections"});
    ASSERT_OK(text);
    EXPECT_NE(text->find(client_->local().to_string()), std::string::npos) << *text;
    ASSERT_OK(stage_->stemctl({"connections", "reset", std::string(shown[0].at("id").as_string())}));
    EXPECT_EQ(client_->wait_for_end(2s), SipStream::End::reset);
    EXPECT_EQ(server_->wait_for_end(2s), SipStream::End::reset);
    EXPECT_FALSE(stage_->stemctl({"connections", "reset", "fff"}));
}

// Frames are lost, repeated and swapped between the caller and STEM, both ways.
TEST_P(TcpCalls, CallsGoThroughABadWire) {
    set_up();
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    auto wire = lab::Netns::create("bad-wire");
    auto host = lab::Netns::create("far-host");
    ASSERT_OK(wire);
    ASSERT_OK(host);
    ASSERT_OK(lab::connect({.netns = *host, .interface = "eth0"}, {.netns = *wire, .interface = "left"}));
    ASSERT_OK(
        lab::connect({.netns = *wire, .interface = "right"}, {.netns = world.outside(), .interface = "far"}));
    ASSERT_OK(wire->ip("link set left up\nlink set right up\n"));
    ASSERT_OK(world.outside().ip("link set far master lan0\nlink set far up\n"));
    const Address far = caller(lab::host::first_separate + 20);
    const bool v4 = family() == lab::Family::v4;
    ASSERT_OK(host->ip(fmt::format("link set eth0 up\naddr add {}/{} dev eth0{}\n", far.to_string(),
                                   v4 ? 24 : 64, v4 ? "" : " nodad")));
    if (stage_->mode() == lab::Mode::router) {
        ASSERT_OK(host->ip(fmt::format("route add default via {}\n", caller(lab::host::middle).to_string())));
    }
    ASSERT_OK(wire->await_running({"left", "right"}));
    auto bad =
        lab::BadWire::start(*wire, "left", "right",
                            {.lost_percent = 10, .repeated_percent = 10, .swapped_percent = 20, .seed = 7});
    ASSERT_OK(bad);
    auto listener = SipListener::create(world.inside(), erin());
    ASSERT_OK(listener);
    auto client = SipStream::connect(*host, {.address = far, .port = 0}, erin());
    for (int again = 0; again < 3 && !client; ++again) { // its neighbour's address may have been lost, too
        client = SipStream::connect(*host, {.address = far, .port = 0}, erin());
    }
    ASSERT_OK(client);
    auto server = listener->accept(5s);
    ASSERT_TRUE(server);
    for (int i = 0; i < 50; ++i) {
        auto request = client->request("MESSAGE", "alice", lab::sip_uri("erin", proxy().address));
        request.content_type = "text/plain";
        request.body = std::string(static_cast<std::size_t>(i) * 80, static_cast<char>('a' + i % 26));
        ASSERT_OK(client->send(request.text()));
        if (i % 5 == 4) { // in bunches
            continue;
        }
        const auto arrived = server->receive_where(
            [&](std::string_view text) { return lab::header_of(text, "Call-ID") == request.call_id; }, 20s);
        ASSERT_TRUE(arrived) << i;
        EXPECT_EQ(*arrived, request.text());
        ASSERT_OK(server->send(lab::response_text(*arrived, 200, "OK", "e")));
        ASSERT_TRUE(client->receive_where(
            [&](std::string_view text) { return lab::header_of(text, "Call-ID") == request.call_id; }, 20s))
            << i;
    }
    EXPECT_GT(bad->lost(), 10U);
    EXPECT_EQ(connections().size(), 1U);
    EXPECT_EQ(counted(STEM_TCP_SLOW), 0U);
}

TEST_P(TcpCalls, PhonesTalkThroughTheirProxy) {
    set_up("", true);
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    auto bob = lab::Baresip::start(stage_->bob(), {.user = "bob",
                                                   .local = world.inside_address(phone::bob, family()),
                                                   .proxy = proxy(),
                                                   .transport = "tcp"});
    ASSERT_OK(bob);
    auto alice = lab::Baresip::start(stage_->alice(), {.user = "alice",
                                                       .local = world.outside_address(phone::alice, family()),
                                                       .proxy = proxy(),
                                                       .transport = "tcp"});
    ASSERT_OK(alice);
    ASSERT_OK(alice->dial(bob->uri() + ";transport=tcp"));
    ASSERT_OK(alice->wait_for("CALL_ESTABLISHED", 10s));
    ASSERT_OK(bob->wait_for("CALL_ESTABLISHED", 10s));
    std::this_thread::sleep_for(2s);
    ASSERT_OK(alice->hang_up());
    ASSERT_OK(bob->wait_for("CALL_CLOSED", 10s));
    EXPECT_TRUE(all_closed());
    for (const auto* phone : {&*alice, &*bob}) {
        const auto heard = phone->heard();
        ASSERT_OK(heard);
        EXPECT_GT(heard->size(), lab::audio_rate) << "a second of sound";
    }
    EXPECT_GT(counted(STEM_TCP_TAKEN), 10U);
}

} // namespace
} // namespace stem::demo
