// SPDX-License-Identifier: Apache-2.0
// Server and client over a real unix socket, in front of a backend that tests own.
#include "ctl/api/client.h"
#include "ctl/api/routes.h"
#include "ctl/api/server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stem/unique_fd.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace stem::api {
namespace {

namespace json = boost::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class FakeBackend : public Backend {
  public:
    Now now() override {
        return {.monotonic_ns = 100'000'000'000U, .realtime_ns = 1'772'366'400'000'000'000U};
    }
    json::object status() override { return {{"version", "test"}}; }
    std::vector<call::DialogInfo> calls() override { return dialogs; }
    bool drop_call(std::uint64_t id) override {
        dropped.push_back(id);
        return id == 0x17;
    }
    std::vector<tcp::ConnectionInfo> connections() override { return followed; }
    bool reset_connection(std::uint64_t id) override { return id == 0x2a; }
    std::string metrics() override { return "stem_up 1\n"; }
    json::object alarms() override { return {{"alarms", json::array{}}}; }
    Result<> add_trunk(const Address& peer) override {
        trunks.push_back(peer);
        return {};
    }
    bool remove_trunk(const Address& peer) override { return std::erase(trunks, peer) > 0; }
    Response security_manager(const Request& request) override {
        asked = request;
        return {.status = 201, .body = R"({"name":"bob"})"};
    }

    std::vector<call::DialogInfo> dialogs;
    std::vector<tcp::ConnectionInfo> followed;
    std::vector<std::uint64_t> dropped;
    std::vector<Address> trunks;
    Request asked;
};

call::DialogInfo a_call() {
    call::DialogInfo dialog;
    dialog.id = 0x17;
    dialog.state = "up";
    dialog.direction = STEM_INBOUND;
    dialog.caller = "sip:alice@example.org";
    dialog.callee = "sip:bob@example.net";
    dialog.call_id = "c1@example.org";
    dialog.decision = "no profile";
    dialog.started_ns = 40'000'000'000U;
    dialog.answered_ns = 50'000'000'000U;
    call::MediaInfo media{};
    media.key.src = Address::parse("192.0.2.1")->raw();
    media.key.dst = Address::parse("2001:db8::2")->raw();
    media.key.sport = 4000;
    media.key.dport = 4002;
    media.key.direction = STEM_OUTBOUND;
    media.flow.kind = STEM_FLOW_RTP;
    media.flow.packets = 3;
    media.flow.payload_types[0] = 1U << 8U | 1U;
    media.flow.payload_types[1] = 1ULL << (101 - 64);
    media.flow.ns_per_packet = 10'000'000;
    media.flow.ns_per_kib = 102'400'000;
    dialog.media.push_back(media);
    return dialog;
}

class Api : public testing::Test {
  protected:
    Api() {
        char name[] = "/tmp/stem-api-XXXXXX";
        folder_ = ::mkdtemp(name);
        settings_ = {
            .socket = folder_ / "stemd.sock", .connections = 4, .timeout = std::chrono::milliseconds(300)};
    }
    ~Api() override {
        stop();
        std::filesystem::remove_all(folder_);
    }

    void start() {
        auto server = Server::listen(loop_, settings_,
                                     [this](const Request& request) { return answer(backend_, request); });
        ASSERT_TRUE(server) << server.error().message();
        server_ = std::move(*server);
        thread_ = std::jthread([this] {
            const auto forever = boost::asio::make_work_guard(loop_);
            loop_.run();
        });
    }

    void stop() {
        if (thread_.joinable()) {
            boost::asio::post(loop_, [this] {
                server_.reset();
                loop_.stop();
            });
            thread_.join();
        }
        server_.reset();
    }

    Response ask(const std::string& method, const std::string& target, const std::string& body = "") {
        const auto response = Client(settings_.socket, "test").ask({method, target, body});
        EXPECT_TRUE(response) << response.error().message();
        return response.value_or(Response{.status = 0});
    }

    // What the server sends back to these bytes, until it closes.
    std::string raw(std::string_view bytes, bool close_writing = false) {
        const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        settings_.socket.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
            return "not connected";
        }
        if (::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
            return "not sent";
        }
        if (close_writing) {
            ::shutdown(fd.get(), SHUT_WR);
        }
        std::string all;
        std::array<char, 4096> part{};
        for (ssize_t got = 0; (got = ::recv(fd.get(), part.data(), part.size(), 0)) > 0;) {
            all.append(part.data(), static_cast<std::size_t>(got));
        }
        return all;
    }

