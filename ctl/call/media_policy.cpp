// SPDX-License-Identifier: Apache-2.0
#include "ctl/call/media_policy.h"

#include <algorithm>

namespace stem::call {
namespace {

constexpr std::uint16_t lowest_media_port = 1024;

bool within(std::span<const Cidr> networks, const Address& address) {
    return std::ranges::any_of(networks, [&](const Cidr& network) { return network.contains(address); });
}

std::optional<std::string> refuse_address(const Address& address, std::span<const Address> bound,
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
    if (bound.empty() || std::ranges::find(bound, address) != bound.end() ||
        within(settings.media_relays, address)) {
        return std::nullopt;
    }
    return "media at " + address.to_string() + ", but the called terminal is at " + bound[0].to_string();
}

} // namespace

std::optional<std::string> refuse_media(const sdp::Session& session, std::span<const Address> bound,
                                        const Settings& settings) {
    for (const auto& media : session.media) {
        if (!media.is_rtp() || media.port == 0) {
            continue;
        }
        if (auto refusal = refuse_address(media.address, bound, settings); refusal) {
            return refusal;
        }
        if (media.rtcp_address) {
            if (auto refusal = refuse_address(*media.rtcp_address, bound, settings); refusal) {
                return refusal;
            }
        }
        if (media.port < lowest_media_port || (media.rtcp_port != 0 && media.rtcp_port < lowest_media_port)) {
            return "media port " + std::to_string(std::min(media.port, media.rtcp_port)) + " is below 1024";
        }
    }
    return std::nullopt;
}

std::vector<stem_media> media_of(const sdp::Session& session) {
    std::vector<stem_media> lines;
    for (const auto& media : session.media) {
        if (lines.size() == STEM_MEDIA_MAX) {
            break;
        }
        lines.push_back(sdp::policed(media));
    }
    return lines;
}

} // namespace stem::call
