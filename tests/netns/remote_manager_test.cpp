// SPDX-License-Identifier: Apache-2.0
// stemd with Security Managers elsewhere, real calls through it, and what becomes of them when managers die.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "demo/scripted_call.h"
#include "demo/stage.h"
#include "lab/capture.h"
#include "lab/enclosure.h"
#include "lab/sip_agent.h"
#include "lab/sipp.h"
#include "lab/text_file.h"
#include "tests/expect_ok.h"
#include "tests/netns/manager_host.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class RemoteManager : public testing::TestWithParam<lab::Family> {
  protected:
    // The users are made at each manager of `numbers`, by the verbs that make them in stemd.
    void set_up(const std::vector<unsigned>& numbers, const std::string& more = "", bool capture = false) {
        StageOptions options{.programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD}};
        options.prepare = [&](const lab::World& world) -> Result<> {
            auto host = lab::ManagerHost::create({STEM_STEMCTL, STEM_STEM_SMD}, world.middle());
            if (!host) {
                return std::unexpected(host.error());
            }
            host_.emplace(std::move(*host));
            if (capture) {
                auto witness = lab::Capture::start(world.middle(), "lo");
                if (!witness) {
                    return std::unexpected(witness.error());
                }
                witness_.emplace(std::move(*witness));
            }
            for (const unsigned number : numbers) {
                if (auto started = host_->start(number, "[channel]\nsnapshot_seconds = 1\n"); !started) {
                    return started;
                }
            }
            return {};
        };
        // The paths are known before the files are there.
        const auto folder = lab::scratch() / "managers";
        const auto issued = folder / "pki" / "issued";
        options.environment = {{"STEM_SM", "https://127.0.0.1:7443"},
                               {"STEM_SM_CERT", issued / "admin-ann.crt"},
                               {"STEM_SM_KEY", issued / "admin-ann.key"},
                               {"STEM_SM_CA", folder / "pki" / "ca.crt"}};
        std::string servers;
        for (const unsigned number : numbers) {
            servers +=
                fmt::format("\"{}:{}\",", v6() ? "[::1]" : "127.0.0.1", lab::ManagerHost::port(number));
        }
        options.config =
            fmt::format("[sm]\nmode = \"remote\"\nservers = [{}]\ncertificate = \"{}\"\nkey = \"{}\"\n"
                        "ca = \"{}\"\ncrl = \"{}\"\ncache = \"{}\"\n{}",
                        servers, (issued / "firewall-fw1.crt").string(),
                        (issued / "firewall-fw1.key").string(), (folder / "pki" / "ca.crt").string(),
                        (folder / "pki" / "ca.crl").string(), (folder / "fw1.snapshot").string(), more);
        auto stage = Stage::set_up(options);
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
        ASSERT_TRUE(connected());
    }
    void TearDown() override {
        if (HasFailure() && stage_) {
            std::fputs(stage_->stemd().errors().c_str(), stderr);
        }
        stage_.reset();
    }

    [[nodiscard]] bool v6() const { return GetParam() == lab::Family::v6; }
    [[nodiscard]] Endpoint proxy() const {
        return {.address = stage_->world().proxy(GetParam()), .port = 5060};
    }
    [[nodiscard]] Address caller_address() const {
        return stage_->world().outside_address(lab::host::first_caller, GetParam());
    }
    [[nodiscard]] boost::json::value manager() const {
        const auto text = stage_->stemctl({"status", "--json"});
        return text ? boost::json::parse(*text).at("security_manager") : boost::json::value();
    }
    [[nodiscard]] bool is_connected() const {
        const auto told = manager();
        return told.is_object() && told.at("connected").as_bool();
    }
    [[nodiscard]] bool connected(std::chrono::seconds patience = 20s) const {
        return lab::eventually([&] { return is_connected(); }, patience);
    }
    [[nodiscard]] std::uint64_t count(const char* what) const {
        return manager().at("counts").at(what).to_number<std::uint64_t>();
    }
    // The answer to an INVITE for that user; of an accepted one the INVITE's arrival at erin's counts as 0.
    int answer_to_invite(const std::string& user, std::string* text = nullptr) const {
        auto agent =
            lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = 0});
        if (!agent) {
            return -1;
        }
        auto invite = agent->request("INVITE", "alice", lab::sip_uri(user, proxy().address));
        invite.body = lab::sdp({.address = caller_address(), .port = 25000});
        if (!agent->send(proxy(), invite.text())) {
            return -1;
        }
        const auto answer = agent->receive_final("INVITE", 8s);
        if (answer && text != nullptr) {
            *text = answer->text;
        }
        return answer ? lab::status_of(answer->text) : 0;
    }

    std::unique_ptr<Stage> stage_;
    std::optional<lab::ManagerHost> host_;
    std::optional<lab::Capture> witness_;
};

