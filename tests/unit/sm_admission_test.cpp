// SPDX-License-Identifier: Apache-2.0
// Bounds of calls at once, limits of outgoing calls, and what is known of calls in progress.
#include "sm/admission.h"
#include "sm/audit/search.h"
#include "sm_fixture.h"

#include <gmock/gmock.h>

namespace stem::sm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using State = Link::CallEvent::State;

class SmAdmission : public DirectoryTest {
  protected:
    SmAdmission()
        : trail_(must(audit::Trail::open({.file = folder_ / "audit.jsonl"}))),
          admission_(directory(), settings_, trail_.get(), [this] { return now_; }) {
        admission_.on_warning([this](const std::string& text) { warnings_.push_back(text); });
    }

    Query query(const std::string& call, const std::string& from, const std::string& to,
                stem_direction direction = STEM_INBOUND) const {
        return {.caller = from,
                .callee = to,
                .call_id = "id-" + call,
                .direction = direction,
                .at = now_,
                .call = call};
    }
    // 0: let in.
    int in(const std::string& call, const std::string& user = "alice") {
        return status_of(
            admission_.decide(query(call, "sip:x@example.com", "sip:" + user + "@example.org"), fw_));
    }
    int out(const std::string& call, const std::string& number, const std::string& user = "alice") {
        last_ = admission_.decide(query(call, "sip:" + user + "@example.org", "tel:" + number, STEM_OUTBOUND),
                                  fw_);
        return status_of(last_);
    }
    static int status_of(const Decision& decision) {
        const auto* reject = std::get_if<Reject>(&decision.action);
        return reject == nullptr ? 0 : reject->status;
    }
    Link::CallEvent event(const std::string& call, State state, const std::string& user = "alice",
                          stem_direction direction = STEM_INBOUND) const {
        return {.call = call,
                .call_id = "id-" + call,
                .caller = direction == STEM_INBOUND ? "sip:x@example.com" : "sip:" + user + "@example.org",
                .callee = direction == STEM_INBOUND ? "sip:" + user + "@example.org" : "tel:+881",
                .direction = direction,
                .user = {},
                .state = state,
                .at = now_};
    }
    void tell(const std::string& call, State state, const std::string& user = "alice",
              stem_direction direction = STEM_INBOUND) {
        admission_.follow(event(call, state, user, direction), fw_);
    }
    void end(const std::string& call, const std::string& cause) {
        auto ended = event(call, State::ended, "alice", STEM_OUTBOUND);
        ended.cause = cause;
        admission_.follow(ended, fw_);
    }
    std::vector<std::string> recorded(const audit::Filter& filter, const char* member = "why") {
        std::vector<std::string> list;
        for (const auto& record :
             must(audit::search(*trail_, filter, audit::Order::oldest_first, "", 100)).records) {
            list.emplace_back(record.contains(member) ? std::string(record.at(member).as_string())
                                                      : std::string());
        }
        return list;
    }
    void limit(Limit limit) { must(directory().put_limit(limit)); }

    Folder folder_;
    Settings settings_;
    TimePoint now_ = monday_nine;
    std::string fw_ = "firewall fw1";
    std::unique_ptr<audit::Trail> trail_;
    Admission admission_;
    Decision last_;
    std::vector<std::string> warnings_;
};

TEST_F(SmAdmission, CallsToAUserAreBoundedUntilTheyEnd) {
    user("alice");
    must(directory().change_user("alice", {.display_name = {}, .profile = {}, .max_calls = 2}));
    EXPECT_EQ(in("1"), 0);
    tell("1", State::going);
    EXPECT_EQ(in("2"), 0) << "two that are asked for at once are two";
    EXPECT_EQ(in("3"), 486);
    EXPECT_EQ(in("2"), 0) << "asked anew, as after a 401, it is the same call";
    tell("2", State::answered);
    EXPECT_EQ(in("3"), 486);
    tell("1", State::ended);
    EXPECT_EQ(in("3"), 0);
    EXPECT_EQ(admission_.counts().busy, 2U);
    EXPECT_EQ(admission_.calls().size(), 2U);
    EXPECT_THAT(recorded({.action = "reject"}), ElementsAre(HasSubstr("max_calls"), HasSubstr("max_calls")));
}

