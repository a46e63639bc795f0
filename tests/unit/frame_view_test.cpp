// SPDX-License-Identifier: Apache-2.0
#include "frame_samples.h"

#include <ctl/frame/view.h>

#include <gtest/gtest.h>

namespace stem::frame {
namespace {

using test::Octets;
using test::Sample;

// Hop-by-hop and destination options, 8 octets; their first octet is the chain's.
const Octets options{0, 1, 4, 0, 0, 0, 0};
Octets fragment_header(unsigned field) {
    return {0, static_cast<std::uint8_t>(field >> 8U), static_cast<std::uint8_t>(field), 0, 0, 0x12, 0x34};
}

TEST(FrameView, FindsUdpInIpv4) {
    const Octets frame = Sample{}.frame();
    const auto view = parse_frame(frame);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->l3, 14U);
    EXPECT_EQ(view->l4, 34U);
    EXPECT_EQ(view->payload, 42U);
    EXPECT_EQ(view->source.to_string(), "192.0.2.1:5060");
    EXPECT_EQ(view->destination.to_string(), "198.51.100.2:5062");
    EXPECT_EQ(view->ttl, 57);
    EXPECT_EQ(view->traffic_class, 0x61);
    EXPECT_TRUE(view->v4);
    EXPECT_TRUE(view->dont_fragment);
    EXPECT_FALSE(view->fragment);
    EXPECT_EQ(view->vlan_count, 0U);
    EXPECT_EQ(test::text_of(view->payload_of(frame)), "OPTIONS sip:a SIP/2.0\r\n\r\n");
    EXPECT_EQ(view->end(), frame.size());
}

TEST(FrameView, FindsUdpInIpv6) {
    const Octets frame = Sample{.v4 = false}.frame();
    const auto view = parse_frame(frame);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->l3, 14U);
    EXPECT_EQ(view->l4, 54U);
    EXPECT_EQ(view->source.to_string(), "[2001:db8::1]:5060");
    EXPECT_EQ(view->destination.to_string(), "[2001:db8:1::2]:5062");
    EXPECT_EQ(view->ttl, 57);
    EXPECT_EQ(view->traffic_class, 0x61);
    EXPECT_FALSE(view->v4);
    EXPECT_TRUE(view->dont_fragment);
    EXPECT_EQ(test::text_of(view->payload_of(frame)), "OPTIONS sip:a SIP/2.0\r\n\r\n");
    EXPECT_EQ(view->end(), frame.size());
}

TEST(FrameView, ReadsVlanTagsOutermostFirst) {
    for (const bool v4 : {true, false}) {
        const auto one = parse_frame(Sample{.v4 = v4, .vlans = {{0x8100, 0x6064}}}.frame());
        ASSERT_TRUE(one);
        EXPECT_EQ(one->vlan_count, 1U);
        EXPECT_EQ(one->vlans[0].id(), 100);
        EXPECT_EQ(one->l3, 18U);
        const auto two = parse_frame(Sample{.v4 = v4, .vlans = {{0x88a8, 200}, {0x8100, 100}}}.frame());
        ASSERT_TRUE(two);
        EXPECT_EQ(two->vlan_count, 2U);
        EXPECT_EQ(two->vlans[0].tpid, 0x88a8);
        EXPECT_EQ(two->vlans[0].id(), 200);
        EXPECT_EQ(two->vlans[1].id(), 100);
        EXPECT_EQ(two->l3, 22U);
        EXPECT_FALSE(parse_frame(Sample{.v4 = v4, .vlans = {{0x88a8, 1}, {0x8100, 2}, {0x8100, 3}}}.frame()));
    }
}

TEST(FrameView, IgnoresPaddingAfterIp) {
    for (const bool v4 : {true, false}) {
        const Octets frame = Sample{.v4 = v4, .payload = "\r\n", .padding = 14}.frame();
        const auto view = parse_frame(frame);
        ASSERT_TRUE(view);
        EXPECT_EQ(test::text_of(view->payload_of(frame)), "\r\n");
        EXPECT_EQ(view->end(), frame.size() - 14);
    }
}

TEST(FrameView, StepsOverIpv4Options) {
    const Octets frame = Sample{.ip_options = {0x94, 4, 0, 0, 1, 1, 1, 0}}.frame();
    const auto view = parse_frame(frame);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->l4, 42U);
    EXPECT_EQ(view->destination.port, 5062);
}

TEST(FrameView, StepsOverExtensionHeadersWithinABound) {
    const Octets frame = Sample{.v4 = false, .extensions = {{0, options}, {60, options}}}.frame();
    const auto view = parse_frame(frame);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->l4, 70U);
    EXPECT_EQ(view->destination.port, 5062);
    const std::vector<std::pair<unsigned, Octets>> six(6, {60, options});
    EXPECT_TRUE(parse_frame(Sample{.v4 = false, .extensions = six}.frame()));
    const std::vector<std::pair<unsigned, Octets>> seven(7, {60, options});
    EXPECT_FALSE(parse_frame(Sample{.v4 = false, .extensions = seven}.frame()));
}

