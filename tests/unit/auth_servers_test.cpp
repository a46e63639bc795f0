// SPDX-License-Identifier: Apache-2.0
// What goes to RADIUS and directory servers, and what is believed of what comes back; and the threads
// between.
#include "sm/auth/ldap_directory.h"
#include "sm/auth/radius_packet.h"
#include "sm/auth/workers.h"
#include "tests/unit/sm_fixture.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>

namespace stem::auth {
namespace {

using radius::Code;
using sm::error_of;
using sm::must;
using testing::HasSubstr;

std::string from_hex(std::string_view hex) {
    std::string octets;
    std::string digits;
    for (const char c : hex) {
        if (c != ' ') {
            digits += c;
        }
        if (digits.size() == 2) {
            octets += static_cast<char>(std::stoi(digits, nullptr, 16));
            digits.clear();
        }
    }
    return octets;
}

// RFC 2865 7.1: user nemo telnets into a box.
constexpr std::string_view secret = "xyzzy5461";
radius::Authenticator nemos() {
    radius::Authenticator authenticator{};
    const auto octets = from_hex("0f403f9473978057bd83d5cb98f4227a");
    std::ranges::copy(octets, authenticator.begin());
    return authenticator;
}
std::string nemos_answer() {
    return from_hex(
        "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00 "
        "0e 06 c0 a8 01 03");
}

TEST(RadiusPacket, HidesAPasswordAsTheRfcDoes) {
    const auto attributes = must(radius::password_attributes("nemo", "arctangent", secret, nemos()));
    ASSERT_EQ(attributes.size(), 2U);
    EXPECT_EQ(attributes[1].value, from_hex("0dbe708d93d413ce3196e43f782a0aee"));
    EXPECT_EQ(
        must(radius::password_attributes("nemo", std::string(17, 'a'), secret, nemos()))[1].value.size(),
        32U);
    EXPECT_FALSE(radius::password_attributes("nemo", "", secret, nemos()));
    EXPECT_FALSE(radius::password_attributes("nemo", std::string(129, 'a'), secret, nemos()));
}

TEST(RadiusPacket, BelievesTheRfcsAnswerOnlyWhereASignatureIsNotWanted) {
    EXPECT_EQ(must(radius::read_answer(nemos_answer(), 0, nemos(), secret, false)), Code::accept);
    EXPECT_THAT(error_of(radius::read_answer(nemos_answer(), 0, nemos(), secret, true)).message(),
                HasSubstr("Message-Authenticator"));
    EXPECT_FALSE(radius::read_answer(nemos_answer(), 1, nemos(), secret, false));
    EXPECT_FALSE(radius::read_answer(nemos_answer(), 0, nemos(), "another", false));
    for (std::size_t i = 0; i < nemos_answer().size(); ++i) {
        auto forged = nemos_answer();
        forged[i] = static_cast<char>(forged[i] ^ 1);
        EXPECT_FALSE(radius::read_answer(forged, 0, nemos(), secret, false)) << i;
        EXPECT_FALSE(radius::read_answer(nemos_answer().substr(0, i), 0, nemos(), secret, false)) << i;
    }
    EXPECT_TRUE(radius::read_answer(nemos_answer() + "padding", 0, nemos(), secret, false));
}

TEST(RadiusPacket, SignsEveryRequestFirst) {
    const Authorization given{.username = "alice",
                              .realm = "stem",
                              .nonce = "n",
                              .uri = "sip:bob@example.org",
                              .response = std::string(32, '0'),
                              .cnonce = "c",
                              .qop = "auth",
                              .nc = "00000001"};
    for (const auto form : {radius::DigestForm::rfc5090, radius::DigestForm::sterman}) {
        const auto packet = radius::make_access_request(
            7, nemos(), must(radius::digest_attributes(given, "INVITE", form)), secret);
        EXPECT_EQ(packet[0], 1);
        EXPECT_EQ(packet[1], 7);
        EXPECT_EQ(static_cast<unsigned char>(packet[2]) * 256U + static_cast<unsigned char>(packet[3]),
                  packet.size());
        EXPECT_EQ(packet[20], 80) << "Message-Authenticator before all else";
        EXPECT_NE(packet.substr(22, 16), std::string(16, '\0'));
        EXPECT_THAT(packet, HasSubstr("sip:bob@example.org"));
    }
    auto long_uri = given;
    long_uri.uri = "sip:" + std::string(250, 'a');
    EXPECT_FALSE(radius::digest_attributes(long_uri, "INVITE", radius::DigestForm::rfc5090));
    long_uri.uri = std::string(252, 'a');
    EXPECT_TRUE(radius::digest_attributes(long_uri, "INVITE", radius::DigestForm::rfc5090));
    EXPECT_FALSE(radius::digest_attributes(long_uri, "INVITE", radius::DigestForm::sterman));
}

TEST(LdapDirectory, NoNameChangesTheFilter) {
    EXPECT_EQ(escaped_for_filter("alice.b@example-1_x"), "alice.b@example-1_x");
    EXPECT_EQ(escaped_for_filter("*)(uid=*"), R"(\2a\29\28uid\3d\2a)");
    EXPECT_EQ(escaped_for_filter(std::string("a\0\\\xc3\xa4", 5)), R"(a\00\5c\c3\a4)");
}

TEST(LdapDirectory, SendsNothingInTheClear) {
    Settings::Ldap settings{.uri = "ldap://127.0.0.1:1", .base = "dc=example"};
    EXPECT_THAT(error_of(check(settings)).message(), HasSubstr("in the clear"));
    settings.start_tls = true;
    EXPECT_TRUE(check(settings));
    settings.filter = "(uid=alice)";
    EXPECT_THAT(error_of(check(settings)).message(), HasSubstr("%u"));
    settings = {.uri = "http://x", .base = "dc=example"};
    EXPECT_FALSE(check(settings));
    settings = {.uri = "ldaps://127.0.0.1:1"};
    EXPECT_THAT(error_of(check(settings)).message(), HasSubstr("ldap_base"));
    settings.base = "dc=example";
    LdapDirectory nobody(settings, "secret", std::chrono::milliseconds(200));
    EXPECT_THAT(error_of(nobody.find("alice")).message(), HasSubstr("ldaps://127.0.0.1:1"));
    EXPECT_FALSE(must(nobody.is_password("cn=alice", ""))) << "an empty password is not even tried";
}

TEST(Workers, RunWhatFitsIntoTheQueue) {
    std::promise<void> go;
    std::promise<void> begun;
    const auto gate = go.get_future().share();
    std::atomic<int> done = 0;
    {
        Workers workers(1, 2);
        EXPECT_TRUE(workers.submit([&](std::size_t) {
            begun.set_value();
            gate.wait();
            ++done;
        }));
        begun.get_future().wait();
        std::promise<void> last;
        EXPECT_TRUE(workers.submit([&](std::size_t) { ++done; }));
        EXPECT_TRUE(workers.submit([&](std::size_t thread) {
            EXPECT_EQ(thread, 0U);
            last.set_value();
        }));
        EXPECT_FALSE(workers.submit([&](std::size_t) { ++done; })) << "full";
        go.set_value();
        last.get_future().wait();
    }
    EXPECT_EQ(done, 2);
}

} // namespace
} // namespace stem::auth
