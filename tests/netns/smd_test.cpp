// SPDX-License-Identifier: Apache-2.0
// stem-smd judged from outside: openssl s_client, curl and stemctl, on loopback.
#include "lab/enclosure.h"
#include "lab/text_file.h"
#include "tests/expect_ok.h"
#include "tests/netns/smd_fixture.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace stem::smd {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

class Smd : public SmdFixture {
  protected:
    void SetUp() override {
        SmdFixture::SetUp();
        start();
    }
    [[nodiscard]] std::vector<std::string> s_client(const std::string& who,
                                                    std::vector<std::string> more = {}) const {
        std::vector<std::string> argv = {
            "openssl", "s_client", "-connect", place(), "-CAfile", host_->ca(), "-verify_return_error"};
        if (!who.empty()) {
            argv.insert(argv.end(),
                        {"-cert", host_->issued(who + ".crt"), "-key", host_->issued(who + ".key")});
        }
        argv.insert(argv.end(), more.begin(), more.end());
        return argv;
    }
    // What s_client says when `input` is sent, errors included; whatever its exit status.
    [[nodiscard]] std::string talk(const std::vector<std::string>& argv, const std::string& input) const {
        auto process =
            lab::Process::start({.name = "s_client", .argv = argv, .netns = &*netns_, .input = input});
        if (!process) {
            return process.error().message();
        }
        static_cast<void>(process->wait(10s));
        return process->output() + process->errors();
    }
    // Status and body.
    [[nodiscard]] std::string curl(const std::string& who, const std::string& target,
                                   std::vector<std::string> more = {}) const {
        std::vector<std::string> argv = {"curl", "-s", "-k", "--max-time", "8", "-w", "\n%{http_code}"};
        if (!who.empty()) {
            argv.insert(argv.end(),
                        {"--cert", host_->issued(who + ".crt"), "--key", host_->issued(who + ".key")});
        }
        argv.insert(argv.end(), more.begin(), more.end());
        argv.push_back("https://" + place() + target);
        auto process = lab::Process::start({.name = "curl", .argv = argv, .netns = &*netns_});
        if (!process) {
            return process.error().message();
        }
        static_cast<void>(process->wait(10s));
        return process->output();
    }
    [[nodiscard]] bool logged(const std::string& what) const {
        return lab::eventually([&] { return host_->process(1).errors().find(what) != std::string::npos; },
                               5s);
    }
};

INSTANTIATE_TEST_SUITE_P(Families, Smd, testing::Bool(),
                         [](const auto& v6) { return v6.param ? "v6" : "v4"; });

constexpr const char* identity_request = "GET /v1/identity HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

TEST_P(Smd, SpeaksTls13Alone) {
    EXPECT_THAT(talk(s_client("admin-ann", {"-tls1_3", "-ign_eof"}), identity_request),
                testing::AllOf(HasSubstr("TLSv1.3"), HasSubstr("\"role\":\"admin\"")));
    EXPECT_THAT(talk(s_client("admin-ann", {"-tls1_2"}), identity_request),
                testing::AllOf(HasSubstr("protocol version"), Not(HasSubstr("role"))));
    EXPECT_TRUE(logged("unsupported protocol"));
}

TEST_P(Smd, NobodyWithoutACertificate) {
    EXPECT_THAT(talk(s_client("", {"-ign_eof"}), identity_request),
                testing::AllOf(HasSubstr("certificate required"), Not(HasSubstr("role"))));
    EXPECT_TRUE(logged("did not return a certificate"));
    EXPECT_THAT(host_->metrics(1), HasSubstr("stem_smd_total{what=\"handshake_failed\"} 1"));
}

TEST_P(Smd, NobodyOfAnotherAuthority) {
    ASSERT_OK(lab::run_command(
        {.name = "pki", .argv = {STEM_STEMCTL, "pki", "--dir", host_->folder() / "other", "init"}}));
    ASSERT_OK(lab::run_command(
        {.name = "pki",
         .argv = {STEM_STEMCTL, "pki", "--dir", host_->folder() / "other", "issue", "admin", "eve"}}));
    const auto issued = host_->folder() / "other" / "issued";
    EXPECT_THAT(talk({"openssl", "s_client", "-connect", place(), "-cert", issued / "admin-eve.crt", "-key",
                      issued / "admin-eve.key", "-ign_eof"},
                     identity_request),
                Not(HasSubstr("\"role\"")));
    EXPECT_TRUE(logged("certificate verify failed"));
}

