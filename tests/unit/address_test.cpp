// SPDX-License-Identifier: Apache-2.0
#include <stem/address.h>

#include <gtest/gtest.h>

namespace stem {
namespace {

TEST(Address, ReadsAndWritesBothFamilies) {
    for (const char* text : {"192.0.2.1", "0.0.0.0", "2001:db8::1", "::", "::1"}) {
        const auto address = Address::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->to_string(), text);
    }
    EXPECT_EQ(Address::parse("[2001:db8::1]")->to_string(), "2001:db8::1");
}

TEST(Address, RefusesWhatIsNoAddress) {
    for (const char* text :
         {"", "example.org", "192.0.2", "192.0.2.256", "2001:db8::g", "[192.0.2.1]", "1 "}) {
        const auto address = Address::parse(text);
        ASSERT_FALSE(address) << text;
        EXPECT_NE(address.error().message().find(std::string("'") + text + "'"), std::string::npos);
    }
    EXPECT_FALSE(Address::parse(std::string_view("192.0.2.1\0x", 11)));
}

TEST(Address, KnowsItsKind) {
    EXPECT_TRUE(Address::parse("127.0.0.1")->is_loopback());
    EXPECT_TRUE(Address::parse("::1")->is_loopback());
    EXPECT_FALSE(Address::parse("::")->is_loopback());
    EXPECT_TRUE(Address::parse("239.1.2.3")->is_multicast());
    EXPECT_TRUE(Address::parse("ff02::1")->is_multicast());
    EXPECT_TRUE(Address::parse("169.254.1.1")->is_link_local());
    EXPECT_TRUE(Address::parse("fe80::1")->is_link_local());
    EXPECT_TRUE(Address::parse("255.255.255.255")->is_broadcast());
    EXPECT_TRUE(Address::parse("0.0.0.0")->is_unspecified());
    EXPECT_TRUE(Address::parse("::")->is_unspecified());
    EXPECT_TRUE(Address::parse("192.0.2.1")->is_v4());
    EXPECT_FALSE(Address::parse("2001:db8::1")->is_v4());
}

TEST(Cidr, ContainsByPrefix) {
    const auto v4 = Cidr::parse("192.0.2.0/24");
    ASSERT_TRUE(v4);
    EXPECT_EQ(v4->mapped_length(), 120U);
    EXPECT_TRUE(v4->contains(*Address::parse("192.0.2.255")));
    EXPECT_FALSE(v4->contains(*Address::parse("192.0.3.0")));
    const auto v6 = Cidr::parse("2001:db8::/32");
    ASSERT_TRUE(v6);
    EXPECT_TRUE(v6->contains(*Address::parse("2001:db8:ffff::1")));
    EXPECT_FALSE(v6->contains(*Address::parse("2001:db9::1")));
    EXPECT_EQ(v6->to_string(), "2001:db8::/32");
    EXPECT_EQ(Cidr::parse("192.0.2.7")->to_string(), "192.0.2.7");
    EXPECT_TRUE(Cidr::parse("0.0.0.0/0")->contains(*Address::parse("198.51.100.1")));
    EXPECT_FALSE(Cidr::parse("0.0.0.0/0")->contains(*Address::parse("2001:db8::1")));
}

TEST(Cidr, RefusesBadPrefixes) {
    for (const char* text :
         {"192.0.2.0/33", "2001:db8::/129", "192.0.2.1/24", "192.0.2.0/", "192.0.2.0/2x"}) {
        EXPECT_FALSE(Cidr::parse(text)) << text;
    }
}

} // namespace
} // namespace stem
