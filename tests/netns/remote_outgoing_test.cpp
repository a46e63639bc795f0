// SPDX-License-Identifier: Apache-2.0
// Callers from inside, judged by a Security Manager elsewhere: the challenge crosses the control channel, a
// terminal announces over HTTPS, an administrator comes with a password.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "demo/stage.h"
#include "lab/enclosure.h"
#include "lab/sip_agent.h"
#include "lab/sipp.h"
#include "tests/expect_ok.h"
#include "tests/netns/manager_host.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr const char* password = "correct-horse-battery";

class RemoteOutgoing : public testing::TestWithParam<lab::Family> {
  protected:
    void SetUp() override {
        StageOptions options{.programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD}};
        options.prepare = [&](const lab::World& world) -> Result<> {
            auto host = lab::ManagerHost::create({STEM_STEMCTL, STEM_STEM_SMD}, world.middle());
            if (!host) {
                return std::unexpected(host.error());
            }
            host_.emplace(std::move(*host));
            return host_->start(1, "outgoing = \"challenge\"\n");
        };
        const auto folder = lab::scratch() / "managers";
        const auto issued = folder / "pki" / "issued";
        options.environment = {{"STEM_SM", "https://127.0.0.1:7443"},
                               {"STEM_SM_CERT", issued / "admin-ann.crt"},
                               {"STEM_SM_KEY", issued / "admin-ann.key"},
                               {"STEM_SM_CA", folder / "pki" / "ca.crt"}};
        options.config = fmt::format(
            "[sm]\nmode = \"remote\"\nservers = [\"{}:7443\"]\ncertificate = \"{}\"\nkey = \"{}\"\n"
            "ca = \"{}\"\ncrl = \"{}\"\ncache = \"{}\"\n",
            v6() ? "[::1]" : "127.0.0.1", (issued / "firewall-fw1.crt").string(),
            (issued / "firewall-fw1.key").string(), (folder / "pki" / "ca.crt").string(),
            (folder / "pki" / "ca.crl").string(), (folder / "fw1.snapshot").string());
        auto stage = Stage::set_up(options);
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
        ASSERT_TRUE(lab::eventually(
            [&] { return stage_->stemctl({"status"}).value_or("").contains("sm1 at "); }, 20s));
    }
    void TearDown() override {
        if (host_) {
            const auto log = host_->process(1).errors();
            if (HasFailure()) {
                std::fputs(log.c_str(), stderr);
            }
            EXPECT_THAT(log, Not(HasSubstr(password)));
        }
        stage_.reset();
    }
    [[nodiscard]] bool v6() const { return GetParam() == lab::Family::v6; }
    [[nodiscard]] Endpoint inside(unsigned host) const {
        return {.address = stage_->world().inside_address(host, GetParam()), .port = 5060};
    }
    [[nodiscard]] Endpoint callee() const {
        return {.address = stage_->world().outside_address(lab::host::first_caller, GetParam()),
                .port = 5060};
    }
    // "BODY\nSTATUS"
    [[nodiscard]] std::string curl(const std::string& who, std::vector<std::string> arguments,
                                   const std::string& path) const {
        std::vector<std::string> argv = {"curl",
                                         "-s",
                                         "-k",
                                         "--max-time",
                                         "10",
                                         "-w",
                                         "\n%{http_code}",
                                         "--cert",
                                         host_->issued(who + ".crt"),
                                         "--key",
                                         host_->issued(who + ".key")};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        argv.push_back("https://127.0.0.1:7443" + path);
        return lab::run_command({.name = "curl", .argv = argv, .netns = &stage_->world().middle()})
            .value_or("");
    }

    // Whose terminal has a certificate.
    [[nodiscard]] Result<std::string> add_tom(const Endpoint& phone) const {
        return stage_->stemctl({"user", "add", "tom", "--uri", lab::sip_uri("tom", phone.address)});
    }
    [[nodiscard]] std::string announce(const std::string& who, const std::string& to,
                                       const Endpoint& phone) const {
        const auto body = fmt::format(R"({{"to": "{}", "source": "{}"}})", to, phone.address.to_string());
        return curl(who, {"-d", body}, "/v1/announcements");
    }

    std::unique_ptr<Stage> stage_;
    std::optional<lab::ManagerHost> host_;
};

INSTANTIATE_TEST_SUITE_P(Families, RemoteOutgoing, testing::Values(lab::Family::v4, lab::Family::v6),
                         [](const auto& family) { return family.param == lab::Family::v4 ? "v4" : "v6"; });