TEST_F(SmAdmission, CallsToAProfileAreBoundedTogetherAndRefusedAsConfigured) {
    must(directory().add_profile({"shop", {}, {}, 1}));
    must(directory().add_user({"alice", {}, "shop", {"sip:alice@example.org"}}));
    must(directory().add_user({"bob", {}, "shop", {"sip:bob@example.org"}}));
    settings_.busy_status = 600;
    admission_.set_settings(settings_);
    EXPECT_EQ(in("1", "alice"), 0);
    EXPECT_EQ(in("2", "bob"), 600);
    const auto explained = admission_.explain(query("", "sip:x@example.com", "sip:bob@example.org"));
    EXPECT_EQ(status_of(explained.decision), 600);
    EXPECT_EQ(explained.steps.back().what, "max_calls of profile shop");
    EXPECT_TRUE(explained.steps.back().decided);
    EXPECT_EQ(std::ranges::count(explained.steps, true, &Step::decided), 1);
    must(directory().set_max_calls("shop", 2));
    EXPECT_EQ(in("2", "bob"), 0);
}

TEST_F(SmAdmission, ADecisionThatNobodyActedOnCountsOnlyForAWhile) {
    user("alice");
    must(directory().change_user("alice", {.display_name = {}, .profile = {}, .max_calls = 1}));
    EXPECT_EQ(in("1"), 0);
    EXPECT_EQ(in("2"), 486);
    now_ += Calls::patience + 1s;
    admission_.tick();
    EXPECT_EQ(in("2"), 0);
    tell("2", State::going);
    now_ += 3600s;
    admission_.tick();
    EXPECT_EQ(in("3"), 486) << "what was told of goes on until its end is told";
}

TEST_F(SmAdmission, BoundsHoldTogetherWithOtherSecurityManagers) {
    user("alice");
    user("bob");
    must(directory().change_user("alice", {.display_name = {}, .profile = {}, .max_calls = 2}));
    admission_.share_counts_as("sm1 1234", "sm1");
    const auto told = [&](bool connected, std::uint32_t calls) {
        return std::vector<ToldCounts>{
            {.counts = {{"firewall fw9",
                         {.connected = connected, .counts = {{"user alice", calls}}, .left = {}}}},
             .at = now_}};
    };
    admission_.take_counts(told(true, 1));
    EXPECT_EQ(in("1"), 0);
    EXPECT_EQ(in("2"), 486);
    admission_.take_counts({});
    EXPECT_EQ(in("2"), 0);
    EXPECT_EQ(in("3"), 486) << "its own";
    tell("2", State::ended);

    // Of what is not bound nobody needs to know; and a process that is a firewall itself tells by its own
    // name.
    EXPECT_EQ(in("4", "bob"), 0);
    EXPECT_EQ(admission_.counts_to_share(),
              (SharedCounts{{"sm1", {.connected = true, .counts = {{"user alice", 1}}, .left = {}}}}));

    // A firewall that comes to us counts here alone, from this moment.
    admission_.take_counts(told(true, 1));
    EXPECT_EQ(in("2"), 486);
    admission_.came("firewall fw9");
    EXPECT_EQ(in("2"), 0);
    tell("2", State::ended);
    EXPECT_EQ(admission_.counts_to_share().at("firewall fw9"), FirewallCounts());

    // And one that has gone to another counts there, and not for the time of its absence here, too.
    admission_.review({event("a", State::going), event("b", State::going)}, true, true, "firewall fw9");
    EXPECT_EQ(in("2"), 486);
    admission_.left("firewall fw9");
    EXPECT_EQ(admission_.counts_to_share().at("firewall fw9"),
              (FirewallCounts{.connected = false, .counts = {{"user alice", 2}}, .left = now_}));
    EXPECT_EQ(in("2"), 486);
    now_ += 10s;
    admission_.take_counts(told(true, 0));
    EXPECT_EQ(in("2"), 0);
    EXPECT_EQ(admission_.counts().calls_forgotten, 0U) << "they are not over";
}

