// SPDX-License-Identifier: Apache-2.0
// The audit trail: what is written comes back, by any filter; files turn over; a full disk stops nothing.
#include "sm/audit/search.h"
#include "sm/audit/trail.h"
#include "sm_fixture.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include <sys/resource.h>
#include <sys/stat.h>

namespace stem::sm::audit {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class AuditTrail : public testing::Test {
  protected:
    [[nodiscard]] std::filesystem::path file() const { return folder_ / "sm.audit.jsonl"; }
    std::unique_ptr<Trail> open(std::uint64_t octets = 1U << 20U, std::uint32_t files = 3) {
        return must(Trail::open({.file = file(), .octets = octets, .files = files, .sync = 10ms}));
    }
    static Record decided(int number, std::string_view caller = "sip:bob@example.com", int status = 0) {
        const Query query{.caller = std::string(caller),
                          .callee = "sip:alice@example.org",
                          .call_id = "call-" + std::to_string(number),
                          .at = monday_nine + std::chrono::seconds(number)};
        Decision decision{.action = Accept{}, .user = "alice", .why = "test"};
        if (status != 0) {
            decision.action = Reject{.status = status};
        }
        return decision_record(query, decision, "firewall fw1");
    }
    static std::vector<std::string> calls(const Page& page) {
        std::vector<std::string> ids;
        for (const auto& record : page.records) {
            ids.emplace_back(record.at("call_id").as_string());
        }
        return ids;
    }
    [[nodiscard]] static std::string text_of(const std::filesystem::path& path) {
        std::ostringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }

