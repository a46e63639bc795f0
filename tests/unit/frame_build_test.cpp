// SPDX-License-Identifier: Apache-2.0
#include "frame_samples.h"

#include <ctl/frame/build.h>
#include <ctl/frame/checksum.h>
#include <ctl/frame/octets.h>
#include <ctl/frame/readdress.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

namespace stem::frame {
namespace {

using test::Octets;
using test::Sample;

Bytes octets_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

const Octets options{0, 1, 4, 0, 0, 0, 0};

std::vector<Sample> samples() {
    return {
        {},
        {.payload = "odd"},
        {.vlans = {{0x8100, 0x6064}}},
        {.vlans = {{0x88a8, 200}, {0x8100, 100}}, .padding = 3},
        {.ip_options = {1, 1, 1, 0}, .fragment_field = 0},
        {.v4 = false},
        {.v4 = false, .payload = "odd", .padding = 1},
        {.v4 = false, .vlans = {{0x88a8, 200}, {0x8100, 100}}},
        {.v4 = false, .extensions = {{0, options}, {60, options}}},
    };
}

void expect_checksums(Bytes frame, const IpView& view) {
    if (view.v4) {
        EXPECT_EQ(test::plain_checksum(frame.subspan(view.l3, view.l4 - view.l3)), 0U);
    }
    EXPECT_EQ(test::udp_residue(frame, view.l3, view.l4), 0U);
    EXPECT_FALSE(frame[view.l4 + 6] == 0 && frame[view.l4 + 7] == 0);
}

TEST(MakeReply, GoesBackTheWayItCame) {
    for (const Sample& sample : samples()) {
        for (const std::string_view text : {"SIP/2.0 100 Trying\r\n\r\n", "odd", ""}) {
            const Octets original = sample.frame();
            const auto view = parse_frame(original);
            ASSERT_TRUE(view);
            Octets out(2048, 0xcc);
            const auto length = make_reply(*view, original, octets_of(text), out, 1500);
            ASSERT_TRUE(length);
            EXPECT_GE(*length, ethernet_minimum);
            out.resize(*length);
            const auto reply = parse_frame(out);
            ASSERT_TRUE(reply);
            EXPECT_EQ(test::text_of(reply->payload_of(out)), text);
            EXPECT_EQ(reply->source, view->destination);
            EXPECT_EQ(reply->destination, view->source);
            EXPECT_TRUE(std::equal(out.begin(), out.begin() + 6, original.begin() + 6));
            EXPECT_TRUE(std::equal(out.begin() + 6, out.begin() + 12, original.begin()));
            EXPECT_TRUE(std::equal(out.begin() + 12, out.begin() + static_cast<std::ptrdiff_t>(view->l3),
                                   original.begin() + 12));
            EXPECT_EQ(reply->ttl, 64);
            EXPECT_EQ(reply->traffic_class, 0x60);
            EXPECT_EQ(reply->dont_fragment, view->dont_fragment);
            EXPECT_EQ(reply->l4 - reply->l3, view->v4 ? 20U : 40U);
            EXPECT_TRUE(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(reply->end()), out.end(),
                                    [](std::uint8_t octet) { return octet == 0; }));
            expect_checksums(out, *reply);
        }
    }
}

TEST(MakeReply, KnowsItsLimits) {
    for (const bool v4 : {true, false}) {
        const Octets original = Sample{.v4 = v4}.frame();
        const auto view = parse_frame(original);
        ASSERT_TRUE(view);
        const std::size_t headers = (v4 ? 20U : 40U) + 8U;
        const Octets payload(1500 - headers, 'x');
        Octets out(1514);
        EXPECT_EQ(make_reply(*view, original, payload, out, 1500), 1514U);
        EXPECT_EQ(make_reply(*view, original, payload, out, 1499).error(), BuildError::over_mtu);
        out.resize(1513);
        EXPECT_EQ(make_reply(*view, original, payload, out, 1500).error(), BuildError::no_room);
        const Octets huge(65536, 'x');
        EXPECT_EQ(make_reply(*view, original, huge, out, 1U << 20U).error(), BuildError::over_mtu);
    }
}

TEST(MakeReply, RefusesWhatCannotBeAnswered) {
    Octets out(2048);
    const auto error_for = [&out](const Octets& original) {
        const auto view = parse_frame(original);
        EXPECT_TRUE(view);
        const auto reply = make_reply(*view, original, octets_of("x"), out, 1500);
        EXPECT_FALSE(reply);
        return reply.error();
    };
    EXPECT_EQ(error_for(Sample{.fragment_field = 0x2000}.frame()), BuildError::fragment);
    Octets group4 = Sample{}.frame();
    group4[30] = 224;
    EXPECT_EQ(error_for(group4), BuildError::not_unicast);
    Octets group6 = Sample{.v4 = false}.frame();
    group6[38] = 0xff;
    EXPECT_EQ(error_for(group6), BuildError::not_unicast);
    Octets link_group = Sample{}.frame();
    link_group[0] = 1;
    EXPECT_EQ(error_for(link_group), BuildError::not_unicast);
    Octets no_port = Sample{}.frame();
    no_port[34] = no_port[35] = 0;
    EXPECT_EQ(error_for(no_port), BuildError::not_answerable);
    Octets no_address = Sample{}.frame();
    std::fill_n(no_address.begin() + 26, 4, std::uint8_t{0});
    EXPECT_EQ(error_for(no_address), BuildError::not_answerable);
}

TEST(ReplacePayload, ReplacesAnyRange) {
    for (const Sample& sample : samples()) {
        const std::size_t size = sample.payload.size();
        for (const PayloadRange range : {PayloadRange{0, 0}, PayloadRange{0, size}, PayloadRange{1, 1},
                                         PayloadRange{size, 0}, PayloadRange{2, size - 2}}) {
            for (const std::string_view text : {"", "z", "sip:bob@198.51.100.77:5070;transport=udp"}) {
                const Octets original = sample.frame();
                const auto view = parse_frame(original);
                ASSERT_TRUE(view);
                Octets buffer = original;
                buffer.resize(2048, 0xcc);
                const auto length = replace_payload(*view, buffer, range, octets_of(text), 1500);
                ASSERT_TRUE(length);
                buffer.resize(*length);
                const auto changed = parse_frame(buffer);
                ASSERT_TRUE(changed);
                std::string expected(sample.payload);
                expected.replace(range.offset, range.length, text);
                EXPECT_EQ(test::text_of(changed->payload_of(buffer)), expected);
                EXPECT_EQ(changed->source, view->source);
                EXPECT_EQ(changed->destination, view->destination);
                EXPECT_EQ(changed->ttl, view->ttl);
                EXPECT_EQ(changed->traffic_class, view->traffic_class);
                EXPECT_EQ(changed->l4, view->l4);
                EXPECT_TRUE(std::equal(buffer.begin(), buffer.begin() + 14, original.begin()));
                expect_checksums(buffer, *changed);
            }
        }
    }
}

TEST(ReplacePayload, ChangesNothingOnAnError) {
    for (const bool v4 : {true, false}) {
        const Octets original = Sample{.v4 = v4, .payload = "0123456789"}.frame();
        const auto view = parse_frame(original);
        ASSERT_TRUE(view);
        Octets buffer = original;
        const Octets more(11, 'x');
        const std::size_t ip_length = original.size() - 14;
        EXPECT_EQ(replace_payload(*view, buffer, {0, 10}, more, 1500).error(), BuildError::no_room);
        EXPECT_EQ(replace_payload(*view, buffer, {0, 10}, more, ip_length).error(), BuildError::over_mtu);
        EXPECT_EQ(replace_payload(*view, buffer, {11, 0}, more, 1500).error(), BuildError::bad_range);
        EXPECT_EQ(replace_payload(*view, buffer, {4, 7}, more, 1500).error(), BuildError::bad_range);
        EXPECT_EQ(replace_payload(*view, buffer, {4, SIZE_MAX}, more, 1500).error(), BuildError::bad_range);
        EXPECT_EQ(buffer, original);
        buffer.resize(original.size() + 1);
        EXPECT_TRUE(replace_payload(*view, buffer, {0, 10}, more, ip_length + 1));
    }
    const Octets fragment = Sample{.fragment_field = 185}.frame();
    Octets buffer = fragment;
    EXPECT_EQ(replace_payload(*parse_frame(fragment), buffer, {0, 0}, {}, 1500).error(),
              BuildError::fragment);
}

// A payload chosen so that the sum comes out as zero, which must go out as 0xffff.
TEST(ReplacePayload, NeverWritesAZeroChecksum) {
    for (const bool v4 : {true, false}) {
        const Octets original = Sample{.v4 = v4, .payload = "ab"}.frame();
        const auto view = parse_frame(original);
        ASSERT_TRUE(view);
        Octets buffer = original;
        buffer.resize(256);
        const std::array<std::uint8_t, 2> zeros{};
        ASSERT_TRUE(replace_payload(*view, buffer, {0, 2}, zeros, 1500));
        // With zeros for payload the checksum field is what the payload must be to make the field zero.
        const std::array<std::uint8_t, 2> balance{buffer[view->l4 + 6], buffer[view->l4 + 7]};
        ASSERT_TRUE(replace_payload(*view, buffer, {0, 2}, balance, 1500));
        EXPECT_EQ(buffer[view->l4 + 6], 0xff);
        EXPECT_EQ(buffer[view->l4 + 7], 0xff);
        EXPECT_EQ(test::udp_residue(buffer, view->l3, view->l4), 0U);
    }
}

TEST(Readdress, ChangesOneEndAndTheChecksums) {
    for (const Sample& sample : samples()) {
        for (const End end : {End::source, End::destination}) {
            const Octets original = sample.frame();
            const auto view = parse_frame(original);
            ASSERT_TRUE(view);
            const Endpoint other{
                .address = Address::parse(sample.v4 ? "203.0.113.7" : "2001:db8:7::7").value(), .port = 5070};
            Octets changed = original;
            ASSERT_TRUE(readdress(*view, changed, end, other));
            const auto after = parse_frame(changed);
            ASSERT_TRUE(after);
            EXPECT_EQ(after->source, end == End::source ? other : view->source);
            EXPECT_EQ(after->destination, end == End::destination ? other : view->destination);
            EXPECT_EQ(test::text_of(after->payload_of(changed)), sample.payload);
            expect_checksums(changed, *after);
            // And back again: the same octets.
            ASSERT_TRUE(
                readdress(*after, changed, end, end == End::source ? view->source : view->destination));
            EXPECT_EQ(parse_frame(changed)->source, view->source);
            EXPECT_EQ(parse_frame(changed)->destination, view->destination);
        }
    }
}

TEST(Readdress, KeepsTheAbsenceOfAChecksumAndRefusesTheOtherFamily) {
    Octets bare = Sample{}.frame();
    const auto view = parse_frame(bare);
    ASSERT_TRUE(view);
    bare[view->l4 + 6] = 0;
    bare[view->l4 + 7] = 0;
    const Endpoint other{.address = Address::parse("203.0.113.7").value(), .port = 5070};
    ASSERT_TRUE(readdress(*view, bare, End::source, other));
    EXPECT_EQ(bare[view->l4 + 6] | bare[view->l4 + 7], 0);
    const Octets before = bare;
    EXPECT_FALSE(
        readdress(*view, bare, End::source, {.address = Address::parse("2001:db8::1").value(), .port = 1}));
    EXPECT_EQ(bare, before);
    const Octets fragment = Sample{.fragment_field = 185}.frame();
    Octets copy = fragment;
    EXPECT_FALSE(readdress(*parse_frame(fragment), copy, End::source, other));
    EXPECT_EQ(copy, fragment);
}

class FrameChecksum : public ::testing::TestWithParam<bool> {
  protected:
    // A whole datagram whose checksum is right, and what was parsed of its frame.
    void make(std::string_view payload) {
        frame_ = Sample{.v4 = GetParam(), .payload = payload}.frame();
        const auto view = parse_frame(frame_);
        ASSERT_TRUE(view);
        view_ = *view;
        write_udp_checksum(frame_, view_.l3, view_.l4, view_.v4);
        right_ = read16(frame_, view_.l4 + 6);
    }
    [[nodiscard]] std::optional<std::uint16_t> with(std::size_t checksum) {
        write16(frame_, view_.l4 + 6, checksum);
        return udp_checksum_for(view_,
                                std::span(frame_).subspan(view_.l4, udp_header + view_.payload_length));
    }
    // The sum of the pseudo-header.
    [[nodiscard]] std::size_t begun() const {
        const auto at = std::span(frame_).subspan(view_.l3 + (view_.v4 ? 12 : 8), view_.v4 ? 8 : 32);
        return 0xffffU ^
               test::plain_checksum(at, static_cast<unsigned>(17 + udp_header + view_.payload_length));
    }

