// SPDX-License-Identifier: Apache-2.0
// From a description to what the kernel holds a stream to.
#include "ctl/sdp/codecs.h"
#include "ctl/sdp/session.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace stem::sdp {
namespace {

constexpr std::uint64_t rtp_header = 12;    // RFC 3550 5.1
constexpr std::uint64_t rtp_additions = 64; // contributing sources, header extensions
constexpr std::uint64_t srtp_most = 16;     // largest tag (GCM)
constexpr std::uint64_t srtp_usual = 14;    // 10 of HMAC-SHA1-80, 4 of MKI
constexpr std::uint64_t red_headers = 5;    // RFC 2198 3: one block header of 4, one of 1
constexpr std::uint64_t rtcp_floor = 1000;  // bytes per second: a report each few seconds, and feedback
constexpr std::uint64_t rtcp_packets = 20;  // per second at least, where RTCP shares the flow
constexpr std::uint64_t rtcp_octets_per_packet = 100; // what a report has on the mean
// VAD resume, a jitter buffer upstream letting go, a phone catching up. The field's advice is 250 ms or more.
constexpr std::uint16_t sound_burst_ms = 300;
constexpr std::uint16_t video_burst_ms = 1000; // a key frame is a second's worth, sent at once
constexpr std::uint64_t codec_payload_most = 1400;
constexpr std::uint64_t unknown_octets_per_packet =
    200; // what a packet of an unknown codec has at least, on the mean

struct Rate {
    std::uint64_t bytes = 0; // per second, IP level
    std::uint64_t packets = 0;

    Rate operator+(const Rate& other) const { return {bytes + other.bytes, packets + other.packets}; }
};

Rate larger(const Rate& left, const Rate& right) {
    return {std::max(left.bytes, right.bytes), std::max(left.packets, right.packets)};
}

std::uint64_t divided_up(std::uint64_t value, std::uint64_t by) {
    return (value + by - 1) / by;
}

bool is_secure(const Media& media) {
    return media.protocol.find("SAVP") != std::string::npos;
}

// What each packet costs besides its codec payload.
std::uint64_t packet_overhead(const Media& media) {
    return (media.address.is_v4() ? 20U : 40U) + 8U + rtp_header + (is_secure(media) ? srtp_usual : 0U);
}

// Packets of their own beside the media's: once more (RFC 4588), or what can make them anew (RFC 5109, 8627).
bool is_repair(const Format& format) {
    static constexpr auto names = std::to_array<std::string_view>(
        {"RTX", "ULPFEC", "PARITYFEC", "FLEXFEC", "FLEXFEC-03", "1D-INTERLEAVED-PARITYFEC"});
    return std::ranges::find(names, format.encoding) != names.end();
}

std::uint64_t frames_in(const Load& load, std::uint64_t packet_us) {
    return std::max<std::uint64_t>(packet_us / load.frame_us, 1);
}

// The shortest packets that the sender may make are the costliest: headers come more often.
Rate rate_of(const Load& load, const Media& media) {
    std::uint64_t packet_ms = usual_packet_ms;
    if (media.ptime_ms != 0) {
        packet_ms = std::clamp<std::uint64_t>(media.ptime_ms, smallest_packet_ms, usual_packet_ms);
    }
    std::uint64_t frames = frames_in(load, packet_ms * 1000);
    while (frames > 1 && frames * load.octets_per_frame > codec_payload_most) {
        --frames;
    }
    const std::uint64_t octets = frames * load.octets_per_frame + load.header + packet_overhead(media);
    const std::uint64_t packet_us = frames * load.frame_us;
    return {.bytes = divided_up(octets * 1'000'000, packet_us), .packets = divided_up(1'000'000, packet_us)};
}

std::uint64_t largest_payload_of(const Load& load, const Media& media) {
    const std::uint64_t packet_ms =
        std::min(std::max({largest_packet_ms, media.maxptime_ms, media.ptime_ms}), longest_packet_ms);
    return frames_in(load, packet_ms * 1000) * load.octets_per_frame + load.header;
}

// Video, and what the table does not know.
Rate stated_rate(const Media& media) {
    std::uint64_t bps = media.kind == "video" ? unknown_video_bps : unknown_audio_bps;
    std::uint64_t packets = divided_up(bps / 8, unknown_octets_per_packet);
    if (media.tias_bps != 0) {
        bps = std::min(media.tias_bps, rate_ceiling_bps);
        packets =
            std::max<std::uint64_t>(divided_up(bps / 8, unknown_octets_per_packet), 1000 / usual_packet_ms);
        bps += packets * packet_overhead(media) * 8;
    } else if (media.as_kbps != 0) {
        bps = std::min<std::uint64_t>(std::uint64_t{media.as_kbps} * 1000, rate_ceiling_bps);
        packets =
            std::max<std::uint64_t>(divided_up(bps / 8, unknown_octets_per_packet), 1000 / usual_packet_ms);
    }
    return {.bytes = divided_up(bps, 8), .packets = std::max<std::uint64_t>(packets, 1000 / usual_packet_ms)};
}

// The budget of a line before its margin, and the largest codec payload.
struct Budget {
    Rate rate;
    std::uint64_t payload = 0;
};

Budget budget_of(const Media& media) {
    if (media.kind == "video") {
        return {.rate = stated_rate(media), .payload = largest_payload};
    }
    Budget budget;
    Rate events; // RFC 4733 2.5: digits come beside the sound, from a source of their own
    bool redundant = false;
    bool repaired = false;
    for (const Format& format : media.formats) {
        if (format.encoding == "RED") {
            redundant = true;
            continue;
        }
        if (is_repair(format)) {
            repaired = true;
            continue;
        }
        const auto load = load_of(format);
        if (!load) {
            budget.rate = larger(budget.rate, stated_rate(media));
            budget.payload = largest_payload;
            continue;
        }
        budget.payload = std::max(budget.payload, largest_payload_of(*load, media));
        if (format.encoding == "TELEPHONE-EVENT") {
            events = rate_of(*load, media);
        } else {
            budget.rate = larger(budget.rate, rate_of(*load, media));
        }
    }
    if (redundant) {
        // Each packet carries the one before it again; what its headers cost is counted already.
        if (budget.rate.packets == 0) {
            budget.rate = stated_rate(media);
        }
        const std::uint64_t headers = budget.rate.packets * packet_overhead(media);
        const std::uint64_t payload = budget.rate.bytes - std::min(budget.rate.bytes, headers);
        budget.rate.bytes += payload + budget.rate.packets * red_headers;
        budget.payload = budget.payload * 2 + red_headers;
    }
    if (repaired) {
        budget.rate = budget.rate + (budget.rate.packets == 0 ? stated_rate(media) : budget.rate);
    }
    budget.rate = budget.rate + events;
    return budget;
}

std::uint64_t with_margin(std::uint64_t value) {
    return divided_up(value * (100 + margin_percent), 100);
}

std::uint32_t narrowed(std::uint64_t value) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, 0xffffffff));
}

