// SPDX-License-Identifier: Apache-2.0
// Who makes an outgoing call: challenges, their answers, announcements, and what is refused.
#include "sm/auth/announcement_api.h"
#include "sm/auth/authenticator.h"
#include "sm/auth/password.h"
#include "sm/decider.h"
#include "tests/unit/sm_fixture.h"

#include <gmock/gmock.h>

namespace stem::auth {
namespace {

using namespace std::chrono_literals;
using sm::address;
using sm::must;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* password = "correct horse";

// Whether the phones are IPv6.
class AuthenticatorTest : public sm::DirectoryTest, public testing::WithParamInterface<bool> {
  protected:
    AuthenticatorTest() {
        user("alice");
        user("bob");
        set_password("alice", password);
        policy_.outgoing = sm::Settings::Outgoing::challenge;
        policy_.unchallenged = {must(Cidr::parse(GetParam() ? "2001:db8:77::/48" : "198.51.100.0/24"))};
        restart();
    }
    void restart() {
        decider_.emplace(directory(), policy_);
        authenticator_ = must(Authenticator::create(loop_, directory(), policy_.realm, settings_));
    }
    void set_password(const std::string& name, const std::string& secret) {
        must(directory().set_credentials(
            name, {.username = name,
                   .realm = policy_.realm,
                   .md5 = make_ha1(Algorithm::md5, name, policy_.realm, secret),
                   .sha256 = make_ha1(Algorithm::sha256, name, policy_.realm, secret)}));
    }
    [[nodiscard]] static Address host(unsigned number) {
        return address((GetParam() ? "2001:db8:1:" : "192.0.2.") + std::to_string(number) +
                       (GetParam() ? "::1" : ""));
    }
    [[nodiscard]] sm::Query query(const std::string& call_id = "call-1") const {
        return {.caller = "sip:alice@example.org",
                .callee = "sip:carol@example.com",
                .call_id = call_id,
                .direction = STEM_OUTBOUND,
                .at = now_,
                .source = host(7)};
    }
    sm::Decision decide(const sm::Query& query) {
        std::vector<sm::Decision> decisions;
        authenticator_->decide(
            query,
            [this](const sm::Query& asked, const Authenticator::Done& done) {
                done(decider_->decide(asked));
            },
            [&](sm::Decision decision) { decisions.push_back(std::move(decision)); });
        EXPECT_EQ(decisions.size(), 1U);
        return decisions.empty() ? sm::Decision{} : decisions.front();
    }
    static std::string nonce_of(const sm::Decision& decision) {
        const auto& value = std::get<sm::Challenge>(decision.action).values.front();
        const auto begin = value.find("nonce=\"") + 7;
        return value.substr(begin, value.find('"', begin) - begin);
    }
    struct Phone {
        std::string username = "alice";
        std::string secret = password;
        Algorithm algorithm = Algorithm::sha256;
        std::string nc = "00000001";
        std::string uri = "sip:carol@example.com";
    };
    [[nodiscard]] std::string answer(const std::string& nonce, const Phone& phone) const {
        Authorization given{.username = phone.username,
                            .realm = policy_.realm,
                            .nonce = nonce,
                            .uri = phone.uri,
                            .cnonce = "c",
                            .qop = "auth",
                            .nc = phone.nc,
                            .algorithm = phone.algorithm};
        const auto ha1 = make_ha1(phone.algorithm, phone.username, policy_.realm, phone.secret);
        return "Digest username=\"" + given.username + "\", realm=\"" + given.realm + "\", nonce=\"" + nonce +
               "\", uri=\"" + given.uri + "\", cnonce=\"c\", nc=" + given.nc +
               ", qop=auth, algorithm=" + std::string(name_of(phone.algorithm)) + ", response=\"" +
               response_for(given, ha1, "INVITE") + "\"";
    }
    // Challenges, and answers as that phone does.
    sm::Decision call(const Phone& phone, sm::Query asked) {
        const auto first = decide(asked);
        EXPECT_TRUE(std::holds_alternative<sm::Challenge>(first.action)) << first.why;
        asked.authorization = {"Digest realm=\"another\", nonce=\"x\"", answer(nonce_of(first), phone)};
        return decide(asked);
    }
    static int status(const sm::Decision& decision) {
        if (const auto* reject = std::get_if<sm::Reject>(&decision.action)) {
            return reject->status;
        }
        return std::holds_alternative<sm::Challenge>(decision.action) ? 407 : 200;
    }

