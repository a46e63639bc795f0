// SPDX-License-Identifier: Apache-2.0
#include "ctl/sdp/bundle.h"

#include "ctl/sdp/numbers.h"

#include <algorithm>
#include <optional>

namespace stem::sdp {
namespace {

std::vector<std::size_t> lines_of(const std::vector<Media>& media, std::string_view group) {
    std::vector<std::size_t> lines;
    for (std::string_view mid = next_word(group); !mid.empty(); mid = next_word(group)) {
        const auto found = std::ranges::find(media, mid, &Media::mid);
        if (found != media.end() && !found->bundle) {
            lines.push_back(static_cast<std::size_t>(found - media.begin()));
        }
    }
    return lines;
}

// Everything that says where, and nothing that says what.
void take_place(stem_media& line, const stem_media& tagged) {
    constexpr unsigned of_place = STEM_MEDIA_RTCP_MUX | STEM_MEDIA_ICE | STEM_MEDIA_DTLS |
                                  STEM_MEDIA_BEHIND_NAT | STEM_MEDIA_RTP_LEARNED | STEM_MEDIA_RTCP_LEARNED;
    line.address = tagged.address;
    line.rtp_port = tagged.rtp_port;
    line.rtcp_port = tagged.rtcp_port;
    line.learned = tagged.learned;
    line.learned_rtp_port = tagged.learned_rtp_port;
    line.learned_rtcp_port = tagged.learned_rtcp_port;
    line.flags = static_cast<std::uint16_t>((line.flags & ~of_place) | (tagged.flags & of_place));
    line.candidate_count = tagged.candidate_count;
    std::ranges::copy(tagged.candidate, line.candidate);
}

} // namespace

void form_bundles(std::vector<Media>& media, std::span<const std::string> groups) {
    for (const std::string& group : groups) {
        const auto lines = lines_of(media, group);
        const auto tagged =
            std::ranges::find_if(lines, [&](std::size_t line) { return media[line].port != 0; });
        if (tagged == lines.end()) {
            continue;
        }
        for (const std::size_t line : lines) {
            if (media[line].port != 0 || media[line].bundle_only) {
                media[line].bundle = *tagged;
            }
        }
    }
}

void share_bundles(std::span<stem_media> offer, std::span<stem_media> answer) {
    const std::size_t lines = std::min(offer.size(), answer.size());
    for (std::size_t line = 0; line < lines; ++line) {
        // A line is only bundled where both say so.
        if (answer[line].bundle == 0 || offer[line].bundle == 0 || answer[line].bundle > lines) {
            continue;
        }
        const std::size_t tagged = answer[line].bundle - 1U;
        if (tagged != line && answer[tagged].bundle == answer[line].bundle && offer[tagged].bundle != 0) {
            take_place(offer[line], offer[tagged]);
            take_place(answer[line], answer[tagged]);
        }
    }
}

} // namespace stem::sdp
