// SPDX-License-Identifier: Apache-2.0
#include "attacks.h"

#include <algorithm>

namespace stem::test {
namespace {

// Octets that headers are made of: lengths, protocols, option types, ethertypes' halves.
const std::vector<std::uint8_t> edges = {0,   1,    2,    4,    5,    6,    8,    17,   41,   43,  44,
                                         50,  51,   58,   59,   60,   0x45, 0x46, 0x60, 0x7f, 131, 137,
                                         148, 0x81, 0x88, 0xa8, 0x86, 0xc2, 0xc9, 0xdd, 0xff};

} // namespace

const Address& Attacks::address(const std::vector<Address>& list, bool v6) {
    for (;;) {
        const Address& found = one_of(list);
        if (found.is_v4() != v6) {
            return found;
        }
    }
}

Packet Attacks::link() {
    Packet packet = Ethernet{.src = station(static_cast<std::uint8_t>(2 + below(3)))};
    const std::vector<std::uint16_t> tpids = {0x8100, 0x88a8, 0x9100};
    for (std::size_t tags = one_in(4) ? below(4) : 0; tags > 0; tags--) {
        packet = packet / Vlan{.id = static_cast<std::uint16_t>(below(3)), .tpid = one_of(tpids)};
    }
    return packet;
}

Packet Attacks::network(bool v6) {
    const Address& src = address(targets_.sources, v6);
    const Address& dst = address(targets_.destinations, v6);
    if (v6) {
        return IPv6{.src = src, .dst = dst, .hop_limit = std::uint8_t(one_in(2) ? 255 : 64)};
    }
    IPv4 header{.src = src, .dst = dst};
    if (one_in(4)) {
        const std::vector<Bytes> options = {{148, 4, 0, 0},
                                            {131, 7, 4, 198, 51, 100, 20},
                                            {1, 1, 1, 0},
                                            {7, 7, 4, 0, 0, 0, 0},
                                            {1, 137, 3, 4}};
        header.options = one_of(options);
    }
    return header;
}

Packet Attacks::extensions() {
    Packet chain;
    for (std::size_t count = below(4); count > 0; count--) {
        switch (below(6)) {
        case 0:
            chain = chain / Packet(HopByHop{});
            break;
        case 1:
            chain = chain / Packet(DestinationOptions{.options = {1, 4, 0, 0, 0, 0}});
            break;
        case 2:
            chain = chain / Packet(Routing{.type = static_cast<std::uint8_t>(below(5)),
                                           .segments_left = static_cast<std::uint8_t>(below(2))});
            break;
        case 3:
            chain = chain / Packet(Authentication{});
            break;
        case 4:
            chain = chain / Packet(Fragment{.more = one_in(2), .id = static_cast<std::uint32_t>(below(4))});
            break;
        default: {
            Bytes home = {1, 0, 1, 0, 0xc9, 16};
            home.resize(22);
            chain = chain / Packet(DestinationOptions{.options = home});
        }
        }
    }
    return chain;
}

Packet Attacks::transport() {
    const std::uint16_t sport = one_of(targets_.ports);
    const std::uint16_t dport = one_of(targets_.ports);
    switch (below(6)) {
    case 0:
        return Udp{.sport = sport, .dport = dport} / Rtp{.payload = 20 + below(20)};
    case 1:
        return Udp{.sport = sport, .dport = dport} / Payload{Bytes(below(6))};
    case 2:
        return Udp{.sport = sport, .dport = dport} / Stun{};
    case 3:
        return one_in(2) ? Packet(Icmp{.type = static_cast<std::uint8_t>(below(20))})
                         : Packet(Icmpv6{.type = static_cast<std::uint8_t>(128 + below(16))});
    default:
        return Tcp{.sport = sport,
                   .dport = dport,
                   .flags = static_cast<std::uint8_t>(one_in(3) ? below(64) : 2)} /
               Payload{Bytes(4 * below(4))};
    }
}

Packet Attacks::neighbour(bool v6) {
    const Address& claimed = address(one_in(2) ? targets_.destinations : targets_.sources, v6);
    const Address& other = address(targets_.destinations, v6);
    if (!v6) {
        return Arp{.operation = static_cast<std::uint16_t>(1 + below(2)), .sender = claimed, .target = other};
    }
    return IPv6{.src = claimed, .dst = one_in(2) ? ip("ff02::1") : other, .hop_limit = 255} /
           Icmpv6{.type = static_cast<std::uint8_t>(133 + below(5)), .rest = 0} /
           discovery_body(one_in(2) ? claimed : other, station(2));
}

// A transport, cut anywhere and sent in any order, some of it twice.
std::vector<Bytes> Attacks::pieces(bool v6) {
    const Packet outer = link();
    const Packet header = network(v6);
    // Half of them begin like what is let in, so that followers and hosts have something to do.
    const Packet what = one_in(2) ? transport() : Tcp{.dport = targets_.ports.front()} / Payload{Bytes(60)};
    const Packet inner = v6 && one_in(4) ? DestinationOptions{} / what : what;
    const Bytes whole = inner.bytes();
    const auto id = static_cast<std::uint32_t>(below(6));
    const std::uint8_t protocol = std::holds_alternative<Udp>(inner.layers()[0])   ? 17
                                  : std::holds_alternative<Tcp>(inner.layers()[0]) ? 6
                                  : std::holds_alternative<DestinationOptions>(inner.layers()[0])
                                      ? 60
                                      : (v6 ? 58 : 1);
    std::vector<Bytes> frames;
    std::size_t at = 0;
    for (std::size_t count = 1 + below(5); count > 0; count--) {
        const std::size_t begin = std::min(one_in(4) ? 8 * below(4) : at, whole.size());
        std::size_t size = std::min(whole.size() - begin, 8 * (1 + below(5)));
        size = one_in(12) ? std::min(whole.size() - begin, 1 + below(20)) : size;
        const bool more = begin + size < whole.size() && !one_in(8);
        const Payload body{Bytes(whole.begin() + static_cast<std::ptrdiff_t>(begin),
                                 whole.begin() + static_cast<std::ptrdiff_t>(begin + size))};
        const auto offset = static_cast<std::uint16_t>(begin / 8);
        if (v6) {
            frames.push_back(
                (outer / header / Fragment{.offset = offset, .more = more, .id = id, .next = protocol} / body)
                    .bytes());
        } else {
            Packet packet = outer / header;
            auto& ipv4 = packet.get<IPv4>();
            ipv4.fragment_offset = offset;
            ipv4.more_fragments = more;
            ipv4.id = static_cast<std::uint16_t>(id);
            ipv4.protocol = protocol;
            frames.push_back((packet / body).bytes());
        }
        at = begin + size;
    }
    if (one_in(4)) {
        std::ranges::shuffle(frames, random_);
    }
    return frames;
}

void Attacks::mutate(Bytes& frame) {
    for (std::size_t changes = 1 + below(3); changes > 0; changes--) {
        const std::size_t at =
            12 + below(std::max<std::size_t>(std::min<std::size_t>(frame.size(), 90), 13) - 12);
        if (at >= frame.size()) {
            return;
        }
        switch (below(7)) {
        case 0:
            frame[at] ^= static_cast<std::uint8_t>(1U << below(8));
            break;
        case 1:
            frame[at] = static_cast<std::uint8_t>(below(256));
            break;
        case 2:
        case 3:
            frame[at] = one_of(edges);
            break;
        case 4:
            frame.resize(std::max<std::size_t>(14, at));
            break;
        case 5:
            frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(at), 1 + below(8), one_of(edges));
            break;
        default:
            frame.resize(frame.size() + below(40));
        }
    }
}