INSTANTIATE_TEST_SUITE_P(Families, RemoteManager, testing::Values(lab::Family::v4, lab::Family::v6),
                         [](const auto& family) { return family.param == lab::Family::v4 ? "v4" : "v6"; });

TEST_P(RemoteManager, CarriesACallOfWhichNobodyReadsAWord) {
    set_up({1}, "", true);
    ASSERT_TRUE(stage_);
    const auto& world = stage_->world();
    const Address carol = world.inside_address(phone::carol, GetParam());
    auto uas = lab::Sipp::start(world.inside(), {.scenario = "uas", .local = {carol, 5060}, .calls = 3});
    auto uac = lab::Sipp::start(world.outside(), {.scenario = "uac",
                                                  .local = {caller_address(), 5060},
                                                  .remote = proxy(),
                                                  .user = "carol",
                                                  .calls = 3,
                                                  .talk = 300ms});
    ASSERT_OK(uas);
    ASSERT_OK(uac);
    const auto calls = uac->wait(40s);
    ASSERT_OK(calls);
    EXPECT_EQ(calls->successful, 3U) << uac->error_log();
    EXPECT_GE(count("answered"), 3U);
    const auto status = stage_->stemctl({"status"});
    ASSERT_OK(status);
    EXPECT_THAT(*status, HasSubstr("sm1 at "));
    ASSERT_OK(witness_->stop());
    const auto seen = lab::read_text(witness_->file());
    ASSERT_OK(seen);
    EXPECT_GT(seen->size(), 5000U) << "the channel and the API went over this interface";
    for (const char* word : {"carol", "sip:", "sequence", "query", "terminals"}) {
        EXPECT_THAT(*seen, Not(HasSubstr(word)));
    }
    const auto tls =
        witness_->count("tls.handshake.type == 2 && tls.handshake.extensions.supported_version == 0x0304");
    const auto hellos = witness_->count("tls.handshake.type == 2");
    ASSERT_OK(tls);
    ASSERT_OK(hellos);
    EXPECT_GT(*tls, 0U);
    EXPECT_EQ(*tls, *hellos) << "TLS 1.3 alone";
}

// An octet that is no UTF-8 in a URI is no reason to lose the control channel, nor stemctl's answer.
TEST_P(RemoteManager, ForeignOctetsOfACallerDoNoHarm) {
    set_up({1}, "on_loss = \"cache\"\n");
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, GetParam());
    ASSERT_OK(erin);
    auto agent = lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = 0});
    ASSERT_OK(agent);
    for (const char* callee : {"nobody", "erin"}) {
        // Longer by being sent than the channel takes of a call.
        auto invite = agent->request("INVITE", "al\xff\xc3ice" + std::string(350, '\xff'),
                                     lab::sip_uri(callee, proxy().address));
        invite.body = lab::sdp({.address = caller_address(), .port = 25000});
        ASSERT_OK(agent->send(proxy(), invite.text()));
        if (callee == std::string("nobody")) {
            const auto answer = agent->receive_final("INVITE", 5s);
            ASSERT_TRUE(answer);
            EXPECT_EQ(lab::status_of(answer->text), 404);
        } else {
            EXPECT_TRUE(erin->receive_request("INVITE", 5s));
        }
    }
    const auto calls = stage_->stemctl({"calls", "--json"});
    ASSERT_OK(calls);
    EXPECT_THAT(*calls, HasSubstr("\xef\xbf\xbd"));
    EXPECT_EQ(count("losses"), 0U);
    EXPECT_EQ(count("answered"), 2U);
    // And when it begins anew, all calls in progress are told.
    host_->process(1).signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !is_connected(); }, 10s));
    ASSERT_OK(host_->start(1));
    ASSERT_TRUE(connected());
    EXPECT_TRUE(lab::eventually([&] { return host_->metrics(1).contains("stem_sm_calls 1\n"); }, 5s));
    EXPECT_TRUE(is_connected());
}