TEST_P(Smd, RoleSaysWhatMayBeAsked) {
    EXPECT_THAT(curl("admin-ann", "/v1/users"), HasSubstr("\n200"));
    for (const char* who : {"firewall-fw1", "terminal-tom", "gateway-gwen"}) {
        EXPECT_THAT(curl(who, "/v1/users"), HasSubstr("\n403")) << who;
        EXPECT_THAT(curl(who, "/metrics"), HasSubstr("\n403")) << who;
        EXPECT_THAT(curl(who, "/v1/identity"), HasSubstr("\n200")) << who;
    }
    const std::vector<std::string> upgrade = {
        "-H",       "Connection: Upgrade",       "-H", "Upgrade: websocket",
        "-H",       "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "--http1.1"};
    for (const char* who : {"admin-ann", "terminal-tom", "gateway-gwen"}) {
        EXPECT_THAT(curl(who, "/v1/channel", upgrade), HasSubstr("\n403")) << who;
    }
    EXPECT_THAT(host_->metrics(1), HasSubstr("stem_smd_total{what=\"forbidden\"} 9"));
    EXPECT_TRUE(logged("audit: refused terminal tom at") ||
                logged("audit: refused terminal tom: GET /v1/users"));
    // A server's certificate is for servers.
    EXPECT_THAT(curl("server-sm1", "/v1/identity"), HasSubstr("\n000"));
}

TEST_P(Smd, RevokedIsCutWhileConnected) {
    auto idle = lab::Process::start(
        {.name = "s_client",
         .argv = {"sh", "-c",
                  fmt::format("sleep 30 | openssl s_client -quiet -connect {} -cert {} -key {} -CAfile {}",
                              place(), host_->issued("terminal-tom.crt").string(),
                              host_->issued("terminal-tom.key").string(), host_->ca().string())},
         .netns = &*netns_});
    ASSERT_OK(idle);
    ASSERT_TRUE(
        lab::eventually([&] { return idle->errors().find("verify return") != std::string::npos; }, 5s));
    ASSERT_OK(host_->pki({"revoke", "terminal", "tom"}));
    EXPECT_TRUE(logged("audit: terminal tom at"));
    EXPECT_TRUE(logged("certificate revoked"));
    EXPECT_THAT(curl("terminal-tom", "/v1/identity"), HasSubstr("\n000")) << "and stays out";
    EXPECT_THAT(host_->metrics(1), HasSubstr("stem_smd_total{what=\"revoked\"} 1"));
    EXPECT_THAT(curl("admin-ann", "/v1/identity"), HasSubstr("\n200"));
}

TEST_P(Smd, AdministeredByTheSameVerbs) {
    ASSERT_OK(host_->stemctl(1, {"user", "add", "bob", "--uri", "sip:bob@example.org"}));
    ASSERT_OK(host_->stemctl(1, {"profile", "add", "office"}));
    ASSERT_OK(host_->stemctl(1, {"profile", "rule", "add", "office", "--reject", "486"}));
    ASSERT_OK(host_->stemctl(1, {"user", "set", "bob", "--profile", "office"}));
    ASSERT_OK(host_->stemctl(1, {"location", "set", "bob", "2001:db8::7"}));
    ASSERT_OK(host_->stemctl(1, {"spam", "add", "*@spam.example"}));
    ASSERT_OK(host_->stemctl(1, {"thresholds", "set", "keepalive_rate", "50", "--instance", "fw1"}));
    const auto test =
        host_->stemctl(1, {"profile", "test", "--from", "sip:a@example.com", "--to", "sip:bob@example.org"});
    ASSERT_OK(test);
    EXPECT_THAT(*test, HasSubstr("486"));
    const auto thresholds = host_->stemctl(1, {"thresholds", "list", "--instance", "fw1"});
    ASSERT_OK(thresholds);
    EXPECT_THAT(*thresholds, HasSubstr("by admin ann"));
    const auto refused = host_->stemctl(1, {"user", "add", "bob"});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("bob"));
    EXPECT_TRUE(logged("audit: admin ann: POST /v1/users -> 201"));
}

