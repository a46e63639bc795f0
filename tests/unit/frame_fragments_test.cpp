// SPDX-License-Identifier: Apache-2.0
// Datagrams made anew: what is put together of the fragments is the datagram, with its checksum.
#include <ctl/fragment/reassembly.h>
#include <ctl/frame/fragments.h>

#include "frame_samples.h"

#include <gtest/gtest.h>

#include <string>

namespace stem::frame {
namespace {

using test::Sample;

struct Holder final : fragment::Holder {};

class FrameFragments : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Families, FrameFragments, ::testing::Bool(),
                         [](const auto& family) { return family.param ? "v4" : "v6"; });

// Between other ends, as one that leaves for a proxy.
TEST_P(FrameFragments, GoBetweenTheEndsOfTheView) {
    const test::Octets original = Sample{.v4 = GetParam()}.frame();
    const auto parsed = parse_frame(original);
    ASSERT_TRUE(parsed);
    auto view = *parsed;
    view.source = {.address = *Address::parse(GetParam() ? "192.0.2.9" : "2001:db8::9"), .port = 5090};
    view.destination = {.address = *Address::parse(GetParam() ? "203.0.113.7" : "2001:db8:7::7"),
                        .port = 5070};
    const test::Octets payload(3000, 'x');
    for (const std::size_t size : {20U, 3000U}) {
        const auto frames = make_datagram(view, original, std::span(payload).first(size), 7, 1500);
        ASSERT_TRUE(frames);
        for (const auto& frame : *frames) {
            const auto piece = parse_frame(frame);
            ASSERT_TRUE(piece);
            EXPECT_EQ(piece->source_address, view.source.address);
            EXPECT_EQ(piece->destination_address, view.destination.address);
            if (!piece->fragment || piece->fragment->first()) {
                EXPECT_EQ(piece->source, view.source);
                EXPECT_EQ(piece->destination, view.destination);
            }
            if (!piece->fragment) {
                EXPECT_EQ(test::udp_residue(frame, piece->l3, piece->l4), 0U);
            }
        }
    }
}

TEST_P(FrameFragments, ComeTogetherAgain) {
    for (const auto& vlans : {std::vector<std::pair<unsigned, unsigned>>{}, {{0x8100U, 7U}}}) {
        const test::Octets original = Sample{.v4 = GetParam(), .vlans = vlans}.frame();
        const auto view = parse_frame(original);
        ASSERT_TRUE(view);
        for (const std::size_t size : {0U, 20U, 1400U, 1452U, 1473U, 3000U, 8000U}) {
            std::string payload(size, 'x');
            for (std::size_t at = 0; at < size; at++) {
                payload[at] = static_cast<char>('a' + at % 23);
            }
            const auto frames =
                make_datagram(*view, original, {reinterpret_cast<const std::uint8_t*>(payload.data()), size},
                              0xabcd1234, 1500);
            ASSERT_TRUE(frames);
            fragment::Reassembly reassembly{{}};
            test::Octets datagram;
            for (const auto& frame : *frames) {
                const auto piece = parse_frame(frame);
                ASSERT_TRUE(piece);
                EXPECT_LE(piece->ip_length, 1500U);
                EXPECT_EQ(piece->ttl, view->ttl);
                EXPECT_EQ(piece->source_address, view->source_address);
                EXPECT_EQ(piece->destination_address, view->destination_address);
                EXPECT_EQ(piece->vlan_count, vlans.size());
                EXPECT_TRUE(std::ranges::equal(std::span(frame).first(12), std::span(original).first(12)));
                if (!piece->fragment) {
                    ASSERT_EQ(frames->size(), 1U);
                    EXPECT_EQ(test::udp_residue(frame, piece->l3, piece->l4), 0U);
                    EXPECT_EQ(test::text_of(piece->payload_of(frame)), payload);
                    continue;
                }
                EXPECT_EQ(piece->fragment->id, GetParam() ? 0x1234U : 0xabcd1234U);
                if (GetParam()) {
                    EXPECT_EQ(test::plain_checksum(std::span(frame).subspan(piece->l3, 20)), 0U);
                }
                auto added =
                    reassembly.add({},
                                   {.offset = piece->fragment->offset,
                                    .more = piece->fragment->more,
                                    .octets = std::span(frame).subspan(piece->l4, piece->end() - piece->l4),
                                    .holder = std::make_unique<Holder>()},
                                   1);
                for (const auto& each : added.pieces) {
                    ASSERT_EQ(added.outcome, fragment::Outcome::whole);
                    datagram.insert(datagram.end(), each.octets.begin(), each.octets.end());
                }
            }
            if (frames->size() > 1) {
                ASSERT_EQ(datagram.size(), size + udp_header);
                EXPECT_EQ(test::text_of(std::span(datagram).subspan(8)), payload);
                // The checksum is of the whole: put behind a whole header it is right.
                test::Octets whole(original.begin(),
                                   original.begin() + static_cast<std::ptrdiff_t>(view->l4));
                whole.insert(whole.end(), datagram.begin(), datagram.end());
                EXPECT_EQ(test::udp_residue(whole, view->l3, view->l4), 0U) << size;
            }
        }
    }
}

TEST_P(FrameFragments, KnowTheirBounds) {
    const test::Octets original = Sample{.v4 = GetParam()}.frame();
    const auto view = parse_frame(original);
    ASSERT_TRUE(view);
    const std::vector<std::uint8_t> large(65'530);
    EXPECT_FALSE(make_datagram(*view, original, large, 1, 1500));
    EXPECT_FALSE(make_datagram(*view, original, {}, 1, 20));
}

} // namespace
} // namespace stem::frame
