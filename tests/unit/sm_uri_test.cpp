// SPDX-License-Identifier: Apache-2.0
#include "sm/uri.h"
#include "sm_fixture.h"

namespace stem::sm {
namespace {

std::string spelled(std::string_view text) {
    return must(AddressOfRecord::parse(text)).to_string();
}

TEST(SmUri, LeavesAwayWhatDoesNotName) {
    EXPECT_EQ(spelled("sip:bob@Example.ORG"), "sip:bob@example.org");
    EXPECT_EQ(spelled("SIP:bob@example.org:5080;transport=tcp?subject=x"), "sip:bob@example.org");
    EXPECT_EQ(spelled("sips:bob:secret@example.org"), "sip:bob@example.org");
    EXPECT_EQ(spelled("sip:bob@example.org."), "sip:bob@example.org");
    EXPECT_EQ(spelled("sip:bob@192.0.2.7:5060"), "sip:bob@192.0.2.7");
    EXPECT_EQ(spelled("sip:bob@[2001:DB8:0:0::1]:5060;lr"), "sip:bob@[2001:db8::1]");
    EXPECT_EQ(spelled("sip:bob@2001:db8::1"), "sip:bob@[2001:db8::1]");
    EXPECT_EQ(spelled("tel:+49-30-12(34)"), "tel:+49301234");
    EXPECT_EQ(spelled("tel:1001;phone-context=Example.org;ext=1"), "tel:1001;phone-context=example.org");
    EXPECT_EQ(spelled("sip:example.org"), "sip:example.org");
}

TEST(SmUri, UserPartKeepsItsCaseAndEscapesAreOneSpelling) {
    EXPECT_NE(spelled("sip:Bob@example.org"), spelled("sip:bob@example.org"));
    EXPECT_EQ(spelled("sip:%62ob@example.org"), "sip:bob@example.org");
    EXPECT_EQ(spelled("sip:b%40b@example.org"), "sip:b%40b@example.org");
    EXPECT_EQ(spelled(spelled("sip:b%C3%A4r@example.org")), "sip:b%C3%A4r@example.org");
    EXPECT_EQ(spelled("sip:bob;day=tue@example.org"), "sip:bob;day=tue@example.org");
}

TEST(SmUri, ReadsNumbers) {
    EXPECT_EQ(must(AddressOfRecord::parse("sip:+49-30-1234;npdi@gw.example.org;user=phone")).number(),
              "+49301234");
    EXPECT_EQ(must(AddressOfRecord::parse("sip:1001@example.org")).number(), "1001");
    EXPECT_EQ(must(AddressOfRecord::parse("sip:bob1@example.org")).number(), std::nullopt);
    EXPECT_EQ(plain_number("+49 (30) 12.34"), "+49301234");
    EXPECT_EQ(plain_number("49+30"), std::nullopt);
    EXPECT_EQ(plain_number("+-"), std::nullopt);
}

TEST(SmUri, RefusesWithItsName) {
    for (const std::string text : {"",
                                   "bob",
                                   "bob@example.org",
                                   "http://example.org",
                                   "sip:",
                                   "sip:@example.org",
                                   "sip:bob@",
                                   "sip:b@a@c",
                                   "sip:bob@exa mple.org",
                                   "<sip:bob@example.org>",
                                   "sip:bob@example.org:0",
                                   "sip:bob@example.org:99999",
                                   "sip:bob@[2001:db8::1",
                                   "sip:bob@[192.0.2.1]",
                                   "sip:bob@[2001:db8::1]x",
                                   "sip:b%0d%0ab@example.org",
                                   "sip:b%4@example.org",
                                   "sip:bob@1:2:3",
                                   "tel:",
                                   "tel:alice",
                                   "tel:+",
                                   "sip:bob@exam/ple",
                                   "sip:\r\n@a"}) {
        const Error error = error_of(AddressOfRecord::parse(text));
        EXPECT_EQ(error.code, EINVAL) << text;
        EXPECT_NE(error.attempt.find("'" + text + "'"), std::string::npos) << error.message();
        EXPECT_FALSE(error.cause.empty());
    }
    EXPECT_FALSE(AddressOfRecord::parse("sip:" + std::string(600, 'a') + "@example.org").has_value());
}

TEST(SmUri, TargetsCanStandInARequestLine) {
    EXPECT_TRUE(check_target("sip:bob@example.org;transport=udp").has_value());
    EXPECT_TRUE(check_target("sips:bob@[2001:db8::1]:5061").has_value());
    EXPECT_FALSE(check_target("tel:+49301234").has_value());
    EXPECT_FALSE(check_target("sip:bob@example.org SIP/2.0\r\nX: y").has_value());
    EXPECT_FALSE(check_target("sip:b\xc3\xa4r@example.org").has_value());
}

} // namespace
} // namespace stem::sm