    std::filesystem::path folder_;
    ServerSettings settings_;
    FakeBackend backend_;
    boost::asio::io_context loop_;
    std::unique_ptr<Server> server_;
    std::jthread thread_;
};

TEST_F(Api, GivesStatusAndMetrics) {
    start();
    const Response status = ask("GET", "/v1/status");
    EXPECT_EQ(status.status, 200);
    EXPECT_EQ(status.content_type, "application/json");
    EXPECT_EQ(status.body, R"({"version":"test"})");
    const Response metrics = ask("GET", "/metrics");
    EXPECT_EQ(metrics.body, "stem_up 1\n");
    EXPECT_THAT(metrics.content_type, StartsWith("text/plain"));
}

TEST_F(Api, DescribesACall) {
    backend_.dialogs.push_back(a_call());
    start();
    const json::value list = json::parse(ask("GET", "/v1/calls").body);
    ASSERT_EQ(list.at("calls").as_array().size(), 1U);
    const json::value call = json::parse(ask("GET", "/v1/calls/17").body);
    EXPECT_EQ(list.at("calls").at(0), call);
    EXPECT_EQ(call.at("id"), "17");
    EXPECT_EQ(call.at("direction"), "inbound");
    EXPECT_EQ(call.at("started"), "2026-03-01T11:59:00Z");
    EXPECT_EQ(call.at("age_seconds"), 60.0);
    EXPECT_EQ(call.at("talk_seconds"), 50.0);
    EXPECT_TRUE(call.at("target").is_null());
    const json::value& media = call.at("media").at(0);
    EXPECT_EQ(media.at("from"), "192.0.2.1:4000");
    EXPECT_EQ(media.at("to"), "[2001:db8::2]:4002");
    EXPECT_EQ(media.at("direction"), "outbound");
    EXPECT_EQ(media.at("packets"), 3);
    EXPECT_TRUE(media.at("silent_seconds").is_null());
    EXPECT_EQ(json::serialize(media.at("payload_types")), "[0,8,101]");
    EXPECT_EQ(media.at("allowed_packets_per_second"), 100);
    EXPECT_EQ(media.at("allowed_bytes_per_second"), 10000);
}

TEST_F(Api, DropsACall) {
    start();
    EXPECT_EQ(ask("POST", "/v1/calls/17/drop").status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/calls/17").status, 200);
    const Response missing = ask("DELETE", "/v1/calls/18");
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(json::parse(missing.body).at("error").at("message"), "there is no call 18");
    EXPECT_THAT(backend_.dropped, ElementsAre(0x17, 0x17, 0x18));
}

TEST_F(Api, ListsAndResetsConnections) {
    tcp::ConnectionInfo connection;
    connection.id = 0x2a;
    connection.phase = "open";
    connection.ends.outside = {.address = Address::parse("203.0.113.7").value(), .port = 40112};
    connection.ends.inside = {.address = Address::parse("192.0.2.50").value(), .port = 5060};
    connection.ends.served_by = connection.ends.inside;
    connection.since_ns = 90'000'000'000U;
    connection.stream[STEM_OUTBOUND].messages = 7;
    backend_.followed = {connection};
    start();
    const auto listed = ask("GET", "/v1/connections");
    EXPECT_EQ(listed.status, 200);
    const auto one = json::parse(listed.body).at("connections").at(0);
    EXPECT_EQ(one.at("id"), "2a");
    EXPECT_EQ(one.at("outside"), "203.0.113.7:40112");
    EXPECT_TRUE(one.at("served_by").is_null());
    EXPECT_EQ(one.at("age_seconds").as_double(), 10.0);
    EXPECT_EQ(one.at("outbound").at("messages"), 7);
    EXPECT_EQ(ask("DELETE", "/v1/connections/2a").status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/connections/2b").status, 404);
    EXPECT_EQ(ask("DELETE", "/v1/connections/xyz").status, 400);
    EXPECT_EQ(ask("GET", "/v1/connections/2a").status, 405);
    EXPECT_EQ(ask("POST", "/v1/connections").status, 405);
}

TEST_F(Api, NamesTrunksAndTellsAlarms) {
    start();
    EXPECT_EQ(ask("GET", "/v1/alarms").body, R"({"alarms":[]})");
    EXPECT_EQ(ask("POST", "/v1/alarms").status, 405);
    EXPECT_EQ(ask("PUT", "/v1/peers/2001:db8::9").body, R"({"address":"2001:db8::9"})");
    EXPECT_EQ(ask("PUT", "/v1/peers/192.0.2.9").status, 200);
    EXPECT_EQ(ask("GET", "/v1/peers/192.0.2.9").status, 405);
    EXPECT_EQ(ask("PUT", "/v1/peers/nobody").status, 400);
    EXPECT_EQ(ask("DELETE", "/v1/peers/192.0.2.9").status, 200);
    EXPECT_EQ(ask("DELETE", "/v1/peers/192.0.2.9").status, 404);
    EXPECT_THAT(backend_.trunks, ElementsAre(*Address::parse("2001:db8::9")));
}

TEST_F(Api, RefusesWhatItDoesNotKnow) {
    start();
    EXPECT_EQ(ask("GET", "/").status, 404);
    EXPECT_EQ(ask("GET", "/v1/calls/18").status, 404);
    EXPECT_EQ(ask("GET", "/v1/calls/17/media").status, 404);
    EXPECT_EQ(ask("GET", "/v1/calls/x7").status, 400);
    EXPECT_EQ(ask("GET", "/v1/calls/99999999999999999999").status, 400);
    EXPECT_EQ(ask("POST", "/v1/status").status, 405);
    EXPECT_EQ(ask("GET", "/v1/calls/17/drop").status, 405);
    EXPECT_TRUE(backend_.dropped.empty());
}

TEST_F(Api, PassesTheRestToTheSecurityManager) {
    start();
    const Response made = ask("PUT", "/v1/users/bob?x=1", R"({"uris":[]})");
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.body, R"({"name":"bob"})");
    EXPECT_EQ(backend_.asked.method, "PUT");
    EXPECT_EQ(backend_.asked.target, "/v1/users/bob?x=1");
    EXPECT_EQ(backend_.asked.path(), "/v1/users/bob");
    EXPECT_EQ(backend_.asked.body, R"({"uris":[]})");
}

TEST_F(Api, MustTurnsRefusalsIntoErrors) {
    start();
    const Client client(settings_.socket, "test");
    const auto refused = client.must({"GET", "/v1/calls/18", ""});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, 404);
    EXPECT_THAT(refused.error().message(), HasSubstr("there is no call 18"));
    const auto wrong = client.must({"PUT", "/v1/calls", ""});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, 405);
    EXPECT_TRUE(client.must({"GET", "/v1/status", ""}));
}

