// SPDX-License-Identifier: Apache-2.0
// One RTP stream of an endpoint, both directions: its two sockets, its clock, its counts. Not thread-safe.
#pragma once

#include "lab/rtp_endpoint.h"
#include "lab/rtp_receiver.h"

#include <stem/unique_fd.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

namespace stem::lab {

class RtpPort {
  public:
    using Clock = std::chrono::steady_clock;

    // In the namespace of the calling thread.
    static Result<RtpPort> open(const RtpStream& stream);

    [[nodiscard]] int rtp_socket() const { return rtp_.get(); }
    [[nodiscard]] int rtcp_socket() const { return rtcp_.get(); } // -1 without RTCP
    [[nodiscard]] Clock::duration interval() const;               // between two packets
    // When the next packet goes out; never, when it does not send.
    [[nodiscard]] Clock::time_point due() const { return sends() ? due_ : Clock::time_point::max(); }

    void send_due(Clock::time_point now);
    void receive_rtp(Clock::time_point now);
    void receive_rtcp();

    void begin(Clock::time_point first_packet);
    void pause() { sending_ = false; }
    void set_rate(double rate) { stream_.rate = rate; }
    void set_remote(const Endpoint& remote) { stream_.remote = remote; }
    [[nodiscard]] RtpCounts counts() const;

  private:
    RtpPort(RtpStream stream, UniqueFd rtp, UniqueFd rtcp);
    [[nodiscard]] bool sends() const { return sending_ && stream_.remote.port != 0 && stream_.rate > 0; }
    [[nodiscard]] bool is_expected(std::span<const std::uint8_t> packet) const;
    void send_packet();
    void send_report();
    static bool transmit(int socket, const Endpoint& to, std::span<const std::uint8_t> packet);

    RtpStream stream_;
    UniqueFd rtp_;
    UniqueFd rtcp_;
    std::vector<std::uint8_t> audio_; // encoded, played in a circle
    std::size_t played_ = 0;          // octets
    bool sending_ = false;
    bool marker_ = true; // first packet after silence (RFC 3551 4.1)
    std::uint16_t sequence_;
    std::uint32_t timestamp_;
    std::uint32_t ssrc_;
    Clock::time_point due_;
    Clock::time_point next_report_;
    RtpReceiver receiver_;
    RtpCounts counts_; // all that the receiver does not count
};

} // namespace stem::lab