TEST_P(Smd, KeepsAnAuditTrail) {
    ASSERT_OK(host_->stemctl(1, {"user", "add", "bob", "--uri", "sip:bob@example.org", "--max-calls", "2"}));
    ASSERT_OK(host_->stemctl(1, {"limit", "add", "sat", "--prefix", "+881", "--calls-per-minute", "2:5",
                                 "--concurrent", ":1", "--block", "1h"}));
    ASSERT_FALSE(host_->stemctl(1, {"limit", "add", "sat", "--concurrent", "x"}));
    ASSERT_OK(host_->stemctl(1, {"group", "set", "branches", "fw1", "fw2"}));
    ASSERT_OK(host_->stemctl(1, {"thresholds", "set", "keepalive_rate", "77", "--group=branches"}));
    const auto threshold = host_->stemctl(1, {"thresholds", "list", "--instance", "fw2"});
    ASSERT_OK(threshold);
    EXPECT_THAT(*threshold, HasSubstr("named group"));
    EXPECT_THAT(curl("terminal-tom", "/v1/users"), HasSubstr("\n403"));
    const auto list = host_->stemctl(1, {"audit", "list"});
    ASSERT_OK(list);
    for (const char* part :
         {"POST /v1/users -> 201", "POST /v1/limits -> 201", "PUT /v1/groups/branches -> 200", "admin ann",
          "terminal tom", "not for its role"}) {
        EXPECT_THAT(*list, HasSubstr(part));
    }
    const auto refusals =
        host_->stemctl(1, {"audit", "list", "--kind", "refusal", "--who", "tom", "--since", "1h"});
    ASSERT_OK(refusals);
    EXPECT_THAT(*refusals, Not(HasSubstr("POST")));
    const auto lines = host_->stemctl(1, {"audit", "export", "--kind", "change", "--user", "bob"});
    ASSERT_OK(lines);
    EXPECT_THAT(*lines, HasSubstr("\"before\":null,\"after\":{\"name\":\"bob\""));
    EXPECT_EQ(std::ranges::count(*lines, '\n'), 1);

    const auto file = host_->folder() / "smd1.audit.jsonl";
    EXPECT_EQ(std::filesystem::status(file).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::filesystem::rename(file, host_->folder() / "moved.jsonl");
    host_->process(1).signal(SIGHUP);
    ASSERT_TRUE(logged("configuration and certificates reloaded"));
    ASSERT_OK(host_->stemctl(1, {"user", "del", "bob"}));
    const auto fresh = lab::read_text(file);
    ASSERT_OK(fresh);
    EXPECT_THAT(*fresh, HasSubstr("\"action\":\"DELETE\""));
    EXPECT_THAT(host_->metrics(1), HasSubstr("stem_audit_records_total{what=\"lost\"} 0"));
}

TEST_P(Smd, ImportsALongSpamListAndDescribesItself) {
    std::string text = "caller,note\n";
    for (int i = 0; i < 100'000; ++i) {
        text += fmt::format("+49{:07}, robocalls\n", i);
    }
    const auto file = host_->folder() / "robocalls.csv";
    ASSERT_OK(lab::write_text(file, text));
    const auto imported = host_->stemctl(1, {"spam", "import", file});
    ASSERT_OK(imported);
    EXPECT_THAT(*imported, HasSubstr("100000 callers are on the spam list"));
    const auto test =
        host_->stemctl(1, {"profile", "test", "--from", "tel:+490099999", "--to", "sip:bob@example.org"});
    ASSERT_OK(test);
    EXPECT_THAT(*test, HasSubstr("drop (spam)"));
    ASSERT_OK(lab::write_text(file, "*@good.example\nregex:(\n"));
    const auto refused = host_->stemctl(1, {"spam", "import", file});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("robocalls.csv:2"));
    EXPECT_THAT(curl("admin-ann", "/v1/openapi.json"), HasSubstr("\"openapi\":\"3.1.0\""));
    const std::string body = R"({"text":")" + std::string(2'000'000, ' ') + "\"}";
    ASSERT_OK(lab::write_text(host_->folder() / "body", body));
    const auto upload = [&](const std::string& target) {
        return curl("admin-ann", target,
                    {"-X", "POST", "--data-binary", "@" + (host_->folder() / "body").string()});
    };
    EXPECT_THAT(upload("/v1/spam/import"), HasSubstr("\n200"));
    EXPECT_THAT(upload("/v1/users"), HasSubstr("\n413"));
}

