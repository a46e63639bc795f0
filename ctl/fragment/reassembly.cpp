// SPDX-License-Identifier: Apache-2.0
#include "ctl/fragment/reassembly.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

namespace stem::fragment {
namespace {

constexpr std::size_t unit = 8; // octets: fragments but the last come in whole ones

// A source's quota is under its address, an IPv6 one's under its /64.
Key source_of(const Key& key) {
    Key source;
    source.source = key.source;
    source.direction = key.direction;
    if (!Address(key.source).is_v4()) {
        std::memset(&source.source.octet[8], 0, 8);
    }
    return source;
}

std::size_t end_of(const Piece& piece) {
    return piece.offset + piece.octets.size();
}

} // namespace

std::strong_ordering Key::operator<=>(const Key& other) const noexcept {
    if (const int order = std::memcmp(&source, &other.source, sizeof(source)); order != 0) {
        return order <=> 0;
    }
    if (const int order = std::memcmp(&destination, &other.destination, sizeof(destination)); order != 0) {
        return order <=> 0;
    }
    return std::tie(id, vlan, direction) <=> std::tie(other.id, other.vlan, other.direction);
}

bool Reassembly::has_room(const Key& key, std::size_t octets, bool begins) {
    const auto found = uses_.find(source_of(key));
    const Use use = found == uses_.end() ? Use{} : found->second;
    const std::size_t more = begins ? 1 : 0;
    return datagrams_.size() + more <= limits_.datagrams && octets_ + octets <= limits_.octets &&
           use.datagrams + more <= limits_.datagrams_per_source &&
           use.octets + octets <= limits_.octets_per_source;
}

// Neither over another one, nor behind the last, nor of a size that its place does not allow.
bool Reassembly::fits(const Datagram& datagram, const Piece& piece) const {
    const std::size_t end = end_of(piece);
    if (piece.octets.empty() || end > limits_.datagram || piece.offset % unit != 0 ||
        (piece.more && piece.octets.size() % unit != 0)) {
        return false;
    }
    if (datagram.length
            ? end > *datagram.length || !piece.more
            : !piece.more && !datagram.pieces.empty() && end_of(datagram.pieces.back()) > piece.offset) {
        return false;
    }
    const auto next = std::ranges::lower_bound(datagram.pieces, piece.offset, {}, &Piece::offset);
    const bool over_next = next != datagram.pieces.end() && end > next->offset;
    const bool over_last = next != datagram.pieces.begin() && end_of(*std::prev(next)) > piece.offset;
    return !over_next && !over_last;
}

bool Reassembly::is_whole(const Datagram& datagram) {
    return datagram.length &&
           datagram.octets == *datagram.length; // there is no overlap, so nothing is missing
}

void Reassembly::release(const Key& key, const Datagram& datagram) {
    octets_ -= datagram.octets;
    uses_[source_of(key)].octets -= datagram.octets;
}

void Reassembly::forget(Datagrams::iterator datagram) {
    release(datagram->first, datagram->second);
    const auto use = uses_.find(source_of(datagram->first));
    if (--use->second.datagrams == 0) {
        uses_.erase(use);
    }
    datagrams_.erase(datagram);
}

Added Reassembly::refuse(Outcome outcome, Piece piece) {
    Added added{.outcome = outcome, .pieces = {}};
    added.pieces.push_back(std::move(piece));
    return added;
}

// Its name stays until its time is up, and whatever comes by it is refused.
Added Reassembly::break_up(const Key& key, Datagram& datagram, Piece piece) {
    ++counts_.broken;
    release(key, datagram);
    Added added{.outcome = Outcome::form, .pieces = std::exchange(datagram.pieces, {})};
    added.pieces.push_back(std::move(piece));
    datagram.octets = 0;
    datagram.broken = true;
    return added;
}

Added Reassembly::add(const Key& key, Piece piece, std::uint64_t now_ns) {
    auto found = datagrams_.find(key);
    if (found != datagrams_.end() && found->second.expires_ns <= now_ns) {
        return refuse(Outcome::limit, std::move(piece)); // expire() has not run yet; its rest is still there
    }
    const bool begins = found == datagrams_.end();
    const std::size_t size = piece.octets.size();
    if (!begins && found->second.broken) {
        return refuse(Outcome::form, std::move(piece));
    }
    if (!begins) {
        const auto same = std::ranges::find(found->second.pieces, piece.offset, &Piece::offset);
        if (same != found->second.pieces.end() && same->more == piece.more &&
            std::ranges::equal(same->octets, piece.octets)) {
            return refuse(Outcome::repeated, std::move(piece)); // RFC 8200 4.5 lets exact copies be
        }
    }
    if (!has_room(key, size, begins)) {
        ++counts_.refused;
        return refuse(Outcome::limit, std::move(piece));
    }
    if (begins) {
        const auto expires_ns =
            now_ns + static_cast<std::uint64_t>(std::chrono::nanoseconds(limits_.timeout).count());
        found = datagrams_.try_emplace(key).first;
        found->second.expires_ns = expires_ns;
        by_time_.emplace(expires_ns, key);
        ++uses_[source_of(key)].datagrams;
    }
    Datagram& datagram = found->second;
    if (!fits(datagram, piece) || datagram.pieces.size() == limits_.fragments) {
        return break_up(key, datagram, std::move(piece));
    }
    if (!piece.more) {
        datagram.length = end_of(piece);
    }
    datagram.octets += size;
    octets_ += size;
    uses_[source_of(key)].octets += size;
    datagram.pieces.insert(std::ranges::lower_bound(datagram.pieces, piece.offset, {}, &Piece::offset),
                           std::move(piece));
    if (!is_whole(datagram)) {
        return {};
    }
    ++counts_.whole;
    Added added{.outcome = Outcome::whole, .pieces = std::move(datagram.pieces)};
    forget(found); // its entry in by_time_ finds nothing, or another by the same name, which it leaves alone
    return added;
}

std::vector<Piece> Reassembly::expire(std::uint64_t now_ns) {
    std::vector<Piece> pieces;
    while (!by_time_.empty() && by_time_.begin()->first <= now_ns) {
        const Key key = by_time_.begin()->second;
        by_time_.erase(by_time_.begin());
        const auto found = datagrams_.find(key);
        if (found == datagrams_.end() || found->second.expires_ns > now_ns) {
            continue;
        }
        counts_.expired += found->second.broken ? 0U : 1U;
        std::ranges::move(found->second.pieces, std::back_inserter(pieces));
        forget(found);
    }
    return pieces;
}

std::vector<Piece> Reassembly::clear() {
    std::vector<Piece> pieces;
    while (!datagrams_.empty()) {
        std::ranges::move(datagrams_.begin()->second.pieces, std::back_inserter(pieces));
        forget(datagrams_.begin());
    }
    by_time_.clear();
    return pieces;
}

} // namespace stem::fragment