TEST_F(SmAdmission, AFirewallThatComesBackSaysWhatGoesOn) {
    user("alice");
    must(directory().change_user("alice", {.display_name = {}, .profile = {}, .max_calls = 2}));
    in("1");
    in("2");
    tell("1", State::answered);
    tell("2", State::answered);
    admission_.left(fw_);
    admission_.came(fw_);
    admission_.review({event("2", State::answered), event("7", State::going)}, true, false, fw_);
    EXPECT_EQ(admission_.calls().size(), 3U) << "not before the last part";
    admission_.review({}, false, true, fw_);
    EXPECT_EQ(admission_.calls().size(), 2U);
    EXPECT_EQ(in("8"), 486) << "call 7 counts, though another Security Manager decided of it";
    EXPECT_EQ(admission_.counts().calls_forgotten, 1U);
    EXPECT_THAT(recorded({.action = "ended", .call_id = "id-1"}),
                ElementsAre("its firewall came back without it"));
    now_ += Calls::absence;
    admission_.tick();
    EXPECT_EQ(admission_.calls().size(), 2U);
}

TEST_F(SmAdmission, CallsOfAFirewallThatStaysAwayAreForgotten) {
    user("alice");
    in("1");
    tell("1", State::answered);
    admission_.left(fw_);
    now_ += Calls::absence - 1s;
    admission_.tick();
    EXPECT_EQ(admission_.calls().size(), 1U);
    now_ += 1s;
    admission_.tick();
    EXPECT_EQ(admission_.calls().size(), 0U);
    EXPECT_THAT(recorded({.action = "ended"}), ElementsAre("its firewall stays away"));
}

TEST_F(SmAdmission, FirewallsNameTheirCallsByThemselves) {
    user("alice");
    in("1");
    fw_ = "firewall fw2";
    in("1");
    EXPECT_EQ(admission_.calls().count(Admission::user_counter("alice")), 2U);
}

TEST_F(SmAdmission, CallsAMinuteWarnAndAreRefused) {
    user("alice");
    limit({.name = "satellite", .user = {}, .prefix = "+881", .when = {}, .calls_per_minute = {2, 3}});
    EXPECT_EQ(out("1", "+8811"), 0);
    EXPECT_EQ(out("2", "+8812"), 0);
    EXPECT_EQ(out("3", "+8813"), 0) << "a warning";
    EXPECT_EQ(out("4", "+8814"), 403);
    EXPECT_THAT(last_.why, HasSubstr("satellite"));
    EXPECT_EQ(out("5", "+49301"), 0) << "another prefix";
    EXPECT_EQ(admission_.counts().limit_warnings, 1U);
    EXPECT_EQ(admission_.counts().limit_refusals, 1U);
    EXPECT_THAT(recorded({.kind = "limit"}, "action"), ElementsAre("warning", "critical"));
    EXPECT_EQ(warnings_.size(), 2U);
    EXPECT_EQ(out("6", "+8811", "bob"), 0) << "of each user by himself: nobody has that URI";
    now_ += 61s;
    EXPECT_EQ(out("7", "+8811"), 0);
}

// What stands behind the number is dialled, or dropped, by the gateway: either way the number is called.
TEST_F(SmAdmission, APrefixIsThatOfWhatAGatewayDials) {
    user("alice");
    limit({.name = "satellite", .user = {}, .prefix = "+881", .when = {}, .calls_per_minute = {{}, 0}});
    const auto call_of = [this](const std::string& user) {
        return status_of(admission_.decide(
            query(user, "sip:alice@example.org", "sip:" + user + "@gw.example.org", STEM_OUTBOUND), fw_));
    };
    for (const char* callee :
         {"+8811234", "+881-1234w", "+8811234,,1", "+8811234p5;x=y", "+8811234x7", "+88112abc"}) {
        EXPECT_EQ(call_of(callee), 403) << callee;
    }
    EXPECT_EQ(call_of("+49301w"), 0);
    EXPECT_EQ(call_of("carol"), 0) << "no number";
    EXPECT_FALSE(Limits::outgoing_of(directory(), "sip:alice@example.org", "urn:service:sos").unreadable)
        << "no number either, and not to be held up";
    const auto outgoing = Limits::outgoing_of(directory(), "sip:alice@example.org", "tel:+88112345x");
    EXPECT_TRUE(outgoing.unreadable) << "it may be anybody, so each limit covers it";
    EXPECT_TRUE(Limits::covers({.name = "x", .user = {}, .prefix = "+881", .when = {}}, outgoing, now_));
}

