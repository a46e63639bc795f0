// SPDX-License-Identifier: Apache-2.0
#include "sm/pattern.h"
#include "sm/pattern_set.h"
#include "sm_fixture.h"

namespace stem::sm {
namespace {

bool matches(std::string_view text, std::string_view from) {
    return pattern(text).matches(Caller(from));
}

TEST(SmPattern, AllMatchesEvenWhatCannotBeRead) {
    EXPECT_TRUE(matches("*", "sip:bob@example.org"));
    EXPECT_TRUE(matches("*", "garbage"));
    EXPECT_FALSE(matches("*@example.org", "garbage"));
    EXPECT_FALSE(matches("+49*", ""));
}

TEST(SmPattern, AddressHasCaseInUserNotInHost) {
    EXPECT_TRUE(matches("sip:bob@Example.org", "sip:bob@EXAMPLE.org:5070;x=y"));
    EXPECT_TRUE(matches("sip:bob@example.org", "sips:bob@example.org"));
    EXPECT_FALSE(matches("sip:bob@example.org", "sip:Bob@example.org"));
    EXPECT_FALSE(matches("sip:bob@example.org", "sip:bob@sub.example.org"));
    EXPECT_TRUE(matches("sip:bob@[2001:db8:0::1]", "sip:bob@[2001:DB8::1]:5060"));
    EXPECT_TRUE(matches("sip:bob@192.0.2.1", "sip:bob@192.0.2.1:5060"));
}

TEST(SmPattern, DomainIsNotItsSubdomains) {
    EXPECT_TRUE(matches("*@example.org", "sip:anyone@EXAMPLE.ORG"));
    EXPECT_FALSE(matches("*@example.org", "sip:anyone@evil-example.org"));
    EXPECT_FALSE(matches("*@example.org", "sip:anyone@a.example.org"));
    EXPECT_FALSE(matches("*@example.org", "tel:1001;phone-context=example.org"));
    EXPECT_TRUE(matches("*@[2001:db8::1]", "sip:x@[2001:db8::1]"));
    EXPECT_TRUE(matches("*@192.0.2.1", "sip:x@192.0.2.1"));
}

TEST(SmPattern, NumbersIgnoreSeparators) {
    EXPECT_TRUE(matches("+49*", "sip:+49-30-1234@gw.example.org"));
    EXPECT_TRUE(matches("+49 (30)*", "tel:+49-30-1234"));
    EXPECT_FALSE(matches("+49*", "tel:+4830"));
    EXPECT_TRUE(matches("0049*", "sip:0049301234@example.org"));
    EXPECT_FALSE(matches("0049*", "tel:+49301234"));
    EXPECT_FALSE(matches("1*", "sip:1alice@example.org"));
    EXPECT_TRUE(matches("tel:+49-30-1234", "sip:+49301234@gw.example.org"));
    EXPECT_TRUE(matches("+49 30 1234", "tel:+49301234"));
    EXPECT_FALSE(matches("+4930123", "tel:+49301234"));
}

TEST(SmPattern, Anonymous) {
    EXPECT_TRUE(matches("anonymous", "sip:anonymous@anonymous.invalid"));
    EXPECT_TRUE(matches("Anonymous", "sip:Anonymous@example.org"));
    EXPECT_TRUE(matches("anonymous", "sip:x@anonymous.invalid"));
    EXPECT_FALSE(matches("anonymous", "sip:bob@example.org"));
}

TEST(SmPattern, OneSpelling) {
    const std::pair<const char*, const char*> cases[] = {
        {" * ", "*"},
        {"ANONYMOUS", "anonymous"},
        {"sips:bob@Example.org:5061", "sip:bob@example.org"},
        {"*@Example.ORG", "*@example.org"},
        {"*@[2001:DB8::1]", "*@[2001:db8::1]"},
        {"+49 (30)*", "+4930*"},
        {"tel:+49-30", "+4930"},
    };
    for (const auto& [text, canonical] : cases) {
        EXPECT_EQ(pattern(text).to_string(), canonical);
        EXPECT_EQ(pattern(canonical), pattern(text));
    }
}

TEST(SmPattern, BadOnesAreNamed) {
    for (const std::string text :
         {"", "  ", "bob", "bob@example.org", "*@", "*@exa mple", "*@a;b", "**", "sip:*@example.org",
          "sip:example.org", "http://x", "+", "+*", "*49", "12*34", "4*9*", "*bob*"}) {
        const Error error = error_of(Pattern::parse(text));
        EXPECT_EQ(error.code, EINVAL) << text;
        EXPECT_NE(error.message().find("'" + text + "'"), std::string::npos) << error.message();
        EXPECT_FALSE(error.remedy.empty());
    }
}

TEST(SmPatternSet, FindsTheMostExactAndForgets) {
    PatternSet set;
    EXPECT_FALSE(set.match(Caller("sip:+49301@example.org")));
    for (const char* text :
         {"*@example.org", "+4930*", "+49*", "sip:+49301@example.org", "anonymous", "*@[2001:db8::1]"}) {
        EXPECT_TRUE(set.insert(pattern(text)));
        EXPECT_FALSE(set.insert(pattern(text)));
        EXPECT_TRUE(set.contains(pattern(text)));
    }
    const auto hit = [&](std::string_view from) {
        const auto found = set.match(Caller(from));
        return found ? found->pattern.to_string() : std::string("none");
    };
    EXPECT_EQ(hit("sip:+49301@example.org"), "sip:+49301@example.org");
    EXPECT_EQ(hit("sip:+49302@example.org"), "+4930*");
    EXPECT_EQ(hit("tel:+49402"), "+49*");
    EXPECT_EQ(hit("sip:x@example.org"), "*@example.org");
    EXPECT_EQ(hit("sip:x@[2001:DB8:0::1]"), "*@[2001:db8::1]");
    EXPECT_EQ(hit("sip:anonymous@anonymous.invalid"), "anonymous");
    EXPECT_EQ(hit("sip:x@example.com"), "none");
    // A caller named like a pattern does not meet it by its spelling.
    EXPECT_EQ(hit("sip:*@example.com"), "none");
    EXPECT_TRUE(set.insert(pattern("*")));
    EXPECT_EQ(hit("garbage"), "*");
    EXPECT_TRUE(set.erase(pattern("*")));
    EXPECT_FALSE(set.erase(pattern("*")));
    EXPECT_EQ(hit("garbage"), "none");
}

} // namespace
} // namespace stem::sm