// b=RS:0 and b=RR:0 say that there is none (RFC 3556 2).
bool has_no_rtcp(const Media& media) {
    return media.rtcp_bps == 0U;
}

// Kept beside a=rtcp-mux too: the other side may not want to share (RFC 5761 5.1.1).
std::uint16_t rtcp_port_of(const Media& media) {
    const bool elsewhere = media.rtcp_address && *media.rtcp_address != media.address;
    return elsewhere || has_no_rtcp(media) || media.rtcp_port == media.port ? 0 : media.rtcp_port;
}

std::uint16_t flags_of(const Media& media) {
    unsigned flags = 0;
    const bool both = media.direction == Direction::sendrecv;
    if ((both || media.direction == Direction::recvonly) && (media.ice || !media.address.is_unspecified())) {
        flags |= STEM_MEDIA_RECEIVES;
    }
    if (both || media.direction == Direction::sendonly) {
        flags |= STEM_MEDIA_SENDS;
    }
    if (media.ice) {
        flags |= STEM_MEDIA_ICE;
    }
    if (is_secure(media) && (media.fingerprint || media.protocol.starts_with("UDP/TLS/"))) {
        flags |= STEM_MEDIA_DTLS;
    }
    if (media.rtcp_mux || media.rtcp_port == media.port) {
        flags |= STEM_MEDIA_RTCP_MUX;
    }
    if (is_secure(media)) {
        flags |= STEM_MEDIA_SRTP;
    }
    return static_cast<std::uint16_t>(flags);
}

