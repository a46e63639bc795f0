// SPDX-License-Identifier: Apache-2.0
// stemctl user import and location import from the tables that Kamailio's own scripts make.
#include "lab/enclosure.h"
#include "lab/postgres.h"
#include "lab/text_file.h"
#include "tests/expect_ok.h"
#include "tests/netns/manager_host.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stem::smd {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* rows =
    "INSERT INTO subscriber (username, domain, password, ha1) VALUES "
    "('alice', 'example.org', 'plain-secret', '0123456789abcdef0123456789abcdef'), "
    "('bob', 'Example.org', '', ''), ('alice', 'example.com', '', ''), ('no name!', 'example.org', '', ''), "
    "('carol', '', '', '');"
    "INSERT INTO location (ruid, username, domain, contact, received, path, expires, q) VALUES "
    "('1', 'alice', 'example.org', 'sip:alice@192.0.2.7:5062;line=1', NULL, NULL, '2099-01-01 00:00:00', "
    "0.5), "
    "('2', 'alice', 'example.org', 'sip:alice@[2001:db8::7]', NULL, NULL, '2099-01-01 00:00:00', 1.0), "
    "('3', 'alice', 'example.com', 'sip:alice@10.0.0.1', 'sip:198.51.100.7:40000', NULL, '2099-01-01 "
    "00:00:00', 1.0), "
    "('4', 'bob', 'example.org', 'sip:bob@192.0.2.8', NULL, NULL, '2001-01-01 00:00:00', 1.0), "
    "('5', 'bob', 'example.org', 'sip:bob@phone.example.org', NULL, NULL, '2099-01-01 00:00:00', 1.0), "
    "('6', 'bob', 'example.org', 'sip:bob@192.0.2.9', NULL, '<sip:edge.example.org;lr>', '2099-01-01 "
    "00:00:00', 1.0), "
    "('7', 'nobody', 'example.org', 'sip:n@192.0.2.9', NULL, NULL, '2099-01-01 00:00:00', 1.0);";

class KamailioImport : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        auto netns = lab::Netns::create("import");
        ASSERT_OK(netns);
        netns_.emplace(std::move(*netns));
        auto host = lab::ManagerHost::create({STEM_STEMCTL, STEM_STEM_SMD}, *netns_);
        ASSERT_OK(host);
        host_.emplace(std::move(*host));
        ASSERT_OK(host_->start(1));
        if (GetParam()) {
            make_postgresql();
        } else {
            make_sqlite();
        }
    }
    static std::string script(const std::string& folder) {
        std::string text;
        for (const char* part : {"standard", "auth_db", "usrloc"}) {
            const auto read =
                lab::read_text(fmt::format("/usr/share/kamailio/{}/{}-create.sql", folder, part));
            if (!read) {
                ADD_FAILURE() << read.error().message();
                return {};
            }
            text += *read;
        }
        return text + rows;
    }
    void make_sqlite() {
        const auto file = host_->folder() / "kamailio.db";
        ASSERT_OK(
            lab::run_command({.name = "sqlite3", .argv = {"sqlite3", file}, .input = script("db_sqlite")}));
        place_ = file;
    }
    void make_postgresql() {
        auto postgres = lab::Postgres::create();
        ASSERT_OK(postgres);
        postgres_.emplace(std::move(*postgres));
        ASSERT_OK(postgres_->add_database("kamailio"));
        ASSERT_OK(postgres_->sql("kamailio", script("postgres")));
        place_ = postgres_->uri("kamailio");
    }
    [[nodiscard]] boost::json::value import(const char* what, int status,
                                            std::vector<std::string> more = {}) const {
        std::vector<std::string> argv = {STEM_STEMCTL, what, "import", place_, "--json"};
        argv.insert(argv.end(), more.begin(), more.end());
        auto process = lab::Process::start(
            {.name = "stemctl", .argv = argv, .netns = &*netns_, .environment = host_->environment(1)});
        if (!process) {
            ADD_FAILURE() << process.error().message();
            return {};
        }
        const auto ended = process->wait(20s);
        EXPECT_TRUE(ended && *ended == status) << process->last_words();
        EXPECT_THAT(process->output(), testing::Not(HasSubstr("plain-secret")));
        return boost::json::parse(process->output());
    }

    std::optional<lab::Netns> netns_;
    std::optional<lab::ManagerHost> host_;
    std::optional<lab::Postgres> postgres_;
    std::string place_;
};

INSTANTIATE_TEST_SUITE_P(Databases, KamailioImport, testing::Bool(),
                         [](const auto& shared) { return shared.param ? "postgresql" : "sqlite"; });

