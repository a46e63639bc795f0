// SPDX-License-Identifier: Apache-2.0
#include "frame_samples.h"

#include <ctl/frame/octets.h>
#include <ctl/frame/tcp.h>

#include <gtest/gtest.h>

#include <algorithm>

namespace stem::frame {
namespace {

using test::Octets;

// Octet by octet, with a checksum computed by hand: SYN 192.0.2.1:40000 -> 198.51.100.2:5060.
const Octets syn{0x02, 0,    0,    0,    0,    0x0b, 0x02, 0,    0,    0,    0,    0x0a, 0x08, 0x00, 0x45,
                 0x00, 0x00, 0x2c, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, 192,  0,    2,    1,
                 198,  51,   100,  2,    0x9c, 0x40, 0x13, 0xc4, 0x00, 0x00, 0x03, 0xe8, 0x00, 0x00, 0x00,
                 0x00, 0x60, 0x02, 0xfa, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4};

TcpSegment sample(bool v4) {
    TcpSegment segment;
    segment.source = {.address = Address::parse(v4 ? "192.0.2.1" : "2001:db8::1").value(), .port = 5060};
    segment.destination = {.address = Address::parse(v4 ? "198.51.100.2" : "2001:db8:1::2").value(),
                           .port = 40000};
    segment.sequence = 0xfffffff0;
    segment.acknowledgment = 77;
    segment.flags = tcp_ack | tcp_psh;
    segment.window = 4096;
    segment.ttl = 61;
    segment.traffic_class = 0x61;
    return segment;
}

LinkHeader link_of(bool v4, bool tagged) {
    LinkHeader link;
    Octets octets{2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa};
    if (tagged) {
        test::append16(octets, 0x8100);
        test::append16(octets, 0x6064);
    }
    test::append16(octets, v4 ? 0x0800 : 0x86dd);
    std::ranges::copy(octets, link.octets.begin());
    link.length = octets.size();
    return link;
}

TEST(FrameTcp, FindsTheParts) {
    const auto view = parse_tcp(syn);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->source.to_string(), "192.0.2.1:40000");
    EXPECT_EQ(view->destination.to_string(), "198.51.100.2:5060");
    EXPECT_EQ(view->sequence, 1000U);
    EXPECT_EQ(view->flags, tcp_syn);
    EXPECT_EQ(view->window, 64240);
    EXPECT_EQ(view->options_of(syn).size(), 4U);
    EXPECT_EQ(view->payload_length, 0U);
}

TEST(FrameTcp, RefusesWhatIsCutShortOrLies) {
    for (std::size_t length = 0; length < syn.size(); ++length) {
        EXPECT_FALSE(parse_tcp(std::span(syn).first(length))) << length;
    }
    for (const std::uint8_t offset : Octets{0x00, 0x40, 0x70}) { // shorter than a header, and past the end
        Octets frame = syn;
        frame[46] = offset;
        EXPECT_FALSE(parse_tcp(frame));
    }
    Octets fragment = syn;
    fragment[20] = 0x20;
    EXPECT_FALSE(parse_tcp(fragment));
}

TEST(FrameTcp, AFrameOfOursIsRead) {
    for (const bool v4 : {true, false}) {
        for (const bool tagged : {false, true}) {
            for (const std::string_view payload : {"", "x", "OPTIONS sip:a SIP/2.0\r\n\r\n"}) {
                TcpSegment segment = sample(v4);
                segment.payload = payload;
                const Octets options{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
                segment.options = options;
                Octets out(1600, 0xee);
                const std::size_t length = make_tcp(link_of(v4, tagged), segment, out);
                ASSERT_GE(length, ethernet_minimum);
                out.resize(length);
                const auto view = parse_tcp(out);
                ASSERT_TRUE(view);
                EXPECT_EQ(view->source, segment.source);
                EXPECT_EQ(view->destination, segment.destination);
                EXPECT_EQ(view->sequence, segment.sequence);
                EXPECT_EQ(view->acknowledgment, 77U);
                EXPECT_EQ(view->flags, segment.flags);
                EXPECT_EQ(view->window, 4096);
                EXPECT_EQ(view->ttl, 61);
                EXPECT_EQ(view->traffic_class, 0x60); // no ECN
                EXPECT_EQ(view->vlan_count, tagged ? 1U : 0U);
                EXPECT_TRUE(std::ranges::equal(view->options_of(out), options));
                EXPECT_EQ(test::text_of(view->payload_of(out)), payload);
                EXPECT_TRUE(tcp_checksum_is_good(*view, out));
                Octets changed = out;
                changed[view->l4 + 6] ^= 1;
                EXPECT_FALSE(tcp_checksum_is_good(*view, changed));
            }
        }
    }
}

// What a local sender leaves for its device to finish: the sum of the pseudo-header.
TEST(FrameTcp, APartialChecksumIsGood) {
    Octets frame = syn;
    const auto view = parse_tcp(frame);
    ASSERT_TRUE(view);
    EXPECT_FALSE(tcp_checksum_is_good(*view, frame));
    unsigned sum = 6 + 24; // protocol and length
    for (std::size_t at = 26; at < 34; at += 2) {
        sum += read16(frame, at);
    }
    sum = (sum & 0xffffU) + (sum >> 16U);
    write16(frame, 50, sum);
    EXPECT_TRUE(tcp_checksum_is_good(*view, frame));
}

TEST(FrameTcp, RefusesWhatCannotBe) {
    Octets out(1600);
    TcpSegment segment = sample(true);
    EXPECT_EQ(make_tcp(link_of(true, false), segment, std::span(out).first(53)), 0U);
    EXPECT_EQ(make_tcp(link_of(true, false), segment, std::span(out).first(54)), 54U);
    segment.destination.address = Address::parse("2001:db8::1").value();
    EXPECT_EQ(make_tcp(link_of(true, false), segment, out), 0U);
    segment = sample(true);
    const Octets odd(3);
    segment.options = odd;
    EXPECT_EQ(make_tcp(link_of(true, false), segment, out), 0U);
    const Octets many(44);
    segment.options = many;
    EXPECT_EQ(make_tcp(link_of(true, false), segment, out), 0U);
}

TEST(FrameTcp, TheWayBackSwapsLinkAddresses) {
    const auto view = parse_tcp(syn);
    const LinkHeader link = LinkHeader::of(*view, syn);
    EXPECT_EQ(link.length, 14U);
    const LinkHeader back = link.reversed();
    EXPECT_TRUE(std::equal(back.octets.begin(), back.octets.begin() + 6, syn.begin() + 6));
    EXPECT_TRUE(std::equal(back.octets.begin() + 6, back.octets.begin() + 12, syn.begin()));
}

} // namespace
} // namespace stem::frame
