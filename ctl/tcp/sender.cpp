// SPDX-License-Identifier: Apache-2.0
#include <ctl/tcp/sender.h>

#include <algorithm>
#include <utility>

namespace stem::tcp {
namespace {

constexpr std::size_t initial_segments = 10; // RFC 6928
constexpr unsigned repeated_acks_max = 3;    // RFC 5681 3.2
constexpr unsigned timeouts_until_small = 2; // in a row: perhaps the path takes no segments of this size
constexpr std::size_t congestion_max = 1U << 20U;
constexpr std::uint64_t ns_per_second = 1'000'000'000;

} // namespace

Sender::Sender(Seq first, std::size_t mss, std::size_t least_mss, std::size_t least_rate)
    : una_(first), next_(first), highest_(first), mss_(mss), least_mss_(std::min(mss, least_mss)),
      least_rate_(std::max<std::size_t>(least_rate, 1)), window_(static_cast<std::uint32_t>(mss)),
      largest_window_(window_), congestion_(initial_segments * mss) {
}

void Sender::append(std::string_view octets) {
    if (head_ > 0 && head_ >= buffer_.size() / 2) {
        buffer_.erase(0, head_);
        head_ = 0;
    }
    buffer_ += octets;
}

std::size_t Sender::outstanding() const noexcept {
    const bool fin = finished_ && !(fin_sent_ && una_ == highest_);
    return buffered() + (fin ? 1 : 0);
}

Sender::Piece Sender::piece_at(Seq sequence, std::size_t length) {
    const auto offset = static_cast<std::size_t>(sequence - una_);
    Piece piece{.sequence = sequence, .octets = std::string_view(buffer_).substr(head_ + offset, length)};
    piece.last = offset + piece.octets.size() == buffered();
    piece.fin = finished_ && piece.last;
    return piece;
}

std::optional<Sender::Piece> Sender::pull(std::uint64_t now_ns) {
    if (outstanding() == 0) {
        deadline_ns_ = 0;
        stalled_since_ns_ = 0;
        return std::nullopt;
    }
    if (stalled_since_ns_ == 0) {
        stalled_since_ns_ = now_ns;
        stall_ends_ = end();
    }
    const bool repeats_first = std::exchange(repeat_first_, false) && highest_ != una_;
    const Seq from = repeats_first ? una_ : next_;
    const auto offset = static_cast<std::size_t>(from - una_);
    const std::size_t available = offset < buffered() ? buffered() - offset : 0;
    const std::size_t usable = std::min<std::size_t>(window_, congestion_);
    const bool forced = std::exchange(forced_, false) || repeats_first;
    std::size_t room = usable > offset ? usable - offset : 0;
    if (forced) {
        room = std::max<std::size_t>(room, 1);
    }
    const std::size_t length = std::min({available, mss_, room});
    const bool fin_only = available == 0 && finished_ && offset == buffered();
    if (fin_only ? room == 0 : length == 0) {
        arm(now_ns); // a closed window is asked after
        return std::nullopt;
    }
    // No small segment while others are under way, but for the last (RFC 9293 3.8.6.2.1).
    if (!forced && length < mss_ && length < available && offset > 0) {
        return std::nullopt;
    }
    const Piece piece = piece_at(from, length);
    const Seq end = from + static_cast<Seq>(piece.octets.size()) + (piece.fin ? 1 : 0);
    if (before(highest_, end)) {
        highest_ = end;
        fin_sent_ = fin_sent_ || piece.fin;
        if (!timed_) {
            timed_.emplace(end, now_ns);
        }
    } else {
        repeated_++;
        timed_.reset(); // which copy an acknowledgment is for cannot be told (Karn)
    }
    if (!repeats_first) {
        next_ = end;
    }
    arm(now_ns);
    return piece;
}

void Sender::arm(std::uint64_t now_ns) {
    if (deadline_ns_ == 0) {
        deadline_ns_ = now_ns + timeout_ns_;
    }
}

bool Sender::acknowledge(Seq ack, std::uint32_t window, bool bare, std::uint64_t now_ns) {
    if (before(highest_, ack)) {
        return false;
    }
    if (before(ack, una_)) { // overtaken by a later one
        return una_ - ack <= largest_window_;
    }
    const bool same_window = window == window_;
    if (window_ == 0 && window > 0) { // what asked after the closed window was not taken
        next_ = ack;
        timeouts_ = 0;
        deadline_ns_ = 0;
    }
    window_ = window;
    largest_window_ = std::max(largest_window_, window);
    if (ack != una_) {
        advance(static_cast<std::size_t>(ack - una_), now_ns);
    } else if (bare && same_window && window > 0 && in_flight()) {
        heed_repeated_ack();
    }
    return true;
}

void Sender::advance(std::size_t acked, std::uint64_t now_ns) {
    const Seq ack = una_ + static_cast<Seq>(acked);
    if (timed_ && !before(ack, timed_->first)) {
        measure(now_ns - timed_->second);
        timed_.reset();
    }
    head_ += std::min(acked, buffered()); // its FIN is no octet
    if (head_ == buffer_.size()) {
        buffer_.clear();
        head_ = 0;
    }
    una_ = ack;
    if (before(next_, una_)) {
        next_ = una_;
    }
    repeated_acks_ = 0;
    if (recover_ && before(ack, *recover_)) {
        repeat_first_ = true; // the next hole (RFC 6582 3.2, step 3)
        congestion_ = std::max(congestion_ > acked ? congestion_ - acked + mss_ : mss_, mss_);
    } else if (recover_) {
        recover_.reset();
        congestion_ = std::max(threshold_, mss_);
    } else {
        congestion_ += congestion_ < threshold_ ? std::min(acked, mss_)
                                                : std::max<std::size_t>(mss_ * mss_ / congestion_, 1);
        congestion_ = std::min(congestion_, congestion_max);
    }
    if (timeouts_ > 0) {
        timeouts_ = 0;
        timeout_ns_ = smoothed_rtt_ns_ == 0
                          ? first_timeout_ns
                          : std::max(smoothed_rtt_ns_ + 4 * rtt_variance_ns_, least_timeout_ns);
    }
    watch_stall(acked, now_ns);
    deadline_ns_ = 0;
    if (in_flight()) {
        arm(now_ns);
    }
}

// Only who has taken all that was there begins anew: a sender of little, whose last octets are always under
// way, is not slow.
void Sender::watch_stall(std::size_t acked, std::uint64_t now_ns) {
    if (outstanding() == 0) {
        stalled_since_ns_ = 0;
    } else if (stalled_since_ns_ == 0 || !before(una_, stall_ends_)) {
        stalled_since_ns_ = now_ns;
        stall_ends_ = end();
    } else {
        stalled_since_ns_ = std::min(now_ns, stalled_since_ns_ + acked * ns_per_second / least_rate_);
    }
}

void Sender::heed_repeated_ack() {
    repeated_acks_++;
    if (repeated_acks_ == repeated_acks_max && !recover_) {
        threshold_ = std::max(flight() / 2, 2 * mss_);
        congestion_ = threshold_ + repeated_acks_max * mss_;
        recover_ = highest_;
        repeat_first_ = true;
    } else if (recover_ && repeated_acks_ > repeated_acks_max) {
        congestion_ = std::min(congestion_ + mss_, congestion_max); // one has left the network
    }
}

// RFC 6298 2.2, 2.3.
void Sender::measure(std::uint64_t rtt_ns) {
    if (smoothed_rtt_ns_ == 0) {
        smoothed_rtt_ns_ = rtt_ns;
        rtt_variance_ns_ = rtt_ns / 2;
    } else {
        const std::uint64_t error =
            smoothed_rtt_ns_ > rtt_ns ? smoothed_rtt_ns_ - rtt_ns : rtt_ns - smoothed_rtt_ns_;
        rtt_variance_ns_ = (3 * rtt_variance_ns_ + error) / 4;
        smoothed_rtt_ns_ = (7 * smoothed_rtt_ns_ + rtt_ns) / 8;
    }
    timeout_ns_ = std::clamp(smoothed_rtt_ns_ + 4 * rtt_variance_ns_, least_timeout_ns, longest_timeout_ns);
}

void Sender::fire(std::uint64_t now_ns) {
    if (deadline_ns_ == 0 || deadline_ns_ > now_ns) {
        return;
    }
    deadline_ns_ = 0;
    if (outstanding() == 0) {
        return;
    }
    timeouts_++;
    timeout_ns_ = std::min(timeout_ns_ * 2, longest_timeout_ns);
    if (window_ > 0 && in_flight()) { // lost; a closed window only wants to be asked after
        if (timeouts_ >= timeouts_until_small) {
            mss_ = least_mss_;
        }
        threshold_ = std::max(flight() / 2, 2 * mss_);
        congestion_ = mss_;
        recover_.reset();
        repeated_acks_ = 0;
    }
    next_ = una_;
    timed_.reset();
    forced_ = true;
}

} // namespace stem::tcp
