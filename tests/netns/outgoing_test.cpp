// SPDX-License-Identifier: Apache-2.0
// Calls from inside whose callers must show who they are: SIPp and baresip as the phones, real challenges
// over UDP and TCP, IPv4 and IPv6; passwords set as an operator sets them; announcements instead of
// challenges.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <tuple>

#include "demo/stage.h"
#include "lab/baresip.h"
#include "lab/enclosure.h"
#include "lab/sip_agent.h"
#include "lab/sipp.h"
#include "sm/auth/digest.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr const char* challenging = "[sm]\noutgoing = \"challenge\"\n";
constexpr const char* password = "correct-horse-battery";

class Outgoing : public testing::TestWithParam<lab::WorldKind> {
  protected:
    // Carol, bob and erin have addresses of their own, and passwords.
    void set_up(const std::string& more = "") {
        auto stage = Stage::set_up({.mode = std::get<0>(GetParam()),
                                    .programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD},
                                    .config = challenging + more});
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
        for (const auto& [user, uri] : {std::pair("carol", lab::sip_uri("carol", carol().address)),
                                        std::pair("erin", lab::sip_uri("erin", erin().address)),
                                        std::pair("bob", lab::sip_uri("bob", callee().address))}) {
            ASSERT_OK(stage_->stemctl({"user", "uri", "add", user, uri}));
        }
        for (const char* user : {"carol", "bob"}) { // their phones know no SHA-256
            ASSERT_OK(set_password({user, "--stdin", "--algorithm", "MD5"}));
        }
        ASSERT_OK(set_password({"erin", "--stdin"}));
    }
    void TearDown() override {
        if (HasFailure() && stage_) {
            std::fputs(stage_->stemd().errors().c_str(), stderr);
        }
        if (stage_) {
            EXPECT_THAT(stage_->stemd().errors(), Not(HasSubstr(password)));
            EXPECT_THAT(stage_->stemd().errors(), Not(HasSubstr("response=")));
        }
        stage_.reset();
    }

    // By its standard input.
    [[nodiscard]] Result<std::string> set_password(std::vector<std::string> arguments) const {
        std::vector<std::string> argv = {STEM_STEMCTL, "user", "password"};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        return lab::run_command(
            {.name = "stemctl",
             .argv = std::move(argv),
             .netns = &stage_->world().middle(),
             .input = std::string(password) + "\n",
             .environment = {{"STEM_BPFFS", lab::bpffs()}, {"STEM_RUN_DIR", lab::scratch() / "run"}}});
    }
    [[nodiscard]] std::string metrics() const {
        return lab::run_command(
                   {.name = "curl",
                    .argv = {"curl", "-s", "--max-time", "5", "--unix-socket",
                             lab::scratch() / "run" / "default" / "stemd.sock", "http://localhost/metrics"},
                    .netns = &stage_->world().middle()})
            .value_or("");
    }
    [[nodiscard]] lab::Family family() const { return std::get<1>(GetParam()); }
    [[nodiscard]] Endpoint carol() const { // inside
        return {.address = stage_->world().inside_address(phone::carol, family()), .port = 5060};
    }
    [[nodiscard]] Endpoint erin() const {
        return {.address = stage_->world().inside_address(phone::erin, family()), .port = 5060};
    }
    [[nodiscard]] Endpoint callee() const { // outside
        return {.address = stage_->world().outside_address(lab::host::first_caller, family()), .port = 5060};
    }
    [[nodiscard]] std::uint64_t out(stem_reason reason) const {
        return stage_->packets(reason, STEM_OUTBOUND);
    }
    // What became of callers, by stemd's metrics.
    [[nodiscard]] std::uint64_t count(const std::string& what) const {
        const auto text = metrics();
        const auto key = fmt::format("stem_auth_total{{what=\"{}\"}} ", what);
        const auto at = text.find(key);
        return at == std::string::npos ? 0 : std::stoull(text.substr(at + key.size()));
    }
    [[nodiscard]] lab::SipRequest invite(const lab::SipAgent& agent) const {
        auto made = agent.request("INVITE", "erin", lab::sip_uri("dave", callee().address));
        made.body = lab::sdp({.address = erin().address, .port = 25000});
        return made;
    }
    // That INVITE again, with the answer to a challenge of that algorithm.
    [[nodiscard]] static lab::SipRequest answered(const lab::SipRequest& first, const std::string& challenge,
                                                  auth::Algorithm algorithm, const std::string& secret) {
        auto made = first;
        made.branch = lab::unique_branch();
        made.cseq = first.cseq + 1;
        for (const auto& value : lab::headers_of(challenge, "Proxy-Authenticate")) {
            if (!value.contains(fmt::format("algorithm={}", auth::name_of(algorithm)))) {
                continue;
            }
            const auto begin = value.find("nonce=\"") + 7;
            auth::Authorization given{.username = "erin",
                                      .realm = "stem",
                                      .nonce = value.substr(begin, value.find('"', begin) - begin),
                                      .uri = first.uri,
                                      .cnonce = lab::unique_token(),
                                      .qop = "auth",
                                      .nc = "00000001",
                                      .algorithm = algorithm};
            const auto ha1 = auth::make_ha1(algorithm, "erin", "stem", secret);
            made.headers.push_back(fmt::format(
                R"(Proxy-Authorization: Digest username="erin", realm="stem", nonce="{}", uri="{}", cnonce="{}", qop=auth, nc=00000001, algorithm={}, response="{}")",
                given.nonce, given.uri, given.cnonce, auth::name_of(algorithm),
                auth::response_for(given, ha1, "INVITE")));
        }
        return made;
    }

    std::unique_ptr<Stage> stage_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, Outgoing, lab::every_world(), lab::name_of_world);