TEST_P(KamailioImport, TakesOverWhatItCanAndNamesTheRest) {
    const auto users = import("user", 1);
    EXPECT_EQ(users.at("rows").as_int64(), 5);
    EXPECT_EQ(users.at("added").as_int64(), 3);
    ASSERT_EQ(users.at("failed").as_array().size(), 2U);
    const auto& unnamed = users.at("failed").at(0);
    EXPECT_EQ(unnamed.at("table").as_string(), "subscriber");
    EXPECT_EQ(unnamed.at("row").as_int64(), 4);
    EXPECT_THAT(std::string(unnamed.at("error").as_string()), HasSubstr("no name!"));
    EXPECT_THAT(std::string(users.at("failed").at(1).at("error").as_string()), HasSubstr("--domain"));
    EXPECT_THAT(std::string(users.at("note").as_string()), HasSubstr("1 brought their passwords"));
    const auto credentials = host_->stemctl(1, {"user", "password", "alice", "--list", "--json"});
    ASSERT_OK(credentials);
    EXPECT_THAT(*credentials, testing::AllOf(HasSubstr("example.org"), HasSubstr("MD5")));
    EXPECT_THAT(*credentials, testing::Not(HasSubstr("0123456789abcdef"))) << "a hash is a secret, too";

    const auto again = import("user", 1, {"--domain", "example.net"});
    EXPECT_EQ(again.at("present").as_int64(), 3);
    EXPECT_EQ(again.at("added").as_int64(), 1) << "carol";

    const auto locations = import("location", 1);
    EXPECT_EQ(locations.at("rows").as_int64(), 7);
    EXPECT_EQ(locations.at("added").as_int64(), 3);
    EXPECT_EQ(locations.at("expired").as_int64(), 1);
    std::vector<std::int64_t> failed;
    for (const auto& failure : locations.at("failed").as_array()) {
        failed.push_back(failure.at("row").as_int64());
    }
    EXPECT_THAT(failed, testing::ElementsAre(5, 6, 7));

    const auto alice = host_->stemctl(1, {"location", "list", "alice", "--json"});
    ASSERT_OK(alice);
    EXPECT_THAT(*alice, testing::AllOf(HasSubstr("192.0.2.7"), HasSubstr("2001:db8::7"),
                                       HasSubstr("2099-01-01"), HasSubstr("\"0.5\"")));
    const auto other = host_->stemctl(1, {"location", "list", "alice.example.com", "--json"});
    ASSERT_OK(other);
    EXPECT_THAT(*other, HasSubstr("198.51.100.7")) << "where it was received from";
}

TEST_P(KamailioImport, DoneAgainItBringsThePasswordsThatAreMissing) {
    const auto add_hash = [&](const std::string& hash) {
        const std::string statement = fmt::format(
            "UPDATE subscriber SET ha1b = '{}' WHERE domain = 'example.org' AND username = 'alice';", hash);
        if (GetParam()) {
            ASSERT_OK(postgres_->sql("kamailio", statement));
        } else {
            ASSERT_OK(lab::run_command({.name = "sqlite3", .argv = {"sqlite3", place_}, .input = statement}));
        }
    };
    const auto brought = [](const boost::json::value& users) {
        return std::string(users.at("note").as_string()).substr(0, 9);
    };
    const auto listed = [&] {
        const auto list = host_->stemctl(1, {"user", "password", "alice", "--list", "--json"});
        EXPECT_OK(list);
        return list ? *list : "";
    };
    // As where the API is gone between the user and the password.
    ASSERT_OK(host_->stemctl(1, {"user", "add", "alice", "--uri", "sip:alice@example.org"}));
    EXPECT_EQ(brought(import("user", 1)), "1 brought");
    EXPECT_THAT(listed(), HasSubstr("\"alice\""));
    EXPECT_EQ(brought(import("user", 1)), "0 brought");

    add_hash("0123456789abcdef0123456789abcdef");
    EXPECT_EQ(brought(import("user", 1)), "1 brought") << "a part was there";
    EXPECT_THAT(listed(), testing::AllOf(HasSubstr("\"alice\""), HasSubstr("\"alice@example.org\"")));
    EXPECT_EQ(brought(import("user", 1)), "0 brought");

    // A password of his own: it stays alone.
    for (const char* username : {"alice", "alice@example.org"}) {
        ASSERT_OK(host_->stemctl(
            1, {"user", "password", "alice", "--remove", "--username", username, "--realm", "example.org"}));
    }
    ASSERT_OK(lab::run_command(
        {.name = "stemctl",
         .argv = {STEM_STEMCTL, "user", "password", "alice", "--stdin", "--realm", "another-realm"},
         .netns = &*netns_,
         .input = "correct horse\n",
         .environment = host_->environment(1)}));
    EXPECT_EQ(brought(import("user", 1)), "0 brought");
    EXPECT_THAT(listed(), testing::AllOf(HasSubstr("another-realm"), testing::Not(HasSubstr("example.org"))));
}

TEST_P(KamailioImport, ADatabaseThatIsNoneIsNamed) {
    for (const char* what : {"user", "location"}) {
        const auto refused = host_->stemctl(1, {what, "import", host_->folder() / "missing.db"});
        ASSERT_FALSE(refused);
        EXPECT_THAT(refused.error().message(), HasSubstr("missing.db"));
        EXPECT_FALSE(std::filesystem::exists(host_->folder() / "missing.db"));
        const auto other = host_->stemctl(1, {what, "import", host_->folder() / "smd1.db"});
        ASSERT_FALSE(other);
        EXPECT_THAT(other.error().message(),
                    HasSubstr(what == std::string("user") ? "subscriber" : "table location"));
    }
}

} // namespace
} // namespace stem::smd
