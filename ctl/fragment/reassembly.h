// SPDX-License-Identifier: Apache-2.0
// IP fragments of SIP over UDP, put together within quotas: what was judged must be what the receiver puts
// together. So fragments that lie over one another end their datagram (RFC 5722, RFC 8200 4.5), for IPv4 too,
// and all that comes of it later goes the same way. They may come in any order.
//
// Everything is bounded: datagrams and octets of one source (an IPv6 /64 is one) and of all, fragments of a
// datagram, and the time until the last. What does not fit is refused; what has begun is not pushed out by
// strangers.
#pragma once

#include <stem/abi/address.h>
#include <stem/address.h>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace stem::fragment {

struct Limits {
    std::size_t datagrams = 256; // that are incomplete
    std::size_t datagrams_per_source = 8;
    std::size_t octets = 1'048'576; // of all of them
    std::size_t octets_per_source = 65'536;
    std::size_t fragments = 16;              // of one datagram
    std::size_t datagram = 9'216;            // octets of one datagram, UDP header included
    std::chrono::milliseconds timeout{2000}; // from its first fragment to come to its last
};

// RFC 791 3.2, RFC 8200 4.5: what tells one datagram from another. VLANs and sides are networks of their own.
struct Key {
    stem_addr source{};
    stem_addr destination{};
    std::uint32_t id = 0;
    std::uint16_t vlan = 0;
    std::uint8_t direction = 0; // enum stem_direction

    std::strong_ordering operator<=>(const Key& other) const noexcept;
    bool operator==(const Key& other) const noexcept { return (*this <=> other) == 0; }
};

// Owns a fragment's frame. Whoever gets one back settles it.
class Holder {
  public:
    Holder() = default;
    virtual ~Holder() = default;
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
};

struct Piece {
    std::size_t offset = 0; // octets from the datagram's start
    bool more = false;
    std::span<const std::uint8_t> octets; // in the holder's bytes
    std::unique_ptr<Holder> holder;
};

enum class Outcome : std::uint8_t {
    waits,    // others are missing
    whole,    // `pieces` are the datagram, in order and without a gap
    repeated, // `pieces` is the one that came, which was there already
    limit,    // `pieces` is the one that came: no room
    form,     // `pieces` are all of the datagram: they overlap, leave no room for each other, or are too many
};

struct Added {
    Outcome outcome = Outcome::waits;
    std::vector<Piece> pieces;
};

struct Counts {
    std::uint64_t whole = 0;
    std::uint64_t refused = 0; // by a limit
    std::uint64_t broken = 0;  // by their form
    std::uint64_t expired = 0;
};

class Reassembly {
  public:
    explicit Reassembly(const Limits& limits) : limits_(limits) {}

    Added add(const Key& key, Piece piece, std::uint64_t now_ns);
    // The fragments of datagrams whose time is up.
    std::vector<Piece> expire(std::uint64_t now_ns);
    // All that wait: the end.
    std::vector<Piece> clear();

    [[nodiscard]] std::size_t datagrams() const noexcept { return datagrams_.size(); }
    [[nodiscard]] std::size_t octets() const noexcept { return octets_; }
    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

  private:
    struct Datagram {
        std::vector<Piece> pieces;         // by offset
        std::optional<std::size_t> length; // known with the last one
        std::size_t octets = 0;
        std::uint64_t expires_ns = 0;
        bool broken = false; // waits out its time, so that nothing is put together of its rest
    };
    struct Use {
        std::size_t datagrams = 0;
        std::size_t octets = 0;
    };
    using Datagrams = std::map<Key, Datagram>;

    [[nodiscard]] bool has_room(const Key& key, std::size_t octets, bool begins);
    [[nodiscard]] bool fits(const Datagram& datagram, const Piece& piece) const;
    [[nodiscard]] static bool is_whole(const Datagram& datagram);
    Added break_up(const Key& key, Datagram& datagram, Piece piece);
    Added refuse(Outcome outcome, Piece piece);
    void release(const Key& key, const Datagram& datagram);
    void forget(Datagrams::iterator datagram);

    Limits limits_;
    Datagrams datagrams_;
    std::multimap<std::uint64_t, Key> by_time_;
    std::map<Key, Use> uses_; // by source alone
    std::size_t octets_ = 0;
    Counts counts_;
};

} // namespace stem::fragment
