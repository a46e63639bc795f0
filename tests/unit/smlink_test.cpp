// SPDX-License-Identifier: Apache-2.0
// The parts of the link to Security Managers that need no network.
#include "ctl/smlink/outbox.h"
#include "ctl/smlink/snapshot_keeper.h"
#include "sm/pki/authority.h"
#include "sm/pki/file.h"
#include "tests/unit/sm_fixture.h"
#include <stem/backoff.h>

#include <gmock/gmock.h>

namespace stem::smlink {
namespace {

using namespace std::chrono_literals;
using sm::error_of;
using sm::must;
using testing::ElementsAre;
using testing::HasSubstr;
using Steady = Outbox::Clock;

TEST(Backoff, DoublesToItsBoundAndIsScattered) {
    Backoff backoff(100ms, 1000ms);
    EXPECT_EQ(backoff.next(1), 100ms);
    EXPECT_EQ(backoff.next(0), 100ms) << "half of 200";
    EXPECT_EQ(backoff.next(1), 400ms);
    EXPECT_EQ(backoff.next(0.5), 600ms);
    EXPECT_EQ(backoff.next(1), 1000ms);
    EXPECT_EQ(backoff.next(1), 1000ms);
    backoff.reset();
    EXPECT_EQ(backoff.next(1), 100ms);
}

sm::Link::Binding binding(const char* user, const char* contact, std::chrono::seconds lifetime,
                          bool all = false) {
    return {std::string("sip:") + user + "@example.org", contact, sm::address("192.0.2.7"), lifetime, all};
}

TEST(Outbox, KeepsTheNewestOfEachContactUntilItIsAcknowledged) {
    const auto start = Steady::now();
    Outbox outbox;
    const auto first = outbox.add(binding("bob", "sip:a", 60s), start);
    const auto other = outbox.add(binding("bob", "sip:b", 60s), start);
    const auto newer = outbox.add(binding("bob", "sip:a", 600s), start);
    EXPECT_THAT(outbox.tickets(), ElementsAre(other, newer));
    EXPECT_FALSE(outbox.item(first, start));
    EXPECT_EQ(std::get<sm::Link::Binding>(*outbox.item(newer, start + 100s)).lifetime, 500s);
    EXPECT_FALSE(outbox.item(other, start + 60s)) << "it is over";
    outbox.done(newer);
    outbox.done(newer);
    EXPECT_THAT(outbox.tickets(), ElementsAre(other));
}

TEST(Outbox, ARemovalOfAllVoidsWhatWasBefore) {
    const auto start = Steady::now();
    Outbox outbox;
    outbox.add(binding("bob", "sip:a", 60s), start);
    const auto carol = outbox.add(binding("carol", "sip:c", 60s), start);
    outbox.add(binding("bob", "sip:b", 60s), start);
    const auto all = outbox.add(binding("bob", "", 0s, true), start);
    const auto again = outbox.add(binding("bob", "sip:a", 60s), start);
    EXPECT_THAT(outbox.tickets(), ElementsAre(carol, all, again));
    EXPECT_TRUE(std::get<sm::Link::Binding>(*outbox.item(all, start + 3600s)).all)
        << "a removal does not run out";
}

TEST(Outbox, IsBoundedAndSaysWhatItLost) {
    Outbox outbox(2);
    const auto start = Steady::now();
    outbox.add(binding("a", "x", 60s), start);
    const auto report = outbox.add(sm::Link::StreamEnd{.cause = "flow_byte_rate"});
    const auto last = outbox.add(binding("b", "x", 60s), start);
    EXPECT_THAT(outbox.tickets(), ElementsAre(report, last));
    EXPECT_EQ(outbox.lost(), 1U);
    EXPECT_EQ(std::get<sm::Link::StreamEnd>(*outbox.item(report, start)).cause, "flow_byte_rate");
}

TEST(Outbox, KeepsTheEndOfACallUntilItIsAcknowledged) {
    Outbox outbox;
    const auto ticket = outbox.add(
        sm::Link::CallEvent{.call = "1", .state = sm::Link::CallEvent::State::ended, .cause = "BYE"});
    EXPECT_EQ(std::get<sm::Link::CallEvent>(*outbox.item(ticket, Steady::now())).cause, "BYE");
    outbox.done(0); // what nothing is kept of
    EXPECT_EQ(outbox.size(), 1U);
    outbox.done(ticket);
    EXPECT_EQ(outbox.size(), 0U);
}

class SnapshotKeeperTest : public sm::DirectoryTest {
  protected:
    SnapshotKeeperTest()
        : authority_(must(pki::Authority::init(own_ / "pki", "Test", std::chrono::days(30), now()))),
          server_(must(authority_.issue({pki::Role::server, "sm1"}, {}, {}, now()))), trust_(load_trust()) {
        user("bob", {sm::rule("*", sm::reject(486))});
        user("carol");
    }
    static sm::TimePoint now() { return std::chrono::system_clock::now(); }
    [[nodiscard]] pki::Trust load_trust() const {
        return must(pki::Trust::load(authority_.certificate_file(), authority_.revocation_list()));
    }
    [[nodiscard]] std::string content() { return sm::snapshot_of(directory(), {}); }
    [[nodiscard]] channel::SnapshotHead head(const std::string& of, sm::TimePoint at) const {
        return must(channel::sign_snapshot(of, at, must(pki::Key::read(server_.key)),
                                           must(pki::Certificate::read(server_.certificate))));
    }
    // As it comes over the channel.
    Result<bool> send(SnapshotKeeper& keeper, const std::string& content, sm::TimePoint at) const {
        auto whole = head(content, at);
        const auto parts = channel::parts_of(content);
        whole.parts = static_cast<std::int64_t>(parts.size());
        auto taken = keeper.begin(whole, trust_, now());
        for (std::size_t i = 0; taken && i < parts.size(); ++i) {
            taken = keeper.add({static_cast<std::int64_t>(i), std::string(parts[i])}, trust_, now());
        }
        return taken;
    }
    static int status_for(SnapshotKeeper& keeper, const char* callee, sm::TimePoint at) {
        const auto decision = keeper.decide({.caller = "sip:a@example.com", .callee = callee, .at = at}, at);
        if (!decision) {
            return 0;
        }
        const auto* reject = std::get_if<sm::Reject>(&decision->action);
        return reject == nullptr ? 200 : reject->status;
    }

