// SPDX-License-Identifier: Apache-2.0
// Two stem-smd over one PostgreSQL, two stemd that ask them, calls through both, and what becomes of all that
// when one manager is killed and the database is away.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "demo/scripted_call.h"
#include "demo/stage.h"
#include "lab/enclosure.h"
#include "lab/postgres.h"
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

constexpr const char* secret = "a-secret-of-the-lab";

Result<> without_words(const Result<std::string>& told) {
    return told ? Result<>() : std::unexpected(told.error());
}

class SharedManagers : public testing::TestWithParam<lab::Family> {
  protected:
    void SetUp() override {
        auto postgres = lab::Postgres::create({.password = secret});
        ASSERT_OK(postgres);
        postgres_.emplace(std::move(*postgres));
        ASSERT_OK(postgres_->add_database("telephony"));
        set_up_first_firewall();
        if (!HasFatalFailure()) {
            set_up_second_firewall();
        }
    }
    void TearDown() override {
        if (HasFailure() && host_) {
            for (const unsigned number : {1U, 2U}) {
                std::fprintf(stderr, "== stem-smd %u\n%s", number,
                             host_->process(number).last_words().c_str());
            }
            std::fputs(stage_ ? stage_->stemd().last_words().c_str() : "", stderr);
        }
        second_stemd_.reset();
        if (second_) {
            static_cast<void>(second_stemctl({"detach", "--instance", "second"}));
        }
        stage_.reset();
    }