TEST_P(RemoteOutgoing, TheChallengeCrossesTheControlChannel) {
    const auto carol = inside(phone::carol);
    ASSERT_OK(stage_->stemctl({"user", "uri", "add", "carol", lab::sip_uri("carol", carol.address)}));
    ASSERT_OK(lab::run_command(
        {.name = "stemctl",
         .argv = {STEM_STEMCTL, "user", "password", "carol", "--stdin", "--algorithm", "MD5"},
         .netns = &stage_->world().middle(),
         .input = password,
         .environment = host_->environment(1)}));
    auto uas =
        lab::Sipp::start(stage_->world().outside(), {.scenario = "uas", .local = callee(), .calls = 3});
    auto uac = lab::Sipp::start(stage_->world().inside(), {.scenario = "uac_authenticated",
                                                           .local = carol,
                                                           .remote = callee(),
                                                           .user = "dave",
                                                           .caller = "carol",
                                                           .password = password,
                                                           .calls = 3,
                                                           .patience = 10s});
    ASSERT_OK(uas);
    ASSERT_OK(uac);
    const auto called = uac->wait(40s);
    ASSERT_OK(called);
    EXPECT_EQ(called->successful, 3U) << uac->error_log();
    const auto metrics = host_->metrics(1);
    EXPECT_THAT(metrics, HasSubstr("stem_auth_total{what=\"challenged\"} 3"));
    EXPECT_THAT(metrics, HasSubstr("stem_auth_total{what=\"admitted\"} 3"));
}

TEST_P(RemoteOutgoing, ATerminalAnnouncesItsCall) {
    const auto phone = inside(phone::erin);
    ASSERT_OK(add_tom(phone));
    auto agent = lab::SipAgent::create(stage_->world().inside(), phone);
    auto far = lab::SipAgent::create(stage_->world().outside(), callee());
    ASSERT_OK(agent);
    ASSERT_OK(far);
    const auto to = lab::sip_uri("dave", callee().address);
    const auto invite = [&] {
        auto made = agent->request("INVITE", "tom", to);
        made.body = lab::sdp({.address = phone.address, .port = 25000});
        return made.text();
    };
    ASSERT_OK(agent->send(callee(), invite()));
    auto answer = agent->receive_final("INVITE", 5s);
    ASSERT_TRUE(answer);
    EXPECT_EQ(lab::status_of(answer->text), 407);

    EXPECT_THAT(announce("terminal-tom", to, phone), HasSubstr("\n201"));
    EXPECT_THAT(announce("gateway-gwen", to, phone), HasSubstr("\n403"));
    EXPECT_THAT(curl("terminal-tom", {}, "/v1/users"), HasSubstr("\n403"));
    ASSERT_OK(agent->send(callee(), invite()));
    EXPECT_TRUE(far->receive_request("INVITE", 5s));
    ASSERT_OK(agent->send(callee(), invite()));
    answer = agent->receive_final("INVITE", 5s);
    ASSERT_TRUE(answer);
    EXPECT_EQ(lab::status_of(answer->text), 407) << "once";
}

// The paper's outgoing call: SYN, INVITE, and the answers, over TCP.
TEST_P(RemoteOutgoing, AnAnnouncedCallGoesOutOverTcp) {
    const auto phone = inside(phone::erin);
    ASSERT_OK(add_tom(phone));
    auto uas = lab::Sipp::start(stage_->world().outside(),
                                {.scenario = "uas", .local = callee(), .transport = "t1", .calls = 0});
    ASSERT_OK(uas);
    const auto successful = [&]() -> std::uint64_t {
        auto uac = lab::Sipp::start(stage_->world().inside(), {.scenario = "uac",
                                                               .local = phone,
                                                               .remote = callee(),
                                                               .transport = "t1",
                                                               .user = "dave",
                                                               .caller = "tom",
                                                               .calls = 1,
                                                               .talk = 300ms,
                                                               .patience = 5s});
        if (!uac) {
            ADD_FAILURE() << uac.error().message();
            return 0;
        }
        const auto called = uac->wait(30s);
        EXPECT_OK(called);
        return called ? called->successful : 0;
    };
    EXPECT_EQ(successful(), 0U) << "nobody has announced it";
    EXPECT_THAT(host_->metrics(1), HasSubstr("stem_auth_total{what=\"challenged\"} 1\n"));
    EXPECT_THAT(announce("terminal-tom", lab::sip_uri("dave", callee().address), phone), HasSubstr("\n201"));
    EXPECT_EQ(successful(), 1U);
    EXPECT_THAT(host_->metrics(1), HasSubstr("stem_auth_total{what=\"announced\"} 1\n"));
    EXPECT_GT(stage_->packets(STEM_TCP_TAKEN, STEM_OUTBOUND), 4U);
}