TEST_F(SmAdmission, OutgoingCallsAtOnceAreBounded) {
    user("alice");
    limit({.name = "all", .user = "alice", .prefix = {}, .when = {}, .concurrent = {{}, 1}, .status = 486});
    EXPECT_EQ(out("1", "+881"), 0);
    tell("1", State::answered, "alice", STEM_OUTBOUND);
    EXPECT_EQ(out("2", "+49"), 486);
    tell("1", State::ended, "alice", STEM_OUTBOUND);
    EXPECT_EQ(out("2", "+49"), 0);
    // Known from the firewall alone.
    admission_.review({event("9", State::answered, "alice", STEM_OUTBOUND)}, true, true, fw_);
    EXPECT_EQ(out("10", "+49"), 486);
}

TEST_F(SmAdmission, DurationIsBoundByTheFirewallAndWarnedOf) {
    user("alice");
    limit({.name = "long", .user = {}, .prefix = {}, .when = {}, .duration = {60, 600}});
    limit({.name = "longer", .user = {}, .prefix = "+881", .when = {}, .duration = {{}, 300}});
    EXPECT_EQ(out("1", "+49"), 0);
    EXPECT_EQ(last_.max_duration, 600s);
    EXPECT_EQ(out("2", "+881"), 0);
    EXPECT_EQ(last_.max_duration, 300s) << "the narrowest holds";
    tell("1", State::answered, "alice", STEM_OUTBOUND);
    tell("2", State::answered, "alice", STEM_OUTBOUND);
    tell("2", State::ended, "alice", STEM_OUTBOUND);
    now_ += 59s;
    admission_.tick();
    EXPECT_THAT(recorded({.kind = "limit"}), IsEmpty());
    now_ += 1s;
    admission_.tick();
    EXPECT_THAT(recorded({.kind = "limit"}, "call_id"), ElementsAre("id-1"));
    EXPECT_EQ(admission_.counts().limit_warnings, 1U);
}

TEST_F(SmAdmission, CallsInARowToOneNumberAreBounded) {
    user("alice");
    limit({.name = "row", .user = {}, .prefix = {}, .when = {}, .sequential = {{}, 2}});
    EXPECT_EQ(out("1", "+881"), 0);
    EXPECT_EQ(out("2", "+8-8-1"), 0);
    EXPECT_EQ(out("3", "+881"), 403);
    EXPECT_EQ(out("4", "+49"), 0);
    EXPECT_EQ(out("5", "+881"), 0) << "not in a row any more";
}

TEST_F(SmAdmission, AnAttemptThatCredentialsAreAskedForDoesNotCount) {
    user("alice");
    limit({.name = "row", .user = {}, .prefix = {}, .when = {}, .sequential = {{}, 1}, .block_seconds = 600});
    limit({.name = "rate", .user = {}, .prefix = {}, .when = {}, .calls_per_minute = {{}, 2}});
    for (const char* cause : {"failed with 401", "failed with 407"}) { // of two proxies, one behind the other
        EXPECT_EQ(out("1", "+881"), 0);
        tell("1", State::going, "alice", STEM_OUTBOUND);
        end("1", cause);
        EXPECT_EQ(admission_.limits().calls_in_minute("rate", "alice", now_), 0U);
        now_ += 1s;
    }
    EXPECT_EQ(out("1", "+881"), 0);
    EXPECT_EQ(admission_.limits().calls_in_minute("rate", "alice", now_), 1U);
    end("1", "failed with 486");
    EXPECT_TRUE(directory().blocks().empty());
    EXPECT_EQ(admission_.limits().open(), 0U);
    // Whoever was called counts, also where the caller goes on with the same call.
    EXPECT_EQ(out("1", "+49"), 0);
    end("1", "failed with 486");
    EXPECT_EQ(out("1", "+33"), 403);
    EXPECT_THAT(last_.why, HasSubstr("calls_per_minute 3"));
}