// What a firewall sees of a registration is at the Security Manager: several contacts, q, and their end; also
// when that was away meanwhile.
TEST_P(RemoteManager, LearnsWhereAPhoneHasRegistered) {
    set_up({1});
    ASSERT_TRUE(stage_);
    ASSERT_OK(stage_->stemctl({"user", "add", "ruth", "--uri", lab::sip_uri("ruth", proxy().address)}));
    auto phone = lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = 0});
    auto registrar = lab::SipAgent::create(
        stage_->world().inside(),
        {.address = stage_->world().inside_address(phone::erin, GetParam()), .port = 5060});
    ASSERT_OK(phone);
    ASSERT_OK(registrar);
    const Address second = stage_->world().outside_address(lab::host::first_caller + 1, GetParam());
    unsigned cseq = 0;
    const auto register_with = [&](const char* expires) {
        auto asked = phone->request("REGISTER", "ruth", lab::sip_uri("ruth", proxy().address));
        asked.call_id = "ruth-registers";
        asked.cseq = ++cseq;
        asked.headers = {fmt::format("Contact: <{}>;q=0.5", lab::sip_uri("ruth", second)),
                         fmt::format("Expires: {}", expires)};
        ASSERT_OK(phone->send(registrar->local(), asked.text()));
        const auto arrived = registrar->receive_request("REGISTER", 5s);
        ASSERT_TRUE(arrived);
        std::string contacts;
        for (const auto& contact : lab::headers_of(arrived->text, "Contact")) {
            contacts += fmt::format("Contact: {};expires={}\r\n", contact, expires);
        }
        auto ok = lab::response_text(arrived->text, 200, "OK", "r");
        ok.insert(ok.find("Content-Length"), expires == std::string("0") ? "" : contacts);
        ASSERT_OK(registrar->send(arrived->from, ok));
        ASSERT_TRUE(phone->receive_final("REGISTER", 5s));
    };
    const auto listed = [&] { return stage_->stemctl({"location", "list", "ruth", "--json"}).value_or(""); };
    const auto knows = [&](const Address& contact) {
        return lab::eventually([&] { return listed().contains(contact.to_string()); }, 5s);
    };
    ASSERT_NO_FATAL_FAILURE(register_with("300"));
    EXPECT_TRUE(knows(second)) << listed();
    EXPECT_TRUE(knows(caller_address())) << listed();
    EXPECT_THAT(listed(), testing::AllOf(HasSubstr("learned"), HasSubstr("0.5")));
    ASSERT_NO_FATAL_FAILURE(register_with("0"));
    EXPECT_TRUE(lab::eventually([&] { return !listed().contains("learned"); }, 5s)) << listed();
    // While nobody is there it is kept, and told afterwards.
    host_->process(1).signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !is_connected(); }, 10s));
    ASSERT_NO_FATAL_FAILURE(register_with("300"));
    ASSERT_OK(host_->start(1));
    ASSERT_TRUE(connected());
    EXPECT_TRUE(knows(second)) << listed();
}

TEST_P(RemoteManager, DiesDuringACallAndComesBack) {
    set_up({1}, "hold_ms = 1500\nretry_after_seconds = 7\nreconnect_max_ms = 500\n");
    ASSERT_TRUE(stage_);
    auto erin = erin_phone(*stage_, GetParam());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = GetParam()}, *erin);
    ASSERT_OK(call);
    ASSERT_OK(call->talk(*stage_));
    host_->process(1).signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !is_connected(); }, 10s));

    std::string text;
    EXPECT_EQ(answer_to_invite("erin", &text), 503);
    EXPECT_THAT(text, HasSubstr("\r\nRetry-After: 7\r\n"));
    EXPECT_EQ(count("unavailable"), 1U);
    const auto status = stage_->stemctl({"status"});
    ASSERT_OK(status);
    EXPECT_THAT(*status, HasSubstr("NOT CONNECTED"));
    const auto before = call->callee_voice().counts(0).received;
    EXPECT_TRUE(lab::eventually([&] { return call->callee_voice().counts(0).received > before + 20; }, 5s))
        << "the call goes on";

    ASSERT_OK(host_->start(1));
    ASSERT_TRUE(connected());
    ASSERT_OK(call->hang_up(*erin));
    auto next = ScriptedCall::establish(*stage_, {.family = GetParam(), .caller_media_port = 24100}, *erin);
    ASSERT_OK(next);
    ASSERT_OK(next->hang_up(*erin));
}

