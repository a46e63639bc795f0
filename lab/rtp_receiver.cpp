// SPDX-License-Identifier: Apache-2.0
#include "lab/rtp_receiver.h"

#include <algorithm>

namespace stem::lab {
namespace {

constexpr std::size_t header_octets = 12;
constexpr std::uint64_t window_bits = 64;

std::uint32_t read_be(std::span<const std::uint8_t> bytes) {
    std::uint32_t value = 0;
    for (const auto byte : bytes) {
        value = value << 8U | byte;
    }
    return value;
}

} // namespace

bool RtpReceiver::take(std::span<const std::uint8_t> packet, Clock::time_point now) {
    if (packet.size() < header_octets || packet[0] >> 6U != 2) {
        return false;
    }
    const auto sequence = static_cast<std::uint16_t>(read_be(packet.subspan(2, 2)));
    const auto ssrc = read_be(packet.subspan(8, 4));
    if (current_ == 0 || ssrc != ssrc_) {
        begin(ssrc, sequence);
    } else if (!is_new(sequence)) {
        ++duplicates_;
        return true;
    }
    ++current_;
    ++received_;
    octets_ += packet.size();
    if (last_) {
        longest_gap_ = std::max(longest_gap_, now - *last_);
    }
    last_ = now;
    first_ = first_.value_or(now);
    return true;
}

void RtpReceiver::begin(std::uint32_t ssrc, std::uint16_t sequence) {
    lost_before_ = lost();
    ssrc_ = ssrc;
    current_ = 0;
    // One cycle up, so that a packet from before the first has a number too.
    base_ = highest_ = 0x10000ULL + sequence;
    window_ = 1;
}

bool RtpReceiver::is_new(std::uint16_t sequence) {
    const auto ahead = static_cast<std::int16_t>(sequence - static_cast<std::uint16_t>(highest_));
    if (ahead > 0) {
        const auto step = static_cast<std::uint64_t>(ahead);
        window_ = step >= window_bits ? 1 : window_ << step | 1U;
        highest_ += step;
        return true;
    }
    const auto behind = static_cast<std::uint64_t>(-ahead);
    if (behind < window_bits && (window_ >> behind & 1U) != 0) {
        return false;
    }
    if (behind < window_bits) {
        window_ |= std::uint64_t{1} << behind;
    }
    base_ = std::min(base_, highest_ - behind);
    ++reordered_;
    return true;
}

} // namespace stem::lab
