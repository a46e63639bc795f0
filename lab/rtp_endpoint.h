// SPDX-License-Identifier: Apache-2.0
// Our own RTP sender and receiver: G.711 of a real audio signal, so that a test knows exactly what was sent,
// what arrived and what was lost. One thread serves all streams of an endpoint (hundreds), each with its own
// sockets.
#pragma once

#include <stem/address.h>
#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace stem::lab {

class Netns;

struct RtpStream {
    Endpoint local;                // RTP; RTCP is at the next port
    Endpoint remote;               // port 0: listen only, to whoever sends
    std::uint8_t payload_type = 8; // 0: mu-law; all others: A-law octets
    std::chrono::milliseconds packet_time{20};
    std::size_t payload_octets = 160;       // 160: 20 ms of G.711
    double rate = 1.0;                      // packets sent, as a multiple of one in each packet time
    bool rtcp = true;                       // a sender report and a CNAME at the start and in every second
    std::optional<std::uint32_t> ssrc = {}; // random when not given
    // Only what has this SSRC counts as received; the rest is foreign.
    std::optional<std::uint32_t> remote_ssrc = {};
};

// Octets are of UDP payloads. Only what came from `remote` counts as received; the rest is `foreign`.
struct RtpCounts {
    using Clock = std::chrono::steady_clock;

    std::uint64_t sent = 0;
    std::uint64_t sent_octets = 0;
    std::uint64_t send_errors =
        0; // refused by the kernel; not in `sent`, but their sequence numbers are used up
    std::uint64_t received = 0;
    std::uint64_t received_octets = 0;
    std::uint64_t lost = 0; // gaps in the sequence numbers, as far as the highest that arrived
    std::uint64_t duplicates = 0;
    std::uint64_t reordered = 0;
    std::uint64_t foreign = 0;
    std::uint64_t not_rtp = 0;
    std::uint64_t rtcp_sent = 0;
    std::uint64_t rtcp_received = 0;
    std::optional<Clock::time_point> first_received = {};
    std::optional<Clock::time_point> last_received = {};
    Clock::duration longest_gap{}; // between two received packets
};

class RtpEndpoint {
  public:
    // Binds all sockets in `netns` and listens. Open both ends, then send: no packet meets a closed port.
    static Result<RtpEndpoint> open(const Netns& netns, const std::vector<RtpStream>& streams);
    ~RtpEndpoint(); // ends the thread
    RtpEndpoint(RtpEndpoint&&) noexcept;
    RtpEndpoint& operator=(RtpEndpoint&&) noexcept;
    RtpEndpoint(const RtpEndpoint&) = delete;
    RtpEndpoint& operator=(const RtpEndpoint&) = delete;

    [[nodiscard]] std::size_t size() const; // streams
    // These may be called while it runs. `stream` < size().
    void send(std::size_t stream);
    void pause(std::size_t stream); // goes on to receive
    void send_all();                // the streams' packets are spread over the packet time
    void pause_all();
    void set_rate(std::size_t stream, double rate);
    void set_remote(std::size_t stream, const Endpoint& remote);
    [[nodiscard]] RtpCounts counts(std::size_t stream) const;
    [[nodiscard]] RtpCounts
    total() const; // first, last and gap: the earliest, latest and longest of all streams

  private:
    class Engine;
    explicit RtpEndpoint(std::unique_ptr<Engine> engine);

    std::unique_ptr<Engine> engine_;
};

} // namespace stem::lab
