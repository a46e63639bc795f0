// SPDX-License-Identifier: Apache-2.0
// The lab's own measuring tools, where a mistake would make tests lie.
#include "lab/audio.h"
#include "lab/rtp_receiver.h"
#include "lab/sip_text.h"

#include <gtest/gtest.h>

#include <array>

namespace stem::lab {
namespace {

using namespace std::chrono_literals;

TEST(G711, CodesTheEndsAndTheMiddle) {
    EXPECT_EQ(to_a_law(0), 0xd5);
    EXPECT_EQ(to_a_law(-1), 0x55);
    EXPECT_EQ(to_a_law(32767), 0xaa);
    EXPECT_EQ(to_a_law(-32768), 0x2a);
    EXPECT_EQ(to_mu_law(0), 0xff);
    EXPECT_EQ(to_mu_law(-1), 0x7f);
    EXPECT_EQ(to_mu_law(32767), 0x80);
    EXPECT_EQ(to_mu_law(-32768), 0x00);
}

TEST(G711, CodesTheDigitalMilliwatt) {
    // G.711 tables 5 and 6: one period of 1 kHz at 0 dBm0; the samples lie within the interval of each code.
    // Both tables begin with the negative half.
    constexpr std::array<std::int16_t, 8> sine = {-8828, -20860, -20860, -8828, 8828, 20860, 20860, 8828};
    constexpr std::array<std::uint8_t, 8> a_law = {0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4};
    constexpr std::array<std::uint8_t, 8> mu_law = {0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e};
    for (std::size_t index = 0; index < sine.size(); ++index) {
        EXPECT_EQ(to_a_law(sine.at(index)), a_law.at(index)) << index;
        EXPECT_EQ(to_mu_law(sine.at(index)), mu_law.at(index)) << index;
    }
}

class Receiver : public testing::Test {
  protected:
    void take(unsigned sequence, std::uint8_t ssrc = 1) {
        now_ += 20ms;
        const std::array<std::uint8_t, 14> packet = {0x80,
                                                     8,
                                                     static_cast<std::uint8_t>(sequence >> 8U),
                                                     static_cast<std::uint8_t>(sequence),
                                                     0,
                                                     0,
                                                     0,
                                                     0,
                                                     0,
                                                     0,
                                                     0,
                                                     ssrc,
                                                     0,
                                                     0};
        ASSERT_TRUE(receiver_.take(packet, now_));
    }

    RtpReceiver receiver_;
    RtpReceiver::Clock::time_point now_;
};

TEST_F(Receiver, CountsGapsOverTheWrap) {
    for (const unsigned sequence : {65533U, 65534U, 65535U, 2U, 3U}) {
        take(sequence);
    }
    EXPECT_EQ(receiver_.received(), 5U);
    EXPECT_EQ(receiver_.lost(), 2U); // 0 and 1
    EXPECT_EQ(receiver_.octets(), 70U);
    EXPECT_EQ(receiver_.longest_gap(), 20ms);
}

TEST_F(Receiver, TellsLateFromTwice) {
    for (const unsigned sequence : {10U, 12U, 11U, 11U, 12U, 13U}) {
        take(sequence);
    }
    EXPECT_EQ(receiver_.received(), 4U);
    EXPECT_EQ(receiver_.lost(), 0U);
    EXPECT_EQ(receiver_.reordered(), 1U);
    EXPECT_EQ(receiver_.duplicates(), 2U);
}

TEST_F(Receiver, CountsFromBeforeTheFirst) {
    for (const unsigned sequence : {0U, 65534U, 1U}) {
        take(sequence);
    }
    EXPECT_EQ(receiver_.lost(), 1U); // 65535
}

TEST_F(Receiver, BeginsAnewWithAnotherSource) {
    for (const unsigned sequence : {10U, 12U}) {
        take(sequence);
    }
    for (const unsigned sequence : {4000U, 4003U}) {
        take(sequence, 2);
    }
    EXPECT_EQ(receiver_.received(), 4U);
    EXPECT_EQ(receiver_.lost(), 1U + 2U);
}

TEST_F(Receiver, RefusesWhatIsNotRtp) {
    EXPECT_FALSE(receiver_.take(std::array<std::uint8_t, 11>{0x80}, now_)); // too short
    EXPECT_FALSE(receiver_.take(std::array<std::uint8_t, 20>{0x00}, now_)); // version 0, as STUN
    EXPECT_EQ(receiver_.received(), 0U);
}

TEST(SipText, ReadsWhatItWrites) {
    const Address host = Address::parse("2001:db8:1::11").value();
    const SipRequest invite{.method = "INVITE",
                            .uri = sip_uri("bob", host, 5070),
                            .via = {.address = host, .port = 5060},
                            .branch = "z9hG4bK1",
                            .from = sip_uri("alice", host),
                            .from_tag = "a",
                            .to = sip_uri("bob", host),
                            .to_tag = "",
                            .call_id = "call",
                            .cseq = 7,
                            .headers = {"Record-Route: <sip:one;lr>", "Record-Route: <sip:two;lr>"},
                            .body = sdp({.address = host, .port = 4000})};
    const std::string text = invite.text();
    EXPECT_TRUE(text.starts_with("INVITE sip:bob@[2001:db8:1::11]:5070 SIP/2.0\r\n")) << text;
    EXPECT_EQ(header_of(text, "content-length"), std::to_string(invite.body.size()));
    EXPECT_EQ(media_of(text), (Endpoint{.address = host, .port = 4000}));

    const std::string ok = response_text(text, 200, "OK", "b", {.address = host, .port = 5080});
    EXPECT_EQ(status_of(ok), 200);
    EXPECT_EQ(method_of(ok), "INVITE");
    EXPECT_EQ(tag_of(header_of(ok, "From").value_or("")), "a");
    EXPECT_EQ(tag_of(header_of(ok, "To").value_or("")), "b");

    const SipRequest bye = in_dialog(invite, ok, "BYE", "z9hG4bK2");
    EXPECT_EQ(bye.uri, "sip:[2001:db8:1::11]:5080");
    EXPECT_EQ(bye.cseq, 8U);
    EXPECT_EQ(bye.headers, (std::vector<std::string>{"Route: <sip:two;lr>", "Route: <sip:one;lr>"}));
    EXPECT_EQ(in_dialog(invite, ok, "ACK", "z9hG4bK3").cseq, 7U);
    EXPECT_EQ(cancel_of(invite).branch, invite.branch);
    EXPECT_EQ(ack_of_failure(invite, ok).to_tag, "b");
}

} // namespace
} // namespace stem::lab