    sm::Folder own_;
    pki::Authority authority_;
    pki::Authority::Issued server_;
    pki::Trust trust_;
};

TEST_F(SnapshotKeeperTest, DecidesUntilItIsTooOld) {
    SnapshotKeeper keeper({}, 60s, 5s);
    EXPECT_EQ(status_for(keeper, "sip:bob@example.org", now()), 0) << "there is none";
    const auto made = now();
    EXPECT_TRUE(must(send(keeper, content(), made)));
    EXPECT_EQ(status_for(keeper, "sip:bob@example.org", made), 486);
    EXPECT_EQ(status_for(keeper, "sip:carol@example.org", made + 59s), 200);
    EXPECT_EQ(status_for(keeper, "sip:carol@example.org", made + 61s), 0);
    // Time alone has passed: a new manifest of the same content.
    EXPECT_TRUE(must(keeper.begin(head(content(), made + 3s), trust_, now() + 3s)));
    EXPECT_EQ(status_for(keeper, "sip:carol@example.org", made + 62s), 200);
}

TEST_F(SnapshotKeeperTest, OutlivesTheProcess) {
    const auto file = own_ / "fw1.snapshot";
    {
        SnapshotKeeper keeper(file, 3600s, 5s);
        must(send(keeper, content(), now()));
    }
    SnapshotKeeper keeper(file, 3600s, 5s);
    must(keeper.load(trust_, now()));
    EXPECT_EQ(status_for(keeper, "sip:bob@example.org", now()), 486);
    auto text = must(pki::read_secret_file(file));
    text.replace(text.find("486"), 3, "487");
    must(pki::write_file(file, text, pki::secret_mode));
    SnapshotKeeper forged(file, 3600s, 5s);
    EXPECT_THAT(error_of(forged.load(trust_, now())).message(), HasSubstr("not what was signed"));
    EXPECT_EQ(status_for(forged, "sip:bob@example.org", now()), 0);
}

TEST_F(SnapshotKeeperTest, NeverGoesBackAndNeverMixes) {
    SnapshotKeeper keeper({}, 3600s, 5s);
    const auto old = content();
    must(send(keeper, old, now()));
    EXPECT_THAT(error_of(send(keeper, old, now() - 60s)).message(), HasSubstr("older"));
    auto whole = head(old, now() + 1s);
    whole.parts = 2;
    EXPECT_FALSE(must(keeper.begin(whole, trust_, now())));
    EXPECT_FALSE(keeper.add({1, "x"}, trust_, now())) << "not the first part";
    EXPECT_FALSE(keeper.add({0, "x"}, trust_, now())) << "given up";
    EXPECT_FALSE(must(keeper.begin(whole, trust_, now())));
    EXPECT_FALSE(must(keeper.add({0, "x"}, trust_, now())));
    EXPECT_THAT(error_of(keeper.add({1, "y"}, trust_, now())).message(), HasSubstr("not what was signed"));
    EXPECT_EQ(status_for(keeper, "sip:bob@example.org", now()), 486) << "the former stays";
}

TEST_F(SnapshotKeeperTest, OfARevokedMakerIsInForceNoMore) {
    SnapshotKeeper keeper({}, 3600s, 5s);
    must(send(keeper, content(), now()));
    keeper.judge_again(load_trust(), now());
    EXPECT_EQ(status_for(keeper, "sip:bob@example.org", now()), 486) << "nothing has changed";
    must(authority_.revoke({pki::Role::server, "sm1"}, now()));
    keeper.judge_again(load_trust(), now());
    EXPECT_EQ(status_for(keeper, "sip:bob@example.org", now()), 0);
    EXPECT_FALSE(keeper.usable(now()));
}

TEST_F(SnapshotKeeperTest, LearnsWhatItsMakerHasNotHeard) {
    SnapshotKeeper keeper({}, 3600s, 5s);
    must(send(keeper, content(), now()));
    keeper.learn({"sip:carol@example.org", "sip:carol@192.0.2.7", sm::address("192.0.2.7"), 60s, false},
                 now());
    const auto decision =
        keeper.decide({.caller = "sip:a@example.com", .callee = "sip:carol@example.org", .at = now()}, now());
    ASSERT_TRUE(decision);
    EXPECT_THAT(std::get<sm::Accept>(decision->action).terminals, ElementsAre(sm::address("192.0.2.7")));
    EXPECT_THAT(decision->why, HasSubstr("snapshot of sm1"));
}

} // namespace
} // namespace stem::smlink
