// SPDX-License-Identifier: Apache-2.0
// TCP of captures through the table of connections, which stands between two ends that did not know of it:
// as long as it changes nothing, what they acknowledge is what it sent them.
#include "../tcp/bench.h"
#include "capture_file.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stem::call {
namespace {

struct Expected {
    friend void PrintTo(const Expected& one, std::ostream* out) { *out << one.file; }

    const char* file;
    std::uint64_t connections;
    std::size_t messages; // as tshark counts them: -Y "sip && tcp"
};

class CaptureStream : public ::testing::TestWithParam<Expected> {
  protected:
    void replay(const std::vector<CapturedFrame>& frames) {
        std::optional<Endpoint> outside; // who sends the first SYN
        std::map<Endpoint, unsigned> scales;
        for (const CapturedFrame& frame : frames) {
            const auto view = frame::parse_tcp(frame.octets);
            if (!view) {
                continue;
            }
            outside = outside.value_or(view->source);
            const auto payload = view->payload_of(frame.octets);
            tcp::Arrival arrival;
            arrival.direction = view->source == *outside ? STEM_INBOUND : STEM_OUTBOUND;
            arrival.source = view->source;
            arrival.destination = view->destination;
            arrival.segment = {.sequence = view->sequence,
                               .acknowledgment = view->acknowledgment,
                               .flags = view->flags,
                               .window = unscaled(*view, frame.octets, scales[view->source]),
                               .options = tcp::read_options(view->options_of(frame.octets)),
                               .payload = {reinterpret_cast<const char*>(payload.data()), payload.size()}};
            arrival.known = true;
            bench.now = frame.time_ns;
            bench.table_.tick(bench.now);
            // An end may acknowledge what it has not been sent yet, as its message is not whole: that is let
            // lie, and what it acknowledges next is right.
            bench.table_.receive(arrival, bench.now);
        }
    }

    // The table takes the scale out of the handshake (RFC 7323 2.2), so an end would say its window as it is.
    static std::uint16_t unscaled(const frame::TcpView& view, frame::Bytes octets, unsigned& scale) {
        constexpr std::uint8_t end = 0;
        constexpr std::uint8_t padding = 1;
        constexpr std::uint8_t window_scale = 3;
        if ((view.flags & frame::tcp_syn) != 0) {
            const frame::Bytes options = view.options_of(octets);
            for (std::size_t at = 0; at + 2 < options.size() && options[at] != end;
                 at += options[at] == padding ? 1 : std::max<std::size_t>(options[at + 1], 2)) {
                scale = options[at] == window_scale ? options[at + 2] : scale;
            }
            return view.window;
        }
        return static_cast<std::uint16_t>(std::min(std::uint32_t{view.window} << scale, 65535U));
    }

    tcp::test::Bench bench;
};

INSTANTIATE_TEST_SUITE_P(Files, CaptureStream,
                         ::testing::Values(Expected{"sipnab/sip-over-tcp.pcap", 1, 7},
                                           Expected{"arkime/gtp-iphone.pcap", 4, 13},
                                           Expected{"suricata-verify/sip-tcp-method__sip-tcp.pcap", 1, 2}));

TEST_P(CaptureStream, ItsMessagesGoThrough) {
    const auto path = captures() / GetParam().file;
    if (!std::filesystem::exists(path)) {
        GTEST_SKIP() << "no test data: STEM_SHARED_DATA is not set, and there is no " << path;
    }
    const auto frames = read_frames(path);
    ASSERT_TRUE(frames) << frames.error().message();
    replay(*frames);
    const auto& counts = bench.table_.counts();
    EXPECT_EQ(counts.opened, GetParam().connections);
    EXPECT_EQ(counts.reset + counts.refused + counts.resumed, 0U) << bench.ended_why_;
    ASSERT_EQ(bench.messages_.size(), GetParam().messages);
    // The same, as they were read without it.
    const auto file = read_capture(path);
    ASSERT_TRUE(file);
    std::vector<std::string> read;
    for (const Passing& one : file->passing) {
        if (one.tcp) {
            read.push_back(one.payload);
        }
    }
    EXPECT_TRUE(std::ranges::equal(bench.messages_, read, {}, &tcp::Message::text));
}

} // namespace
} // namespace stem::call
