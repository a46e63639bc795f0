// SPDX-License-Identifier: Apache-2.0
// Captures that no one here made, through parser, call monitor and pinholes: as many calls, dialogs and
// streams of RTP as tshark tells. All that hold a call are here; docs/captures.md has both counts of each,
// and how tshark was asked.
#include "capture_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <ostream>
#include <set>
#include <span>
#include <string>

namespace stem::call {
namespace {

namespace fs = std::filesystem;

enum class Setting : std::uint8_t {
    by_default,
    never_unanswered, // [media] unanswered_seconds = 0
    nat_always,       // [media] nat = "always"
};

struct Expected {
    friend void PrintTo(const Expected& one, std::ostream* out) { *out << one.file << " " << one.outside; }

    const char* file;
    const char* outside; // as in Sides
    Counts counts;
    const char* refused = ""; // as in CaptureReplay
    Setting setting = Setting::by_default;
};

class Capture : public CaptureReplay, public ::testing::WithParamInterface<Expected> {
  protected:
    void play(bool swapped, Restarts restarts = Restarts::never) {
        const Expected& expected = GetParam();
        const fs::path path = captures() / expected.file;
        if (!fs::exists(path)) {
            GTEST_SKIP() << "no test data: STEM_SHARED_DATA is not set, and there is no " << path;
        }
        const auto file = read_capture(path);
        ASSERT_TRUE(file) << file.error().message();
        if (expected.setting == Setting::never_unanswered) {
            settings.unanswered = {};
        } else if (expected.setting == Setting::nat_always) {
            settings.nat = Nat::always;
        }
        restart();
        replay(*file, Sides(expected.outside, swapped), restarts);
        EXPECT_EQ(counted(), expected.counts);
        if (restarts == Restarts::never) {
            EXPECT_EQ(refused(), expected.refused) << refused_in_full();
        }
        expect_nothing_left();
    }
};

std::string name_of(const ::testing::TestParamInfo<Expected>& one) {
    constexpr std::array settings{"", "never_unanswered", "nat_always"};
    std::string name = fmt::format("{}_{}{}", one.param.file, one.param.outside,
                                   settings.at(static_cast<std::size_t>(one.param.setting)));
    std::ranges::replace_if(
        name, [](char octet) { return std::isalnum(static_cast<unsigned char>(octet)) == 0; }, '_');
    return name;
}

// As tshark counts them. A capture of several hops is played once for each.
constexpr auto as_tshark = std::to_array<Expected>(
    {Expected{"wireshark-wiki/sip-and-rtp/sip-rtp-g711.pcap", "", {2, 2, 2, 839}},
     Expected{"wireshark-wiki/sip-and-rtp/sip-rtp-dvi4.pcap", "", {2, 2, 2, 850}},
     Expected{"wireshark-wiki/sip-and-rtp/sip-rtp-g722.pcap", "", {1, 1, 1, 425}},
     Expected{"wireshark-wiki/sip-and-rtp/sip-rtp-g729a.pcap", "", {1, 1, 1, 425}},
     Expected{"wireshark-wiki/sip-and-rtp/sip-rtp-ilbc.pcap", "", {1, 1, 1, 284}},
     Expected{"wireshark-wiki/sip-and-rtp/sip-rtp-lpc.pcap", "", {1, 1, 1, 95}},
     Expected{"wireshark-wiki/sip-and-rtp/sip-rtp-l16-first400.pcap", "", {1, 1, 1, 395}},
     Expected{"wireshark-wiki/sip-and-rtp/sip-rtp-opus-hybrid.pcap", "", {1, 1, 1, 5}},
     Expected{"wireshark-wiki/sip-and-rtp/MagicJack-_short_call.pcap", "", {1, 1, 2, 1268}},
     Expected{"wireshark-wiki/sip-and-rtp/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap", "10.35.40.200", {1, 1, 0, 0}},
     Expected{
         "wireshark-wiki/sip-and-rtp/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap", "138.132.169.101", {1, 1, 0, 0}},
     Expected{"ndpi/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap", "10.35.40.200", {1, 1, 0, 0}},
     Expected{"ndpi/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap", "138.132.169.101", {1, 1, 0, 0}},
     Expected{"suricata-verify/sip-body-frames__public-cloudshark-sip-s0.pcap", "", {2, 1, 0, 0}},
     Expected{"trex/sip_0.pcap", "", {1, 1, 0, 0}},
     Expected{"trex/delay_10_sip_0.pcap", "", {1, 1, 0, 0}},
     Expected{"trex/udp_sip.cap", "16.0.0.0", {1, 1, 0, 0}},
     Expected{"trex/udp_sip.cap", "16.0.0.1", {1, 1, 0, 0}},
     Expected{"trex/udp_sip.cap", "16.0.0.2", {1, 1, 0, 0}},
     Expected{"trex/udp_sip.cap", "16.0.0.3", {1, 1, 0, 0}},
     Expected{"trex/udp_sip.cap", "16.0.0.4", {1, 1, 0, 0}},
     Expected{"sipnab/sip_call.pcap", "", {1, 1, 0, 0}},
     Expected{"sipnab/sip-sdp-example.pcap", "", {1, 1, 0, 0}},
     Expected{"sipnab/sip-over-tcp.pcap", "", {1, 1, 2, 66}},
     Expected{"sipnab/sip-488-codec-reject.pcapng", "192.168.8.183", {1, 0, 0, 0}},
     Expected{"sipnab/invite-opus-bye.pcap", "127.0.0.1:5082 127.0.0.1:5084", {1, 1, 2, 304}},
     Expected{"sipnab/codec-negotiation.pcap", "127.0.0.1:5082 127.0.0.1:5084", {1, 1, 4, 604}},
     Expected{"nextcaller-sip-capture/sip-tcp.pcap", "127.0.0.1:5060", {5, 5, 0, 0}},
     Expected{"sngrep/ipip.pcap", "", {1, 1, 0, 0}},
     Expected{"pcapplusplus/sip_reqs.pcap", "", {1, 0, 0, 0}},
     Expected{"arkime/gtp-iphone.pcap", "", {1, 1, 2, 27}},
     Expected{"profuzzbench/sip-1.pcap", "127.0.0.1:5061", {1, 1, 0, 0}},
     Expected{"profuzzbench/sip-1.pcap", "127.0.0.1:5068", {1, 1, 0, 0}}});

// Not as tshark counts them, and why.
constexpr auto differing = std::to_array<Expected>(
    {// tshark has 4,985 packets: it takes the offer of T.38 for an answer, though it is refused with 488
     // and sound goes on, and calls 2,010 packets of G.711 malformed T.38. Of these 6,995 three come
     // before the answer that says from where, and 166 are of payload types (13, 100) that the answer does
     // not have.
     Expected{"wireshark-wiki/sip-and-rtp/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap",
              "10.35.60.100",
              {1, 1, 2, 6826},
              "no_pinhole:3 rtp_payload_type:166"},
     // A copy of it that leaves most of its packets out: 1,303 and 27.
     Expected{"ndpi/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap",
              "10.35.60.100",
              {1, 1, 2, 1161},
              "no_pinhole:3 rtp_payload_type:166"},
     // The caller's nine packets, which tshark counts as a stream, follow the 183 that described their
     // receiver: but a second after the 480 that ended the call. The last 408 answers a CANCEL 33 seconds
     // old, whose sender had given it up (Timer F). Five spaces to port 5060 are no keep-alive of any
     // standard.
     Expected{"wireshark-wiki/sip-and-rtp/aaa.pcap",
              "",
              {4, 0, 0, 0},
              "no_pinhole:9 sip_malformed:21 sip_no_transaction:1"},
     Expected{"ndpi/sip.pcap", "", {4, 0, 0, 0}, "no_pinhole:9 sip_malformed:21 sip_no_transaction:1"},
     Expected{"zeek/wireshark.pcap", "", {4, 0, 0, 0}, "sip_no_transaction:1"},
     // The same, with octets replaced at random: tshark reads on behind most faults, and finds
     // four calls and seven packets of five streams. Not one INVITE is whole, nor the 183.
     Expected{"ndpi/fuzz-2006-06-26-2594.pcap",
              "192.168.1.2",
              {0, 0, 0, 0},
              "no_pinhole:7 sip_malformed:75 sip_no_transaction:1"},
     // The callee says that its media are at 127.0.0.1, and sends from 192.168.6.199; tshark asks for the
     // receiver alone, and has one stream of 45.
     Expected{"wireshark-wiki/sip-and-rtp/h263-over-rtp.pcap",
              "127.0.0.1:13764 192.168.6.199:32976",
              {1, 1, 0, 0},
              "no_pinhole:45"},
     // A phone of several addresses sends its INVITE from three ports, with three CSeq numbers, before any
     // is answered, and cancels two. The first is the call; what belongs to the others goes no further.
     // The call and its re-INVITEs are as tshark has them.
     Expected{"wireshark-wiki/sip-and-rtp/DTMFsipinfo.pcap",
              "",
              {1, 1, 0, 0},
              "sip_cseq:2 sip_no_transaction:6 sip_state:4"},
     // An attack: the URI sip:@127.0.0.1 has an empty user. tshark counts the call.
     Expected{"wireshark-wiki/sip-and-rtp/metasploit-sip-invite-spoof.pcap",
              "",
              {0, 0, 0, 0},
              "sip_malformed:1 sip_no_transaction:1"},
     // The capture has one direction of the media alone: for all that STEM can see, their receiver never
     // answers, and 20 seconds after the call's answer they are cut. With [media] unanswered_seconds = 0
     // they go on: 548, as tshark has them.
     Expected{
         "wireshark-4.4-test/sip-rtp.pcapng", "200.57.7.204 200.57.7.205", {2, 1, 1, 388}, "no_pinhole:160"},
     Expected{"wireshark-4.4-test/sip-rtp.pcapng",
              "200.57.7.204 200.57.7.205",
              {2, 1, 1, 548},
              "",
              Setting::never_unanswered},
     // One of the phones describes its media at 192.168.5.151, and has them at 192.168.20.1: both its
     // streams stay out, where tshark asks for the port alone. With [media] nat = "always", and the phones
     // outside, its place is learned: all four come in, but for five packets before
     // that.
     Expected{"voipshark/SIP-RTP-Normal_Call_two_parties.pcap",
              "192.168.20.130",
              {2, 2, 2, 2691},
              "no_pinhole:2691"},
     Expected{"voipshark/SIP-RTP-Normal_Call_two_parties.pcap",
              "192.168.20.1 192.168.20.132",
              {2, 2, 4, 5377},
              "no_pinhole:3 rtp_unlearned:2",
              Setting::nat_always},
     // Made by hand: From is \"arik\" with the backslashes, which is neither a token nor a quoted string.
     // tshark counts a call each, and of the first a dialog.
     Expected{"suricata-verify/sip-sdp__sdp.pcap", "", {0, 0, 0, 0}, "sip_malformed:2"},
     Expected{"suricata-verify/sip-header-multi-value__sip_header_multi_val.pcap",
              "",
              {0, 0, 0, 0},
              "sip_malformed:1"},
     Expected{"suricata-verify/sip-compact-form__sip_compact_form.pcap", "", {0, 0, 0, 0}, "sip_malformed:1"},
     // tshark has 3,538: six packets come before the answer that says from where, and four are H.264 of a
     // type that the answer does not have. The calling phone has three addresses: its answers to two
     // OPTIONS are not from where those went. The BYE is not from the port that its leg signals from, so
     // it waits for two seconds without media, and its answer comes before.
     Expected{"snort3_demo/SIP_Eyebeam2Eyebeam_Video_Audio.pcap",
              "192.168.1.87 192.168.1.88 192.168.1.89",
              {1, 1, 4, 3528},
              "no_pinhole:6 rtp_payload_type:4 sip_flow:2 sip_no_transaction:1"},
     // The generator put other addresses in without counting their octets: the INVITE ends two octets
     // before its Content-Length does (RFC 3261 18.3). tshark has one call, one dialog, and eight packets
     // of two streams.
     Expected{"trex/sip_short1-0-ex.erf",
              "",
              {0, 0, 0, 0},
              "no_pinhole:8 sip_malformed:1 sip_no_dialog:2 sip_no_transaction:4"},
     // Its IPv6 addresses stand in brackets in the descriptions, where they must not: tshark ties no media
     // to them, STEM reads them. The 100 follows the 200.
     Expected{"trex/sip_short1_v6-0-ex.erf", "", {1, 1, 2, 8}, "sip_state:1"},
     // Of three calls the 200 is not in the capture, only the ACK; of a fourth only the BYE.
     Expected{"sipnab/sipp-branch-scenario-first1500.pcap",
              "127.0.0.1:5061",
              {220, 25, 0, 0},
              "sip_no_dialog:1 sip_no_transaction:1 sip_state:3"},
     // Two messages of different calls: an INVITE, and the 200 of another, whose dialog tshark counts.
     Expected{"pcapplusplus/sip_non_default_port.pcap", "", {1, 0, 0, 0}, "sip_no_transaction:1"}});

// SIP without a call, which says what else is refused.
constexpr auto without_calls = std::to_array<Expected>(
    {Expected{"sipnab/sip-auth-failure.pcapng", "", {}}, Expected{"sipnab/sip-register.pcap", "", {}},
     Expected{"wireshark-wiki/adsl-cpe/nb6-startup.pcap", "", {}},
     Expected{"suricata-verify/sip-tcp-method__sip-tcp.pcap", "", {}},
     Expected{"suricata-verify/sip-pattern-matching__sip.pcap", "", {}},
     Expected{"suricata-verify/sip-options-method__input.pcap", "", {}},
     Expected{"zeek-sip-attacks/BadUserAgent-sipvicious.pcap", "", {}},
     Expected{"nextcaller-sip-capture/sip-frag.pcap", "", {}},
     // HTTP on port 5060, each way.
     Expected{"ndpi/http_on_sip_port.pcap", "", {}, "tcp_framing:2"},
     // Ten responses, of which six have no request in the capture, and four come before theirs.
     Expected{"zeek-sip-attacks/SIP-Bruteforce-Single-IP.pcap", "", {}, "sip_no_transaction:10"},
     // Longer than [sip.limits] allows.
     Expected{"zeek/sip-long-request-response-paths.pcap", "", {}, "sip_over_limit:2"},
     // The method INVITE1, with INVITE in CSeq.
     Expected{"snort3_demo/user_defined_method.pcap", "", {}, "sip_malformed:1 sip_no_transaction:1"},
     // Without Via.
     Expected{"sipnab/udp_5060.pcap", "", {}, "sip_malformed:10"},
     Expected{"zeek/sip-junk-before-request.pcap", "", {}, "sip_malformed:1"},
     Expected{"nextcaller-sip-capture/to-tag.pcap", "127.0.0.1:5060", {}, "sip_malformed:1"},
     Expected{"nextcaller-sip-capture/no-to-tag.pcap", "127.0.0.1:5060", {}, "sip_malformed:1"},
     // A 200 alone.
     Expected{"pcapplusplus/sdp.pcap", "", {}, "sip_no_transaction:1"}});

INSTANTIATE_TEST_SUITE_P(AsTshark, Capture, ::testing::ValuesIn(as_tshark), name_of);
INSTANTIATE_TEST_SUITE_P(Differing, Capture, ::testing::ValuesIn(differing), name_of);
INSTANTIATE_TEST_SUITE_P(WithoutCalls, Capture, ::testing::ValuesIn(without_calls), name_of);

TEST_P(Capture, ItsCallsDialogsAndStreamsAreFollowed) {
    play(false);
}

// Answers to requests of the stemd before are refused, and would be asked for again.
TEST_P(Capture, SoTheyAreWhereStemdRestartsBeforeEachRequest) {
    play(false, Restarts::before_requests);
}

TEST_P(Capture, SoTheyAreFromTheOtherSide) {
    if (GetParam().setting == Setting::nat_always) {
        GTEST_SKIP() << "NAT is what those outside are behind";
    }
    play(true);
}

TEST(Captures, NoneWithSipIsLeftOut) {
    if (!fs::exists(captures())) {
        GTEST_SKIP() << "no test data: STEM_SHARED_DATA is not set, and there is no " << captures();
    }
    std::set<std::string> listed;
    for (const std::span<const Expected> table :
         {std::span<const Expected>(as_tshark), std::span<const Expected>(differing),
          std::span<const Expected>(without_calls)}) {
        for (const Expected& one : table) {
            listed.insert(one.file);
        }
    }
    for (const auto& entry : fs::recursive_directory_iterator(captures())) {
        const std::string extension = entry.path().extension();
        if (extension != ".pcap" && extension != ".pcapng" && extension != ".cap" && extension != ".erf") {
            continue;
        }
        const auto file = read_capture(entry.path());
        ASSERT_TRUE(file) << file.error().message();
        const std::string name = entry.path().lexically_relative(captures());
        const bool has_sip = !file->broken.empty() || std::ranges::any_of(file->passing, &Passing::is_sip);
        EXPECT_TRUE(listed.contains(name) || !has_sip) << name;
    }
}

} // namespace
} // namespace stem::call
