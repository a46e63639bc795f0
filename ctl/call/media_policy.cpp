// SPDX-License-Identifier: Apache-2.0
#include "ctl/call/media_policy.h"

#include <algorithm>

namespace stem::call {
namespace {

constexpr std::uint16_t lowest_media_port = 1024;

bool within(std::span<const Cidr> networks, const Address& address) {
    return std::ranges::any_of(networks, [&](const Cidr& network) { return network.contains(address); });
}

// RFC 1918, RFC 6598, RFC 4193: addresses that mean nothing outside of their own network.
bool is_private(const Address& address) {
    static const auto networks = [] {
        std::vector<Cidr> all;
        for (const char* text :
             {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"}) {
            all.push_back(*Cidr::parse(text));
        }
        return all;
    }();
    return within(networks, address);
}

// Is a place of a peer outside learned, so that what it says opens nothing?
bool is_learned(const Address& address, const Address& source, const Settings& settings) {
    switch (settings.nat) {
    case Nat::never:
        return false;
    case Nat::automatic:
        return address != source && is_private(address) && !is_private(source);
    case Nat::always:
        return true;
    }
    return false;
}

// Pairs of candidates open as they are said: only the line's own place can be learned.
enum class Said : std::uint8_t { line, candidate };

std::optional<std::string> refuse_address(const Address& address, Said said, const MediaBounds& bounds,
                                          const Settings& settings) {
    if (address.is_unspecified()) {
        return std::nullopt; // on hold, the old way (RFC 3264 8.4): no pinhole comes of it
    }
    if (address.is_loopback() || address.is_multicast() || address.is_link_local() ||
        address.is_broadcast()) {
        return "media at " + address.to_string() + ", which is no host's address on this path";
    }
    if (within(settings.forbidden_media, address)) {
        return "media at " + address.to_string() + ", which [media] forbidden names";
    }
    if (within(settings.media_relays, address)) {
        return std::nullopt;
    }
    if (settings.is_own && settings.is_own(address)) {
        return "media at " + address.to_string() + ", which is this firewall itself";
    }
    if (!bounds.terminals.empty() && std::ranges::find(bounds.terminals, address) == bounds.terminals.end()) {
        return "media at " + address.to_string() + ", but the called terminal is at " +
               bounds.terminals[0].to_string();
    }
    if (bounds.signalled != nullptr && settings.elsewhere == Elsewhere::refuse &&
        address != *bounds.signalled &&
        (said == Said::candidate || !is_learned(address, *bounds.signalled, settings))) {
        return "media at " + address.to_string() + ", but the signalling comes from " +
               bounds.signalled->to_string() + " ([media] elsewhere)";
    }
    return std::nullopt;
}

// Where RTCP would get a pinhole of its own whatever the other side says. "a=rtcp:9 IN IP4 0.0.0.0" is what
// an agent must write that has no place for it yet (RFC 8829 5.2.1), and with rtcp-mux it may have none at
// all.
std::uint16_t insisted_rtcp_port(const sdp::Media& media) {
    return media.rtcp_mux ? std::uint16_t{0} : sdp::policed(media).rtcp_port;
}

bool is_behind_nat(const stem_media& line, const Address& source, const Settings& settings) {
    const Address address(line.address);
    if (line.rtp_port == 0 || address.is_unspecified() || within(settings.media_relays, address)) {
        return false;
    }
    return is_learned(address, source, settings);
}

} // namespace

std::optional<std::string> refuse_media(const sdp::Session& session, const MediaBounds& bounds,
                                        const Settings& settings) {
    for (const auto& media : session.media) {
        if (!media.is_opened() || media.port == 0 || media.has_no_place_yet()) {
            continue;
        }
        if (auto refusal = refuse_address(media.address, Said::line, bounds, settings); refusal) {
            return refusal;
        }
        if (media.rtcp_address) {
            if (auto refusal = refuse_address(*media.rtcp_address, Said::line, bounds, settings); refusal) {
                return refusal;
            }
        }
        if (media.port < lowest_media_port) {
            return "media port " + std::to_string(media.port) + " is below 1024";
        }
        if (const auto rtcp_port = insisted_rtcp_port(media);
            rtcp_port != 0 && rtcp_port < lowest_media_port) {
            return "RTCP port " + std::to_string(rtcp_port) + " is below 1024";
        }
    }
    return std::nullopt;
}

void drop_candidates(sdp::Session& session, const MediaBounds& bounds, const Settings& settings) {
    for (auto& media : session.media) {
        std::erase_if(media.candidates, [&](const sdp::Candidate& candidate) {
            return candidate.port < lowest_media_port ||
                   refuse_address(candidate.address, Said::candidate, bounds, settings).has_value();
        });
    }
}

std::vector<stem_media> media_of(const sdp::Session& session) {
    std::vector<stem_media> lines;
    for (const auto& media : session.media) {
        if (lines.size() == STEM_MEDIA_MAX) {
            break;
        }
        stem_media line = sdp::policed(media);
        if (line.rtcp_port < lowest_media_port) {
            line.rtcp_port = 0; // beside rtcp-mux: the other side may not want to share, and has no RTCP then
        }
        lines.push_back(line);
    }
    return lines;
}

void mark_nat(std::vector<stem_media>& lines, const Address& source, const Settings& settings) {
    for (auto& line : lines) {
        if (is_behind_nat(line, source, settings)) {
            line.flags |= STEM_MEDIA_BEHIND_NAT;
            line.learned = source.raw();
        }
    }
}

bool is_same_place(const stem_media& a, const stem_media& b) {
    const bool same_rtcp = a.rtcp_port == b.rtcp_port || a.kind != b.kind; // fax has none
    return Address(a.address) == Address(b.address) && a.rtp_port == b.rtp_port && same_rtcp;
}

bool share_pinhole(std::span<const stem_media> caller, std::span<const stem_media> callee, std::size_t line,
                   std::size_t other) {
    const auto is_one = [&](std::span<const stem_media> lines) {
        return lines[line].rtp_port == lines[other].rtp_port &&
               Address(lines[line].address) == Address(lines[other].address);
    };
    return is_one(caller) && is_one(callee);
}

std::uint64_t announced_rate(std::span<const stem_media> lines) {
    std::uint64_t sum = 0;
    for (const auto& line : lines) {
        sum += line.rtp_port == 0 ? 0 : line.bytes_per_second;
    }
    return sum;
}

} // namespace stem::call
