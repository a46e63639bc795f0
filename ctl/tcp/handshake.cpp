// SPDX-License-Identifier: Apache-2.0
// How a connection begins: the ends' own handshake, passed on (RFC 9293 3.5); or, after stemd was started
// anew, by asking the ends where they are.
#include <ctl/tcp/connection.h>

#include <algorithm>

namespace stem::tcp {
namespace {

constexpr std::uint16_t mss_v4 = 536; // where nobody says (RFC 9293 3.7.1)
constexpr std::uint16_t mss_v6 = 1220;
// An AF_XDP frame has 3,840 octets, and that with all headers.
constexpr std::size_t mss_max = 3600;
constexpr std::size_t headers_v4 = frame::ipv4_header + frame::tcp_header;
constexpr std::size_t headers_v6 = frame::ipv6_header + frame::tcp_header;
constexpr std::uint64_t resume_ns = 3'000'000'000;
constexpr std::int32_t window_max = 65535;

constexpr std::uint64_t ns_of(std::chrono::nanoseconds duration) {
    return static_cast<std::uint64_t>(duration.count());
}

} // namespace

void Connection::begin(stem_direction from, const Segment& segment, const Path& path,
                       const std::optional<Place>& earlier, std::uint64_t now_ns) {
    origin_ = from;
    end_[from].path = path;
    context_.counts.segments_in++;
    if (segment.is_syn()) {
        note_syn(from, segment);
        phase_ends_ns_ = now_ns + ns_of(context_.settings.handshake_timeout);
        send_syn(other(from));
        return;
    }
    phase_ = Phase::resuming;
    earlier_ = earlier.value_or(Place{});
    phase_ends_ns_ = now_ns + resume_ns;
    asked_ = segment;
    asked_.payload = {};
    ask_to_resume();
}

void Connection::note_syn(stem_direction from, const Segment& segment) {
    End& end = end_[from];
    const bool v4 = ends_.outside.address.is_v4();
    const std::size_t room = context_.settings.mtu[from] - (v4 ? headers_v4 : headers_v6);
    end.first = segment.sequence;
    end.first_window = segment.window;
    end.mss = static_cast<std::uint16_t>(
        std::min<std::size_t>({segment.options.mss.value_or(v4 ? mss_v4 : mss_v6), room, mss_max}));
    end.mss = std::max<std::uint16_t>(end.mss, 64);
    end.has_timestamps = segment.options.timestamps.has_value();
    end.clock = end.has_timestamps ? segment.options.timestamps->value : 0;
}

// The other end's SYN, or SYN-ACK, with those options that both can keep to.
void Connection::send_syn(stem_direction to_end) {
    const End& from = end_[other(to_end)];
    const End& receiver = end_[to_end];
    const bool answers = phase_ == Phase::answered;
    Outgoing outgoing = to(to_end);
    outgoing.segment.flags = answers ? frame::tcp_syn | frame::tcp_ack : frame::tcp_syn;
    outgoing.segment.sequence = from.first;
    outgoing.segment.acknowledgment = answers ? receiver.first + 1 : 0;
    std::optional<Timestamps> timestamps;
    if (answers ? use_timestamps() : from.has_timestamps) {
        timestamps = Timestamps{.value = from.clock, .echo = receiver.clock};
    }
    outgoing.options = OptionOctets::write(from.mss, timestamps);
    dispatch(outgoing);
}

stem_reason Connection::shake(stem_direction from, const Segment& segment, std::uint64_t now_ns) {
    return phase_ == Phase::opening ? shake_opening(from, segment, now_ns)
                                    : shake_answered(from, segment, now_ns);
}

stem_reason Connection::shake_opening(stem_direction from, const Segment& segment, std::uint64_t now_ns) {
    if (from == origin_) {
        if (segment.is_syn()) { // again; with another number: its sender began anew
            note_syn(from, segment);
            send_syn(other(from));
            return STEM_TCP_TAKEN;
        }
        if (segment.has(frame::tcp_rst) && segment.sequence == end_[from].first + 1) {
            send_reset(other(from), segment.sequence);
            end_phase(Phase::over, now_ns);
            return STEM_TCP_TAKEN;
        }
        return STEM_TCP_WINDOW;
    }
    if (!segment.has(frame::tcp_ack) || segment.acknowledgment != end_[origin_].first + 1) {
        return STEM_TCP_WINDOW;
    }
    if (segment.has(frame::tcp_rst)) {
        refuse(origin_, now_ns);
        return STEM_TCP_TAKEN;
    }
    if (!segment.has(frame::tcp_syn) || segment.options.is_signed) {
        return STEM_TCP_WINDOW;
    }
    note_syn(from, segment);
    phase_ = Phase::answered;
    send_syn(origin_);
    return STEM_TCP_TAKEN;
}

// Nobody listens there: as the other end would have said it.
void Connection::refuse(stem_direction to_end, std::uint64_t now_ns) {
    Outgoing outgoing = to(to_end);
    outgoing.segment.flags = frame::tcp_rst | frame::tcp_ack;
    outgoing.segment.sequence = 0;
    outgoing.segment.acknowledgment = end_[to_end].first + 1;
    outgoing.segment.window = 0;
    outgoing.options = {};
    dispatch(outgoing);
    end_phase(Phase::over, now_ns);
}

stem_reason Connection::shake_answered(stem_direction from, const Segment& segment, std::uint64_t now_ns) {
    const End& sender = end_[from];
    const End& receiver = end_[other(from)];
    if (segment.has(frame::tcp_syn)) { // again
        if (segment.sequence != sender.first) {
            return STEM_TCP_WINDOW;
        }
        send_syn(origin_);
        return STEM_TCP_TAKEN;
    }
    if (segment.sequence != sender.first + 1) {
        return STEM_TCP_WINDOW;
    }
    if (segment.has(frame::tcp_rst)) {
        send_reset(other(from), segment.sequence);
        end_phase(Phase::over, now_ns);
        return STEM_TCP_TAKEN;
    }
    if (from != origin_ || !segment.has(frame::tcp_ack) || segment.acknowledgment != receiver.first + 1) {
        return STEM_TCP_WINDOW;
    }
    establish(now_ns);
    return receive_open(from, segment, now_ns);
}

void Connection::establish(std::uint64_t now_ns) {
    for (const stem_direction from : {STEM_INBOUND, STEM_OUTBOUND}) {
        make_streams(from, end_[from].first + 1, end_[other(from)].first + 1);
        end_[from].out->acknowledge(end_[other(from)].first + 1, end_[from].first_window, false, now_ns);
    }
    end_[other(origin_)].ack_due = true;
    phase_ = Phase::open;
    phase_ends_ns_ = 0;
    context_.counts.opened++;
}

void Connection::make_streams(stem_direction from, Seq next_in, Seq next_out) {
    End& end = end_[from];
    const bool v4 = ends_.outside.address.is_v4();
    const std::size_t options = use_timestamps() ? timestamp_octets : 0;
    end.in.emplace(next_in, context_.settings.buffer);
    end.framer.emplace(context_.settings.framing);
    end.out.emplace(next_out, std::max<std::size_t>(end.mss, 64 + options) - options,
                    (v4 ? mss_v4 : mss_v6) - options, context_.settings.least_rate);
}

// A stemd before this one knew the connection. A segment that acknowledges nothing new, and has an old
// number, makes its receiver say where it is (RFC 9293 3.8.4, 3.10.7.4).
void Connection::ask_to_resume() {
    Outgoing outgoing = to(other(origin_));
    outgoing.segment = asked_;
    outgoing.segment.flags = frame::tcp_ack;
    outgoing.segment.sequence = asked_.sequence - 1;
    outgoing.options = OptionOctets::write({}, asked_.options.timestamps);
    dispatch(outgoing);
}

// The two ends' numbers fit each other if nothing was changed in their streams; and each has what the last
// stemd had for it, all of it and nothing else, so it waits for the beginning of a message. What that stemd
// took in and did not send on is a hole that is never filled, and ends the connection.
bool Connection::ends_agree() const noexcept {
    const std::int32_t ahead = distance(answer_->acknowledgment, asked_.sequence);
    const std::int32_t back = distance(asked_.acknowledgment, answer_->sequence);
    const bool fit = ahead >= -1 && ahead <= window_max && back >= 0 && back <= window_max;
    return fit && asked_.acknowledgment == earlier_.behind[origin_] &&
           answer_->acknowledgment == earlier_.behind[other(origin_)];
}

// Whoever knows the addresses and ports can say something in an end's name. So what does not fit ends
// nothing: the other end is left alone, who spoke is told by a number that ends only a connection that it is
// of, and the next segment may fit.
stem_reason Connection::resume(stem_direction from, const Segment& segment, std::uint64_t now_ns) {
    if (segment.has(frame::tcp_rst)) {
        if (from == origin_ || segment.sequence != asked_.acknowledgment) { // RFC 9293 3.10.7.1
            return STEM_TCP_WINDOW;
        }
        send_reset(origin_, asked_.acknowledgment);
        place_ = earlier_; // nobody is to look for it any more
        end_phase(Phase::over, now_ns);
        return STEM_TCP_UNKNOWN;
    }
    if (!segment.has(frame::tcp_ack) || segment.has(frame::tcp_syn)) {
        return STEM_TCP_WINDOW;
    }
    Segment& said = from == origin_ ? asked_ : answer_.emplace();
    said = segment;
    said.payload = {};
    if (answer_ && ends_agree()) {
        take_over(now_ns);
        return receive_open(from, segment, now_ns);
    }
    if (from == origin_) {
        ask_to_resume();
    } else {
        send_reset(origin_, asked_.acknowledgment);
    }
    return STEM_TCP_UNKNOWN;
}

void Connection::take_over(std::uint64_t now_ns) {
    const stem_direction asked = other(origin_);
    const bool v4 = ends_.outside.address.is_v4();
    for (const stem_direction each : {STEM_INBOUND, STEM_OUTBOUND}) {
        end_[each].mss = v4 ? mss_v4 : mss_v6;
        const auto& timestamps = (each == origin_ ? asked_ : *answer_).options.timestamps;
        end_[each].has_timestamps = timestamps.has_value();
        end_[each].clock = timestamps ? timestamps->value : 0;
    }
    make_streams(origin_, answer_->acknowledgment, asked_.acknowledgment);
    make_streams(asked, asked_.acknowledgment, answer_->acknowledgment);
    end_[origin_].out->acknowledge(asked_.acknowledgment, asked_.window, false, now_ns);
    end_[asked].out->acknowledge(answer_->acknowledgment, answer_->window, false, now_ns);
    phase_ = Phase::open;
    phase_ends_ns_ = 0;
    context_.counts.resumed++;
    end_[origin_].ack_due = true;
}

// Nobody has said anything by which it could go on.
void Connection::give_up_resuming(std::uint64_t now_ns) {
    send_reset(origin_, asked_.acknowledgment);
    if (answer_) {
        context_.counts.reset++;
        const bool inbound = origin_ == STEM_INBOUND;
        context_.reader.ended(origin_, inbound ? ends_.outside : ends_.inside,
                              inbound ? ends_.inside : ends_.outside, STEM_TCP_UNKNOWN,
                              "its ends do not agree with each other, or with stemd, on where they are");
    }
    end_phase(Phase::over, now_ns);
}

} // namespace stem::tcp
