// SPDX-License-Identifier: Apache-2.0
// The snapshot by which a firewall decides without a Security Manager: the same decisions, and nobody else's
// word.
#include "sm/channel/signed_snapshot.h"
#include "sm/decider.h"
#include "sm/pki/authority.h"
#include "sm/snapshot.h"
#include "tests/unit/sm_fixture.h"

#include <gmock/gmock.h>

namespace stem::channel {
namespace {

using namespace std::chrono_literals;
using sm::error_of;
using sm::must;
using testing::HasSubstr;

class SnapshotTest : public sm::DirectoryTest {
  protected:
    SnapshotTest() {
        user("bob",
             {sm::rule("*@office.example", sm::reject(486), "mon-fri 08:00-18:00"),
              sm::rule("+49*", sm::forward("sip:carol@example.org"))},
             sm::drop());
        user("carol");
        must(directory().set_location("carol", "", sm::address("2001:db8::7"), std::nullopt));
        must(directory().learn(
            {"sip:carol@example.org", "sip:carol@192.0.2.7", sm::address("192.0.2.7"), 3600s, false},
            sm::monday_nine));
        must(directory().add_spam({sm::pattern("*@spam.example"), "", "watches"}));
        must(directory().add_spam({sm::pattern("anonymous"), "carol", ""}));
    }

    [[nodiscard]] sm::Decision decide(const sm::Directory& from, const sm::Settings& settings,
                                      const char* caller, const char* callee) const {
        return sm::Decider(from, settings)
            .decide({.caller = caller, .callee = callee, .at = sm::monday_nine});
    }
    sm::Settings settings_{.unknown_user = sm::Settings::UnknownUser::drop,
                           .outgoing = sm::Settings::Outgoing::reject};
};

TEST_F(SnapshotTest, DecidesAsTheOriginal) {
    const auto copy = must(sm::snapshot_from(sm::snapshot_of(directory(), settings_)));
    int forwards = 0;
    for (const char* caller : {"sip:a@office.example", "sip:+4930123@carrier.example", "sip:x@spam.example",
                               "sip:anonymous@anonymous.invalid", "sip:eve@example.net"}) {
        for (const char* callee :
             {"sip:bob@example.org", "sip:carol@example.org", "sip:nobody@example.org"}) {
            const auto original = decide(directory(), settings_, caller, callee);
            const auto copied = decide(*copy.directory, copy.settings, caller, callee);
            EXPECT_EQ(to_body(original), to_body(copied)) << caller << " " << callee;
            forwards += std::holds_alternative<sm::Forward>(original.action) ? 1 : 0;
        }
    }
    EXPECT_GE(forwards, 1);
    EXPECT_EQ(copy.settings.outgoing, sm::Settings::Outgoing::reject);
}

TEST_F(SnapshotTest, CopyLearnsAndKeepsNothing) {
    const auto copy = must(sm::snapshot_from(sm::snapshot_of(directory(), settings_)));
    EXPECT_EQ(must(copy.directory->learn(
                  {"sip:bob@example.org", "sip:bob@192.0.2.8", sm::address("192.0.2.8"), 60s, false},
                  sm::monday_nine)),
              sm::Directory::Learned::stored);
    EXPECT_EQ(must(copy.directory->locations("bob")).size(), 1U);
    EXPECT_EQ(must(directory().locations("bob")).size(), 0U);
}

TEST_F(SnapshotTest, BrokenIsRefused) {
    for (const char* text :
         {"", "{", "[]", "{}", R"({"version":9,"settings":{},"profiles":[],"users":[],"spam":[]})",
          R"({"version":1,"settings":{},"profiles":[],"users":[{}],"spam":[]})",
          R"({"version":1,"settings":{},"profiles":[],"spam":[]})"}) {
        EXPECT_FALSE(sm::snapshot_from(text)) << text;
    }
}

class SignedSnapshotTest : public testing::Test {
  protected:
    SignedSnapshotTest()
        : authority_(must(pki::Authority::init(folder_ / "pki", "Test", std::chrono::days(30), now()))),
          server_(must(authority_.issue({pki::Role::server, "sm1"}, {}, {}, now()))) {}

    static sm::TimePoint now() { return std::chrono::system_clock::now(); }
    [[nodiscard]] pki::Trust trust() const {
        return must(pki::Trust::load(authority_.certificate_file(), authority_.revocation_list()));
    }
    static SnapshotHead sign(const pki::Authority::Issued& by, std::string_view content,
                             sm::TimePoint at = now()) {
        return must(sign_snapshot(content, at, must(pki::Key::read(by.key)),
                                  must(pki::Certificate::read(by.certificate))));
    }

    sm::Folder folder_;
    pki::Authority authority_;
    pki::Authority::Issued server_;
};

TEST_F(SignedSnapshotTest, IsBelievedAsSigned) {
    const auto head = sign(server_, "content", now() - 1h);
    const auto manifest = must(check_snapshot(head, "content", trust(), now(), 5s));
    EXPECT_EQ(manifest.signer, "sm1");
    EXPECT_NEAR(static_cast<double>((now() - manifest.created) / 1s), 3600, 5);
    const auto stored = must(snapshot_from_text(to_text(head, "content")));
    EXPECT_EQ(stored.content, "content");
    EXPECT_TRUE(check_snapshot(stored.head, stored.content, trust(), now(), 5s));
}

TEST_F(SignedSnapshotTest, ChangedIsNotBelieved) {
    const auto head = sign(server_, "content");
    EXPECT_THAT(error_of(check_snapshot(head, "contend", trust(), now(), 5s)).message(),
                HasSubstr("not what was signed"));
    auto forged = head;
    forged.manifest.replace(forged.manifest.find("\"created\":") + 10, 1, "2");
    EXPECT_FALSE(check_snapshot(forged, "content", trust(), now() + std::chrono::years(30), 5s));
    EXPECT_THAT(error_of(check_snapshot(sign(server_, "content", now() + 1h), "content", trust(), now(), 5s))
                    .message(),
                HasSubstr("time to come"));
    for (const char* text : {"", "\n", "{}\ncontent", "no json\ncontent"}) {
        EXPECT_FALSE(snapshot_from_text(text)) << text;
    }
}

TEST_F(SignedSnapshotTest, OnlyASecurityManagerMaySign) {
    const auto firewall = must(authority_.issue({pki::Role::firewall, "fw1"}, {}, {}, now()));
    EXPECT_FALSE(check_snapshot(sign(firewall, "content"), "content", trust(), now(), 5s));
    auto other = must(pki::Authority::init(folder_ / "other", "Other", std::chrono::days(30), now()));
    const auto stranger = must(other.issue({pki::Role::server, "sm1"}, {}, {}, now()));
    EXPECT_FALSE(check_snapshot(sign(stranger, "content"), "content", trust(), now(), 5s));
    // Another's certificate beside a signature of one's own.
    auto mixed = sign(stranger, "content");
    mixed.certificate = sign(server_, "content").certificate;
    EXPECT_THAT(error_of(check_snapshot(mixed, "content", trust(), now(), 5s)).message(),
                HasSubstr("signature"));
}

TEST_F(SignedSnapshotTest, ARevokedSignerIsNotBelieved) {
    const auto head = sign(server_, "content");
    must(authority_.revoke({pki::Role::server, "sm1"}, now()));
    EXPECT_THAT(error_of(check_snapshot(head, "content", trust(), now(), 5s)).message(),
                HasSubstr("revoked"));
}

} // namespace
} // namespace stem::channel