TEST(FrameView, RefusesASourceRouteThatIsNotAtItsEnd) {
    EXPECT_TRUE(parse_frame(Sample{.v4 = false, .extensions = {{43, {0, 4, 0, 0, 0, 0, 0}}}}.frame()));
    EXPECT_FALSE(parse_frame(Sample{.v4 = false, .extensions = {{43, {0, 4, 1, 0, 0, 0, 0}}}}.frame()));
}

TEST(FrameView, ReportsFragments) {
    const auto first4 = parse_frame(Sample{.fragment_field = 0x2000}.frame());
    ASSERT_TRUE(first4);
    ASSERT_TRUE(first4->fragment);
    EXPECT_TRUE(first4->fragment->first());
    EXPECT_TRUE(first4->fragment->more);
    EXPECT_EQ(first4->fragment->id, 0x1234U);
    EXPECT_EQ(first4->source.port, 5060);

    const auto later4 = parse_frame(Sample{.fragment_field = 185}.frame());
    ASSERT_TRUE(later4);
    ASSERT_TRUE(later4->fragment);
    EXPECT_EQ(later4->fragment->offset, 1480U);
    EXPECT_FALSE(later4->fragment->more);
    EXPECT_EQ(later4->source.port, 0);
    EXPECT_EQ(later4->payload, later4->l4);

    const auto first6 = parse_frame(Sample{.v4 = false, .extensions = {{44, fragment_header(1)}}}.frame());
    ASSERT_TRUE(first6);
    ASSERT_TRUE(first6->fragment);
    EXPECT_TRUE(first6->fragment->first());
    EXPECT_EQ(first6->fragment->id, 0x1234U);
    EXPECT_EQ(first6->source.port, 5060);

    const auto later6 = parse_frame(Sample{.v4 = false, .extensions = {{44, fragment_header(1448)}}}.frame());
    ASSERT_TRUE(later6);
    ASSERT_TRUE(later6->fragment);
    EXPECT_EQ(later6->fragment->offset, 1448U);
    EXPECT_EQ(later6->source.port, 0);
}

// The first fragment carries the length of the whole datagram; a whole datagram must not.
TEST(FrameView, TakesAUdpLengthBeyondIpFromAFirstFragmentOnly) {
    Octets fragment = Sample{.fragment_field = 0x2000}.frame();
    fragment[34 + 4] = 0x08;
    const auto view = parse_frame(fragment);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->payload_length, Sample{}.payload.size());
    Octets whole = Sample{}.frame();
    whole[34 + 4] = 0x08;
    EXPECT_FALSE(parse_frame(whole));
}

TEST(FrameView, BoundsThePayloadByTheUdpLength) {
    Octets frame = Sample{.payload = "abcdef"}.frame();
    frame[34 + 5] = 8 + 3;
    const auto view = parse_frame(frame);
    ASSERT_TRUE(view);
    EXPECT_EQ(test::text_of(view->payload_of(frame)), "abc");
    frame[34 + 5] = 7;
    EXPECT_FALSE(parse_frame(frame));
}

TEST(FrameView, RefusesEveryTruncation) {
    const std::vector<Sample> samples = {
        {},
        {.v4 = false},
        {.vlans = {{0x88a8, 2}, {0x8100, 1}}, .ip_options = {1, 1, 1, 0}},
        {.v4 = false, .vlans = {{0x8100, 1}}, .extensions = {{0, options}, {44, fragment_header(1)}}},
    };
    for (const Sample& sample : samples) {
        const Octets frame = sample.frame();
        ASSERT_TRUE(parse_frame(frame));
        for (std::size_t length = 0; length < frame.size(); ++length) {
            // A buffer of its own, so that a sanitizer sees any octet read beyond it.
            const Octets cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
            EXPECT_FALSE(parse_frame(cut)) << length;
        }
    }
}

TEST(FrameView, RefusesContradictions) {
    Octets version = Sample{}.frame();
    version[14] = 0x65;
    EXPECT_FALSE(parse_frame(version));
    Octets header = Sample{}.frame();
    header[14] = 0x44;
    EXPECT_FALSE(parse_frame(header));
    Octets total = Sample{}.frame();
    total[16] = 0;
    total[17] = 19;
    EXPECT_FALSE(parse_frame(total));
    Octets extension = Sample{.v4 = false, .extensions = {{60, options}}}.frame();
    extension[14 + 40 + 1] = 255;
    EXPECT_FALSE(parse_frame(extension));
    Octets arp = Sample{}.frame();
    arp[13] = 6;
    EXPECT_FALSE(parse_frame(arp));
}

TEST(FrameView, ShowsOtherProtocolsToParseIpOnly) {
    for (const bool v4 : {true, false}) {
        const Octets frame = Sample{.v4 = v4, .protocol = 6}.frame();
        EXPECT_FALSE(parse_frame(frame));
        const auto ip = parse_ip(frame);
        ASSERT_TRUE(ip);
        EXPECT_EQ(ip->protocol, 6);
        EXPECT_EQ(ip->packet(frame).size(), frame.size() - 14);
    }
}

} // namespace
} // namespace stem::frame
