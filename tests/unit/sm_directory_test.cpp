// SPDX-License-Identifier: Apache-2.0
#include "sm_fixture.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace stem::sm {
namespace {

using std::chrono::seconds;

class SmDirectory : public DirectoryTest {
  protected:
    Link::Binding binding(std::string contact, std::string_view at, int lifetime = 60) {
        return {"sip:alice@Example.org:5060", std::move(contact), address(at), seconds(lifetime), false};
    }
    Directory::Learned learn(const Link::Binding& learned, TimePoint now = monday_nine) {
        return must(directory().learn(learned, now));
    }
    std::vector<std::string> contacts(const std::string& name = "alice") {
        std::vector<std::string> list;
        for (const Location& location : must(directory().locations(name))) {
            list.push_back(location.contact);
        }
        return list;
    }
};

// An error's kind, and that its words name `thing`.
template<typename T>
void expect_error(const Result<T>& result, int code, std::string_view thing) {
    const Error error = error_of(result);
    EXPECT_EQ(error.code, code) << error.message();
    EXPECT_NE(error.message().find(thing), std::string::npos) << error.message();
}

TEST_F(SmDirectory, UsersComeAndGo) {
    must(directory().add_user({"bob", "Bob", {}, {}}));
    must(directory().add_user({"alice", {}, {}, {"sips:alice@Example.org:5061", "tel:+49-30-1"}}));
    EXPECT_EQ(must(directory().user("alice")).uris,
              (std::vector<std::string>{"sip:alice@example.org", "tel:+49301"}));
    ASSERT_EQ(directory().users().size(), 2U);
    EXPECT_EQ(directory().users()[0].name, "alice");
    must(directory().remove_user("alice"));
    expect_error(directory().user("alice"), ENOENT, "alice");
    must(directory().add_uri("bob", "sip:alice@example.org"));
    reopen();
    ASSERT_EQ(directory().users().size(), 1U);
    EXPECT_EQ(directory().users()[0].display_name, "Bob");
    EXPECT_EQ(directory().users()[0].uris, std::vector<std::string>{"sip:alice@example.org"});
}

TEST_F(SmDirectory, RefusesBadUsers) {
    user("alice");
    expect_error(directory().add_user({"alice", {}, {}, {}}), EEXIST, "alice");
    expect_error(directory().add_user({"", {}, {}, {}}), EINVAL, "user name");
    expect_error(directory().add_user({"a/b", {}, {}, {}}), EINVAL, "a/b");
    expect_error(directory().add_user({"..", {}, {}, {}}), EINVAL, "..");
    expect_error(directory().add_user({std::string(65, 'a'), {}, {}, {}}), EINVAL, "aaa");
    expect_error(directory().add_user({"bob", "a\nb", {}, {}}), EINVAL, "display_name");
    expect_error(directory().add_user({"bob", "\xc3(", {}, {}}), EINVAL, "display_name");
    expect_error(directory().add_user({"bob", "\xed\xa0\x80", {}, {}}), EINVAL, "display_name");
    expect_error(directory().add_user({"bob", std::string(129, 'x'), {}, {}}), EINVAL, "129 octets");
    expect_error(directory().add_user({"bob", {}, "nosuch", {}}), ENOENT, "nosuch");
    expect_error(directory().add_user({"bob", {}, {}, {"sip:alice@EXAMPLE.org"}}), EEXIST,
                 "user 'alice' has it");
    expect_error(directory().add_user({"bob", {}, {}, {"sip:b@a", "sips:b@A:5061"}}), EINVAL, "twice");
    expect_error(directory().add_user({"bob", {}, {}, {"bob"}}), EINVAL, "'bob'");
    expect_error(directory().add_user({"bob", {}, {}, {"sip:example.org"}}), EINVAL, "no user part");
    expect_error(directory().remove_user("nobody"), ENOENT, "nobody");
    expect_error(directory().change_user("nobody", {}), ENOENT, "nobody");
    expect_error(directory().change_user("alice", {.display_name = {}, .profile = "nosuch"}), ENOENT,
                 "nosuch");
    EXPECT_EQ(directory().users().size(), 1U);
}

TEST_F(SmDirectory, UserChangesArePartial) {
    must(directory().add_profile({"office", {}, {}}));
    must(directory().add_user({"alice", "Alice", {}, {}}));
    must(directory().change_user("alice", {.display_name = {}, .profile = "office"}));
    EXPECT_EQ(must(directory().user("alice")).display_name, "Alice");
    must(directory().change_user("alice", {.display_name = "A", .profile = {}}));
    reopen();
    EXPECT_EQ(must(directory().user("alice")).profile, "office");
    EXPECT_EQ(must(directory().user("alice")).display_name, "A");
    must(directory().change_user("alice", {.display_name = {}, .profile = ""}));
    must(directory().remove_profile("office"));
}

TEST_F(SmDirectory, UrisAreOneUsersOnly) {
    user("alice");
    user("bob");
    must(directory().add_uri("alice", "tel:+49301"));
    expect_error(directory().add_uri("alice", "tel:+49-301"), EEXIST, "alice");
    expect_error(directory().add_uri("bob", "tel:+49301"), EEXIST, "alice");
    expect_error(directory().add_uri("nobody", "sip:x@y"), ENOENT, "nobody");
    expect_error(directory().add_uri("bob", "mailto:x@y"), EINVAL, "mailto");
    expect_error(directory().remove_uri("bob", "tel:+49301"), ENOENT, "tel:+49301");
    expect_error(directory().remove_uri("bob", "x"), EINVAL, "'x'");
    expect_error(directory().remove_uri("nobody", "sip:x@y"), ENOENT, "nobody");
    must(directory().remove_uri("alice", "tel:+49-301"));
    must(directory().add_uri("bob", "tel:+49301"));
}

TEST_F(SmDirectory, LocationsAreSetAndRemoved) {
    user("alice");
    must(directory().set_location("alice", "", address("192.0.2.7"), std::nullopt));
    must(directory().set_location("alice", "", address("2001:db8::7"), monday_nine + seconds(60)));
    must(directory().set_location("alice", "sip:desk@192.0.2.8:5070", address("192.0.2.8"), std::nullopt));
    must(directory().set_location("alice", "sip:desk@192.0.2.8:5070", address("192.0.2.9"), std::nullopt,
                                  *QValue::parse("0.35")));
    reopen();
    EXPECT_THAT(contacts(), testing::UnorderedElementsAre("sip:192.0.2.7", "sip:[2001:db8::7]",
                                                          "sip:desk@192.0.2.8:5070"));
    const auto all = must(directory().locations("alice"));
    EXPECT_TRUE(std::ranges::any_of(all, [](const Location& l) {
        return l.address == address("192.0.2.9") && l.q.thousandths() == 350;
    }));
    EXPECT_EQ(must(directory().remove_locations("alice", "sip:192.0.2.7")), 1U);
    EXPECT_EQ(must(directory().remove_locations("alice", "")), 2U);
    EXPECT_EQ(must(directory().remove_locations("alice", "")), 0U);
    reopen();
    EXPECT_TRUE(contacts().empty());
}

TEST_F(SmDirectory, RefusesBadLocations) {
    user("alice");
    const auto set = [&](std::string_view name, std::string_view contact, std::string_view at) {
        return directory().set_location(name, contact, address(at), std::nullopt);
    };
    expect_error(set("nobody", "", "192.0.2.1"), ENOENT, "nobody");
    for (const char* at : {"0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"}) {
        expect_error(set("alice", "", at), EINVAL, at);
    }
    expect_error(set("alice", "sip:a b", "192.0.2.1"), EINVAL, "sip:a b");
    expect_error(directory().remove_locations("alice", "sip:x"), ENOENT, "sip:x");
    expect_error(directory().remove_locations("nobody", ""), ENOENT, "nobody");
    expect_error(directory().locations("nobody"), ENOENT, "nobody");
    EXPECT_TRUE(contacts().empty());
}

TEST_F(SmDirectory, LearnsRefreshesAndForgets) {
    user("alice");
    EXPECT_EQ(learn(binding("sip:a@192.0.2.1", "192.0.2.1")), Directory::Learned::stored);
    EXPECT_EQ(learn(binding("sip:a@[2001:db8::1]", "2001:db8::1")), Directory::Learned::stored);
    // The same contact from elsewhere moves it.
    EXPECT_EQ(learn(binding("sip:a@192.0.2.1", "192.0.2.99")), Directory::Learned::stored);
    reopen();
    const auto known = must(directory().locations("alice"));
    ASSERT_EQ(known.size(), 2U);
    for (const Location& location : known) {
        EXPECT_EQ(location.origin, Location::Origin::learned);
        EXPECT_EQ(location.uri, "sip:alice@example.org");
        EXPECT_EQ(location.expires, monday_nine + seconds(60));
        EXPECT_TRUE(location.address == address("192.0.2.99") || location.address == address("2001:db8::1"));
    }
    EXPECT_EQ(learn(binding("sip:a@192.0.2.1", "192.0.2.99", 0)), Directory::Learned::removed);
    EXPECT_EQ(contacts(), std::vector<std::string>{"sip:a@[2001:db8::1]"});
    EXPECT_EQ(learn({"sip:nobody@example.org", "sip:x@192.0.2.1", address("192.0.2.1"), seconds(60), false}),
              Directory::Learned::unknown_user);
    expect_error(directory().learn({"garbage", "sip:x@y", {}, seconds(1), false}, monday_nine), EINVAL,
                 "garbage");
    expect_error(directory().learn(binding("", "192.0.2.1"), monday_nine), EINVAL, "contact");
    expect_error(directory().learn(binding("sip:x@y", "224.0.0.1"), monday_nine), EINVAL, "224.0.0.1");
}

TEST_F(SmDirectory, RemovingAllLeavesTheSetAndOtherAddresses) {
    user("alice");
    must(directory().add_uri("alice", "sip:al@example.org"));
    must(directory().set_location("alice", "", address("192.0.2.7"), std::nullopt));
    learn(binding("sip:a@192.0.2.1", "192.0.2.1"));
    learn(binding("sip:b@192.0.2.1", "192.0.2.1"));
    learn({"sip:al@example.org", "sip:c@192.0.2.1", address("192.0.2.1"), seconds(60), false});
    Link::Binding all = binding("", "192.0.2.1", 0);
    all.all = true;
    EXPECT_EQ(learn(all), Directory::Learned::removed);
    EXPECT_THAT(contacts(), testing::UnorderedElementsAre("sip:192.0.2.7", "sip:c@192.0.2.1"));
    // What an address registered goes with the address.
    must(directory().remove_uri("alice", "sip:al@example.org"));
    EXPECT_EQ(contacts(), std::vector<std::string>{"sip:192.0.2.7"});
    reopen();
    EXPECT_EQ(contacts(), std::vector<std::string>{"sip:192.0.2.7"});
}

TEST_F(SmDirectory, ExpiredLocationsGo) {
    user("alice");
    learn(binding("sip:a@192.0.2.1", "192.0.2.1", 60));
    learn(binding("sip:b@192.0.2.1", "192.0.2.1", 120));
    EXPECT_EQ(must(directory().expire(monday_nine + seconds(59))), 0U);
    EXPECT_EQ(must(directory().expire(monday_nine + seconds(60))), 1U);
    EXPECT_EQ(contacts(), std::vector<std::string>{"sip:b@192.0.2.1"});
    reopen(monday_nine + seconds(120));
    EXPECT_TRUE(contacts().empty());
    // No overflow where a phone asks for the longest.
    auto longest = binding("sip:c@192.0.2.1", "192.0.2.1");
    longest.lifetime = std::chrono::seconds::max();
    EXPECT_EQ(learn(longest), Directory::Learned::stored);
    EXPECT_GT(must(directory().locations("alice"))[0].expires, monday_nine);
}

TEST_F(SmDirectory, LearnedLocationsAreBounded) {
    user("alice");
    for (int i = 0; i < 40; ++i) {
        learn(binding("sip:a@192.0.2.1:" + std::to_string(6000 + i), "192.0.2.1", 1000 + i));
    }
    const auto left = contacts();
    EXPECT_EQ(left.size(), max_learned_locations);
    EXPECT_THAT(left, testing::Not(testing::Contains("sip:a@192.0.2.1:6007")));
    EXPECT_THAT(left, testing::Contains("sip:a@192.0.2.1:6008"));
    reopen();
    EXPECT_EQ(contacts().size(), max_learned_locations);
}

TEST_F(SmDirectory, RulesAreAddedMovedAndRemoved) {
    must(directory().add_profile({"office", reject(603), {}}));
    EXPECT_EQ(must(directory().add_rule("office", rule("sip:a@x", accept()), std::nullopt)), 1U);
    EXPECT_EQ(must(directory().add_rule("office", rule("sip:c@x", drop()), std::nullopt)), 2U);
    EXPECT_EQ(must(directory().add_rule("office", rule("sip:b@x", reject(486), "mon 08:00-09:00"), 2)), 2U);
    const auto order = [&] {
        std::string text;
        for (const Rule& item : must(directory().profile("office")).rules) {
            text += item.caller.value().substr(4, 1);
        }
        return text;
    };
    EXPECT_EQ(order(), "abc");
    must(directory().move_rule("office", 1, 3));
    EXPECT_EQ(order(), "bca");
    must(directory().move_rule("office", 3, 1));
    EXPECT_EQ(order(), "abc");
    must(directory().replace_rule("office", 3, rule("sip:d@x", accept())));
    must(directory().remove_rule("office", 1));
    must(directory().set_fallback("office", forward("sip:desk@example.org")));
    reopen();
    EXPECT_EQ(order(), "bd");
    EXPECT_EQ(must(directory().profile("office")).fallback, forward("sip:desk@example.org"));
    EXPECT_EQ(must(directory().profile("office")).rules[0], rule("sip:b@x", reject(486), "mon 08:00-09:00"));
    must(directory().add_profile({"another", {}, {}}));
    EXPECT_EQ(directory().profiles()[0].name, "another");
    must(directory().remove_profile("office"));
    reopen();
    EXPECT_EQ(directory().profiles().size(), 1U);
}

TEST_F(SmDirectory, RefusesBadProfiles) {
    user("alice", {rule("*", accept())});
    expect_error(directory().add_profile({"alice", {}, {}}), EEXIST, "alice");
    expect_error(directory().add_profile({"a b", {}, {}}), EINVAL, "a b");
    expect_error(directory().add_profile({"x", reject(200), {}}), EINVAL, "200");
    expect_error(directory().add_profile({"x", {}, {rule("*", forward(""))}}), EINVAL, "target");
    expect_error(directory().remove_profile("alice"), EEXIST, "user 'alice' has it");
    expect_error(directory().remove_profile("nosuch"), ENOENT, "nosuch");
    expect_error(directory().profile("nosuch"), ENOENT, "nosuch");
    expect_error(directory().set_fallback("nosuch", accept()), ENOENT, "nosuch");
    expect_error(directory().set_fallback("alice", forward("tel:+49301")), EINVAL, "tel:+49301");
    expect_error(directory().add_rule("nosuch", rule("*", accept()), {}), ENOENT, "nosuch");
    expect_error(directory().add_rule("alice", rule("*", accept()), 0), EINVAL, "position 0");
    expect_error(directory().add_rule("alice", rule("*", accept()), 3), EINVAL, "1..2");
    expect_error(directory().add_rule("alice", rule("*", reject(700)), {}), EINVAL, "700");
    expect_error(directory().replace_rule("alice", 2, rule("*", accept())), ENOENT, "no rule 2");
    expect_error(directory().replace_rule("alice", 1, rule("*", forward("x"))), EINVAL, "'x'");
    expect_error(directory().remove_rule("alice", 0), ENOENT, "no rule 0");
    expect_error(directory().remove_rule("nosuch", 1), ENOENT, "nosuch");
    expect_error(directory().move_rule("alice", 1, 2), ENOENT, "no rule 2");
    expect_error(directory().move_rule("nosuch", 1, 1), ENOENT, "nosuch");
    EXPECT_EQ(must(directory().profile("alice")).rules, std::vector{rule("*", accept())});
    Treatment odd = accept();
    odd.status = 486;
    expect_error(directory().set_fallback("alice", odd), EINVAL, "486");
    odd = drop();
    odd.target = "sip:x@y";
    expect_error(directory().set_fallback("alice", odd), EINVAL, "sip:x@y");
}

TEST_F(SmDirectory, SpamListsAreSeparate) {
    user("alice");
    must(directory().add_spam({pattern("*@Spam.example"), "", "ads"}));
    must(directory().add_spam({pattern("*@spam.example"), "alice", ""}));
    expect_error(directory().add_spam({pattern("*@spam.example"), "", ""}), EEXIST, "*@spam.example");
    expect_error(directory().add_spam({pattern("*@spam.example"), "alice", ""}), EEXIST, "*@spam.example");
    expect_error(directory().add_spam({pattern("*"), "nobody", ""}), ENOENT, "nobody");
    expect_error(directory().add_spam({pattern("*"), "", "a\x01"}), EINVAL, "note");
    expect_error(directory().remove_spam(pattern("*"), ""), ENOENT, "all users");
    expect_error(directory().remove_spam(pattern("*"), "alice"), ENOENT, "user 'alice'");
    expect_error(directory().remove_spam(pattern("*"), "nobody"), ENOENT, "nobody");
    reopen();
    EXPECT_EQ(directory().spam(std::nullopt).size(), 2U);
    ASSERT_EQ(directory().spam("").size(), 1U);
    EXPECT_EQ(directory().spam("")[0].note, "ads");
    EXPECT_EQ(directory().spam("alice").size(), 1U);
    must(directory().remove_spam(pattern("*@spam.example"), ""));
    EXPECT_EQ(directory().spam("").size(), 0U);
    must(directory().remove_user("alice"));
    EXPECT_TRUE(directory().spam(std::nullopt).empty());
    reopen();
    EXPECT_TRUE(directory().spam(std::nullopt).empty());
}

} // namespace
} // namespace stem::sm