// Most changes shall be looked at for what they are, and not stop at a wrong sum.
void Attacks::mend_checksum(Bytes& frame) {
    for (std::size_t at = 14; at + 20 <= frame.size() && at <= 22; at += 4) {
        const std::size_t header = (frame[at] & 0x0fU) * 4U;
        if (frame[at - 2] != 8 || frame[at - 1] != 0 || header < 20 || at + header > frame.size()) {
            continue;
        }
        frame[at + 10] = frame[at + 11] = 0;
        const std::uint16_t sum = checksum_finish(checksum_add(0, std::span(frame).subspan(at, header)));
        frame[at + 10] = static_cast<std::uint8_t>(sum >> 8);
        frame[at + 11] = static_cast<std::uint8_t>(sum);
        return;
    }
}

std::vector<Bytes> Attacks::next() {
    const bool v6 = one_in(2);
    std::vector<Bytes> frames;
    if (one_in(3)) {
        frames = pieces(v6);
    } else if (one_in(6)) {
        frames.push_back((link() / neighbour(v6)).bytes());
    } else {
        Packet packet = link() / network(v6);
        packet = v6 ? packet / extensions() : packet;
        frames.push_back((packet / transport()).bytes());
    }
    for (Bytes& frame : frames) {
        if (one_in(2)) {
            mutate(frame);
        }
        if (!one_in(10)) {
            mend_checksum(frame);
        }
        frame.resize(std::max<std::size_t>(frame.size(), 14));
    }
    return frames;
}

} // namespace stem::test
