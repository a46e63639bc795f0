// SPDX-License-Identifier: Apache-2.0
// What ctl/kernel works out by itself, without a kernel: names, networks, filter bits, fail-safe entries.
#include <ctl/kernel/attach.h>
#include <ctl/kernel/deny_filter.h>
#include <ctl/kernel/file_lock.h>
#include <ctl/kernel/flow_list.h>
#include <ctl/kernel/host.h>
#include <ctl/kernel/network.h>
#include <ctl/kernel/sip_proxy.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

namespace stem::kernel {
namespace {

using testing::HasSubstr;

bool cidr_bit(const stem_deny_filter& filter, const Address& source) {
    const stem_addr raw = source.raw();
    const auto bit = stem_deny_filter_cidr(&raw);
    return (filter.cidr[bit / 64] >> (bit % 64) & 1U) != 0;
}

// A clear bit must mean "surely not denied": so every address of a denied network has its bit set.
TEST(DenyFilter, CoversEveryAddressOfANetwork) {
    struct Case {
        const char* network;
        std::vector<const char*> inside;
        const char* outside; // hashed to another bit; null: all bits are needed
    };
    const std::vector<Case> cases = {
        {"198.51.100.0/24", {"198.51.100.0", "198.51.100.255"}, "203.0.113.1"},
        {"10.0.0.0/8", {"10.0.0.1", "10.255.255.255", "10.127.3.4"}, "11.0.0.1"},
        {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, nullptr},
        {"2001:db8::/32", {"2001:db8::1", "2001:db8:ffff::1"}, "2002:db8::1"},
        {"2000::/3", {"2000::1", "3fff::1", "2a00:1450::1"}, "4000::1"},
        {"fe80::/10", {"fe80::1", "febf::1"}, "fec0::1"},
        {"::1:0:0:0/80", {"::1:0:0:1", "::1:ffff:0:1"}, nullptr},
        {"2001:db8::5/128", {"2001:db8::5"}, "2003:db8::1"},
    };
    for (const auto& each : cases) {
        const auto network = Cidr::parse(each.network);
        ASSERT_TRUE(network) << each.network;
        const auto filter = std::make_unique<stem_deny_filter>();
        set_cidr(*filter, *network);
        for (const char* inside : each.inside) {
            EXPECT_TRUE(cidr_bit(*filter, *Address::parse(inside))) << each.network << " " << inside;
        }
        if (each.outside != nullptr) {
            EXPECT_FALSE(cidr_bit(*filter, *Address::parse(each.outside))) << each.network;
        }
    }
}

TEST(DenyFilter, MergeKeepsAndReplaceClears) {
    const auto live = std::make_unique<stem_deny_filter>();
    const auto one = std::make_unique<stem_deny_filter>();
    const auto two = std::make_unique<stem_deny_filter>();
    set_cidr(*one, *Cidr::parse("192.0.2.0/24"));
    set_cidr(*two, *Cidr::parse("2001:db8::/32"));
    merge(*live, *one);
    merge(*live, *two);
    EXPECT_TRUE(cidr_bit(*live, *Address::parse("192.0.2.1")));
    EXPECT_TRUE(cidr_bit(*live, *Address::parse("2001:db8::1")));
    replace(*live, *two);
    EXPECT_FALSE(cidr_bit(*live, *Address::parse("192.0.2.1")));
    EXPECT_TRUE(cidr_bit(*live, *Address::parse("2001:db8::1")));
}

TEST(Network, SurvivesTheMappedForm) {
    for (const char* text : {"192.0.2.0/24", "0.0.0.0/0", "192.0.2.1", "2001:db8::/32", "2000::/3", "::1"}) {
        const auto network = Cidr::parse(text);
        ASSERT_TRUE(network) << text;
        EXPECT_EQ(network_of(network->network(), network->mapped_length()).to_string(), text);
        EXPECT_EQ(length_of(mask_of(*network)), network->mapped_length());
    }
}

TEST(Network, RefusesIpv6NetworksThatHoldAllIpv4) {
    for (const char* text : {"::/0", "::/8", "::/80"}) {
        const auto good = require_one_family(*Cidr::parse(text));
        ASSERT_FALSE(good) << text;
        EXPECT_THAT(good.error().message(), HasSubstr(text));
    }
    for (const char* text : {"0.0.0.0/0", "2000::/3", "fe80::/10", "::1"}) {
        EXPECT_TRUE(require_one_family(*Cidr::parse(text))) << text;
    }
}

TEST(Failsafe, ReadsSideServiceAndClients) {
    const auto any = Failsafe::parse("internal:tcp/22");
    ASSERT_TRUE(any) << any.error().message();
    EXPECT_EQ(any->direction, STEM_OUTBOUND);
    EXPECT_EQ(any->protocol, IPPROTO_TCP);
    EXPECT_EQ(any->port, 22);
    EXPECT_FALSE(any->client);
    for (const char* text : {"external:udp/161:192.0.2.0/24", "external:tcp/443:2001:db8::/32"}) {
        const auto entry = Failsafe::parse(text);
        ASSERT_TRUE(entry) << entry.error().message();
        EXPECT_EQ(entry->direction, STEM_INBOUND);
        EXPECT_EQ(entry->to_string(), text);
    }
}

TEST(Failsafe, NamesWhatItCannotRead) {
    for (const char* text :
         {"", "tcp/22", "inside:tcp/22", "internal:sctp/22", "internal:tcp", "internal:tcp/0",
          "internal:tcp/65536", "internal:tcp/22x", "internal:tcp/22:192.0.2.1/24", "internal:tcp/22:"}) {
        const auto entry = Failsafe::parse(text);
        ASSERT_FALSE(entry) << text;
        EXPECT_THAT(entry.error().message(), HasSubstr(std::string("'") + text + "'"));
    }
}

TEST(Host, RefusesKernelsBeforeSixOne) {
    EXPECT_TRUE(require_kernel("6.1.0-44-amd64"));
    EXPECT_TRUE(require_kernel("6.18.44"));
    EXPECT_TRUE(require_kernel("7.0.0-rc1"));
    for (const char* release : {"6.0.19", "5.15.0-100-generic", "garbage"}) {
        const auto good = require_kernel(release);
        ASSERT_FALSE(good) << release;
        EXPECT_THAT(good.error().message(), HasSubstr(release));
        EXPECT_THAT(good.error().message(), HasSubstr("6.1"));
    }
}

TEST(Locations, OptionBeatsVariableBeatsDefault) {
    EXPECT_EQ(Locations::resolve("", "").bpffs, "/run/stem/bpf");
    ASSERT_EQ(setenv("STEM_BPFFS", "/from/environment", 1), 0);
    EXPECT_EQ(Locations::resolve("", "").bpffs, "/from/environment");
    EXPECT_EQ(Locations::resolve("/from/option", "").bpffs, "/from/option");
    ASSERT_EQ(unsetenv("STEM_BPFFS"), 0);
}

TEST(Locations, RefusesNamesThatAreNoFileNames) {
    for (const char* name :
         {"", ".", "..", "a/b", "with blank", "tschüss", "123456789012345678901234567890123"}) {
        EXPECT_FALSE(check_instance_name(name)) << name;
    }
    EXPECT_TRUE(check_instance_name("trunk-2_a"));
}

TEST(FileLock, HasOneHolderAndNamesIt) {
    const auto path = std::filesystem::path(testing::TempDir()) / ("stem-lock-" + std::to_string(getpid()));
    EXPECT_EQ(FileLock::holder(path), std::nullopt);
    {
        const auto first = FileLock::acquire(path, "the test");
        ASSERT_TRUE(first) << first.error().message();
        EXPECT_EQ(FileLock::holder(path), getpid());
        const auto second = FileLock::acquire(path, "the test", std::chrono::milliseconds(20));
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, EWOULDBLOCK);
        EXPECT_THAT(second.error().message(), HasSubstr(std::to_string(getpid())));
    }
    EXPECT_EQ(FileLock::holder(path), std::nullopt);
    std::filesystem::remove(path);
}

TEST(FlowEntry, SpeaksOfTypesAndRates) {
    FlowEntry flow;
    flow.value.payload_types[0] = 1U << 0 | 1U << 8;
    flow.value.payload_types[1] = __u64{1} << (101 - 64);
    flow.value.ns_per_kib = 1024 * 100'000; // 10,000 bytes a second
    flow.value.ns_per_packet = 20'000'000;
    EXPECT_THAT(flow.payload_types(), testing::ElementsAre(0, 8, 101));
    EXPECT_EQ(flow.bytes_per_second(), 10'000U);
    EXPECT_EQ(flow.packets_per_second(), 50U);
    EXPECT_EQ(payload_type_name(0), "PCMU");
    EXPECT_EQ(payload_type_name(101), "101");
}

TEST(SipProxy, ReadsAddressAndPort) {
    const auto read = [](const char* text) { return SipProxy::parse_endpoint(text).value().to_string(); };
    EXPECT_EQ(read("198.51.100.5"), "198.51.100.5:5060");
    EXPECT_EQ(read("198.51.100.5:5070"), "198.51.100.5:5070");
    EXPECT_EQ(read("2001:db8:2::5"), "[2001:db8:2::5]:5060");
    EXPECT_EQ(read("[2001:db8:2::5]"), "[2001:db8:2::5]:5060");
    EXPECT_EQ(read("[2001:db8:2::5]:65535"), "[2001:db8:2::5]:65535");
    for (const char* wrong :
         {"", "proxy", "198.51.100.5:", "198.51.100.5:0", "198.51.100.5:65536", "198.51.100.5:x",
          "[2001:db8::5]:", "0.0.0.0", "127.0.0.1", "224.0.1.75", "::", "ff02::1", "1.2.3"}) {
        const auto endpoint = SipProxy::parse_endpoint(wrong);
        ASSERT_FALSE(endpoint) << wrong;
        EXPECT_THAT(endpoint.error().message(), HasSubstr(std::string("'") + wrong + "'"));
    }
}

TEST(SipProxy, ReadsLinkAddresses) {
    EXPECT_EQ(station_text(SipProxy::parse_station("00:00:5E:00:53:aF").value()), "00:00:5e:00:53:af");
    for (const char* wrong :
         {"", "00:00:5e:00:53", "00:00:5e:00:53:01:02", "0:0:5e:0:53:1", "00-00-5e-00-53-01",
          "00:00:00:00:00:00", "01:00:5e:00:53:01", "ff:ff:ff:ff:ff:ff", "00:00:5e:00:53:0g"}) {
        EXPECT_FALSE(SipProxy::parse_station(wrong)) << wrong;
    }
}

} // namespace
} // namespace stem::kernel
