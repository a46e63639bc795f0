// SPDX-License-Identifier: Apache-2.0
// The sending half of a stream: octets that its end has not acknowledged yet, and when they go out (again).
// RFC 9293 3.8, RFC 6298 (when to repeat), RFC 5681 and 6582 (how much at once, and after a loss).
//
// The caller pulls: after anything has changed, until there is nothing more to be sent now.
#pragma once

#include <ctl/tcp/sequence.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace stem::tcp {

class Sender {
  public:
    // `first`: of the first octet. `mss`: octets of payload in a segment; `least_mss`: where larger ones do
    // not seem to arrive. `least_rate`: octets/s that its end takes if it is not stalled.
    Sender(Seq first, std::size_t mss, std::size_t least_mss, std::size_t least_rate);

    void append(std::string_view octets);
    void finish() noexcept { finished_ = true; } // a FIN, behind all of it

    struct Piece {
        Seq sequence = 0;
        std::string_view octets; // until the next call
        bool fin = false;
        bool last = false; // of what there is to be sent: PSH
    };
    // What is to be sent now; nothing: wait, for an acknowledgment or for deadline().
    std::optional<Piece> pull(std::uint64_t now_ns);

    // `window`: octets from `ack` on. `bare`: no payload, no FIN came with it. False: it acknowledges what
    // was never sent, or what lies further back than its end could be: somebody else's (RFC 5961 5.2).
    bool acknowledge(Seq ack, std::uint32_t window, bool bare, std::uint64_t now_ns);

    // When fire() is due; 0: never.
    [[nodiscard]] std::uint64_t deadline() const noexcept { return deadline_ns_; }
    void fire(std::uint64_t now_ns);

    [[nodiscard]] Seq next() const noexcept { return highest_; } // behind all that was sent
    // Behind all that there is to be sent, its FIN too.
    [[nodiscard]] Seq end() const noexcept { return una_ + static_cast<Seq>(outstanding()); }
    [[nodiscard]] Seq unacknowledged() const noexcept { return una_; }
    [[nodiscard]] std::size_t buffered() const noexcept { return buffer_.size() - head_; }
    [[nodiscard]] bool in_flight() const noexcept { return highest_ != una_; }
    [[nodiscard]] bool finished() const noexcept { return finished_; } // nothing can be appended any more
    // All, and its FIN, has arrived.
    [[nodiscard]] bool done() const noexcept { return finished_ && fin_sent_ && una_ == highest_; }
    // Since when nothing of what is there to be taken was, or too little: what was taken counts as the time
    // that it takes at the least rate, so that an end that takes an octet now and then is stalled, too. 0:
    // there is nothing.
    [[nodiscard]] std::uint64_t stalled_since() const noexcept { return stalled_since_ns_; }
    [[nodiscard]] std::uint64_t repeated() const noexcept { return repeated_; } // segments

    // Linux's: RFC 6298's second is long for a call that waits.
    static constexpr std::uint64_t least_timeout_ns = 200'000'000;
    static constexpr std::uint64_t first_timeout_ns = 1'000'000'000;
    static constexpr std::uint64_t longest_timeout_ns = 30'000'000'000;

  private:
    [[nodiscard]] std::size_t flight() const noexcept { return static_cast<std::size_t>(highest_ - una_); }
    [[nodiscard]] std::size_t outstanding() const noexcept; // what is still to be acknowledged, its FIN too
    Piece piece_at(Seq sequence, std::size_t length);
    void advance(std::size_t acked, std::uint64_t now_ns);
    void watch_stall(std::size_t acked, std::uint64_t now_ns);
    void heed_repeated_ack();
    void measure(std::uint64_t rtt_ns);
    void arm(std::uint64_t now_ns);

    std::string buffer_; // from head_ on: from una_ on
    std::size_t head_ = 0;
    bool finished_ = false;
    bool fin_sent_ = false;

    Seq una_;
    Seq next_;    // to be sent next; behind highest_ while what was lost is repeated
    Seq highest_; // behind all that was sent
    std::size_t mss_;
    std::size_t least_mss_;
    std::size_t least_rate_;
    std::uint32_t window_;
    std::uint32_t largest_window_; // that its end has had
    std::size_t congestion_;
    std::size_t threshold_ = 1U << 20U; // of slow start
    unsigned repeated_acks_ = 0;
    std::optional<Seq> recover_; // fast recovery lasts until this is acknowledged
    bool repeat_first_ = false;  // the segment at una_ is to be sent again
    bool forced_ = false;        // one segment, whatever the window

    std::uint64_t deadline_ns_ = 0;
    std::uint64_t timeout_ns_ = first_timeout_ns;
    unsigned timeouts_ = 0;                              // in a row
    std::optional<std::pair<Seq, std::uint64_t>> timed_; // arrives when this is acknowledged; sent then
    std::uint64_t smoothed_rtt_ns_ = 0;
    std::uint64_t rtt_variance_ns_ = 0;
    std::uint64_t stalled_since_ns_ = 0;
    Seq stall_ends_ = 0; // behind all that was there to be taken when it began
    std::uint64_t repeated_ = 0;
};

} // namespace stem::tcp