    void set_up_first_firewall() {
        StageOptions options{.programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD}};
        options.prepare = [&](const lab::World& world) { return start_managers(world); };
        const auto folder = lab::scratch() / "managers";
        const auto issued = folder / "pki" / "issued";
        options.environment = {{"STEM_SM", "https://127.0.0.1:7443"},
                               {"STEM_SM_CERT", issued / "admin-ann.crt"},
                               {"STEM_SM_KEY", issued / "admin-ann.key"},
                               {"STEM_SM_CA", folder / "pki" / "ca.crt"}};
        options.config = config_of("fw1", v6() ? "[::1]" : "127.0.0.1", {1, 2});
        auto stage = Stage::set_up(options);
        ASSERT_OK(stage);
        stage_ = std::move(*stage);
    }

    Result<> start_managers(const lab::World& world) {
        auto host = lab::ManagerHost::create({STEM_STEMCTL, STEM_STEM_SMD}, world.middle());
        if (!host) {
            return std::unexpected(host.error());
        }
        host_.emplace(std::move(*host));
        const auto passfile = host_->folder() / "pgpass";
        if (auto written = lab::write_text(passfile, fmt::format("*:*:telephony:stem:{}\n", secret));
            !written) {
            return written;
        }
        std::filesystem::permissions(passfile, std::filesystem::perms(0600));
        host_->share_database(postgres_->uri("telephony") + "&passfile=" + passfile.string());
        // The second firewall's way to the managers.
        auto second = lab::World::create({.mode = lab::Mode::bridge, .middle = lab::Middle::bare});
        if (!second) {
            return std::unexpected(second.error());
        }
        second_.emplace(std::move(*second));
        auto done = lab::connect({.netns = world.middle(), .interface = "office0"},
                                 {.netns = second_->middle(), .interface = "office0"});
        for (const auto& [netns, number] :
             {std::pair(&world.middle(), 1), std::pair(&second_->middle(), 2)}) {
            if (done) {
                done = netns->ip(fmt::format("addr add 203.0.113.{0}/24 dev office0\n"
                                             "addr add 2001:db8:77::{0}/64 dev office0 nodad\n"
                                             "link set office0 up\n",
                                             number));
            }
        }
        host_->listen_on(*Address::parse(v6() ? "2001:db8:77::1" : "203.0.113.1"));
        if (done) {
            done = without_words(host_->pki({"issue", "firewall", "fw2"}));
        }
        for (const unsigned number : {1U, 2U}) {
            if (done) {
                done = host_->start(number);
            }
        }
        return done;
    }

    void set_up_second_firewall() {
        ASSERT_OK(
            second_stemctl({"attach", "--external", lab::external_port, "--internal", lab::internal_port,
                            "--mode", "bridge", "--xdp", "native", "--instance", "second"}));
        const auto config = lab::scratch() / "second.toml";
        ASSERT_OK(
            lab::write_text(config, config_of("fw2", v6() ? "[2001:db8:77::1]" : "203.0.113.1", {2, 1})));
        auto stemd = lab::Process::start({.name = "second-stemd",
                                          .argv = {STEM_STEMD, "--instance", "second", "--config", config},
                                          .netns = &second_->middle(),
                                          .environment = places()});
        ASSERT_OK(stemd);
        second_stemd_.emplace(std::move(*stemd));
        ASSERT_TRUE(lab::eventually([&] { return manager_of_second() == "sm2"; }, 20s))
            << second_stemd_->last_words();
    }

    [[nodiscard]] static std::string config_of(const std::string& firewall, const std::string& host,
                                               const std::vector<unsigned>& managers) {
        const auto folder = lab::scratch() / "managers";
        const auto key = (folder / "pki" / "issued" / ("firewall-" + firewall)).string();
        std::string servers;
        for (const unsigned number : managers) {
            servers += fmt::format("\"{}:{}\",", host, lab::ManagerHost::port(number));
        }
        return fmt::format(
            "[sm]\nmode = \"remote\"\nservers = [{}]\ncertificate = \"{}.crt\"\nkey = \"{}.key\"\n"
            "ca = \"{}\"\ncrl = \"{}\"\ncache = \"{}\"\n",
            servers, key, key, (folder / "pki" / "ca.crt").string(), (folder / "pki" / "ca.crl").string(),
            (folder / (firewall + ".snapshot")).string());
    }
    [[nodiscard]] static std::vector<std::pair<std::string, std::string>> places() {
        return {{"STEM_BPFFS", lab::bpffs()}, {"STEM_RUN_DIR", lab::scratch() / "run"}};
    }
    [[nodiscard]] Result<std::string> second_stemctl(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), STEM_STEMCTL);
        return lab::run_command({.name = "stemctl",
                                 .argv = std::move(arguments),
                                 .netns = &second_->middle(),
                                 .environment = places()},
                                60s);
    }
    // Whom a firewall asks: "sm1"; "" when nobody.
    static std::string manager_in(const Result<std::string>& status) {
        if (!status) {
            return {};
        }
        const auto answer = boost::json::parse(*status);
        const auto* manager = answer.as_object().if_contains("security_manager");
        // Not before stemd answers.
        return manager != nullptr && manager->is_object() && manager->at("connected").as_bool()
                   ? std::string(manager->at("manager").as_string())
                   : std::string();
    }
    [[nodiscard]] std::string manager_of_first() const {
        return manager_in(stage_->stemctl({"status", "--json"}));
    }
    [[nodiscard]] std::string manager_of_second() const {
        return manager_in(second_stemctl({"status", "--json", "--instance", "second"}));
    }

    [[nodiscard]] bool v6() const { return GetParam() == lab::Family::v6; }
    // The answer to an INVITE through the second firewall; 0: none.
    [[nodiscard]] int second_answers(const std::string& user) const {
        const auto caller = second_->outside_address(lab::host::first_caller, GetParam());
        auto agent = lab::SipAgent::create(second_->outside(), {.address = caller, .port = 0});
        if (!agent) {
            return -1;
        }
        const Endpoint proxy{.address = second_->proxy(GetParam()), .port = 5060};
        auto invite = agent->request("INVITE", "alice", lab::sip_uri(user, proxy.address));
        invite.body = lab::sdp({.address = caller, .port = 25000});
        if (!agent->send(proxy, invite.text())) {
            return -1;
        }
        const auto answer = agent->receive_final("INVITE", 10s);
        return answer ? lab::status_of(answer->text) : 0;
    }
    // What a call from that world's inside comes to: 0: it reached whom it is for, who is "USER@" an outside
    // address.
    [[nodiscard]] int outgoing_answers(const lab::World& world, const std::string& user) const {
        const Endpoint callee{.address = world.outside_address(lab::host::first_caller + 1, GetParam()),
                              .port = 5060};
        auto far = lab::SipAgent::create(world.outside(), callee);
        auto agent = lab::SipAgent::create(
            world.inside(), {.address = world.inside_address(phone::carol, GetParam()), .port = 0});
        if (!far || !agent) {
            return -1;
        }
        auto invite = agent->request("INVITE", "carol", lab::sip_uri(user, callee.address));
        invite.body = lab::sdp({.address = agent->local().address, .port = 25000});
        if (!agent->send(callee, invite.text())) {
            return -1;
        }
        if (const auto offered = far->receive_request("INVITE", 2s)) {
            const auto busy = lab::response_text(offered->text, 486, "Busy Here", "far", far->local());
            const bool answered = far->send(offered->from, busy) && agent->receive_final("INVITE", 5s);
            return answered ? 0 : -1;
        }
        const auto answer = agent->receive_final("INVITE", 5s);
        return answer ? lab::status_of(answer->text) : -1;
    }
    // That a user is known at that manager, within a second of now.
    [[nodiscard]] bool known_within_a_second(unsigned number, const std::string& user) const {
        const auto begun = std::chrono::steady_clock::now();
        // The last look begins within the second.
        while (std::chrono::steady_clock::now() - begun < 1s) {
            if (host_->stemctl(number, {"user", "show", user})) {
                return true;
            }
        }
        return false;
    }
    [[nodiscard]] Result<> change(unsigned number, std::vector<std::string> arguments) const {
        return without_words(host_->stemctl(number, std::move(arguments)));
    }

    std::optional<lab::Postgres> postgres_;
    std::optional<lab::World> second_;
    std::optional<lab::ManagerHost> host_;
    std::unique_ptr<Stage> stage_;
    std::optional<lab::Process> second_stemd_;
};