// Of limits over the control channel: one that refuses, one that warns, and a duration that the firewall
// keeps to.
TEST_P(RemoteOutgoing, LimitsHoldOverTheControlChannel) {
    const auto phone = inside(phone::erin);
    ASSERT_OK(add_tom(phone));
    auto agent = lab::SipAgent::create(stage_->world().inside(), phone);
    auto far = lab::SipAgent::create(stage_->world().outside(), callee());
    ASSERT_OK(agent);
    ASSERT_OK(far);
    const auto to = lab::sip_uri("00881234", callee().address);
    const auto call = [&] {
        EXPECT_THAT(announce("terminal-tom", to, phone), HasSubstr("\n201"));
        auto made = agent->request("INVITE", "tom", to);
        made.body = lab::sdp({.address = phone.address, .port = 25000});
        EXPECT_OK(agent->send(callee(), made.text()));
        return made;
    };
    ASSERT_OK(stage_->stemctl({"limit", "add", "never", "--prefix", "00881", "--calls-per-minute", ":0"}));
    static_cast<void>(call());
    const auto refused = agent->receive_final("INVITE", 5s);
    ASSERT_TRUE(refused);
    EXPECT_EQ(lab::status_of(refused->text), 403);
    EXPECT_FALSE(far->receive_request("INVITE", 300ms));
    ASSERT_OK(stage_->stemctl({"limit", "del", "never"}));

    ASSERT_OK(stage_->stemctl(
        {"limit", "add", "short", "--prefix", "00881", "--calls-per-minute", "0:9", "--duration", ":2"}));
    const auto invite = call();
    const auto arrived = far->receive_request("INVITE", 5s);
    ASSERT_TRUE(arrived);
    const Endpoint far_media{.address = callee().address, .port = 24000};
    ASSERT_OK(far->send(
        arrived->from, lab::response_text(arrived->text, 200, "OK", "f", far->local(), lab::sdp(far_media))));
    const auto ok = agent->receive_final("INVITE", 5s);
    ASSERT_TRUE(ok);
    ASSERT_OK(agent->send(callee(), lab::in_dialog(invite, ok->text, "ACK", lab::unique_branch()).text()));
    EXPECT_TRUE(stage_->flow(far_media, {.address = phone.address, .port = 25000}));
    EXPECT_TRUE(lab::eventually(
        [&] { return !stage_->flow(far_media, {.address = phone.address, .port = 25000}); }, 20s))
        << "it has lasted for two seconds";
    const auto metrics = host_->metrics(1);
    EXPECT_THAT(metrics, HasSubstr("stem_sm_admission_total{what=\"limit_refusals\"} 1\n"));
    EXPECT_THAT(metrics, HasSubstr("stem_sm_admission_total{what=\"limit_warnings\"} 1\n"));
    EXPECT_TRUE(lab::eventually([&] { return host_->metrics(1).contains("stem_sm_calls 0\n"); }, 5s))
        << "and the Security Manager has heard of its end";
}

TEST_P(RemoteOutgoing, AnAdministratorComesWithAPassword) {
    ASSERT_OK(host_->start(2, "", "passwords = \"yes\"\n"));
    const auto ask = [&](std::vector<std::string> arguments, const std::string& path, unsigned number) {
        std::vector<std::string> argv = {"curl", "-s", "-i", "-k", "--max-time", "10"};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        argv.push_back(fmt::format("https://{}:{}{}", v6() ? "[::1]" : "127.0.0.1",
                                   lab::ManagerHost::port(number), path));
        return lab::run_command({.name = "curl", .argv = argv, .netns = &stage_->world().middle()})
            .value_or("");
    };
    const std::string body = fmt::format(R"({{"password": "{}"}})", password);
    EXPECT_THAT(ask({"--cert", host_->issued("admin-ann.crt"), "--key", host_->issued("admin-ann.key"), "-X",
                     "PUT", "-d", body},
                    "/v1/administrators/root", 2),
                HasSubstr(" 204 "));
    const std::string right = fmt::format("root:{}", password);
    EXPECT_THAT(ask({"-u", right}, "/v1/users", 2), HasSubstr(" 200 "));
    EXPECT_THAT(ask({"-u", right}, "/v1/identity", 2), HasSubstr(R"("role":"admin","name":"root")"));
    EXPECT_THAT(ask({"-u", right, "-d", R"({"name": "zoe"})"}, "/v1/users", 2), HasSubstr(" 201 "));
    EXPECT_THAT(ask({"-u", right, "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H",
                     "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="},
                    "/v1/channel", 2),
                HasSubstr(" 404 "))
        << "only certificates make firewalls";
    EXPECT_EQ(ask({"-u", right}, "/v1/users", 1), "") << "not where it is not configured";
    EXPECT_THAT(ask({}, "/v1/users", 2), HasSubstr("WWW-Authenticate: Basic"));
    for (int i = 0; i < 4; ++i) {
        EXPECT_THAT(ask({"-u", "root:a wrong one"}, "/v1/users", 2), HasSubstr(" 401 "));
    }
    EXPECT_THAT(ask({"-u", right}, "/v1/users", 2), HasSubstr(" 429 ")) << "slowed";
    EXPECT_THAT(ask({"-u", "nobody:" + std::string(password)}, "/v1/users", 2), HasSubstr(" 401 "));
    EXPECT_THAT(host_->process(2).errors(), Not(HasSubstr(password)));
    EXPECT_THAT(host_->metrics(2), HasSubstr("stem_smd_total{what=\"logins\"} 4"));
}

} // namespace
} // namespace stem::demo
