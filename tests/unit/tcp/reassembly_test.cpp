// SPDX-License-Identifier: Apache-2.0
#include <ctl/tcp/reassembly.h>

#include <gtest/gtest.h>

#include <random>

namespace stem::tcp {
namespace {

constexpr Seq near_the_end = 0xfffffff8; // eight octets before the numbers wrap around

TEST(Reassembly, TakesInOrder) {
    Reassembly stream(near_the_end, 100);
    EXPECT_EQ(stream.take(near_the_end, "abcdefgh"), 8U);
    EXPECT_EQ(stream.next(), 0U);
    EXPECT_EQ(stream.take(0, "ij"), 2U);
    EXPECT_EQ(stream.ready(), "abcdefghij");
    stream.consume(4);
    EXPECT_EQ(stream.ready(), "efghij");
    EXPECT_EQ(stream.stored(), 6U);
}

TEST(Reassembly, PutsWhatComesEarlyInItsPlace) {
    Reassembly stream(near_the_end, 100);
    EXPECT_EQ(stream.take(near_the_end + 6, "gh"), 2U);
    EXPECT_EQ(stream.take(near_the_end + 10, "kl"), 2U);
    EXPECT_TRUE(stream.has_gap());
    EXPECT_EQ(stream.ready(), "");
    EXPECT_EQ(stream.next(), near_the_end);
    EXPECT_EQ(stream.take(near_the_end, "abcdef"), 6U);
    EXPECT_EQ(stream.ready(), "abcdefgh");
    EXPECT_EQ(stream.take(near_the_end + 8, "ij"), 2U);
    EXPECT_EQ(stream.ready(), "abcdefghijkl");
    EXPECT_FALSE(stream.has_gap());
}

TEST(Reassembly, TheFirstCopyCounts) {
    Reassembly stream(500, 100);
    stream.take(502, "CD");
    stream.take(500, "abcdef"); // the later copy of "CD" is left out
    EXPECT_EQ(stream.ready(), "abCDef");
    EXPECT_EQ(stream.take(500, "ABCDEFgh"), 2U); // so is that of what was taken
    EXPECT_EQ(stream.ready(), "abCDefgh");
    EXPECT_EQ(stream.take(500, "xxxx"), 0U);
    EXPECT_EQ(stream.next(), 508U);
}

TEST(Reassembly, OverlapsAtBothEnds) {
    Reassembly stream(1, 100);
    stream.take(4, "de");
    stream.take(8, "hi");
    stream.take(3, "XXXXXXXX"); // 3 to 10, of which 4, 5, 8 and 9 are there
    stream.take(1, "ab");
    EXPECT_EQ(stream.ready(), "abXdeXXhiX");
}

TEST(Reassembly, HasNoRoomForMoreThanItsCapacity) {
    Reassembly stream(0, 10);
    EXPECT_EQ(stream.take(8, "abcdef"), 2U); // the ninth and tenth
    EXPECT_EQ(stream.take(10, "x"), 0U);
    EXPECT_EQ(stream.take(0, "0123456789"), 8U);
    EXPECT_EQ(stream.ready(), "01234567ab");
    EXPECT_EQ(stream.take(10, "x"), 0U);
    stream.consume(3);
    EXPECT_EQ(stream.take(10, "xyz!"), 3U);
    EXPECT_EQ(stream.ready(), "34567abxyz");
}

TEST(Reassembly, PiecesBehindAGapAreBounded) {
    Reassembly stream(0, 65536);
    std::size_t taken = 0;
    for (Seq at = 1; at < 1000; at += 2) {
        taken += stream.take(at, "x");
    }
    EXPECT_EQ(taken, Reassembly::islands_max);
    EXPECT_EQ(stream.take(0, "y"), 1U); // what fills the gap always has room
    EXPECT_EQ(stream.ready(), "yx");
}

TEST(Reassembly, GivesTheStreamThatWasSentWhateverTheOrder) {
    std::mt19937 random(20251128);
    for (int round = 0; round < 200; ++round) {
        std::string sent(400, '\0');
        for (char& octet : sent) {
            octet = static_cast<char>('a' + random() % 26);
        }
        const Seq first = 0xffffff00U + static_cast<Seq>(random() % 512);
        Reassembly stream(first, 300);
        std::string received;
        while (received.size() < sent.size()) {
            const std::size_t at = random() % sent.size();
            const std::size_t length = 1 + random() % 60;
            stream.take(first + static_cast<Seq>(at), std::string_view(sent).substr(at, length));
            if (random() % 4 == 0) {
                stream.take(stream.next(),
                            std::string_view(sent).substr(received.size() + stream.ready().size(), 5));
            }
            const std::size_t some = random() % (stream.ready().size() + 1);
            received += stream.ready().substr(0, some);
            stream.consume(some);
        }
        EXPECT_EQ(received, sent);
    }
}

} // namespace
} // namespace stem::tcp