TEST_P(Outgoing, SippAnswersTheChallengeOverUdpAndTcp) {
    set_up();
    ASSERT_TRUE(stage_);
    std::uint64_t calls = 0;
    for (const char* transport : {"u1", "t1"}) {
        SCOPED_TRACE(transport);
        auto uas = lab::Sipp::start(
            stage_->world().outside(),
            {.scenario = "uas", .local = callee(), .transport = transport, .calls = 3, .patience = 20s});
        ASSERT_OK(uas);
        auto uac = lab::Sipp::start(stage_->world().inside(), {.scenario = "uac_authenticated",
                                                               .local = carol(),
                                                               .remote = callee(),
                                                               .transport = transport,
                                                               .user = "dave",
                                                               .caller = "carol",
                                                               .password = password,
                                                               .calls = 3,
                                                               .patience = 10s});
        ASSERT_OK(uac);
        const auto called = uac->wait(40s);
        const auto answered = uas->wait(20s);
        ASSERT_OK(called);
        ASSERT_OK(answered);
        EXPECT_EQ(called->successful, 3U) << uac->error_log();
        EXPECT_EQ(answered->successful, 3U) << uas->error_log();
        calls += 3;
        EXPECT_EQ(out(STEM_SM_CHALLENGED), calls);
        EXPECT_EQ(count("challenged"), calls);
        EXPECT_EQ(count("admitted"), calls);
    }
}

TEST_P(Outgoing, BaresipAnswersTheChallenge) {
    set_up();
    ASSERT_TRUE(stage_);
    for (const char* transport : {"udp", "tcp"}) {
        SCOPED_TRACE(transport);
        const bool tcp = std::string(transport) == "tcp";
        auto uas = lab::Sipp::start(
            stage_->world().outside(),
            {.scenario = "uas", .local = callee(), .transport = tcp ? "t1" : "u1", .calls = 1});
        ASSERT_OK(uas);
        auto bob =
            lab::Baresip::start(stage_->bob(), {.user = "bob",
                                                .local = stage_->world().inside_address(phone::bob, family()),
                                                .proxy = callee(),
                                                .password = password,
                                                .registers = false,
                                                .transport = transport});
        ASSERT_OK(bob);
        ASSERT_OK(bob->dial(lab::sip_uri("dave", callee().address)));
        const auto up = bob->wait_for("CALL_ESTABLISHED", 15s);
        ASSERT_OK(up);
        std::this_thread::sleep_for(1s); // its ACK goes first
        ASSERT_OK(bob->hang_up());
        uas->stop();
    }
    EXPECT_EQ(count("admitted"), 2U);
}