TEST_P(Smd, BackedUpAndRestoredByStemctl) {
    for (int i = 0; i < 20; ++i) {
        ASSERT_OK(host_->stemctl(
            1, {"user", "add", fmt::format("user{}", i), "--display-name", std::string(120, 'x')}));
    }
    const auto file = host_->folder() / "backup.jsonl";
    const auto told = host_->stemctl(1, {"backup", file, "--json"});
    ASSERT_OK(told);
    EXPECT_THAT(*told, HasSubstr("\"rows\":20"));
    EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
    EXPECT_TRUE(logged("audit: admin ann: GET /v1/backup -> 200"));
    ASSERT_OK(host_->stemctl(1, {"user", "del", "user7"}));
    const auto refused = host_->stemctl(1, {"restore", file});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("--replace"));
    const auto restored = host_->stemctl(1, {"restore", file, "--replace"});
    ASSERT_OK(restored);
    EXPECT_THAT(*restored, HasSubstr("users 20"));
    ASSERT_OK(host_->stemctl(1, {"user", "show", "user7"}));
    // Into another, which is empty.
    ASSERT_OK(host_->start(2));
    ASSERT_OK(host_->stemctl(2, {"restore", file}));
    ASSERT_OK(host_->stemctl(2, {"user", "show", "user7"}));
    EXPECT_THAT(curl("firewall-fw1", "/v1/backup"), HasSubstr("\n403"));
}

TEST_P(Smd, ReloadsItsCertificate) {
    ASSERT_OK(host_->pki({"renew", "server", "sm1"}));
    host_->process(1).signal(SIGHUP);
    ASSERT_TRUE(logged("configuration and certificates reloaded"));
    const auto list = host_->pki({"list"});
    ASSERT_OK(list);
    const auto shown = talk(s_client("admin-ann", {"-ign_eof"}), identity_request);
    const auto serial = lab::run_command(
        {.name = "x509",
         .argv = {"openssl", "x509", "-noout", "-serial", "-in", host_->issued("server-sm1.crt")}});
    ASSERT_OK(serial);
    EXPECT_THAT(*list, HasSubstr(serial->substr(7, 32)));
    EXPECT_THAT(shown, HasSubstr("\"role\":\"admin\""));
    // A key of another certificate: the former stay in force.
    ASSERT_OK(lab::run_command(
        {.name = "cp", .argv = {"cp", host_->issued("server-sm2.key"), host_->issued("server-sm1.key")}}));
    host_->process(1).signal(SIGHUP);
    EXPECT_TRUE(logged("is not its key"));
    EXPECT_THAT(curl("admin-ann", "/v1/identity"), HasSubstr("\n200"));
}

TEST_P(Smd, RefusesWhatIsNoRequest) {
    EXPECT_THAT(talk(s_client("admin-ann", {"-ign_eof"}), "\x16\x03nonsense\r\n\r\n"), HasSubstr("400"));
    EXPECT_THAT(talk(s_client("admin-ann", {"-ign_eof"}),
                     "GET /v1/identity HTTP/1.1\r\nHost: x\r\nX: " + std::string(9000, 'a') + "\r\n\r\n"),
                HasSubstr("431"));
    EXPECT_THAT(talk(s_client("admin-ann", {"-ign_eof"}),
                     "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"),
                HasSubstr("413"));
    EXPECT_THAT(host_->metrics(1), HasSubstr("stem_smd_total{what=\"malformed\"} 3"));
}

} // namespace
} // namespace stem::smd