// The firewall tells what becomes of its calls; a manager that was killed hears of them anew.
TEST_P(RemoteManager, CallsInProgressAreCountedAndRecordedOverALoss) {
    set_up({1}, "hold_ms = 1500\nreconnect_max_ms = 300\n");
    ASSERT_TRUE(stage_);
    ASSERT_OK(stage_->stemctl({"user", "set", "erin", "--max-calls", "1"}));
    auto erin = erin_phone(*stage_, GetParam());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = GetParam()}, *erin);
    ASSERT_OK(call);
    EXPECT_EQ(answer_to_invite("erin"), 486) << "one call is in progress";
    host_->process(1).signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !is_connected(); }, 10s));
    ASSERT_OK(host_->start(1));
    ASSERT_TRUE(connected());
    EXPECT_EQ(answer_to_invite("erin"), 486) << "as the firewall has told the manager that came back";
    EXPECT_THAT(host_->metrics(1), HasSubstr("stem_sm_calls 1\n"));
    ASSERT_OK(call->hang_up(*erin));
    EXPECT_TRUE(lab::eventually(
        [&] { return host_->metrics(1).find("stem_sm_calls 0\n") != std::string::npos; }, 5s));

    const auto records = host_->stemctl(
        1, {"audit", "list", "--json", "--call-id", call->invite().call_id, "--callee", "erin"});
    ASSERT_OK(records);
    std::vector<std::string> what;
    const auto parsed = boost::json::parse(*records);
    for (const auto& record : parsed.at("records").as_array()) {
        EXPECT_EQ(record.at("who"), "firewall fw1");
        what.push_back(std::string(record.at("kind").as_string()) + " " +
                       std::string(record.at("action").as_string()));
    }
    EXPECT_THAT(what, testing::ElementsAre("decision accept", "call going", "call answered", "call ended"));
    const auto refused =
        host_->stemctl(1, {"audit", "list", "--kind", "decision", "--action", "reject", "--user", "erin"});
    ASSERT_OK(refused);
    EXPECT_THAT(*refused, HasSubstr("max_calls"));
}

TEST_P(RemoteManager, AHeldCallIsAnsweredByTheManagerThatCameBack) {
    set_up({1}, "hold_ms = 20000\ndecision_timeout_ms = 25000\nreconnect_max_ms = 300\n");
    ASSERT_TRUE(stage_);
    ASSERT_OK(stage_->stemctl({"profile", "add", "busy"}));
    ASSERT_OK(stage_->stemctl({"profile", "rule", "add", "busy", "--reject", "486"}));
    ASSERT_OK(stage_->stemctl({"user", "set", "erin", "--profile", "busy"}));
    host_->process(1).signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !is_connected(); }, 10s));
    auto agent = lab::SipAgent::create(stage_->world().outside(), {.address = caller_address(), .port = 0});
    ASSERT_OK(agent);
    auto invite = agent->request("INVITE", "alice", lab::sip_uri("erin", proxy().address));
    ASSERT_OK(agent->send(proxy(), invite.text()));
    std::this_thread::sleep_for(500ms);
    ASSERT_OK(host_->start(1));
    const auto answer = agent->receive_final("INVITE", 20s);
    ASSERT_TRUE(answer);
    EXPECT_EQ(lab::status_of(answer->text), 486);
}

TEST_P(RemoteManager, ASnapshotDecidesAndOutlivesStemd) {
    set_up({1}, "on_loss = \"cache\"\nhold_ms = 500\ncache_max_age_seconds = 45\n");
    ASSERT_TRUE(stage_);
    ASSERT_OK(stage_->stemctl({"profile", "add", "busy"}));
    ASSERT_OK(stage_->stemctl({"profile", "rule", "add", "busy", "--reject", "486"}));
    ASSERT_OK(stage_->stemctl({"user", "set", "erin", "--profile", "busy"}));
    const auto snapshots = count("snapshots");
    ASSERT_TRUE(lab::eventually([&] { return count("snapshots") >= snapshots + 3; }, 20s));
    const auto stopped = std::chrono::steady_clock::now();
    host_->process(1).signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return !is_connected(); }, 10s));
    EXPECT_EQ(answer_to_invite("erin"), 486);
    EXPECT_EQ(answer_to_invite("nobody"), 404);
    EXPECT_EQ(count("by_snapshot"), 2U);

    stage_->stop_stemd();
    ASSERT_OK(stage_->start_stemd());
    EXPECT_EQ(answer_to_invite("erin"), 486) << "from the file";

    std::this_thread::sleep_until(stopped + 47s);
    EXPECT_EQ(answer_to_invite("erin"), 503) << "too old";
}