TEST_F(SmAdmission, WhatIsAskedAgainWhileItIsKnownCountsOnce) {
    user("alice");
    limit({.name = "row", .user = {}, .prefix = {}, .when = {}, .sequential = {{}, 2}});
    limit({.name = "rate", .user = {}, .prefix = {}, .when = {}, .calls_per_minute = {{}, 3}});
    for (int i = 0; i < 4; ++i) { // its link broke before the answer came
        EXPECT_EQ(out("1", "+881"), 0);
    }
    EXPECT_EQ(admission_.limits().calls_in_minute("rate", "alice", now_), 1U);
    EXPECT_EQ(out("", "+882"), 0) << "without a name it is another each time";
    EXPECT_EQ(out("", "+882"), 0);
    EXPECT_EQ(out("", "+882"), 403);
    fw_ = "firewall fw2";
    EXPECT_EQ(out("1", "+881"), 403) << "another firewall's";
}

TEST_F(SmAdmission, WhatIsTakenBackLeavesTheRowAsItWas) {
    user("alice");
    limit({.name = "row", .user = {}, .prefix = {}, .when = {}, .sequential = {{}, 2}});
    EXPECT_EQ(out("1", "+881"), 0);
    EXPECT_EQ(out("2", "+881"), 0);
    EXPECT_EQ(out("3", "+49"), 0);
    end("3", "failed with 407");
    EXPECT_EQ(out("4", "+881"), 403) << "nothing was between";
    EXPECT_EQ(out("5", "+49"), 0);
    end("1", "failed with 407"); // late, of the row before
    EXPECT_EQ(out("6", "+49"), 0);
    EXPECT_EQ(out("7", "+49"), 403);
    end("5", "failed with 401");
    end("6", "failed with 401");
    EXPECT_EQ(out("8", "+881"), 0) << "one is left of it";
    EXPECT_EQ(out("9", "+881"), 403);
}

TEST_F(SmAdmission, AttemptsThatCanBeTakenBackAreBounded) {
    user("alice");
    limit({.name = "rate", .user = {}, .prefix = {}, .when = {}, .calls_per_minute = {{}, 1'000'000}});
    const Limit& rate = directory().limits().at("rate");
    Limits limits;
    const Outgoing call{.user = "alice", .callee = "+881", .number = "+881"};
    for (std::size_t i = 0; i <= Limits::most_open; ++i) {
        limits.count({fw_, std::to_string(i)}, rate, call, now_);
    }
    EXPECT_EQ(limits.open(), Limits::most_open);
    limits.take_back({fw_, "0"});
    EXPECT_EQ(limits.calls_in_minute("rate", "alice", now_), Limits::most_open + 1);
    limits.take_back({fw_, "1"});
    EXPECT_EQ(limits.calls_in_minute("rate", "alice", now_), Limits::most_open);
}

TEST_F(SmAdmission, HoursOfTheWeekMayForbidCalls) {
    user("alice");
    limit({.name = "night",
           .user = {},
           .prefix = "+",
           .when = must(Schedule::parse("sat,sun")),
           .calls_per_minute = {{}, 0}});
    EXPECT_EQ(out("1", "+881"), 0);
    now_ += std::chrono::days(5);
    EXPECT_EQ(out("2", "+881"), 403);
    EXPECT_EQ(out("3", "112"), 0) << "the prefix is another";
}

TEST_F(SmAdmission, ACriticalLevelMayBlockTheUserAndTheBlockOutlivesARestart) {
    user("alice");
    user("bob");
    limit({.name = "row", .user = {}, .prefix = {}, .when = {}, .sequential = {{}, 0}, .block_seconds = 600});
    EXPECT_EQ(out("1", "+881"), 403);
    must(directory().remove_limit("row"));
    EXPECT_EQ(out("2", "+49"), 403);
    EXPECT_THAT(last_.why, HasSubstr("blocked until 2026-11-23T09:10:00Z"));
    EXPECT_EQ(out("3", "+49", "bob"), 0);
    EXPECT_EQ(admission_.counts().blocks, 1U);
    EXPECT_EQ(admission_.counts().blocked, 1U);
    const auto explained = admission_.explain(query("", "sip:alice@example.org", "tel:+49", STEM_OUTBOUND));
    EXPECT_EQ(explained.steps.back().what, "block of user alice");
    reopen(now_);
    EXPECT_EQ(directory().blocks().at("alice").until, now_ + 600s);
}