    boost::asio::io_context loop_;
    sm::Settings policy_;
    Settings settings_;
    std::optional<sm::Decider> decider_;
    std::unique_ptr<Authenticator> authenticator_;
    sm::TimePoint now_ = sm::monday_nine;
};

INSTANTIATE_TEST_SUITE_P(Families, AuthenticatorTest, testing::Bool(),
                         [](const auto& family) { return family.param ? "v6" : "v4"; });

TEST_P(AuthenticatorTest, ChallengesWithBothAlgorithmsTheBetterFirst) {
    const auto decision = decide(query());
    const auto& challenge = std::get<sm::Challenge>(decision.action);
    ASSERT_THAT(challenge.values, SizeIs(2));
    EXPECT_THAT(challenge.values[0], HasSubstr("algorithm=SHA-256"));
    EXPECT_THAT(challenge.values[1], HasSubstr("algorithm=MD5"));
    EXPECT_FALSE(challenge.stale);
    EXPECT_EQ(authenticator_->counts().challenged, 1U);
}

TEST_P(AuthenticatorTest, ChallengesAUserWithWhatItHasAHashOf) {
    must(directory().set_credentials(
        "alice",
        {.username = "alice", .realm = "stem", .md5 = make_ha1(Algorithm::md5, "alice", "stem", password)}));
    const auto decision = decide(query());
    EXPECT_THAT(std::get<sm::Challenge>(decision.action).values, ElementsAre(HasSubstr("algorithm=MD5")));
    EXPECT_EQ(status(call({.algorithm = Algorithm::md5}, query("c1"))), 200);
    EXPECT_EQ(status(call({.algorithm = Algorithm::sha256}, query("c2"))), 407);
}

// Whoever is on the way could take SHA-256 out of the challenge.
TEST_P(AuthenticatorTest, AnAlgorithmThatWasNotAskedForIsNone) {
    settings_.algorithms = {"SHA-256"};
    restart();
    EXPECT_EQ(status(call({.algorithm = Algorithm::md5}, query("c1"))), 407);
    EXPECT_EQ(status(call({.algorithm = Algorithm::sha256}, query("c2"))), 200);
    EXPECT_EQ(authenticator_->counts().wrong, 0U);
}

TEST_P(AuthenticatorTest, TheRightAnswerLetsTheCallOut) {
    for (const auto algorithm : {Algorithm::sha256, Algorithm::md5}) {
        const auto decision =
            call({.algorithm = algorithm}, query("call-" + std::string(name_of(algorithm))));
        EXPECT_TRUE(std::holds_alternative<sm::Accept>(decision.action)) << decision.why;
        EXPECT_EQ(decision.user, "alice");
        EXPECT_THAT(decision.why,
                    HasSubstr("caller is user alice (digest " + std::string(name_of(algorithm))));
    }
    EXPECT_EQ(authenticator_->counts().admitted, 2U);
}

TEST_P(AuthenticatorTest, AWrongAnswerAndAnUnknownUserLookAlike) {
    const auto wrong = call({.secret = "guessed it"}, query("c1"));
    const auto unknown = call({.username = "mallory"}, query("c2"));
    for (const auto& decision : {wrong, unknown}) {
        ASSERT_TRUE(std::holds_alternative<sm::Challenge>(decision.action));
        EXPECT_FALSE(std::get<sm::Challenge>(decision.action).stale);
        EXPECT_EQ(decision.why, wrong.why);
    }
    EXPECT_EQ(authenticator_->counts().wrong, 1U);
    EXPECT_EQ(authenticator_->counts().unknown, 1U);
}

TEST_P(AuthenticatorTest, GuessingIsSlowedAndTheUserElsewhereIsNot) {
    for (unsigned i = 0; i < 4; ++i) {
        EXPECT_EQ(status(call({.secret = "guess " + std::to_string(i)}, query("c" + std::to_string(i)))),
                  407);
    }
    const auto decision = call({}, query("right at last"));
    EXPECT_EQ(status(decision), 480) << decision.why;
    EXPECT_GT(std::get<sm::Reject>(decision.action).retry_after, 0s);
    auto elsewhere = query("elsewhere");
    elsewhere.source = host(8);
    EXPECT_EQ(status(call({}, elsewhere)), 200);
    EXPECT_EQ(authenticator_->counts().throttled, 1U);
}

// Those that are begun before the first is judged.
TEST_P(AuthenticatorTest, ManyGuessesAtOnceGainNothing) {
    must(directory().set_administrator("ann", must(hash_password("staple battery"))));
    using Login = Authenticator::Login;
    const auto at_once = [&](int many, const char* secret, unsigned from) {
        std::map<Login, int> logins;
        for (int i = 0; i < many; ++i) {
            authenticator_->log_in("ann", secret, host(from), [&](Login login) { ++logins[login]; });
        }
        const auto end = std::chrono::steady_clock::now() + 60s;
        const auto told = [&] {
            int sum = 0;
            for (const auto& [login, count] : logins) {
                sum += count;
            }
            return sum;
        };
        while (told() < many && std::chrono::steady_clock::now() < end) {
            loop_.restart();
            loop_.run_for(10ms);
        }
        return logins;
    };
    EXPECT_EQ(at_once(10, "staple battery", 7)[Login::right], 10) << "who is right may come often";
    settings_.free_failures_of_source = 5;
    restart();
    const auto guesses = at_once(30, "guess", 7);
    EXPECT_EQ(guesses.at(Login::wrong), 6);
    EXPECT_EQ(guesses.at(Login::throttled), 24);
    EXPECT_EQ(at_once(1, "staple battery", 7)[Login::throttled], 1);
    EXPECT_EQ(at_once(1, "staple battery", 8)[Login::right], 1) << "from another place";
}

TEST_P(AuthenticatorTest, CallsThatABackendJudgesAreBoundedAndCountForNothingWhereItCannot) {
    settings_.backends = {"local", "ldap"};
    settings_.ldap.uri = "ldaps://127.0.0.1:1"; // nobody listens
    settings_.ldap.base = "dc=example,dc=org";
    settings_.ldap.sha256_attribute = "sipHA1";
    settings_.free_failures_of_source = 5;
    settings_.timeout = 60s;
    restart();
    std::map<int, int> statuses;
    const auto at_once = [&](int many) {
        statuses.clear();
        std::vector<sm::Query> asked;
        for (int i = 0; i < many; ++i) {
            asked.push_back(query("call-" + std::to_string(i)));
            const auto first = decide(asked.back());
            asked.back().authorization = {answer(nonce_of(first), {.username = "bob"})};
        }
        int told = 0;
        for (const auto& query : asked) {
            authenticator_->decide(
                query,
                [this](const sm::Query& again, const Authenticator::Done& done) {
                    done(decider_->decide(again));
                },
                [&](const sm::Decision& decision) {
                    ++statuses[status(decision)];
                    ++told;
                });
        }
        const auto end = std::chrono::steady_clock::now() + 60s;
        while (told < many && std::chrono::steady_clock::now() < end) {
            loop_.restart();
            loop_.run_for(10ms);
        }
    };
    for (int round = 0; round < 2; ++round) {
        at_once(20);
        EXPECT_EQ(statuses[503], 6);
        EXPECT_EQ(statuses[480], 14);
    }
    EXPECT_EQ(status(call({}, query())), 200) << "alice, from the same place";
}

TEST_P(AuthenticatorTest, AReplayIsNotTaken) {
    auto asked = query();
    asked.authorization = {answer(nonce_of(decide(asked)), {})};
    EXPECT_EQ(status(decide(asked)), 200);
    EXPECT_EQ(status(decide(asked)), 200) << "the same query, asked again after a connection was lost";
    auto replay = asked;
    replay.call_id = "another call";
    const auto decision = decide(replay);
    ASSERT_EQ(status(decision), 407);
    EXPECT_TRUE(std::get<sm::Challenge>(decision.action).stale);
    EXPECT_EQ(authenticator_->counts().replayed, 1U);
    replay.source = host(8);
    EXPECT_EQ(status(decide(replay)), 407) << "from elsewhere the nonce is nobody's";
    EXPECT_EQ(authenticator_->counts().stale, 1U);
}

TEST_P(AuthenticatorTest, AnOldNonceIsAskedForAnewAndCostsNothing) {
    auto asked = query();
    asked.authorization = {answer(nonce_of(decide(asked)), {})};
    asked.at += 121s;
    for (int i = 0; i < 30; ++i) {
        const auto decision = decide(asked);
        ASSERT_EQ(status(decision), 407);
        EXPECT_TRUE(std::get<sm::Challenge>(decision.action).stale);
        EXPECT_THAT(std::get<sm::Challenge>(decision.action).values[0], HasSubstr("stale=true"));
    }
    now_ += 121s;
    EXPECT_EQ(status(call({}, query("then"))), 200);
}

TEST_P(AuthenticatorTest, NobodyCallsAsSomebodyElse) {
    auto asked = query();
    asked.caller = "sip:bob@example.org";
    EXPECT_EQ(status(call({}, asked)), 403);
    asked.caller = "sip:stranger@example.net";
    EXPECT_EQ(status(call({}, asked)), 403);
    must(directory().add_uri("alice", "tel:+49301234"));
    asked.caller = "sip:+49301234@anywhere.example";
    EXPECT_EQ(status(call({}, asked)), 200);
    EXPECT_EQ(authenticator_->counts().not_own, 2U);
}

TEST_P(AuthenticatorTest, TheDigestIsOfWhatIsCalled) {
    EXPECT_EQ(status(call({.uri = "sip:premium@example.com"}, query())), 400);
    EXPECT_EQ(status(call({.uri = "sip:carol@EXAMPLE.com:5060;transport=udp"}, query("c2"))), 200);
    EXPECT_EQ(status(call({.uri = "sip:example.com:5060"}, query("c4"))), 200) << "as SIPp does";
    EXPECT_EQ(status(call({.uri = "sip:example.net:5060"}, query("c5"))), 400);
    auto literal = query("c6");
    literal.callee = "sip:carol@[2001:db8::5]:5060";
    EXPECT_EQ(status(call({.uri = "sip:2001:db8::5:5060"}, literal)), 200) << "as SIPp does";
    literal.call_id = "c7";
    EXPECT_EQ(status(call({.uri = "sip:[2001:db8::5]:5060"}, literal)), 200);
    literal.call_id = "c8";
    EXPECT_EQ(status(call({.uri = "sip:2001:db8::5:5060:evil"}, literal)), 400);
    auto broken = query("c3");
    broken.authorization = {"Digest realm=\"stem\", username=\"alice\""};
    EXPECT_EQ(status(decide(broken)), 400);
    EXPECT_EQ(authenticator_->counts().malformed, 4U);
}

TEST_P(AuthenticatorTest, ProxiesVouchForTheirUsersAndInboundIsAnothersMatter) {
    auto from_proxy = query();
    from_proxy.source = address(GetParam() ? "2001:db8:77::5" : "198.51.100.5");
    EXPECT_EQ(status(decide(from_proxy)), 200);
    auto inbound = query();
    inbound.direction = STEM_INBOUND;
    inbound.callee = "sip:bob@example.org";
    EXPECT_EQ(status(decide(inbound)), 200);
    auto nowhere = query();
    nowhere.source.reset();
    EXPECT_EQ(status(decide(nowhere)), 503);
    auto liar = query();
    liar.user = "alice";
    EXPECT_EQ(status(decide(liar)), 407) << "who calls is for the Security Manager to find out";
}

TEST_P(AuthenticatorTest, WithoutIt503) {
    const auto decision = decider_->decide(query());
    ASSERT_TRUE(std::holds_alternative<sm::Challenge>(decision.action));
    EXPECT_TRUE(std::get<sm::Challenge>(decision.action).values.empty()) << "the call monitor answers 503";
}

TEST_P(AuthenticatorTest, AnAnnouncedCallNeedsNoChallengeOnce) {
    auto& announcements = authenticator_->announcements();
    must(announcements.add("alice", "sip:carol@example.com", host(7), 30s, now_));
    auto other = query("c0");
    other.callee = "sip:dave@example.com";
    EXPECT_EQ(status(decide(other)), 407) << "another callee";
    auto elsewhere = query("c0");
    elsewhere.source = host(8);
    EXPECT_EQ(status(decide(elsewhere)), 407) << "another source";
    auto as_bob = query("c0");
    as_bob.caller = "sip:bob@example.org";
    EXPECT_EQ(status(decide(as_bob)), 407) << "another caller";
    const auto decision = decide(query("c1"));
    EXPECT_EQ(status(decision), 200);
    EXPECT_THAT(decision.why, HasSubstr("caller is user alice (announced)"));
    EXPECT_EQ(status(decide(query("c1"))), 200) << "one more attempt of that call";
    EXPECT_EQ(status(decide(query("c2"))), 407) << "it is used";
    must(announcements.add("alice", "sip:carol@example.com", host(7), 30s, now_));
    now_ += 31s;
    EXPECT_EQ(status(decide(query("c3"))), 407) << "it is over";
    announcements.expire(now_);
    EXPECT_EQ(announcements.of("alice", now_).size(), 1U) << "the used one lingers";
    EXPECT_EQ(authenticator_->counts().announced, 2U);
}

TEST_P(AuthenticatorTest, AnnouncementsAreBounded) {
    auto& announcements = authenticator_->announcements();
    for (std::size_t i = 0; i < Announcements::most_of_user; ++i) {
        must(announcements.add("alice", "sip:carol@example.com", host(7), 30s, now_));
    }
    EXPECT_FALSE(announcements.add("alice", "sip:carol@example.com", host(7), 30s, now_));
    EXPECT_TRUE(announcements.add("bob", "sip:carol@example.com", host(7), 30s, now_));
    EXPECT_TRUE(announcements.add("alice", "sip:carol@example.com", host(7), 30s, now_ + 31s));
    EXPECT_EQ(announcements.size(), 1U);
    EXPECT_FALSE(announcements.add("bob", "sip:carol@example.com", host(7), 301s, now_));
    EXPECT_FALSE(announcements.add("bob", "carol", host(7), 30s, now_));
}

TEST_P(AuthenticatorTest, TheApiAnnouncesForTheTerminalsUserAlone) {
    auto& announcements = authenticator_->announcements();
    const auto ask = [&](std::string_view method, std::string_view target, std::string_view body,
                         const std::string& user) {
        return handle_announcements(
            directory(), announcements,
            {.method = method, .target = target, .body = body, .user = user, .source = host(7)}, now_);
    };
    const auto made = ask("POST", "/v1/announcements", R"({"to": "sip:carol@example.com"})", "alice");
    ASSERT_EQ(made.status, 201);
    EXPECT_EQ(made.json.at("source").as_string(), host(7).to_string());
    EXPECT_EQ(made.json.at("expires_at").as_string(), "2026-11-23T09:00:30Z");
    EXPECT_EQ(status(decide(query())), 200);
    EXPECT_TRUE(
        ask("GET", "/v1/announcements", "", "alice").json.at("announcements").at(0).at("used").as_bool());
    EXPECT_EQ(
        ask("POST", "/v1/announcements", R"({"to": "sip:c@example.com", "user": "bob"})", "alice").status,
        400);
    EXPECT_EQ(ask("POST", "/v1/announcements", R"({"to": "sip:c@example.com"})", "nobody").status, 404);
    EXPECT_EQ(ask("POST", "/v1/announcements", R"({"to": "sip:c@example.com", "user": "bob"})", "").status,
              201);
    EXPECT_EQ(
        ask("POST", "/v1/announcements", R"({"to": "sip:c@example.com", "lifetime": 301})", "alice").status,
        400);
    EXPECT_EQ(ask("POST", "/v1/announcements", "{", "alice").status, 400);
    EXPECT_EQ(ask("PUT", "/v1/announcements", "{}", "alice").status, 405);
    EXPECT_EQ(ask("GET", "/v1/announcements?x=1", "", "alice").status, 400);
    const std::string one = "/v1/announcements/" + std::string(made.json.at("id").as_string());
    EXPECT_EQ(ask("DELETE", one, "", "bob").status, 404) << "another's";
    EXPECT_EQ(ask("DELETE", one, "", "alice").status, 204);
}

TEST_P(AuthenticatorTest, PasswordsOutliveARestartAndGoWithTheirUser) {
    reopen();
    restart();
    EXPECT_EQ(status(call({}, query("c1"))), 200);
    must(directory().remove_user("alice"));
    EXPECT_EQ(status(call({}, query("c2"))), 407);
    EXPECT_EQ(directory().find_credentials("alice", "stem").credentials, nullptr);
    reopen();
    EXPECT_EQ(directory().find_credentials("alice", "stem").credentials, nullptr);
}

} // namespace
} // namespace stem::auth
