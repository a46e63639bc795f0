// SPDX-License-Identifier: Apache-2.0
// Fragments in any order, over one another and again, against an oracle that knows every octet's place: what
// is given out as whole has each of them once, in order; nothing of a datagram that overlapped is; no frame
// is lost or doubled; quotas hold. Four octets make a step: whose, where, how long, and what time it is.
#include "ctl/fragment/reassembly.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

using namespace stem::fragment;

constexpr std::size_t step_size = 4;
constexpr std::uint64_t millisecond = 1'000'000;
constexpr Limits limits{.datagrams = 6,
                        .datagrams_per_source = 3,
                        .octets = 2048,
                        .octets_per_source = 1024,
                        .fragments = 6,
                        .datagram = 512,
                        .timeout = std::chrono::milliseconds(50)};

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

struct Text final : Holder {
    explicit Text(std::string octets) : text(std::move(octets)) { ++alive; }
    ~Text() override { --alive; }
    std::string text;
    static inline int alive = 0;
};

Piece make_piece(std::size_t offset, std::size_t length, bool more, std::uint8_t fill) {
    auto holder = std::make_unique<Text>(std::string(length, static_cast<char>('a' + fill)));
    const std::span octets(reinterpret_cast<const std::uint8_t*>(holder->text.data()), length);
    return {.offset = offset, .more = more, .octets = octets, .holder = std::move(holder)};
}

void check(const Added& added) {
    require((added.outcome == Outcome::waits) == added.pieces.empty());
    if (added.outcome != Outcome::whole) {
        return;
    }
    std::size_t at = 0;
    for (const Piece& piece : added.pieces) {
        require(piece.offset == at && !piece.octets.empty());
        at += piece.octets.size();
        require(piece.more == (&piece != &added.pieces.back()));
    }
    require(at <= limits.datagram && added.pieces.size() <= limits.fragments);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    {
        Reassembly reassembly(limits);
        std::uint64_t now = 1;
        for (; size >= step_size; data += step_size, size -= step_size) {
            Key key;
            key.source.octet[0] = data[0] & 1U ? 0x20 : 0; // two families
            key.source.octet[15] = data[0] >> 1U & 3U;
            key.id = data[0] >> 3U & 7U;
            const std::size_t offset = std::size_t{data[1] & 63U} * 8;
            const std::size_t length = std::size_t{data[2] & 31U} * 8 + (data[2] >> 5U == 7 ? 3 : 0);
            check(reassembly.add(key, make_piece(offset, length, (data[1] & 64U) != 0, data[1] >> 7U), now));
            now += std::uint64_t{data[3] & 31U} * millisecond;
            if ((data[3] & 32U) != 0) {
                (void)reassembly.expire(now);
                require(reassembly.datagrams() <= limits.datagrams);
            }
            require(reassembly.octets() <= limits.octets);
        }
    }
    require(Text::alive == 0);
    return 0;
}