TEST_P(Outgoing, WithoutTheRightAnswerNothingGoesOut) {
    set_up();
    ASSERT_TRUE(stage_);
    auto agent = lab::SipAgent::create(stage_->world().inside(), erin());
    auto far = lab::SipAgent::create(stage_->world().outside(), callee());
    ASSERT_OK(agent);
    ASSERT_OK(far);
    const auto first = invite(*agent);
    ASSERT_OK(agent->send(callee(), first.text()));
    const auto challenge = agent->receive_final("INVITE", 5s);
    ASSERT_TRUE(challenge);
    ASSERT_EQ(lab::status_of(challenge->text), 407) << challenge->text;
    const auto values = lab::headers_of(challenge->text, "Proxy-Authenticate");
    ASSERT_EQ(values.size(), 2U);
    EXPECT_THAT(values[0], HasSubstr("algorithm=SHA-256"));
    EXPECT_THAT(values[1], HasSubstr("algorithm=MD5"));
    ASSERT_OK(agent->send(callee(), lab::ack_of_failure(first, challenge->text).text()));

    auto last = first;
    std::string asked = challenge->text;
    for (int i = 0; i < 4; ++i) { // one more than is free
        last = answered(last, asked, auth::Algorithm::sha256, "a wrong one");
        ASSERT_OK(agent->send(callee(), last.text()));
        const auto again = agent->receive_final("INVITE", 5s);
        ASSERT_TRUE(again);
        ASSERT_EQ(lab::status_of(again->text), 407) << again->text;
        ASSERT_OK(agent->send(callee(), lab::ack_of_failure(last, again->text).text()));
        last.headers.clear();
        asked = again->text;
    }
    const auto right = answered(last, asked, auth::Algorithm::sha256, password);
    ASSERT_OK(agent->send(callee(), right.text()));
    const auto slowed = agent->receive_final("INVITE", 5s);
    ASSERT_TRUE(slowed);
    EXPECT_EQ(lab::status_of(slowed->text), 480) << "it has to wait";
    EXPECT_TRUE(lab::header_of(slowed->text, "Retry-After")) << slowed->text;
    EXPECT_FALSE(far->receive(500ms)) << "nothing went out";
    EXPECT_EQ(count("wrong"), 4U);

    // From another phone of hers nothing is slow; and SHA-256 does.
    auto other = lab::SipAgent::create(
        stage_->world().inside(),
        {.address = stage_->world().inside_address(phone::erin + 1, family()), .port = 5060});
    ASSERT_OK(other);
    auto fresh = invite(*other);
    fresh.from = lab::sip_uri("erin", erin().address);
    ASSERT_OK(other->send(callee(), fresh.text()));
    const auto asked_there = other->receive_final("INVITE", 5s);
    ASSERT_TRUE(asked_there);
    ASSERT_OK(
        other->send(callee(), answered(fresh, asked_there->text, auth::Algorithm::sha256, password).text()));
    EXPECT_TRUE(far->receive_request("INVITE", 5s));
    EXPECT_EQ(count("admitted"), 1U);
}

TEST_P(Outgoing, AnAnnouncedCallGoesOutOnce) {
    set_up();
    ASSERT_TRUE(stage_);
    auto agent = lab::SipAgent::create(stage_->world().inside(), erin());
    auto far = lab::SipAgent::create(stage_->world().outside(), callee());
    ASSERT_OK(agent);
    ASSERT_OK(far);
    const auto to = lab::sip_uri("dave", callee().address);
    ASSERT_OK(stage_->stemctl({"announce", to, "--user", "erin", "--source", erin().address.to_string()}));
    ASSERT_OK(agent->send(callee(), invite(*agent).text()));
    EXPECT_TRUE(far->receive_request("INVITE", 5s));
    ASSERT_OK(agent->send(callee(), invite(*agent).text()));
    const auto second = agent->receive_final("INVITE", 5s);
    ASSERT_TRUE(second);
    EXPECT_EQ(lab::status_of(second->text), 407) << "another call";
    EXPECT_FALSE(far->receive_request("INVITE", 300ms));
    EXPECT_EQ(count("announced"), 1U);
}

TEST_P(Outgoing, TrunksAreNotChallenged) {
    set_up(std::get<1>(GetParam()) == lab::Family::v4
               ? fmt::format("outgoing_unchallenged = [\"192.0.2.{}\"]\n", phone::carol)
               : fmt::format("outgoing_unchallenged = [\"2001:db8:1::{}\"]\n", phone::carol));
    ASSERT_TRUE(stage_);
    auto uas =
        lab::Sipp::start(stage_->world().outside(), {.scenario = "uas", .local = callee(), .calls = 2});
    auto uac = lab::Sipp::start(stage_->world().inside(), {.scenario = "uac",
                                                           .local = carol(),
                                                           .remote = callee(),
                                                           .user = "dave",
                                                           .caller = "whoever",
                                                           .calls = 2,
                                                           .talk = 100ms});
    ASSERT_OK(uas);
    ASSERT_OK(uac);
    const auto called = uac->wait(30s);
    ASSERT_OK(called);
    EXPECT_EQ(called->successful, 2U) << uac->error_log();
    EXPECT_EQ(out(STEM_SM_REJECTED), 0U);
}

} // namespace
} // namespace stem::demo