TEST_F(SmAdmission, ABlockIsLiftedByHandOrInTime) {
    user("alice");
    must(directory().block({"alice", now_ + 60s, "test"}));
    EXPECT_EQ(out("1", "+49"), 403);
    must(directory().unblock("alice"));
    EXPECT_EQ(out("2", "+49"), 0);
    EXPECT_EQ(error_of(directory().unblock("alice")).code, ENOENT);
    must(directory().block({"alice", now_ + 60s, "test"}));
    now_ += 60s;
    EXPECT_EQ(out("3", "+49"), 0);
    for (int i = 0; i < 60; ++i) {
        admission_.tick();
    }
    EXPECT_THAT(directory().blocks(), IsEmpty());
}

TEST_F(SmAdmission, LimitsOutliveARestartAndTheirUserDoesNotLeaveThemBehind) {
    user("alice");
    const Limit whole{.name = "whole",
                      .user = "alice",
                      .prefix = "+881",
                      .when = must(Schedule::parse("mon-fri 22:00-06:00")),
                      .calls_per_minute = {1, 2},
                      .concurrent = {{}, 3},
                      .duration = {4, {}},
                      .sequential = {5, 6},
                      .status = 603,
                      .block_seconds = 7};
    limit(whole);
    reopen(now_);
    EXPECT_EQ(directory().limits().at("whole"), whole);
    must(directory().remove_user("alice"));
    EXPECT_THAT(directory().limits(), IsEmpty());
    reopen(now_);
    EXPECT_THAT(directory().limits(), IsEmpty());
}

TEST_F(SmAdmission, LimitsThatMakeNoSenseAreRefused) {
    const auto refused = [&](Limit limit) { return error_of(directory().put_limit(limit)).message(); };
    EXPECT_THAT(refused({.name = "x"}), HasSubstr("limits nothing"));
    EXPECT_THAT(refused({.name = "x", .prefix = "sip:", .concurrent = {1, 2}}), HasSubstr("prefix 'sip:'"));
    EXPECT_THAT(refused({.name = "x", .concurrent = {3, 2}}), HasSubstr("warning 3 is above its critical 2"));
    EXPECT_THAT(refused({.name = "x", .duration = {{}, 0}}), HasSubstr("nobody speak"));
    EXPECT_THAT(refused({.name = "x", .user = "nobody", .concurrent = {1, 2}}), HasSubstr("nobody"));
    EXPECT_THAT(refused({.name = "a b", .concurrent = {1, 2}}), HasSubstr("'a b'"));
    EXPECT_THAT(refused({.name = "x", .concurrent = {1, 2}, .status = 200}), HasSubstr("200"));
}

TEST_F(SmAdmission, EveryDecisionIsRecordedWithItsCallAndItsReason) {
    user("alice", {rule("*@bad.example", reject(603))});
    must(directory().add_spam({pattern("anonymous"), "", ""}));
    const auto decide = [&](const char* call, const char* from) {
        admission_.decide(query(call, from, "sip:alice@example.org"), fw_);
    };
    decide("1", "sip:bob@example.com");
    decide("2", "sip:eve@bad.example");
    decide("3", "sip:anonymous@anonymous.invalid");
    EXPECT_THAT(recorded({.kind = "decision"}, "action"), ElementsAre("accept", "reject", "drop spam"));
    EXPECT_THAT(recorded({.kind = "decision", .action = "drop"}),
                ElementsAre(HasSubstr("spam list of all users")));
    EXPECT_THAT(recorded({.kind = "decision", .call_id = "id-2"}),
                ElementsAre(HasSubstr("profile alice rule 1")));
    EXPECT_THAT(recorded({.kind = "decision", .who = "fw1"}, "call"), ElementsAre("1", "2", "3"));
}

} // namespace
} // namespace stem::sm