INSTANTIATE_TEST_SUITE_P(Families, SharedManagers, testing::Values(lab::Family::v4, lab::Family::v6),
                         [](const auto& family) { return family.param == lab::Family::v4 ? "v4" : "v6"; });

TEST_P(SharedManagers, OneDiesUnderLoadAndTheDatabaseComesAndGoes) {
    ASSERT_EQ(manager_of_first(), "sm1");
    // The stage made its users at sm1; this one comes from sm2.
    ASSERT_OK(change(2, {"profile", "add", "busy"}));
    ASSERT_OK(change(2, {"profile", "rule", "add", "busy", "--reject", "486"}));
    const Address proxy = second_->proxy(GetParam());
    ASSERT_OK(change(2, {"user", "add", "bert", "--profile", "busy", "--uri", lab::sip_uri("bert", proxy)}));
    ASSERT_TRUE(known_within_a_second(1, "bert"));

    constexpr unsigned calls = 100;
    const auto& world = stage_->world();
    const Address carol = world.inside_address(phone::carol, GetParam());
    auto uas = lab::Sipp::start(world.inside(), {.scenario = "uas", .local = {carol, 5060}, .calls = calls});
    auto uac = lab::Sipp::start(world.outside(),
                                {.scenario = "uac",
                                 .local = {world.outside_address(lab::host::first_caller, GetParam()), 5060},
                                 .remote = Endpoint{.address = world.proxy(GetParam()), .port = 5060},
                                 .user = "carol",
                                 .calls = calls,
                                 .rate = 10,
                                 .talk = 200ms});
    ASSERT_OK(uas);
    ASSERT_OK(uac);
    std::vector<int> others; // what was answered through the second firewall
    const auto call_through_the_second = [&](int count) {
        for (int i = 0; i < count; ++i) {
            others.push_back(second_answers("bert"));
        }
    };
    call_through_the_second(20);

    // The database goes: calls go on, changes do not.
    postgres_->stop();
    call_through_the_second(20);
    for (const unsigned number : {1U, 2U}) {
        const auto refused = change(number, {"user", "add", "late"});
        ASSERT_FALSE(refused);
        EXPECT_THAT(refused.error().message(), HasSubstr("connection to it is lost"));
        EXPECT_THAT(host_->metrics(number), HasSubstr("stem_smd_database_connected 0"));
    }

    // And while it is away, one of the managers is killed.
    host_->process(1).signal(SIGKILL);
    call_through_the_second(20);
    EXPECT_TRUE(lab::eventually([&] { return manager_of_first() == "sm2"; }, 20s));

    ASSERT_OK(postgres_->start());
    EXPECT_TRUE(lab::eventually(
        [&] { return host_->metrics(2).find("stem_smd_database_connected 1") != std::string::npos; }, 20s));
    // The connection that follows changes may be back a moment before the one that writes them.
    EXPECT_TRUE(lab::eventually([&] { return change(2, {"user", "add", "late"}).has_value(); }, 10s));
    call_through_the_second(20);

    ASSERT_OK(host_->start(1));
    EXPECT_TRUE(known_within_a_second(1, "late"));
    EXPECT_OK(change(1, {"user", "add", "later"}));
    EXPECT_TRUE(known_within_a_second(2, "later"));

    const auto done = uac->wait(90s);
    ASSERT_OK(done);
    EXPECT_EQ(done->successful, calls) << uac->error_log();
    EXPECT_THAT(others, testing::Each(486));
    const auto status = stage_->stemctl({"status", "--json"});
    ASSERT_OK(status);
    EXPECT_EQ(boost::json::parse(*status).at("security_manager").at("counts").at("unavailable").as_int64(),
              0);
}

