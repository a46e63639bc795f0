// SPDX-License-Identifier: Apache-2.0
// What goes out to the ends: segments of our own, each in the name of the other end.
#include <ctl/tcp/connection.h>

#include <algorithm>

namespace stem::tcp {
namespace {

constexpr std::size_t window_max = 65535; // nobody scales

} // namespace

std::size_t Connection::stored() const noexcept {
    std::size_t octets = 0;
    for (const End& end : end_) {
        octets += (end.in ? end.in->stored() : 0) + (end.out ? end.out->buffered() : 0) + end.held;
    }
    return octets;
}

bool Connection::is_transparent() const noexcept {
    for (const stem_direction from : {STEM_INBOUND, STEM_OUTBOUND}) {
        const auto& in = end_[from].in;
        const auto& out = end_[other(from)].out;
        if (!in || !out || in->next() != out->next() || out->in_flight()) {
            return false;
        }
    }
    return stored() == 0;
}

void Connection::account() noexcept {
    if (phase_ == Phase::reset || phase_ == Phase::over) {
        for (End& end : end_) {
            end.in.reset();
            end.framer.reset();
            end.out.reset();
        }
    }
    account(stored());
}

void Connection::account(std::size_t octets) noexcept {
    context_.stored += octets - accounted_;
    if (share_ != nullptr) {
        context_.stored_unknown += octets - accounted_;
        share_->stored += octets - accounted_;
    }
    accounted_ = octets;
}

Connection::Connection(Context& context, std::uint64_t id, const Ends& ends, Share* share,
                       std::uint64_t now_ns)
    : context_(context), id_(id), ends_(ends), share_(share), since_ns_(now_ns), heard_ns_(now_ns) {
    if (share_ != nullptr) {
        share_->connections++;
    }
}

Connection::~Connection() {
    become_known();
    account(0);
}

void Connection::become_known() noexcept {
    if (share_ == nullptr) {
        return;
    }
    const std::size_t octets = accounted_;
    account(0);
    share_->connections--;
    share_ = nullptr;
    account(octets);
}

// How much the end may send: what is still free of its stream's room, here and on the way out. No small
// windows (RFC 9293 3.8.6.2.2).
std::uint16_t Connection::window_for(stem_direction of) const noexcept {
    const End& end = end_[of];
    if (!end.in) {
        return static_cast<std::uint16_t>(std::min(context_.settings.buffer, window_max));
    }
    const End& receiver = end_[other(of)];
    const std::size_t used = end.in->stored() + (receiver.out ? receiver.out->buffered() : 0);
    const std::size_t room = used < end.in->capacity() ? end.in->capacity() - used : 0;
    const bool small = room < std::min<std::size_t>(end.in->capacity() / 2, end.mss);
    if (small || end.held >= context_.settings.held || context_.is_full(share_)) {
        return 0;
    }
    return static_cast<std::uint16_t>(std::min(room, window_max));
}

Outgoing Connection::to(stem_direction of) const noexcept {
    const End& receiver = end_[of];
    const End& sender = end_[other(of)];
    Outgoing outgoing;
    outgoing.to = of;
    outgoing.source = of == STEM_INBOUND ? ends_.inside : ends_.outside;
    outgoing.destination = of == STEM_INBOUND ? ends_.outside : ends_.served_by;
    outgoing.path = sender.path ? &*sender.path : nullptr;
    outgoing.back = receiver.path ? &*receiver.path : nullptr;
    outgoing.segment.flags = frame::tcp_ack;
    outgoing.segment.sequence = receiver.out ? receiver.out->next() : 0;
    outgoing.segment.acknowledgment = receiver.in ? receiver.in->next() : 0;
    outgoing.segment.window = window_for(of);
    if (use_timestamps()) {
        outgoing.options = OptionOctets::write({}, Timestamps{.value = sender.clock, .echo = receiver.clock});
    }
    return outgoing;
}

void Connection::dispatch(const Outgoing& outgoing) {
    End& end = end_[outgoing.to];
    end.advertised = outgoing.segment.window;
    context_.counts.segments_out++;
    context_.wire.send(outgoing);
}

void Connection::send_ack(stem_direction of) {
    end_[of].ack_due = false;
    dispatch(to(of));
}

void Connection::send_reset(stem_direction of, Seq sequence) {
    Outgoing outgoing = to(of);
    outgoing.segment.flags = frame::tcp_rst;
    outgoing.segment.sequence = sequence;
    outgoing.segment.acknowledgment = 0;
    outgoing.segment.window = 0;
    outgoing.options = {};
    dispatch(outgoing);
}

// With the number that the end waits for, if it has all that was sent; else it challenges (RFC 5961 3.2), and
// is told again with the number that its challenge names.
void Connection::send_reset_in_sequence(stem_direction of) {
    if (end_[of].out) {
        send_reset(of, end_[of].out->next());
    }
}

void Connection::flush_end(stem_direction of, std::uint64_t now_ns) {
    End& end = end_[of];
    const std::uint64_t repeated = end.out->repeated();
    while (const auto piece = end.out->pull(now_ns)) {
        Outgoing outgoing = to(of);
        outgoing.segment.sequence = piece->sequence;
        outgoing.segment.payload = piece->octets;
        outgoing.segment.flags = frame::tcp_ack;
        if (piece->last && !piece->octets.empty()) {
            outgoing.segment.flags |= frame::tcp_psh;
        }
        if (piece->fin) {
            outgoing.segment.flags |= frame::tcp_fin;
        }
        end.ack_due = false;
        dispatch(outgoing);
    }
    context_.counts.repeated += end.out->repeated() - repeated;
    const bool reopened = end.advertised < end.mss && window_for(of) >= end.mss;
    if (end.ack_due || reopened) {
        send_ack(of);
    }
}

// Before it goes out: what the place does not say yet, no end can have.
void Connection::note_place() {
    Place place{.behind = {}, .known = known()};
    for (const stem_direction of : {STEM_INBOUND, STEM_OUTBOUND}) {
        place.behind[of] = end_[of].out->end();
    }
    if (place_ != place) {
        context_.places.put(pair(), place);
        place_ = place;
    }
}

void Connection::flush(std::uint64_t now_ns) {
    if (phase_ == Phase::open) {
        note_place();
    }
    for (const stem_direction of : {STEM_INBOUND, STEM_OUTBOUND}) {
        if (phase_ == Phase::open && end_[of].out) {
            flush_end(of, now_ns);
        }
    }
    close_when_done(now_ns);
}

} // namespace stem::tcp