TEST_F(Api, BoundsBodyHeaderAndTime) {
    settings_.body_limit = 1000;
    start();
    EXPECT_EQ(ask("PUT", "/v1/users/bob", std::string(1000, ' ')).status, 201);
    const Response long_body = ask("PUT", "/v1/users/bob", std::string(1001, ' '));
    EXPECT_EQ(long_body.status, 413);
    EXPECT_THAT(long_body.body, HasSubstr("1000 octets"));
    EXPECT_THAT(raw("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"),
                StartsWith("HTTP/1.1 431"));
    EXPECT_THAT(raw("INVITE sip:bob@example.org SIP/2.0\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("not an HTTP/1.1 request")));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(raw("GET /v1/status HT"), ""); // never finished: closed by the timeout
    EXPECT_GE(std::chrono::steady_clock::now() - begin, settings_.timeout);
    EXPECT_EQ(ask("GET", "/v1/status").status, 200);
}

TEST_F(Api, KeepsAConnectionForSeveralRequests) {
    start();
    const std::string both = raw("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
                                 "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(both, AllOf(HasSubstr(R"({"version":"test"})"), HasSubstr("stem_up 1")));
}

TEST_F(Api, BoundsConnections) {
    start();
    std::vector<UniqueFd> idle;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    settings_.socket.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
    for (unsigned i = 0; i < settings_.connections; ++i) {
        idle.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::connect(idle.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
                  0);
    }
    EXPECT_FALSE(Client(settings_.socket, "test").ask({"GET", "/v1/status", ""}));
    idle.clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(ask("GET", "/v1/status").status, 200);
}

TEST_F(Api, SocketHasItsModeAndGoesAway) {
    settings_.mode = 0640;
    start();
    struct stat status{};
    ASSERT_EQ(::stat(settings_.socket.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0640U);
    stop();
    EXPECT_FALSE(std::filesystem::exists(settings_.socket));
    const auto away = Client(settings_.socket, "east").ask({"GET", "/v1/status", ""});
    ASSERT_FALSE(away);
    EXPECT_THAT(away.error().message(), HasSubstr("is stemd running? start it with: stemd --instance east"));
}

TEST_F(Api, ReplacesADeadSocketAndNothingElse) {
    {
        const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        settings_.socket.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
        ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    }
    const auto refused = Client(settings_.socket, "test").ask({"GET", "/v1/status", ""});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("is stemd running?"));
    start();
    EXPECT_EQ(ask("GET", "/v1/status").status, 200);
    stop();
    std::ofstream(settings_.socket) << "somebody's file";
    const auto server = Server::listen(loop_, settings_, [](const Request&) { return Response{}; });
    ASSERT_FALSE(server);
    EXPECT_THAT(server.error().message(), HasSubstr("no socket"));
    EXPECT_TRUE(std::filesystem::exists(settings_.socket));
}

TEST_F(Api, TooLongAPathIsAnError) {
    settings_.socket = folder_ / std::string(120, 's');
    const auto server = Server::listen(loop_, settings_, [](const Request&) { return Response{}; });
    ASSERT_FALSE(server);
    EXPECT_THAT(server.error().message(), HasSubstr("107 octets"));
    EXPECT_FALSE(Client(settings_.socket, "test").ask({"GET", "/", ""}));
}

} // namespace
} // namespace stem::api