TEST_P(SharedManagers, ABoundOfCallsHoldsOverBoth) {
    ASSERT_EQ(manager_of_first(), "sm1");
    ASSERT_OK(change(1, {"user", "set", "erin", "--max-calls", "1"}));
    auto erin = erin_phone(*stage_, GetParam());
    ASSERT_OK(erin);
    auto call = ScriptedCall::establish(*stage_, {.family = GetParam()}, *erin);
    ASSERT_OK(call);
    const auto sm2_says = [&](const std::string& words) {
        return lab::eventually(
            [&] {
                return host_
                    ->stemctl(2, {"profile", "test", "--from", "sip:alice@example.org", "--to",
                                  lab::sip_uri("erin", second_->proxy(GetParam()))})
                    .value_or("")
                    .contains(words);
            },
            5s);
    };
    EXPECT_TRUE(sm2_says("1 in progress (1 of them by other Security Managers), at most 1"));
    EXPECT_EQ(second_answers("erin"), 486);

    // The first firewall comes to the second manager with its call, which counts once.
    host_->process(1).signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return manager_of_first() == "sm2"; }, 20s));
    EXPECT_TRUE(sm2_says("1 in progress, at most 1"));
    EXPECT_EQ(second_answers("erin"), 486);
    ASSERT_OK(call->hang_up(*erin));
}

TEST_P(SharedManagers, LimitsOfCallsInARowAndAMinuteHoldOverBoth) {
    ASSERT_EQ(manager_of_first(), "sm1");
    ASSERT_EQ(manager_of_second(), "sm2");
    const auto& first = stage_->world();
    ASSERT_OK(change(1, {"limit", "add", "row", "--sequential", ":2"}));
    ASSERT_TRUE(lab::eventually([&] { return host_->stemctl(2, {"limit", "show", "row"}).has_value(); }, 5s));
    constexpr auto a_second_late = 2500ms;
    EXPECT_EQ(outgoing_answers(first, "dora"), 0);
    EXPECT_EQ(outgoing_answers(*second_, "dora"), 0);
    std::this_thread::sleep_for(a_second_late);
    EXPECT_EQ(outgoing_answers(first, "dora"), 403);
    EXPECT_EQ(outgoing_answers(*second_, "dora"), 403);
    EXPECT_EQ(outgoing_answers(*second_, "emil"), 0);
    std::this_thread::sleep_for(a_second_late);
    EXPECT_EQ(outgoing_answers(first, "dora"), 0) << "the row is broken";

    ASSERT_OK(change(2, {"limit", "del", "row"}));
    ASSERT_OK(change(2, {"limit", "add", "rate", "--calls-per-minute", ":2", "--block", "10m"}));
    ASSERT_TRUE(
        lab::eventually([&] { return host_->stemctl(1, {"limit", "show", "rate"}).has_value(); }, 5s));
    EXPECT_EQ(outgoing_answers(first, "f"), 0);
    EXPECT_EQ(outgoing_answers(*second_, "g"), 0);
    std::this_thread::sleep_for(a_second_late);

    // A manager that is killed and started anew forgets nothing, and counts nothing twice.
    host_->process(1).signal(SIGKILL);
    ASSERT_TRUE(lab::eventually([&] { return manager_of_first() == "sm2"; }, 20s));
    ASSERT_OK(host_->start(1));
    EXPECT_EQ(outgoing_answers(*second_, "h"), 403);
    for (const unsigned number : {1U, 2U}) {
        EXPECT_TRUE(lab::eventually(
            [&] {
                return host_->stemctl(number, {"limit", "blocks"})
                    .value_or("")
                    .contains("calls_per_minute 3");
            },
            5s))
            << number;
    }
    EXPECT_EQ(outgoing_answers(first, "i"), 403);
}

