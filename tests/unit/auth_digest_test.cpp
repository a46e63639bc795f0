// SPDX-License-Identifier: Apache-2.0
// Digests, nonces, replays, failures and passwords: the pieces of authentication.
#include "sm/auth/digest.h"
#include "sm/auth/kamailio.h"
#include "sm/auth/nonce.h"
#include "sm/auth/password.h"
#include "sm/auth/replay_guard.h"
#include "sm/auth/throttle.h"
#include "tests/unit/sm_fixture.h"

#include <gmock/gmock.h>

namespace stem::auth {
namespace {

using namespace std::chrono_literals;
using sm::address;
using sm::error_of;
using sm::must;
using testing::HasSubstr;
using testing::Not;

// RFC 7616 3.9.1.
std::string mufasa(std::string_view algorithm, std::string_view response) {
    return "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", "
           "algorithm=" +
           std::string(algorithm) +
           ", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, "
           "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"" +
           std::string(response) + "\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
}
constexpr std::string_view mufasas_md5 = "8ca523f5e9506fed4657c9700eebdbec";
constexpr std::string_view mufasas_sha256 =
    "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";

TEST(Digest, AnswersAsTheRfcDoes) {
    for (const auto& [algorithm, response] :
         {std::pair(Algorithm::md5, mufasas_md5), std::pair(Algorithm::sha256, mufasas_sha256)}) {
        const auto given = must(read_authorization(mufasa(name_of(algorithm), response)));
        EXPECT_EQ(given.algorithm, algorithm);
        EXPECT_EQ(given.count, 1U);
        const auto ha1 = make_ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
        EXPECT_TRUE(is_right(given, ha1, "GET"));
        EXPECT_FALSE(is_right(given, ha1, "POST"));
        EXPECT_FALSE(
            is_right(given, make_ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of life"), "GET"));
    }
}

TEST(Digest, ReadsWhatPhonesWrite) {
    const auto given = must(read_authorization(
        "digest  username=\"al\\\"ice\" "
        ",realm=\"stem\",nonce=\"n\",uri=\"sip:bob@[2001:db8::1];transport=tcp\","
        "response=\"8CA523F5E9506FED4657C9700EEBDBEC\",cnonce=\"c\",nc=0000000A,qop=\"auth\""));
    EXPECT_EQ(given.username, "al\"ice");
    EXPECT_EQ(given.uri, "sip:bob@[2001:db8::1];transport=tcp");
    EXPECT_EQ(given.count, 10U);
    EXPECT_EQ(given.algorithm, Algorithm::md5) << "none named (RFC 7616 3.4)";
}

TEST(Digest, RefusesWhatIsBrokenWithoutRepeatingIt) {
    const std::string good = mufasa("MD5", mufasas_md5);
    const auto with = [&](std::string_view what, std::string_view by) {
        auto text = good;
        const auto at = text.find(what);
        EXPECT_NE(at, std::string::npos) << what;
        return text.replace(at, what.size(), by);
    };
    for (const std::string& text :
         {std::string(), std::string("Digest"), std::string("Basic bXVmYXNhOnB3"), with("Digest ", "Digest"),
          with("username=\"Mufasa\"", "username=\"Mufasa"), with("qop=auth", "qop=auth-int"),
          with("qop=auth, ", ""), with("nc=00000001", "nc=1"), with("nc=00000001", "nc=00000000"),
          with("nc=00000001", "nc=0000000g"), with("algorithm=MD5", "algorithm=MD5-sess"),
          with("response=\"8c", "response=\""), with("nonce=", "nonce=\"x\", nonce="),
          with(", qop=auth", " qop=auth"),
          with("cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\"", "cnonce=\"\"")}) {
        const auto error = error_of(read_authorization(text));
        EXPECT_THAT(error.message(), Not(HasSubstr("8ca523"))) << text;
        EXPECT_THAT(error.message(), Not(HasSubstr("Mufasa"))) << text;
    }
    EXPECT_EQ(realm_of(with("qop=auth", "qop=auth-int")), "http-auth@example.org");
    EXPECT_EQ(realm_of("Basic bXVmYXNhOnB3"), "");
    std::string many = "Digest a=1";
    for (int i = 0; i < 100; ++i) {
        many += ",a" + std::to_string(i) + "=1";
    }
    error_of(read_authorization(many));
}

TEST(Digest, AsksSoThatAPhoneCanAnswer) {
    EXPECT_EQ(make_challenge(Algorithm::sha256, "stem", "abc", false),
              R"(Digest realm="stem", nonce="abc", algorithm=SHA-256, qop="auth")");
    EXPECT_EQ(make_challenge(Algorithm::md5, "stem", "abc", true),
              R"(Digest realm="stem", nonce="abc", algorithm=MD5, qop="auth", stale=true)");
    EXPECT_FALSE(is_realm("a\"b"));
    EXPECT_FALSE(is_realm(""));
    EXPECT_FALSE(is_realm(std::string(65, 'a')));
}

TEST(Nonce, HoldsForItsSourceRealmAndTime) {
    const NonceMint mint({}, 60s);
    const auto now = sm::monday_nine;
    sm::TimePoint made;
    using Verdict = NonceMint::Verdict;
    for (const char* text : {"192.0.2.7", "2001:db8::7"}) {
        const auto source = address(text);
        const auto nonce = mint.make(source, "stem", now);
        EXPECT_EQ(mint.judge(nonce, source, "stem", now + 60s, made), Verdict::good);
        EXPECT_EQ(made, now);
        EXPECT_EQ(mint.judge(nonce, source, "stem", now + 61s, made), Verdict::old);
        EXPECT_EQ(mint.judge(nonce, source, "stem", now - 61s, made), Verdict::alien);
        EXPECT_EQ(mint.judge(nonce, address("192.0.2.8"), "stem", now, made), Verdict::alien);
        EXPECT_EQ(mint.judge(nonce, source, "other", now, made), Verdict::alien);
        for (std::size_t i = 0; i < nonce.size(); ++i) {
            auto forged = nonce;
            forged[i] = forged[i] == 'a' ? 'b' : 'a';
            EXPECT_EQ(mint.judge(forged, source, "stem", now, made), Verdict::alien) << i;
        }
        EXPECT_EQ(mint.judge(nonce.substr(1), source, "stem", now, made), Verdict::alien);
        EXPECT_NE(mint.make(source, "stem", now), nonce) << "two of one millisecond";
        EXPECT_EQ(NonceMint({}, 60s).judge(nonce, source, "stem", now, made), Verdict::alien)
            << "another key";
    }
    const std::string key(32, 'k');
    const auto shared = NonceMint(key, 60s).make(address("192.0.2.7"), "stem", now);
    EXPECT_EQ(NonceMint(key, 60s).judge(shared, address("192.0.2.7"), "stem", now, made), Verdict::good);
}

TEST(ReplayGuard, TakesEachCountOnce) {
    ReplayGuard guard;
    using Verdict = ReplayGuard::Verdict;
    const auto made = sm::monday_nine;
    EXPECT_EQ(guard.use("n", made, 1, "a"), Verdict::fresh);
    EXPECT_EQ(guard.use("n", made, 1, "a"), Verdict::same) << "a query that is asked again";
    EXPECT_EQ(guard.use("n", made, 1, "b"), Verdict::replayed);
    EXPECT_EQ(guard.use("n", made, 3, "c"), Verdict::fresh);
    EXPECT_EQ(guard.use("n", made, 2, "d"), Verdict::fresh) << "overtaken on the way";
    EXPECT_EQ(guard.use("m", made, 1, "b"), Verdict::fresh) << "another nonce";
    for (std::uint32_t count = 4; count < 40; ++count) {
        EXPECT_EQ(guard.use("n", made, count, "x"), Verdict::fresh);
    }
    EXPECT_EQ(guard.use("n", made, 5, "y"), Verdict::replayed) << "no longer remembered, and so not taken";
}

TEST(ReplayGuard, IsBoundedAndForgetsNothingThatCouldBeReplayed) {
    ReplayGuard guard(4);
    using Verdict = ReplayGuard::Verdict;
    const auto start = sm::monday_nine;
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(guard.use("n" + std::to_string(i), start + i * 1s, 1, "a"), Verdict::fresh);
        EXPECT_LE(guard.size(), 4U);
    }
    EXPECT_EQ(guard.use("n0", start, 1, "b"), Verdict::forgotten);
    EXPECT_EQ(guard.use("n1", start + 1s, 2, "b"), Verdict::forgotten);
    EXPECT_EQ(guard.use("n5", start + 5s, 1, "b"), Verdict::replayed);
    guard.forget_before(start + 5s);
    EXPECT_EQ(guard.size(), 1U);
    EXPECT_EQ(guard.use("n4", start + 4s, 1, "b"), Verdict::forgotten);
}

TEST(Throttle, SlowsASourceAndNotTheUser) {
    Throttle throttle({.free_of_pair = 3, .free_of_source = 10, .first_delay = 2s, .max_delay = 60s});
    const auto start = Throttle::Clock::now();
    for (const bool v6 : {false, true}) {
        const auto thief = address(v6 ? "2001:db8:bad::1" : "203.0.113.9");
        const auto own = address(v6 ? "2001:db8:1::7" : "192.0.2.7");
        for (int i = 0; i < 3; ++i) {
            throttle.failed(thief, "alice", start);
        }
        EXPECT_EQ(throttle.wait(thief, "alice", start), 0s);
        throttle.failed(thief, "alice", start);
        EXPECT_EQ(throttle.wait(thief, "alice", start), 2s);
        EXPECT_EQ(throttle.wait(thief, "alice", start + 1500ms), 1s);
        throttle.failed(thief, "alice", start + 2s);
        EXPECT_EQ(throttle.wait(thief, "alice", start + 2s), 4s) << "it doubles";
        EXPECT_EQ(throttle.wait(thief, "bob", start + 2s), 0s);
        EXPECT_EQ(throttle.wait(own, "alice", start + 2s), 0s) << "from elsewhere nothing has happened";
        throttle.succeeded(thief, "alice");
        EXPECT_EQ(throttle.wait(thief, "alice", start + 2s), 0s);
        for (int i = 0; i < 6; ++i) {
            throttle.failed(thief, "user" + std::to_string(i), start + 3s);
        }
        EXPECT_EQ(throttle.wait(thief, "carol", start + 3s), 2s) << "one name after the other";
        EXPECT_EQ(throttle.wait(own, "carol", start + 3s), 0s);
        for (int i = 0; i < 40; ++i) {
            throttle.failed(thief, "alice", start + 4s);
        }
        EXPECT_EQ(throttle.wait(thief, "alice", start + 4s), 60s);
        throttle.failed(thief, "alice", start + 4s + 901s);
        EXPECT_EQ(throttle.wait(thief, "alice", start + 4s + 901s), 0s) << "forgotten";
    }
}

TEST(Throttle, OneHostHasAWholeNetwork) {
    Throttle throttle({.free_of_pair = 3, .free_of_source = 1000, .first_delay = 2s, .max_delay = 60s});
    const auto now = Throttle::Clock::now();
    const auto guess = [&](unsigned host) {
        throttle.failed(address("2001:db8:7:1::" + std::to_string(host)), "alice", now);
    };
    for (unsigned host = 1; host <= 30; ++host) {
        guess(host);
    }
    EXPECT_EQ(throttle.wait(address("2001:db8:7:1::99"), "alice", now), 0s) << "another phone of the LAN";
    guess(31);
    EXPECT_EQ(throttle.wait(address("2001:db8:7:1::99"), "alice", now), 2s);
    EXPECT_EQ(throttle.wait(address("2001:db8:7:1::99"), "bob", now), 0s);
    EXPECT_EQ(throttle.wait(address("2001:db8:7:2::1"), "alice", now), 0s) << "another network";
}

TEST(Throttle, WhatIsBeingJudgedCountsUntilItIsKnown) {
    Throttle throttle({.free_of_pair = 3, .free_of_source = 10, .first_delay = 2s, .max_delay = 60s});
    const auto now = Throttle::Clock::now();
    const auto at_once = [&](const Address& source, std::string_view user) {
        int begun = 0;
        while (throttle.wait(source, user, now) == 0s) {
            throttle.begin(source, user, now);
            ++begun;
        }
        for (int i = 0; i < begun; ++i) {
            throttle.end(source, user);
        }
        return begun;
    };
    for (const char* text : {"192.0.2.7", "2001:db8::7"}) {
        const Address source = *Address::parse(text);
        EXPECT_EQ(at_once(source, "alice"), 11) << "as many as could fail one after the other";
        EXPECT_EQ(at_once(source, "alice"), 11) << "none of them has failed";
        throttle.failed(source, "alice", now);
        EXPECT_EQ(at_once(source, "alice"), 3);
        EXPECT_EQ(at_once(source, "bob"), 10);
        throttle.begin(source, "alice", now);
        throttle.begin(source, "alice", now);
        throttle.succeeded(source, "alice");
        throttle.end(source, "alice");
        throttle.end(source, "alice");
        throttle.end(source, "alice"); // of one that was pushed out
        EXPECT_EQ(throttle.wait(source, "alice", now), 0s);
        for (int i = 0; i < 4; ++i) {
            throttle.failed(source, "alice", now);
        }
        EXPECT_EQ(throttle.wait(source, "alice", now), 2s);
        throttle.begin(source, "alice", now);
        EXPECT_EQ(throttle.wait(source, "alice", now + 2s), 1s) << "one guess for each delay";
        throttle.end(source, "alice");
        EXPECT_EQ(throttle.wait(source, "alice", now + 2s), 0s);
    }
}

TEST(Throttle, IsBounded) {
    Throttle throttle({.entries = 100});
    const auto now = Throttle::Clock::now();
    for (int i = 0; i < 1000; ++i) {
        throttle.failed(address("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)), "alice",
                        now);
    }
    EXPECT_EQ(throttle.sources(), 100U);
    EXPECT_EQ(throttle.pairs(), 100U);
}

// As Kamailio's kamctl writes it: HA1 of subscriber alice@example.org, password "correct horse".
TEST(Kamailio, SubscribersKeepTheirPasswords) {
    const auto ha1 = make_ha1(Algorithm::md5, "alice", "example.org", "correct horse");
    const auto ha1b = make_ha1(Algorithm::md5, "alice@example.org", "example.org", "correct horse");
    const auto both = must(credentials_of_subscriber("alice", "example.org", ha1, ha1b));
    ASSERT_EQ(both.size(), 2U);
    EXPECT_EQ(both[0].username, "alice");
    EXPECT_EQ(both[0].realm, "example.org");
    EXPECT_EQ(both[0].md5, ha1);
    EXPECT_EQ(both[1].username, "alice@example.org");
    EXPECT_EQ(both[1].md5, ha1b);
    const auto sha256 = make_ha1(Algorithm::sha256, "alice", "example.org", "correct horse");
    EXPECT_EQ(must(credentials_of_subscriber("alice", "example.org", sha256, "")).at(0).sha256, sha256);
    EXPECT_FALSE(credentials_of_subscriber("alice", "example.org", "", ""));
    EXPECT_FALSE(credentials_of_subscriber("alice", "example.org", "plain text", ""));
}

TEST(Password, IsArgon2id) {
    const auto encoded = must(hash_password("correct horse battery"));
    EXPECT_TRUE(encoded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << encoded;
    EXPECT_TRUE(is_password("correct horse battery", encoded));
    EXPECT_FALSE(is_password("correct horse batterz", encoded));
    EXPECT_FALSE(is_password("", encoded));
    EXPECT_FALSE(is_password("correct horse battery", "nonsense"));
    EXPECT_NE(must(hash_password("correct horse battery")), encoded) << "salted";
    EXPECT_THAT(error_of(check_password_form("secret", shortest_password)).message(),
                Not(HasSubstr("secret")));
    EXPECT_FALSE(check_password_form("tab\there", shortest_password));
    EXPECT_FALSE(check_password_form(std::string(257, 'a'), shortest_password));
}

} // namespace
} // namespace stem::auth
