// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <ctl/tcp/framer.h>

#include <gtest/gtest.h>

namespace stem::tcp {
namespace {

using test::sip;
using Kind = Step::Kind;

// The messages of `stream`, when `step` octets come at once; "!" and the reason where it breaks.
std::vector<std::string> frame_by(std::string_view stream, std::size_t step, FramingLimits limits = {}) {
    Framer framer(limits);
    std::vector<std::string> messages;
    std::size_t done = 0;
    for (std::size_t end = std::min(step, stream.size());; end = std::min(end + step, stream.size())) {
        while (true) {
            const std::string_view ready = stream.substr(done, end - done);
            const Step found = framer.look(ready);
            if (found.kind == Kind::broken) {
                messages.push_back("!" + std::to_string(found.reason));
                return messages;
            }
            if (found.kind == Kind::more) {
                break;
            }
            messages.push_back(found.kind == Kind::message ? std::string(ready.substr(0, found.length))
                                                           : "-");
            done += found.length;
        }
        if (end == stream.size()) {
            return messages;
        }
    }
}

TEST(Framer, FindsMessagesHoweverTheyAreCut) {
    const std::string a = sip("INVITE", "1", "v=0\r\n\r\no=x\r\n");
    const std::string b = sip("ACK", "1");
    const std::string c = sip("OPTIONS", "2", "GET / HTTP/1.1\r\n\r\n");
    const std::string stream = a + b + c;
    for (std::size_t step = 1; step <= stream.size(); ++step) {
        EXPECT_EQ(frame_by(stream, step), (std::vector<std::string>{a, b, c})) << step;
    }
}

TEST(Framer, ReadsEveryFormOfContentLength) {
    for (const std::string_view field : {"l: 3", "L:3", "CONTENT-LENGTH:3", "Content-Length : 3",
                                         "Content-Length:\r\n 3", "content-length:\t 003"}) {
        const std::string message =
            "SIP/2.0 200 OK\r\nCall-ID: 1\r\n" + std::string(field) + "\r\nServer: x\r\n\r\nabc";
        EXPECT_EQ(frame_by(message + "SIP", 7), std::vector<std::string>{message}) << field;
    }
}

TEST(Framer, KeepAlivesStandBetweenMessages) {
    const std::string a = sip("OPTIONS", "1");
    EXPECT_EQ(frame_by("\r\n\r\n" + a + "\r\n" + a, 1000), (std::vector<std::string>{"-", a, "-", a}));
    EXPECT_EQ(frame_by("\r\n\r\n" + a, 1), (std::vector<std::string>{"-", "-", a}));
    EXPECT_EQ(frame_by("\r", 1), std::vector<std::string>{});
}

TEST(Framer, WhatCanBeReadInTwoWaysEndsTheStream) {
    const std::string framing = "!" + std::to_string(STEM_TCP_FRAMING);
    const std::string head = "OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n";
    for (const std::string& stream : {
             head + "\r\n",                                              // none
             head + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", // two
             head + "Content-Length: 3\r\nl: 5\r\n\r\nabcde",            // two, under two names
             head + "Content-Length: -1\r\n\r\n",                        //
             head + "Content-Length: 3 4\r\n\r\nabc",                    //
             head + "Content-Length: 3\r\n 4\r\n\r\nabc",                // folded
             head + "Content-Length: 0x3\r\n\r\nabc",                    //
             head + "Content-Length:\r\n\r\n",                           //
             std::string("\n\n") + head,                                 // half a line end
             std::string("\rX") + head,                                  //
             std::string("\0\0\0\0", 4),                                 //
             std::string("\x16\x03\x01\x02\x00", 5),                     // a TLS ClientHello
             std::string("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
             std::string("SSH-2.0-OpenSSH_9\r\n"),
         }) {
        EXPECT_EQ(frame_by(stream, 1000), std::vector<std::string>{framing}) << stream;
        EXPECT_EQ(frame_by(stream, 1), std::vector<std::string>{framing}) << stream;
    }
}

TEST(Framer, HoldsToItsCaps) {
    const std::string over = "!" + std::to_string(STEM_TCP_OVER_LIMIT);
    const FramingLimits limits{.start_line = 60, .message = 300};
    EXPECT_EQ(frame_by("INVITE sip:" + std::string(60, 'a') + " SIP/2.0\r\n", 1, limits),
              std::vector<std::string>{over});
    EXPECT_EQ(frame_by(std::string(61, 'a'), 1, limits),
              std::vector<std::string>{over}); // no line end at all
    EXPECT_EQ(frame_by("OPTIONS sip:a SIP/2.0\r\nX: " + std::string(300, 'a'), 10, limits),
              std::vector<std::string>{over});
    for (const std::string_view length : {"280", "4294967296", "18446744073709551617"}) {
        EXPECT_EQ(frame_by("OPTIONS sip:a SIP/2.0\r\nContent-Length: " + std::string(length) + "\r\n\r\n", 10,
                           limits),
                  std::vector<std::string>{over})
            << length;
    }
    const std::string fits = sip("OPTIONS", "1", std::string(150, 'b'));
    ASSERT_LE(fits.size(), 300U);
    EXPECT_EQ(frame_by(fits, 1, limits), std::vector<std::string>{fits});
}

// Each octet is looked at a bounded number of times, also when they come one by one.
TEST(Framer, OneOctetAtATimeCostsNoMoreThanAllAtOnce) {
    const std::string message =
        sip("INVITE", "1", std::string(6000, 'x'), "X: " + std::string(1800, 'y') + "\r\n");
    EXPECT_EQ(frame_by(message, 1), std::vector<std::string>{message});
}

} // namespace
} // namespace stem::tcp