TEST_P(SharedManagers, AThresholdSetAtOneIsPushedByTheOther) {
    ASSERT_EQ(manager_of_first(), "sm1");
    ASSERT_EQ(manager_of_second(), "sm2");
    const auto in_kernel = [](const kernel::Instance& instance) -> std::uint32_t {
        const auto map = instance.thresholds();
        const auto values = map ? map->get(0) : std::unexpected(map.error());
        return values && *values ? (**values).keepalive_rate : 0;
    };
    auto second =
        kernel::Instance::open({.bpffs = lab::bpffs(), .run_dir = lab::scratch() / "run"}, "second");
    ASSERT_OK(second);
    ASSERT_OK(change(1, {"thresholds", "set", "keepalive_rate", "77", "--instance", "fw2"}));
    EXPECT_TRUE(lab::eventually([&] { return in_kernel(*second) == 77; }, 2s)) << in_kernel(*second);
    ASSERT_OK(change(2, {"thresholds", "set", "keepalive_rate", "66", "--group"}));
    EXPECT_TRUE(lab::eventually([&] { return in_kernel(stage_->instance()) == 66; }, 2s));
    EXPECT_EQ(in_kernel(*second), 77U) << "its own goes before the group's";
    // Both number by the one store.
    const auto versions = [&](unsigned number) {
        const auto list = host_->stemctl(number, {"thresholds", "list", "--instance", "fw2", "--json"});
        return list ? boost::json::parse(*list).at("version").as_int64() : -1;
    };
    EXPECT_EQ(versions(1), 2);
    EXPECT_EQ(versions(2), 2);
}

TEST_P(SharedManagers, ThePasswordIsNowhereToBeSeen) {
    for (const unsigned number : {1U, 2U}) {
        const auto& process = host_->process(number);
        for (const char* file : {"cmdline", "environ"}) {
            const auto seen = lab::read_text(fmt::format("/proc/{}/{}", process.pid(), file));
            ASSERT_OK(seen);
            EXPECT_THAT(*seen, Not(HasSubstr(secret))) << file;
        }
        EXPECT_THAT(process.errors(), Not(HasSubstr(secret)));
        EXPECT_THAT(process.errors(), HasSubstr("ready"));
    }
    // A wrong one is a clear error, without it.
    const auto passfile = host_->folder() / "pgpass";
    ASSERT_OK(lab::write_text(passfile, fmt::format("*:*:telephony:stem:{}x\n", secret)));
    const auto refused = host_->start(1);
    ASSERT_FALSE(refused);
    EXPECT_THAT(host_->process(1).errors(), HasSubstr("password authentication failed"));
    EXPECT_THAT(host_->process(1).errors(), Not(HasSubstr(secret)));
}

// The Security Manager inside stemd, over the same kind of database.
TEST(EmbeddedManager, KeepsItsUsersInPostgresql) {
    auto postgres = lab::Postgres::create();
    ASSERT_OK(postgres);
    ASSERT_OK(postgres->add_database("telephony"));
    StageOptions options{.programs = {.stemctl = STEM_STEMCTL, .stemd = STEM_STEMD}};
    options.database = postgres->uri("telephony");
    options.config = fmt::format("[audit]\nfile = \"{}\"\n", (lab::scratch() / "audit.jsonl").string());
    auto stage = Stage::set_up(options);
    ASSERT_OK(stage);
    for (const auto family : {lab::Family::v4, lab::Family::v6}) {
        auto erin = erin_phone(**stage, family);
        ASSERT_OK(erin);
        auto call = ScriptedCall::establish(**stage, {.family = family}, *erin);
        ASSERT_OK(call);
        EXPECT_TRUE(lab::eventually(
            [&] {
                return postgres
                           ->sql("telephony", "SELECT counts FROM call_counts WHERE manager LIKE 'stemd %'")
                           .value_or("")
                           .find("connected") != std::string::npos;
            },
            5s))
            << "it tells others of its calls";
        // It goes on without the database, and says so.
        postgres->stop();
        ASSERT_TRUE(lab::eventually(
            [&] {
                const auto status = (*stage)->stemctl({"status", "--json"});
                return status && !boost::json::parse(*status)
                                      .at("security_manager")
                                      .at("database")
                                      .at("connected")
                                      .as_bool();
            },
            10s));
        ASSERT_OK(call->hang_up(*erin));
        auto next = ScriptedCall::establish(**stage, {.family = family, .caller_media_port = 24200}, *erin);
        ASSERT_OK(next);
        ASSERT_OK(next->hang_up(*erin));
        EXPECT_FALSE((*stage)->stemctl({"user", "add", "late"}));
        ASSERT_OK(postgres->start());
        const std::string user = family == lab::Family::v4 ? "later" : "latest";
        EXPECT_TRUE(
            lab::eventually([&] { return (*stage)->stemctl({"user", "add", user}).has_value(); }, 15s));
        EXPECT_THAT(postgres->sql("telephony", "SELECT name FROM users").value_or(""),
                    testing::AllOf(HasSubstr("erin"), HasSubstr(user)));
    }
}

} // namespace
} // namespace stem::demo