TEST_P(RemoteManager, OneOfTwoDiesUnderLoad) {
    set_up({1, 2});
    ASSERT_TRUE(stage_);
    // The same users at the second.
    for (const auto& command : std::vector<std::vector<std::string>>{
             {"user", "add", "carol", "--uri", lab::sip_uri("carol", proxy().address)},
             {"location", "set", "carol",
              stage_->world().inside_address(phone::carol, GetParam()).to_string()}}) {
        ASSERT_OK(host_->stemctl(2, command));
    }
    const auto& world = stage_->world();
    auto uas = lab::Sipp::start(
        world.inside(),
        {.scenario = "uas", .local = {world.inside_address(phone::carol, GetParam()), 5060}, .calls = 60});
    auto uac = lab::Sipp::start(world.outside(), {.scenario = "uac",
                                                  .local = {caller_address(), 5060},
                                                  .remote = proxy(),
                                                  .user = "carol",
                                                  .calls = 60,
                                                  .rate = 10,
                                                  .talk = 200ms});
    ASSERT_OK(uas);
    ASSERT_OK(uac);
    std::this_thread::sleep_for(2s);
    host_->process(1).signal(SIGKILL);
    const auto calls = uac->wait(60s);
    ASSERT_OK(calls);
    EXPECT_EQ(calls->successful, 60U) << uac->error_log();
    EXPECT_EQ(manager().at("manager").as_string(), "sm2");
    EXPECT_EQ(count("unavailable"), 0U);
}

TEST_P(RemoteManager, ThresholdsAndDenialsArePushedAtOnce) {
    set_up({1});
    ASSERT_TRUE(stage_);
    ASSERT_OK(stage_->stemctl({"thresholds", "set", "keepalive_rate", "77", "--instance", "fw1"}));
    const auto in_kernel = [&] {
        const auto map = stage_->instance().thresholds();
        const auto values = map ? map->get(0) : std::unexpected(map.error());
        return values && *values ? (**values).keepalive_rate : 0;
    };
    EXPECT_TRUE(lab::eventually([&] { return in_kernel() == 77; }, 2s)) << in_kernel();
    ASSERT_OK(stage_->stemctl({"thresholds", "set", "keepalive_rate", "78", "--group=branches"}));
    ASSERT_OK(stage_->stemctl({"thresholds", "reset", "keepalive_rate", "--instance", "fw1"}));
    EXPECT_TRUE(lab::eventually([&] { return in_kernel() == 100; }, 2s)) << in_kernel();
    ASSERT_OK(stage_->stemctl({"group", "set", "branches", "fw1", "fw2"}));
    EXPECT_TRUE(lab::eventually([&] { return in_kernel() == 78; }, 2s)) << in_kernel();
    const std::string source = v6() ? "2001:db8:bad::/48" : "203.0.113.0/24";
    ASSERT_OK(stage_->stemctl({"firewall", "deny", "fw1", source, "--for", "600", "--note", "scans"}));
    EXPECT_TRUE(lab::eventually(
        [&] { return stage_->stemctl({"deny", "list"}).value_or("").find(source) != std::string::npos; },
        3s));
    const auto list = stage_->stemctl({"firewall", "list", "--json"});
    ASSERT_OK(list);
    const auto row = boost::json::parse(*list).at("firewalls").at(0);
    EXPECT_EQ(row.at("name").as_string(), "fw1");
    EXPECT_FALSE(row.at("thresholds_version").is_null());
    EXPECT_FALSE(stage_->stemctl({"firewall", "deny", "fw9", source}));
}

TEST_P(RemoteManager, RevokedWhileConnectedIsCut) {
    set_up({1}, "hold_ms = 500\n");
    ASSERT_TRUE(stage_);
    ASSERT_OK(host_->pki({"revoke", "firewall", "fw1"}));
    EXPECT_TRUE(lab::eventually(
        [&] {
            return host_->process(1).errors().find("firewall fw1 at") != std::string::npos &&
                   host_->process(1).errors().find("certificate revoked") != std::string::npos;
        },
        5s));
    EXPECT_TRUE(lab::eventually([&] { return !is_connected(); }, 5s));
    EXPECT_EQ(answer_to_invite("erin"), 503);
    EXPECT_FALSE(is_connected());
}

} // namespace
} // namespace stem::demo
