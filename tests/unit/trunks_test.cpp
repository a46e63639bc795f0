// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/trunks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stem::kernel {
namespace {

TEST(Trunks, WritesSmallNetworksOut) {
    const std::array networks = {*Cidr::parse("203.0.113.4/30"), *Cidr::parse("2001:db8::8/127"),
                                 *Cidr::parse("198.51.100.1")};
    const auto addresses = addresses_of(networks);
    ASSERT_TRUE(addresses);
    std::vector<std::string> texts;
    for (const Address& address : *addresses) {
        texts.push_back(address.to_string());
    }
    EXPECT_THAT(texts, testing::ElementsAre("203.0.113.4", "203.0.113.5", "203.0.113.6", "203.0.113.7",
                                            "2001:db8::8", "2001:db8::9", "198.51.100.1"));
}

TEST(Trunks, RefusesLargeOnes) {
    EXPECT_EQ(addresses_of(std::array{*Cidr::parse("203.0.113.0/24")})->size(), 256U);
    EXPECT_EQ(addresses_of(std::array{*Cidr::parse("2001:db8::/120")})->size(), 256U);
    for (const char* large : {"203.0.112.0/23", "2001:db8::/119", "2001:db8::/64"}) {
        const auto refused = addresses_of(std::array{*Cidr::parse(large)});
        ASSERT_FALSE(refused) << large;
        EXPECT_THAT(refused.error().message(), testing::HasSubstr(large));
    }
}

} // namespace
} // namespace stem::kernel
