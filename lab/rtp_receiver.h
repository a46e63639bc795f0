// SPDX-License-Identifier: Apache-2.0
// What was received of one RTP stream, by sequence number (RFC 3550 A.1, without the probation).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

namespace stem::lab {

class RtpReceiver {
  public:
    using Clock = std::chrono::steady_clock;

    // False: not an RTP packet of version 2.
    bool take(std::span<const std::uint8_t> packet, Clock::time_point now);

    [[nodiscard]] std::uint64_t received() const { return received_; } // duplicates not counted
    [[nodiscard]] std::uint64_t octets() const { return octets_; }     // UDP payload
    [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
    [[nodiscard]] std::uint64_t reordered() const { return reordered_; }
    // Sequence numbers between the first and the highest that never came.
    [[nodiscard]] std::uint64_t lost() const { return lost_before_ + expected() - current_; }
    [[nodiscard]] std::optional<Clock::time_point> first() const { return first_; }
    [[nodiscard]] std::optional<Clock::time_point> last() const { return last_; }
    [[nodiscard]] Clock::duration longest_gap() const { return longest_gap_; } // between two packets

  private:
    [[nodiscard]] std::uint64_t expected() const { return current_ == 0 ? 0 : highest_ - base_ + 1; }
    void begin(std::uint32_t ssrc, std::uint16_t sequence);
    bool is_new(std::uint16_t sequence);

    std::uint32_t ssrc_ = 0;
    std::uint64_t base_ = 0; // extended sequence numbers of this SSRC
    std::uint64_t highest_ = 0;
    std::uint64_t window_ = 0;      // bit n: highest_ - n was received
    std::uint64_t current_ = 0;     // packets of this SSRC
    std::uint64_t lost_before_ = 0; // of SSRCs before it
    std::uint64_t received_ = 0;
    std::uint64_t octets_ = 0;
    std::uint64_t duplicates_ = 0;
    std::uint64_t reordered_ = 0;
    std::optional<Clock::time_point> first_;
    std::optional<Clock::time_point> last_;
    Clock::duration longest_gap_{};
};

} // namespace stem::lab
