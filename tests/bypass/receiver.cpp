// SPDX-License-Identifier: Apache-2.0
#include "receiver.h"

#include <algorithm>

namespace stem::test {
namespace {

constexpr std::uint16_t type_ipv4 = 0x0800;
constexpr std::uint16_t type_arp = 0x0806;
constexpr std::uint16_t type_ipv6 = 0x86dd;

std::uint16_t word(Octets octets, std::size_t at) {
    return static_cast<std::uint16_t>(octets[at] << 8 | octets[at + 1]);
}

std::uint32_t double_word(Octets octets, std::size_t at) {
    return std::uint32_t{word(octets, at)} << 16 | word(octets, at + 2);
}

HostAddress v4_address(Octets octets) {
    HostAddress address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::ranges::copy(octets.first(4), address.begin() + 12);
    return address;
}

HostAddress v6_address(Octets octets) {
    HostAddress address{};
    std::ranges::copy(octets.first(16), address.begin());
    return address;
}

struct Body {
    std::uint16_t type = 0;
    Octets octets;
};

// Some stack or other knows each of these.
bool is_tag(std::uint16_t type) {
    return type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200;
}

std::optional<Body> body_of(Octets frame) {
    std::size_t at = 12;
    while (at + 2 <= frame.size()) {
        const std::uint16_t type = word(frame, at);
        if (!is_tag(type)) {
            return Body{type, frame.subspan(at + 2)};
        }
        at += 4;
    }
    return std::nullopt;
}

bool has_source_route(Octets options) {
    std::size_t at = 0;
    while (at < options.size() && options[at] != 0) {
        if (options[at] == 131 || options[at] == 137) {
            return true;
        }
        if (options[at] == 1) {
            at++;
            continue;
        }
        if (at + 1 >= options.size() || options[at + 1] < 2) {
            return false; // no host reads on
        }
        at += options[at + 1];
    }
    return false;
}

std::optional<Datagram> ipv4_of(Octets octets) {
    if (octets.size() < 20 || octets[0] >> 4 != 4) {
        return std::nullopt;
    }
    const std::size_t header = (octets[0] & 0x0fU) * 4U;
    const std::size_t total = word(octets, 2);
    if (header < 20 || total < header || total > octets.size()) {
        return std::nullopt;
    }
    Datagram datagram{
        .family = 4, .src = v4_address(octets.subspan(12)), .dst = v4_address(octets.subspan(16))};
    datagram.protocol = octets[9];
    datagram.elsewhere = has_source_route(octets.subspan(20, header - 20));
    datagram.id = word(octets, 4);
    datagram.offset = (word(octets, 6) & 0x1fffU) * 8U;
    datagram.more = (word(octets, 6) & 0x2000U) != 0;
    datagram.piece = datagram.more || datagram.offset != 0;
    const Octets payload = octets.subspan(header, total - header);
    datagram.payload.assign(payload.begin(), payload.end());
    return datagram;
}

bool has_home_address(Octets options) {
    std::size_t at = 2;
    while (at < options.size()) {
        if (options[at] == 0) {
            at++;
            continue;
        }
        if (options[at] == 0xc9) {
            return true;
        }
        if (at + 1 >= options.size()) {
            return false;
        }
        at += 2U + options[at + 1];
    }
    return false;
}

// Skips extension headers at the front of `datagram`'s payload; stops at a transport, or at a piece.
bool skip_extensions(Datagram& datagram) {
    Octets rest = datagram.payload;
    for (;;) {
        const std::uint8_t type = datagram.protocol;
        if (type != 0 && type != 43 && type != 44 && type != 51 && type != 60) {
            break;
        }
        if (rest.size() < 8) {
            return false;
        }
        std::size_t length = (rest[1] + 1U) * 8U;
        if (type == 44) {
            length = 8;
        } else if (type == 51) {
            length = (rest[1] + 2U) * 4U;
        }
        if (length > rest.size()) {
            return false;
        }
        if (type == 43 && rest[3] != 0) {
            datagram.elsewhere = true;
        }
        if ((type == 60 || type == 0) && has_home_address(rest.first(length))) {
            datagram.elsewhere = true;
        }
        datagram.protocol = rest[0];
        if (type == 44) {
            datagram.offset = word(rest, 2) & 0xfff8U;
            datagram.more = (word(rest, 2) & 1U) != 0;
            datagram.id = double_word(rest, 4);
            if (datagram.more || datagram.offset != 0) {
                datagram.piece = true;
                rest = rest.subspan(length);
                break;
            }
        }
        rest = rest.subspan(length);
    }
    datagram.payload = {rest.begin(), rest.end()};
    return true;
}

std::optional<Datagram> ipv6_of(Octets octets) {
    if (octets.size() < 40 || octets[0] >> 4 != 6) {
        return std::nullopt;
    }
    const std::size_t length = word(octets, 4);
    if (40 + length > octets.size()) {
        return std::nullopt;
    }
    Datagram datagram{
        .family = 6, .src = v6_address(octets.subspan(8)), .dst = v6_address(octets.subspan(24))};
    datagram.protocol = octets[6];
    const Octets payload = octets.subspan(40, length);
    datagram.payload.assign(payload.begin(), payload.end());
    return skip_extensions(datagram) ? std::optional(datagram) : std::nullopt;
}

} // namespace

std::vector<std::uint16_t> vlans_of(Octets frame) {
    std::vector<std::uint16_t> ids;
    for (std::size_t at = 12; at + 4 <= frame.size() && is_tag(word(frame, at)); at += 4) {
        ids.push_back(word(frame, at + 2) & 0x0fffU);
    }
    return ids;
}

bool is_arp(Octets frame) {
    const auto body = body_of(frame);
    return body && body->type == type_arp;
}

std::optional<Datagram> datagram_of(Octets frame) {
    const auto body = body_of(frame);
    if (!body) {
        return std::nullopt;
    }
    switch (body->type) {
    case type_ipv4:
        return ipv4_of(body->octets);
    case type_ipv6:
        return ipv6_of(body->octets);
    default:
        return std::nullopt;
    }
}

std::optional<Ports> ports_of(const Datagram& datagram) {
    const Octets octets = datagram.payload;
    if (datagram.protocol == 17) {
        if (octets.size() < 8 || word(octets, 4) < 8 || word(octets, 4) > octets.size()) {
            return std::nullopt;
        }
        return Ports{word(octets, 0), word(octets, 2)};
    }
    if (datagram.protocol == 6) {
        const std::size_t header = octets.size() < 20 ? 0 : (octets[12] >> 4U) * 4U;
        if (header < 20 || header > octets.size()) {
            return std::nullopt;
        }
        return Ports{word(octets, 0), word(octets, 2)};
    }
    return Ports{};
}

std::optional<HostAddress> claim_of(Octets frame) {
    const auto body = body_of(frame);
    if (body && body->type == type_arp && body->octets.size() >= 28) {
        const HostAddress sender = v4_address(body->octets.subspan(14));
        return double_word(body->octets, 14) != 0 ? std::optional(sender) : std::nullopt;
    }
    const auto datagram = datagram_of(frame);
    if (!datagram || datagram->family != 6 || datagram->piece || datagram->protocol != 58 ||
        datagram->payload.size() < 8 || datagram->payload[0] < 133 || datagram->payload[0] > 137 ||
        body->octets[7] != 255) {
        return std::nullopt;
    }
    const bool names_target = datagram->payload[0] == 136 && datagram->payload.size() >= 24;
    return names_target ? v6_address(Octets(datagram->payload).subspan(8)) : datagram->src;
}

std::vector<Datagram> Reassembly::add(const Datagram& piece) {
    auto& pieces =
        queues_[{piece.src, piece.dst, piece.id, piece.family == 4 ? piece.protocol : std::uint8_t{0}}];
    pieces.push_back(piece);
    std::vector<Datagram> whole;
    for (const bool last_wins : {false, true}) {
        std::vector<std::uint8_t> octets;
        std::vector<bool> known;
        std::optional<std::size_t> end;
        std::optional<Datagram> first;
        for (std::size_t i = 0; i < pieces.size(); i++) {
            const Datagram& each = pieces[last_wins ? i : pieces.size() - 1 - i];
            const std::size_t behind = each.offset + each.payload.size();
            octets.resize(std::max(octets.size(), behind));
            known.resize(octets.size());
            std::ranges::copy(each.payload, octets.begin() + each.offset);
            std::fill_n(known.begin() + each.offset, each.payload.size(), true);
            if (!each.more) {
                end = behind;
            }
            if (each.offset == 0) {
                first = each;
            }
        }
        if (!end || !first || octets.size() < *end ||
            !std::all_of(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(*end),
                         [](bool is) { return is; })) {
            continue;
        }
        octets.resize(*end);
        first->payload = std::move(octets);
        first->piece = false;
        if (first->family == 4 || skip_extensions(*first)) {
            whole.push_back(std::move(*first));
        }
    }
    return whole;
}

} // namespace stem::test
