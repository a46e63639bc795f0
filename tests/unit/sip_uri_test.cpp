// SPDX-License-Identifier: Apache-2.0
// Which URIs mean the same: the examples of RFC 3261 19.1.4, and what else its rules say.
#include "ctl/sip/message.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

using stem::sip::are_equivalent;
using stem::sip::parse_uri;

bool same(std::string_view left, std::string_view right) {
    const auto a = parse_uri(left);
    const auto b = parse_uri(right);
    EXPECT_TRUE(a) << left;
    EXPECT_TRUE(b) << right;
    if (!a || !b) {
        return false;
    }
    EXPECT_EQ(are_equivalent(*a, *b), are_equivalent(*b, *a)) << left << " " << right;
    EXPECT_TRUE(are_equivalent(*a, *a)) << left;
    return are_equivalent(*a, *b);
}

TEST(UriComparison, EquivalentInTheRfc) {
    for (const auto& set : std::vector<std::vector<std::string_view>>{
             {"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"},
             {"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"},
             {"sip:carol@chicago.com", "sip:carol@chicago.com;security=on"},
             {"sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"},
             {"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
              "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"},
             {"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
              "sip:alice@atlanta.com?priority=urgent&subject=project%20x"},
         }) {
        EXPECT_TRUE(same(set[0], set[1])) << set[0] << " " << set[1];
    }
}

TEST(UriComparison, NotEquivalentInTheRfc) {
    for (const auto& set : std::vector<std::vector<std::string_view>>{
             {"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"},
             {"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"},
             {"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"},
             {"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"},
             {"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"},
             {"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"},
             {"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"},
         }) {
        EXPECT_FALSE(same(set[0], set[1])) << set[0] << " " << set[1];
    }
}

TEST(UriComparison, EachRule) {
    EXPECT_FALSE(same("sip:bob@example.org", "sips:bob@example.org"));
    EXPECT_FALSE(same("sip:example.org", "sip:bob@example.org"));
    EXPECT_FALSE(same("sip:bob@example.org", "sip:bob:secret@example.org"));
    EXPECT_FALSE(same("sip:bob:Secret@example.org", "sip:bob:secret@example.org"));
    for (const char* alone : {";user=phone", ";ttl=1", ";method=INVITE", ";maddr=192.0.2.1"}) {
        EXPECT_FALSE(same("sip:bob@example.org", std::string("sip:bob@example.org") + alone)) << alone;
    }
    EXPECT_TRUE(same("sip:bob@example.org;lr", "sip:bob@example.org;LR"));
    EXPECT_TRUE(same("sip:bob@[2001:DB8::1]:5070", "sip:bob@[2001:db8::1]:5070"));
    EXPECT_FALSE(same("sip:bob@[2001:db8::1]", "sip:bob@[2001:db8::2]"));
    // An escape of a reserved octet is not that octet, in any spelling of its digits.
    EXPECT_FALSE(same("sip:a%3bb@example.org", "sip:a;b@example.org"));
    EXPECT_TRUE(same("sip:a%3bb@example.org", "sip:a%3Bb@example.org"));
    EXPECT_FALSE(same("sip:a%2561@example.org", "sip:a%61@example.org"));
    EXPECT_TRUE(same("sip:bob@example.org;x=%61", "sip:bob@example.org;x=a"));
    EXPECT_FALSE(same("sip:bob@example.org?a=1", "sip:bob@example.org?a=2"));
    EXPECT_TRUE(same("tel:+1-212-555-1212", "tel:+12125551212"));
    EXPECT_FALSE(same("tel:5551212;phone-context=+1", "tel:5551212;phone-context=+44"));
    EXPECT_TRUE(same("urn:service:sos", "urn:service:sos"));
    EXPECT_FALSE(same("urn:service:sos", "urn:service:counseling"));
}

} // namespace