    Folder folder_;
};

TEST_F(AuditTrail, IsJsonLinesForItsOwnerAlone) {
    auto trail = open();
    trail->write(decided(1));
    struct stat about{};
    ASSERT_EQ(::stat(file().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777U, 0600U);
    const std::string text = text_of(file());
    ASSERT_TRUE(text.ends_with("}\n"));
    EXPECT_EQ(json::parse(text), json::parse(R"({"seq":1,"time":"2026-11-23T09:00:01.000Z","kind":"decision",
        "who":"firewall fw1","call_id":"call-1","caller":"sip:bob@example.com","callee":"sip:alice@example.org",
        "direction":"inbound","user":"alice","action":"accept","why":"test"})"));
}

TEST_F(AuditTrail, AFileThatOthersMayReadIsClosedToThem) {
    std::ofstream(file()) << "";
    ASSERT_EQ(::chmod(file().c_str(), 0644), 0);
    open();
    struct stat about{};
    ASSERT_EQ(::stat(file().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777U, 0600U);
}

TEST_F(AuditTrail, WhatPeersSendStaysOneLineOfJson) {
    auto trail = open();
    const std::string hostile = std::string("a\"b\\c\nd\x01\xff\xc3\xa4\x7f") + std::string(5000, 'x');
    trail->write(decided(1, hostile));
    trail->write(decided(2));
    const auto page = must(search(*trail, {}, Order::oldest_first, "", 10));
    ASSERT_THAT(page.records, SizeIs(2));
    const std::string caller(page.records[0].at("caller").as_string());
    EXPECT_THAT(caller, HasSubstr("a\"b\\c\nd\x01\xef\xbf\xbd\xc3\xa4\x7f"));
    EXPECT_LT(caller.size(), longest_text + 16);
    EXPECT_THAT(caller, HasSubstr("xxx..."));
    const std::string text = text_of(file());
    EXPECT_EQ(std::ranges::count(text, '\n'), 2);
}

TEST_F(AuditTrail, IsSearchedByEachFilter) {
    auto trail = open();
    for (int i = 1; i <= 20; ++i) {
        trail->write(decided(i, i % 2 == 0 ? "sip:Bob@example.com" : "tel:+4930", i % 5 == 0 ? 486 : 0));
    }
    trail->write(
        Record(Kind::change, monday_nine + 30s, "admin ann").text("action", "POST").text("user", "carol"));
    const auto find = [&](const Filter& filter) {
        return must(search(*trail, filter, Order::newest_first, "", 100)).records.size();
    };
    EXPECT_EQ(find({}), 21U);
    EXPECT_EQ(find({.kind = "decision"}), 20U);
    EXPECT_EQ(find({.kind = "change"}), 1U);
    EXPECT_EQ(find({.action = "reject"}), 4U);
    EXPECT_EQ(find({.user = "alice"}), 20U);
    EXPECT_EQ(find({.user = "ali"}), 0U);
    EXPECT_EQ(find({.who = "ann"}), 1U);
    EXPECT_EQ(find({.caller = "bob@EXAMPLE"}), 10U);
    EXPECT_EQ(find({.callee = "alice"}), 20U);
    EXPECT_EQ(find({.call_id = "call-7"}), 1U);
    EXPECT_EQ(find({.since = monday_nine + 11s}), 11U);
    EXPECT_EQ(find({.until = monday_nine + 11s}), 10U);
    EXPECT_EQ(find({.since = monday_nine + 5s, .until = monday_nine + 8s}), 3U);
}

TEST_F(AuditTrail, PagesMeetWithoutAGapOverFilesThatTurnedOver) {
    auto trail = open(2000, 100);
    for (int i = 1; i <= 200; ++i) {
        trail->write(decided(i));
    }
    EXPECT_GT(trail->counts().rotated, 10U);
    EXPECT_GT(trail->files().size(), 10U);
    for (const auto order : {Order::newest_first, Order::oldest_first}) {
        std::vector<std::string> all;
        std::string from;
        do {
            auto page = must(search(*trail, {}, order, from, 7));
            EXPECT_LE(page.records.size(), 7U);
            const auto ids = calls(page);
            all.insert(all.end(), ids.begin(), ids.end());
            from = page.next;
        } while (!from.empty());
        ASSERT_THAT(all, SizeIs(200));
        for (std::size_t i = 0; i < all.size(); ++i) {
            const std::size_t number = order == Order::oldest_first ? i + 1 : 200 - i;
            ASSERT_EQ(all[i], "call-" + std::to_string(number));
        }
    }
}

TEST_F(AuditTrail, KeepsAsManyFilesAsItMay) {
    auto trail = open(2000, 2);
    for (int i = 1; i <= 200; ++i) {
        trail->write(decided(i));
    }
    EXPECT_THAT(trail->files(), SizeIs(3));
    for (const auto& path : trail->files()) {
        EXPECT_LE(std::filesystem::file_size(path), 2000U);
    }
    EXPECT_FALSE(std::filesystem::exists(file().string() + ".3"));
}

TEST_F(AuditTrail, GoesOnWhereAnEarlierProcessEnded) {
    open()->write(decided(1));
    {
        std::ofstream torn(file(), std::ios::app);
        torn << "{\"seq\":2,\"time\":\"2026"; // killed in the middle of a write
    }
    auto trail = open();
    trail->write(decided(3));
    const auto page = must(search(*trail, {}, Order::newest_first, "", 10));
    EXPECT_THAT(calls(page), ElementsAre("call-3", "call-1"));
    EXPECT_GT(page.records[0].at("seq").as_int64(), 1);
}

TEST_F(AuditTrail, ReopensAFileThatWasMovedAway) {
    auto trail = open();
    trail->write(decided(1));
    std::filesystem::rename(file(), file().string() + ".moved");
    trail->write(decided(2));
    must(trail->reopen(trail->settings()));
    trail->write(decided(3));
    EXPECT_THAT(text_of(file().string() + ".moved"), HasSubstr("call-2"));
    EXPECT_THAT(calls(must(search(*trail, {}, Order::newest_first, "", 10))), ElementsAre("call-3"));
}

// RLIMIT_FSIZE stands in for a full disk: write() fails alike.
TEST_F(AuditTrail, AFullDiskIsCountedToldAndGotOver) {
    auto trail = open();
    std::vector<std::string> told;
    trail->on_trouble([&](const std::string& why) { told.push_back(why); });
    trail->write(decided(1));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit full{.rlim_cur = std::filesystem::file_size(file()) + 50, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    trail->write(decided(2));
    trail->write(decided(3));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    static_cast<void>(std::signal(SIGXFSZ, handler));
    EXPECT_EQ(trail->counts().lost, 2U);
    EXPECT_THAT(trail->failure(), HasSubstr(file().string()));
    trail->write(decided(4));
    EXPECT_EQ(trail->counts().lost, 2U);
    EXPECT_EQ(trail->failure(), "");
    EXPECT_THAT(told, ElementsAre(HasSubstr("write audit file"), ""));
    const auto page = must(search(*trail, {}, Order::oldest_first, "", 10));
    ASSERT_THAT(page.records, SizeIs(3)) << "no half a line: " << text_of(file());
    EXPECT_EQ(page.records[1].at("kind").as_string(), "gap");
    EXPECT_EQ(page.records[1].at("lost").as_int64(), 2);
    EXPECT_EQ(page.records[2].at("call_id").as_string(), "call-4");
}

TEST_F(AuditTrail, RefusesWhatIsNoFile) {
    EXPECT_THAT(error_of(Trail::open({.file = "/dev/null"})).message(), HasSubstr("/dev/null"));
    EXPECT_THAT(error_of(Trail::open({.file = folder_ / "nowhere/x"})).message(), HasSubstr("[audit] file"));
    auto trail = open();
    for (const char* place : {"x", "1", "1.", "1.x", ".1", "-1.0"}) {
        EXPECT_THAT(error_of(search(*trail, {}, Order::newest_first, place, 10)).message(),
                    HasSubstr("not a place"))
            << place;
    }
    EXPECT_THAT(must(search(*trail, {}, Order::newest_first, "99.0", 10)).records, IsEmpty());
}

} // namespace
} // namespace stem::sm::audit