void note_candidates(const Media& media, stem_media& result) {
    for (const Candidate& candidate : media.candidates) {
        if (result.candidate_count == STEM_CANDIDATES_MAX) {
            return;
        }
        result.candidate[result.candidate_count++] = {.address = candidate.address.raw(),
                                                      .port = candidate.port,
                                                      .component = candidate.component,
                                                      .zero = {}};
    }
}

stem_media policed_fax(const Media& media) {
    stem_media result{};
    const FaxLoad load = load_of(media.fax, media.address.is_v4());
    result.kind = STEM_MEDIA_UDPTL;
    result.address = media.address.raw();
    result.rtp_port = media.port;
    result.flags = static_cast<std::uint16_t>(flags_of(media) & (STEM_MEDIA_RECEIVES | STEM_MEDIA_SENDS));
    result.max_payload = load.max_payload;
    result.bytes_per_second = load.bytes_per_second;
    result.packets_per_second = load.packets_per_second;
    result.burst_ms = video_burst_ms; // a page's worth of repetitions at its end
    return result;
}

// Which clock each payload type counts in, for jitter. Digits are left out: their timestamps stand still
// (RFC 4733 2.2.1), and so is what comes after the third clock.
void note_clocks(const Media& media, stem_media& result) {
    std::ranges::fill(result.clock_of, 0xff);
    for (const Format& format : media.formats) {
        if (format.clock_rate == 0 || format.encoding == "TELEPHONE-EVENT" || format.encoding == "RED" ||
            is_repair(format)) {
            continue;
        }
        const auto slot = std::ranges::find_if(
            result.clock_hz, [&](std::uint32_t hz) { return hz == 0 || hz == format.clock_rate; });
        if (slot == std::end(result.clock_hz)) {
            continue;
        }
        *slot = format.clock_rate;
        const unsigned type = format.payload_type & 127U;
        const unsigned shift = type % 4 * 2;
        const auto index = static_cast<unsigned>(slot - std::begin(result.clock_hz));
        auto& quarter = result.clock_of[type / 4];
        quarter = static_cast<std::uint8_t>((quarter & ~(3U << shift)) | (index << shift));
    }
}

} // namespace

std::uint32_t rtcp_packets_for(std::uint64_t bytes_per_second) {
    return narrowed(std::max(rtcp_packets, bytes_per_second / rtcp_octets_per_packet));
}

stem_media policed(const Media& media) {
    stem_media result{};
    result.address = media.address.raw();
    if (media.is_udptl() && media.port != 0) {
        return policed_fax(media);
    }
    // A line of a bundle may leave its port out, and share another's (RFC 9143 7.2).
    const bool shares = media.port == 0 && media.bundle.has_value();
    if (!media.is_rtp() || (media.port == 0 && !shares) || media.formats.empty()) {
        return result;
    }
    if (media.bundle) {
        result.bundle = static_cast<std::uint8_t>(*media.bundle + 1);
    }
    note_candidates(media, result);
    for (const Format& format : media.formats) {
        result.payload_types[(format.payload_type & 127U) / 64] |= 1ULL << (format.payload_type % 64U);
    }
    Budget budget = budget_of(media);
    std::uint64_t rtcp = budget.rate.bytes / 20; // RFC 3550 6.2: five percent
    if (media.rtcp_bps) {
        rtcp = std::min(*media.rtcp_bps, rate_ceiling_bps) / 8;
    }
    rtcp = std::max(rtcp, rtcp_floor);
    result.flags = flags_of(media);
    if ((result.flags & STEM_MEDIA_RTCP_MUX) != 0 && !has_no_rtcp(media)) {
        budget.rate = budget.rate + Rate{.bytes = rtcp, .packets = rtcp_packets_for(rtcp)};
    }
    result.burst_ms = media.kind == "video" ? video_burst_ms : sound_burst_ms;
    note_clocks(media, result);
    result.rtp_port = media.port;
    result.rtcp_port = rtcp_port_of(media);
    result.min_payload = static_cast<std::uint16_t>(rtp_header);
    result.max_payload = static_cast<std::uint16_t>(
        std::min<std::uint64_t>(budget.payload + rtp_header + rtp_additions + srtp_most, largest_payload));
    result.bytes_per_second = narrowed(with_margin(budget.rate.bytes));
    result.packets_per_second = narrowed(with_margin(budget.rate.packets));
    result.rtcp_bytes_per_second = narrowed(rtcp);
    return result;
}

} // namespace stem::sdp