    test::Octets frame_;
    FrameView view_;
    std::uint16_t right_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Families, FrameChecksum, ::testing::Bool(),
                         [](const auto& family) { return family.param ? "v4" : "v6"; });

TEST_P(FrameChecksum, IsWhatAReceiverTakes) {
    for (const std::string_view payload : {"OPTIONS sip:a SIP/2.0\r\n\r\n", "odd", "x"}) {
        make(payload);
        EXPECT_EQ(with(right_), right_);
        EXPECT_FALSE(with(right_ ^ 1U));
        EXPECT_FALSE(with(right_ ^ 0x8000U));
        EXPECT_EQ(with(0), GetParam() ? std::optional<std::uint16_t>(0) : std::nullopt);
        EXPECT_EQ(with(begun()), right_) << "finished, as the sender's device would have";
        EXPECT_FALSE(with(begun() ^ 1U));
    }
}

// A sum of zero is sent as all ones: zero would say that there is none (RFC 768).
TEST_P(FrameChecksum, IsNeverFinishedAsNone) {
    std::string payload(2, '\0');
    for (unsigned value = 0; value < 0x10000; value++) {
        payload[0] = static_cast<char>(value >> 8U);
        payload[1] = static_cast<char>(value & 0xffU);
        make(payload);
        if (right_ == 0xffff) {
            EXPECT_EQ(with(begun()), 0xffff);
            EXPECT_EQ(with(0xffff), 0xffff);
            return;
        }
    }
    FAIL() << "no payload whose sum is zero";
}

} // namespace
} // namespace stem::frame
