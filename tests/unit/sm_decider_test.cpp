// SPDX-License-Identifier: Apache-2.0
#include "sm/decider.h"
#include "sm_fixture.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ctime>

namespace stem::sm {
namespace {

class SmDecider : public DirectoryTest {
  protected:
    Decision ask(std::string caller, std::string callee, TimePoint at = monday_nine,
                 stem_direction direction = STEM_INBOUND) {
        return Decider(directory(), settings)
            .decide({std::move(caller), std::move(callee), "id", direction, at});
    }
    Decision call(const std::string& callee) {
        return ask("sip:caller@example.com", "sip:" + callee + "@example.org");
    }

    Settings settings;
};

int status_of(const Decision& decision) {
    const auto* reject = std::get_if<Reject>(&decision.action);
    return reject == nullptr ? 0 : reject->status;
}
bool accepted(const Decision& decision) {
    return std::holds_alternative<Accept>(decision.action);
}
bool dropped_as_spam(const Decision& decision) {
    const auto* drop = std::get_if<Drop>(&decision.action);
    return drop != nullptr && drop->spam;
}
bool dropped_by_profile(const Decision& decision) {
    const auto* drop = std::get_if<Drop>(&decision.action);
    return drop != nullptr && !drop->spam;
}
std::string target_of(const Decision& decision) {
    const auto* forward = std::get_if<Forward>(&decision.action);
    return forward == nullptr ? "" : forward->target;
}
std::vector<Address> terminals_of(const Decision& decision) {
    if (const auto* accept = std::get_if<Accept>(&decision.action)) {
        return accept->terminals;
    }
    const auto* forward = std::get_if<Forward>(&decision.action);
    return forward == nullptr ? std::vector<Address>{} : forward->terminals;
}

TEST_F(SmDecider, UnknownCalleeGoesByThePolicy) {
    EXPECT_EQ(status_of(call("nobody")), 404);
    EXPECT_NE(call("nobody").why.find("sip:nobody@example.org"), std::string::npos);
    EXPECT_EQ(status_of(ask("sip:a@b", "garbage")), 404);
    settings.unknown_user_status = 603;
    EXPECT_EQ(status_of(call("nobody")), 603);
    settings.unknown_user = Settings::UnknownUser::accept;
    EXPECT_TRUE(accepted(call("nobody")));
    settings.unknown_user = Settings::UnknownUser::drop;
    EXPECT_TRUE(dropped_by_profile(call("nobody")));
}

TEST_F(SmDecider, FindsTheCalleeByUserAndHost) {
    user("alice");
    EXPECT_TRUE(accepted(ask("sip:a@b", "sip:alice@EXAMPLE.org:5080;transport=udp")));
    EXPECT_EQ(status_of(ask("sip:a@b", "sip:Alice@example.org")), 404);
    EXPECT_EQ(status_of(ask("sip:a@b", "sip:alice@192.0.2.1")), 404);
    must(directory().add_uri("alice", "sip:alice@192.0.2.1"));
    must(directory().add_uri("alice", "sip:alice@[2001:db8::1]"));
    EXPECT_EQ(ask("sip:a@b", "sip:alice@192.0.2.1:5060").user, "alice");
    EXPECT_EQ(ask("sip:a@b", "sip:alice@[2001:DB8:0::1]:5060").user, "alice");
}

TEST_F(SmDecider, FindsTheCalleeByNumber) {
    must(directory().add_user({"alice", {}, {}, {"tel:+49-30-1"}}));
    must(directory().add_user({"bob", {}, {}, {"sip:+49302@example.org", "sip:1001@example.org"}}));
    EXPECT_EQ(ask("sip:a@b", "tel:+49(30)1").user, "alice");
    EXPECT_EQ(ask("sip:a@b", "sip:+49301@gw.example.net;user=phone").user, "alice");
    EXPECT_EQ(ask("sip:a@b", "tel:+49-302").user, "bob");
    EXPECT_EQ(ask("sip:a@b", "sip:+49302@192.0.2.1").user, "bob");
    // A short number is somebody else's at another host.
    EXPECT_EQ(status_of(ask("sip:a@b", "sip:1001@192.0.2.1")), 404);
    // A number of two users is nobody's, until one has it as a tel: URI.
    must(directory().add_user({"carol", {}, {}, {"sip:+49302@example.net"}}));
    EXPECT_EQ(status_of(ask("sip:a@b", "tel:+49302")), 404);
    EXPECT_EQ(ask("sip:a@b", "sip:+49302@example.net").user, "carol");
    must(directory().add_uri("carol", "tel:+49302"));
    EXPECT_EQ(ask("sip:a@b", "tel:+49302").user, "carol");
    must(directory().remove_user("carol"));
    EXPECT_EQ(ask("sip:a@b", "tel:+49302").user, "bob");
}

TEST_F(SmDecider, RulesInOrderThenTheDefault) {
    user("alice",
         {rule("sip:boss@example.com", accept()), rule("*@example.com", reject(486)), rule("+49*", drop())},
         reject(603));
    EXPECT_TRUE(accepted(ask("sip:boss@example.com", "sip:alice@example.org")));
    EXPECT_EQ(status_of(ask("sip:x@example.com", "sip:alice@example.org")), 486);
    EXPECT_TRUE(dropped_by_profile(ask("sip:+49301@example.net", "sip:alice@example.org")));
    const Decision fallback = ask("sip:x@example.net", "sip:alice@example.org");
    EXPECT_EQ(status_of(fallback), 603);
    EXPECT_EQ(fallback.why, "profile alice default -> reject 603");
    const Decision second = ask("sip:x@example.com", "sip:alice@example.org");
    EXPECT_EQ(second.why, "profile alice rule 2: caller *@example.com -> reject 486");
    EXPECT_EQ(second.user, "alice");
    // A change counts from the next call on.
    must(directory().move_rule("alice", 2, 1));
    EXPECT_EQ(status_of(ask("sip:boss@example.com", "sip:alice@example.org")), 486);
}

TEST_F(SmDecider, RulesKeepTheirHours) {
    const char* before = std::getenv("TZ");
    const std::string zone = before == nullptr ? "" : before;
    setenv("TZ", "UTC0", 1);
    tzset();
    user("alice", {rule("*", accept(), "mon-fri 08:00-18:00")}, reject(480));
    const Decision day = call("alice");
    EXPECT_TRUE(accepted(day));
    EXPECT_EQ(day.why, "profile alice rule 1: caller *, mon-fri 08:00-18:00 -> accept");
    const auto night = monday_nine + std::chrono::hours(12);
    EXPECT_EQ(status_of(ask("sip:x@example.com", "sip:alice@example.org", night)), 480);
    before == nullptr ? unsetenv("TZ") : setenv("TZ", zone.c_str(), 1);
    tzset();
}

TEST_F(SmDecider, SpamComesBeforeAllElse) {
    user("alice", {rule("*", accept())});
    user("bob");
    must(directory().add_spam({pattern("*@spam.example"), "", ""}));
    must(directory().add_spam({pattern("sip:x@example.com"), "alice", ""}));
    EXPECT_TRUE(dropped_as_spam(ask("sip:a@spam.example", "sip:alice@example.org")));
    EXPECT_TRUE(dropped_as_spam(ask("sip:a@spam.example", "sip:nobody@example.org")));
    const Decision own = ask("sip:x@example.com", "sip:alice@example.org");
    EXPECT_TRUE(dropped_as_spam(own));
    EXPECT_EQ(own.user, "alice");
    EXPECT_NE(own.why.find("spam list of user alice: caller sip:x@example.com"), std::string::npos)
        << own.why;
    EXPECT_TRUE(accepted(ask("sip:x@example.com", "sip:bob@example.org")));
    must(directory().remove_spam(pattern("*@spam.example"), ""));
    EXPECT_TRUE(accepted(ask("sip:a@spam.example", "sip:alice@example.org")));
}

TEST_F(SmDecider, TerminalsAreTheLivingLocationsOfBothFamilies) {
    user("alice");
    must(directory().set_location("alice", "", address("192.0.2.7"), std::nullopt));
    must(directory().set_location("alice", "sip:second@192.0.2.7", address("192.0.2.7"), std::nullopt));
    must(directory().set_location("alice", "", address("192.0.2.8"), monday_nine));
    must(directory().learn({"sip:alice@example.org", "sip:alice@[2001:db8::7]", address("2001:db8::7"),
                            std::chrono::seconds(60), false},
                           monday_nine));
    EXPECT_EQ(terminals_of(call("alice")), (std::vector{address("192.0.2.7"), address("2001:db8::7")}));
    const Decision later =
        ask("sip:x@example.com", "sip:alice@example.org", monday_nine + std::chrono::seconds(60));
    EXPECT_EQ(terminals_of(later), std::vector{address("192.0.2.7")});
}

// RFC 3261 16.6, 20.10.
TEST_F(SmDecider, TerminalsComeFromTheHighestQToTheLowest) {
    user("alice");
    const auto learn = [&](std::string_view at, std::string_view q) {
        must(directory().learn({"sip:alice@example.org", fmt::format("sip:alice@{}", at), address(at),
                                std::chrono::seconds(60), false, *QValue::parse(q)},
                               monday_nine));
    };
    learn("192.0.2.1", "0.1");
    learn("192.0.2.2", "0.75");
    learn("192.0.2.3", "1");
    learn("192.0.2.4", "0.75");
    EXPECT_EQ(terminals_of(call("alice")), (std::vector{address("192.0.2.3"), address("192.0.2.2"),
                                                        address("192.0.2.4"), address("192.0.2.1")}));
    learn("192.0.2.1", "0.9");
    EXPECT_EQ(terminals_of(call("alice")), (std::vector{address("192.0.2.3"), address("192.0.2.1"),
                                                        address("192.0.2.2"), address("192.0.2.4")}));
}

TEST_F(SmDecider, WithoutALocationThePolicyHolds) {
    user("alice");
    user("bob", {rule("*", forward("sip:alice@example.org"))});
    EXPECT_TRUE(accepted(call("alice")));
    EXPECT_TRUE(terminals_of(call("alice")).empty());
    settings.unlocated = Settings::Unlocated::reject;
    EXPECT_EQ(status_of(call("alice")), 480);
    EXPECT_EQ(status_of(call("bob")), 480);
    must(directory().set_location("alice", "", address("2001:db8::7"), std::nullopt));
    EXPECT_TRUE(accepted(call("alice")));
}

TEST_F(SmDecider, ForwardToAUserIsDecidedByThatUser) {
    user("alice", {rule("*", forward("sip:bob@example.org;transport=udp"))});
    user("bob");
    must(directory().set_location("alice", "", address("192.0.2.1"), std::nullopt));
    must(directory().set_location("bob", "", address("192.0.2.2"), std::nullopt));
    const Decision forwarded = call("alice");
    EXPECT_EQ(target_of(forwarded), "sip:bob@example.org;transport=udp");
    EXPECT_EQ(terminals_of(forwarded), std::vector{address("192.0.2.2")});
    EXPECT_EQ(forwarded.user, "bob");
    EXPECT_EQ(forwarded.why,
              "profile alice rule 1: caller * -> forward to sip:bob@example.org;transport=udp; "
              "user bob has no profile -> accept");
    must(directory().add_spam({pattern("*@example.com"), "bob", ""}));
    EXPECT_TRUE(dropped_as_spam(call("alice")));
    must(directory().remove_spam(pattern("*@example.com"), "bob"));
    must(directory().add_profile({"closed", reject(603), {}}));
    must(directory().change_user("bob", {.display_name = {}, .profile = "closed"}));
    EXPECT_EQ(status_of(call("alice")), 603);
    must(directory().set_fallback("closed", drop()));
    EXPECT_TRUE(dropped_by_profile(call("alice")));
}

TEST_F(SmDecider, ForwardElsewhereIsNotBound) {
    user("alice", {rule("*", forward("sip:voicemail@example.net"))});
    settings.unlocated = Settings::Unlocated::reject;
    const Decision forwarded = call("alice");
    EXPECT_EQ(target_of(forwarded), "sip:voicemail@example.net");
    EXPECT_TRUE(terminals_of(forwarded).empty());
    EXPECT_EQ(forwarded.user, "alice");
}

TEST_F(SmDecider, ChainsEndAfterFourForwards) {
    for (int i = 0; i < 5; ++i) {
        user("u" + std::to_string(i), {rule("*", forward("sip:u" + std::to_string(i + 1) + "@example.org"))});
    }
    user("u5");
    EXPECT_EQ(target_of(call("u1")), "sip:u5@example.org"); // u1 u2 u3 u4: four forwards
    const Decision five = call("u0");
    EXPECT_EQ(status_of(five), 482);
    EXPECT_NE(five.why.find("more than 4 forwards"), std::string::npos) << five.why;
}

TEST_F(SmDecider, ALoopIsRejected) {
    user("alice", {rule("*", forward("sip:bob@example.org"))});
    user("bob", {rule("*", forward("sip:ALICE@example.org")), rule("*", accept())});
    // Case matters in the user part: this is somebody else.
    EXPECT_EQ(target_of(call("alice")), "sip:ALICE@example.org");
    must(directory().replace_rule("bob", 1, rule("*", forward("sip:alice@EXAMPLE.org"))));
    const Decision loop = call("alice");
    EXPECT_EQ(status_of(loop), 482);
    EXPECT_NE(loop.why.find("a loop: user alice"), std::string::npos) << loop.why;
    user("self", {}, forward("sip:self@example.org"));
    EXPECT_EQ(status_of(call("self")), 482);
}

TEST_F(SmDecider, OutgoingCallsGoByThePolicyAlone) {
    user("alice", {rule("*", drop())});
    must(directory().add_spam({pattern("*"), "", ""}));
    const auto out = [&] {
        return ask("sip:alice@example.org", "sip:x@example.com", monday_nine, STEM_OUTBOUND);
    };
    EXPECT_TRUE(accepted(out()));
    EXPECT_TRUE(terminals_of(out()).empty());
    settings.outgoing = Settings::Outgoing::reject;
    EXPECT_EQ(status_of(out()), 403);
    settings.outgoing_status = 600;
    EXPECT_EQ(status_of(out()), 600);
}

TEST(SmSettings, StatusesAreFailures) {
    EXPECT_TRUE(Settings{}.check().has_value());
    Settings settings;
    settings.unknown_user_status = 200;
    EXPECT_NE(error_of(settings.check()).attempt.find("unknown_user_status"), std::string::npos);
    settings = {};
    settings.outgoing_status = 700;
    EXPECT_NE(error_of(settings.check()).attempt.find("outgoing_status"), std::string::npos);
}

// What refuses may ask that the source be denied; what lets in never does.
TEST_F(SmDecider, RefusalsMayDenyTheSource) {
    user("alice");
    const std::string alice = "sip:alice@example.org";
    must(directory().add_spam(
        {.caller = pattern("*@spam.example"), .user = "", .note = "", .deny_seconds = 600}));
    const Decision spam = ask("sip:a@spam.example", alice);
    EXPECT_TRUE(dropped_as_spam(spam));
    EXPECT_EQ(spam.deny, std::chrono::seconds(600));
    EXPECT_EQ(spam.deny_note, "spam *@spam.example");
    EXPECT_NE(spam.why.find("-> drop, deny 600 s"), std::string::npos) << spam.why;
    must(directory().add_spam(
        {.caller = pattern("sip:x@example.com"), .user = "alice", .note = "", .deny_seconds = 60}));
    EXPECT_EQ(ask("sip:x@example.com", alice).deny, std::chrono::seconds(60));

    const Treatment refusal{
        .action = Treatment::Action::reject, .target = {}, .status = 603, .deny_seconds = 3600};
    must(directory().add_profile(
        {.name = "strict",
         .fallback = {},
         .rules = {{.caller = pattern("*@fraud.example"), .when = std::nullopt, .then = refusal}}}));
    must(directory().change_user("alice", {.display_name = {}, .profile = "strict"}));
    const Decision fraud = ask("sip:b@fraud.example", alice);
    EXPECT_EQ(std::get<Reject>(fraud.action).status, 603);
    EXPECT_EQ(fraud.deny, std::chrono::seconds(3600));
    EXPECT_EQ(fraud.deny_note, "profile strict rule 1");
    const Decision other = ask("sip:c@example.net", alice);
    EXPECT_TRUE(accepted(other));
    EXPECT_EQ(other.deny.count(), 0);
    EXPECT_EQ(other.deny_note, "");
}

} // namespace
} // namespace stem::sm
