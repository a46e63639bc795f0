// SPDX-License-Identifier: Apache-2.0
// The life of a connection that is open, and its end.
#include <ctl/tcp/connection.h>

#include <algorithm>

namespace stem::tcp {
namespace {

// Of what STEM itself adds to a stream that its end does not take.
constexpr std::size_t buffers_until_lost = 4;
constexpr std::int32_t window_max = 65535;                   // nobody scales
constexpr std::uint64_t challenge_interval_ns = 500'000'000; // Linux's

constexpr std::uint64_t ns_of(std::chrono::nanoseconds duration) {
    return static_cast<std::uint64_t>(duration.count());
}

void soonest(std::uint64_t& deadline, std::uint64_t at) {
    if (at != 0 && (deadline == 0 || at < deadline)) {
        deadline = at;
    }
}

} // namespace

std::string_view to_string(Phase phase) noexcept {
    switch (phase) {
    case Phase::opening:
        return "opening";
    case Phase::answered:
        return "answered";
    case Phase::open:
        return "open";
    case Phase::resuming:
        return "resuming";
    case Phase::closed:
        return "closed";
    case Phase::reset:
        return "reset";
    case Phase::over:
        break;
    }
    return "over";
}

stem_reason Connection::receive(stem_direction from, const Segment& segment, const Path* path,
                                std::uint64_t now_ns) {
    heard_ns_ = now_ns;
    context_.counts.segments_in++;
    if (path != nullptr) {
        end_[from].path = *path;
    }
    stem_reason reason = STEM_TCP_WINDOW;
    switch (phase_) {
    case Phase::opening:
    case Phase::answered:
        reason = shake(from, segment, now_ns);
        break;
    case Phase::open:
        reason = receive_open(from, segment, now_ns);
        break;
    case Phase::resuming:
        reason = resume(from, segment, now_ns);
        break;
    case Phase::closed:
        if (segment.has(frame::tcp_rst)) {
            end_phase(Phase::over, now_ns);
        } else if (!segment.payload.empty() || segment.has(frame::tcp_fin)) {
            send_ack(from);
        }
        break;
    case Phase::reset:
        if (!segment.has(frame::tcp_rst) && segment.has(frame::tcp_ack)) {
            send_reset(from, segment.acknowledgment);
        }
        break;
    case Phase::over:
        break;
    }
    flush(now_ns);
    account();
    return reason;
}

stem_reason Connection::receive_open(stem_direction from, const Segment& segment, std::uint64_t now_ns) {
    End& end = end_[from];
    if (segment.has(frame::tcp_syn)) { // RFC 5961 4.2: whoever began anew answers this with RST
        challenge(from, now_ns);
        return STEM_TCP_WINDOW;
    }
    if (segment.has(frame::tcp_rst)) {
        return heed_reset(from, segment, now_ns);
    }
    if (!is_acceptable(from, segment)) {
        challenge(from, now_ns);
        return STEM_TCP_WINDOW;
    }
    if (!acknowledged(from, segment, now_ns)) {
        return STEM_TCP_WINDOW;
    }
    if (segment.options.timestamps &&
        distance(end.clock, segment.options.timestamps->value) > 0) { // they wrap around, too
        end.clock = segment.options.timestamps->value;
    }
    if (End& asker = end_[other(from)]; asker.probed) {
        asker.probed = false;
        asker.ack_due = true;
    }
    const bool fin = segment.has(frame::tcp_fin);
    if (segment.sequence == end.in->next() - 1 && segment.payload.size() <= 1 && !fin) {
        ask_whether_alive(from); // a keep-alive (RFC 9293 3.8.4)
    } else if (!segment.payload.empty() || fin) {
        take(from, segment, now_ns);
    }
    return STEM_TCP_TAKEN;
}

// RFC 9293 3.10.7.4, its first check: what is more than a window away was sent by somebody else, and what it
// acknowledges counts no more than what it says. What is behind may be sent again, with an acknowledgment
// that is new.
bool Connection::is_acceptable(stem_direction from, const Segment& segment) const noexcept {
    const std::int32_t ahead = distance(end_[from].in->next(), segment.sequence);
    return ahead >= -window_max && ahead <= window_max;
}

bool Connection::acknowledged(stem_direction from, const Segment& segment, std::uint64_t now_ns) {
    End& end = end_[from];
    if (!segment.has(frame::tcp_ack)) {
        return false;
    }
    const bool bare = segment.payload.empty() && !segment.has(frame::tcp_fin);
    if (!end.out->acknowledge(segment.acknowledgment, segment.window, bare, now_ns)) {
        challenge(from, now_ns);
        return false;
    }
    read(other(from), now_ns); // there may be room again
    return phase_ == Phase::open;
}

// The question goes on to the other end, and only its answer is answered: who is gone must not seem to live.
void Connection::ask_whether_alive(stem_direction of) {
    const stem_direction asked = other(of);
    end_[of].probed = true;
    Outgoing outgoing = to(asked);
    outgoing.segment.sequence = end_[asked].out->next() - 1;
    dispatch(outgoing);
}

// RFC 5961 3.2: only the exact number ends a connection.
stem_reason Connection::heed_reset(stem_direction from, const Segment& segment, std::uint64_t now_ns) {
    End& end = end_[from];
    const std::int32_t ahead = distance(end.in->next(), segment.sequence);
    if (ahead == 0) {
        send_reset_in_sequence(other(from));
        context_.counts.closed++;
        end_phase(Phase::over, now_ns);
        return STEM_TCP_TAKEN;
    }
    if (ahead > 0 && static_cast<std::size_t>(ahead) < end.in->capacity()) {
        challenge(from, now_ns);
    }
    return STEM_TCP_WINDOW;
}

// An end that does not fit its connection is told where it is; now and then, as two of them might tell each
// other for ever (RFC 5961 7).
void Connection::challenge(stem_direction from, std::uint64_t now_ns) {
    End& end = end_[from];
    if (now_ns >= end.challenge_again_ns) {
        end.challenge_again_ns = now_ns + challenge_interval_ns;
        end.ack_due = true;
    }
}

bool Connection::write(stem_direction direction, std::string_view octets, std::uint64_t now_ns) {
    End& receiver = end_[other(direction)];
    if (phase_ != Phase::open || !receiver.out || receiver.out->finished()) {
        return false;
    }
    if (receiver.out->buffered() + octets.size() > buffers_until_lost * context_.settings.buffer) {
        fail(other(direction), STEM_TCP_UNACKNOWLEDGED, "it takes nothing of what is for it", now_ns);
        if (!reading_) {
            account();
        }
        return false;
    }
    receiver.out->append(octets);
    if (!reading_) {
        flush(now_ns);
        account();
    }
    return true;
}

void Connection::settle(stem_direction direction, std::size_t octets, bool went_on, std::uint64_t now_ns) {
    End& end = end_[direction];
    end.held -= std::min(end.held, octets);
    end.held_messages -= end.held_messages > 0 ? 1 : 0;
    end.discarded += went_on ? 0 : octets;
    if (!reading_) {
        read(direction, now_ns);
        flush(now_ns);
        account();
    }
}

void Connection::fail(stem_direction direction, stem_reason reason, std::string_view what,
                      std::uint64_t now_ns) {
    send_reset_in_sequence(STEM_INBOUND);
    send_reset_in_sequence(STEM_OUTBOUND);
    context_.counts.reset++;
    const bool inbound = direction == STEM_INBOUND;
    end_phase(Phase::reset, now_ns);
    context_.reader.ended(direction, inbound ? ends_.outside : ends_.inside,
                          inbound ? ends_.inside : ends_.outside, reason, what);
}

void Connection::end_phase(Phase phase, std::uint64_t now_ns) {
    if (place_) {
        context_.places.erase(pair());
        place_.reset();
    }
    phase_ = phase;
    phase_ends_ns_ = now_ns + ns_of(context_.settings.linger);
}

void Connection::close_when_done(std::uint64_t now_ns) {
    const auto is_done = [](const End& end) { return end.fin_taken && end.out && end.out->done(); };
    if (phase_ == Phase::open && std::ranges::all_of(end_, is_done)) {
        context_.counts.closed++;
        end_phase(Phase::closed, now_ns);
    }
}

std::uint64_t Connection::deadline() const noexcept {
    std::uint64_t deadline = phase_ends_ns_;
    if (phase_ != Phase::open) {
        return deadline;
    }
    const auto& settings = context_.settings;
    soonest(deadline, heard_ns_ + ns_of(settings.idle));
    for (const End& end : end_) {
        soonest(deadline, end.out->deadline());
        soonest(deadline, end.paused_until_ns);
        if (end.out->stalled_since() != 0) {
            soonest(deadline, end.out->stalled_since() + ns_of(settings.unacknowledged));
        }
        if (end.message_since_ns != 0) {
            soonest(deadline, message_deadline(end));
        }
        if (end.gap_since_ns != 0) {
            soonest(deadline, end.gap_since_ns + ns_of(settings.message_timeout));
        }
    }
    return deadline;
}

void Connection::tick(std::uint64_t now_ns) {
    if (phase_ != Phase::open) {
        if (phase_ends_ns_ != 0 && phase_ends_ns_ <= now_ns) {
            if (phase_ == Phase::resuming) {
                give_up_resuming(now_ns);
            } else {
                end_phase(Phase::over, now_ns);
            }
        }
        account();
        return;
    }
    const auto& settings = context_.settings;
    for (const stem_direction of : {STEM_INBOUND, STEM_OUTBOUND}) {
        End& end = end_[of];
        if (phase_ != Phase::open) {
            break;
        }
        end.out->fire(now_ns);
        if (end.out->stalled_since() != 0 &&
            end.out->stalled_since() + ns_of(settings.unacknowledged) <= now_ns) {
            fail(of, STEM_TCP_UNACKNOWLEDGED, "it acknowledges nothing", now_ns);
            break;
        }
        read(of, now_ns);
        if (phase_ == Phase::open) {
            check_progress(of, now_ns);
        }
    }
    if (phase_ == Phase::open && heard_ns_ + ns_of(settings.idle) <= now_ns) {
        fail(origin_, STEM_TCP_IDLE, "nothing came for longer than [tcp] idle_seconds", now_ns);
    }
    flush(now_ns);
    account();
}

} // namespace stem::tcp
