// SPDX-License-Identifier: Apache-2.0
// What an end sends, as messages: taken in, framed, given to the reader, and waited for.
#include <ctl/tcp/connection.h>

#include <algorithm>

namespace stem::tcp {
namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000;

constexpr std::uint64_t ns_of(std::chrono::nanoseconds duration) {
    return static_cast<std::uint64_t>(duration.count());
}

} // namespace

void Connection::take(stem_direction from, const Segment& segment, std::uint64_t now_ns) {
    End& end = end_[from];
    end.ack_due = true;
    if (segment.has(frame::tcp_fin)) {
        const Seq fin = segment.sequence + static_cast<Seq>(segment.payload.size());
        const std::int32_t ahead = distance(end.in->next(), fin);
        if (!end.fin && ahead >= 0 && static_cast<std::size_t>(ahead) <= end.in->capacity()) {
            end.fin = fin;
        }
    }
    std::string_view payload = segment.payload;
    if (end.fin) { // nothing comes behind it
        const std::int32_t left = distance(segment.sequence, *end.fin);
        payload = payload.substr(0, left > 0 ? static_cast<std::size_t>(left) : 0);
    }
    if (!end.fin_taken && !context_.is_full(share_)) {
        const Seq before_it = end.in->next();
        end.in->take(segment.sequence, payload);
        end.octets += end.in->next() - before_it;
    }
    read(from, now_ns);
}

// Whether there is room for what another message becomes: it waits for its decision, or to be sent.
bool Connection::has_room_to_read(stem_direction from) const noexcept {
    const End& receiver = end_[other(from)];
    return end_[from].held < context_.settings.held && receiver.out &&
           receiver.out->buffered() < context_.settings.buffer;
}

void Connection::read(stem_direction from, std::uint64_t now_ns) {
    if (reading_ || phase_ != Phase::open) {
        return;
    }
    reading_ = true;
    while (phase_ == Phase::open && read_step(from, now_ns)) {
    }
    reading_ = false;
    if (phase_ == Phase::open) {
        finish_stream(from, now_ns);
    }
    if (phase_ == Phase::open) {
        watch_progress(from, now_ns);
    }
}

// True: there may be more.
bool Connection::read_step(stem_direction from, std::uint64_t now_ns) {
    End& end = end_[from];
    if (end.paused_until_ns > now_ns || !has_room_to_read(from)) {
        return false;
    }
    end.paused_until_ns = 0;
    const std::string_view ready = end.in->ready();
    const Step step = end.framer->look(ready);
    const bool inbound = from == STEM_INBOUND;
    const Endpoint& source = inbound ? ends_.outside : ends_.inside;
    const Endpoint& destination = inbound ? ends_.inside : ends_.outside;
    switch (step.kind) {
    case Step::Kind::more:
        return false;
    case Step::Kind::broken:
        fail(from, step.reason, step.what, now_ns);
        return false;
    case Step::Kind::keep_alive:
        end_[other(from)].out->append(ready.substr(0, step.length));
        end.in->consume(step.length);
        context_.counts.keep_alives++;
        return true;
    case Step::Kind::message:
        break;
    }
    const std::string_view text = ready.substr(0, step.length);
    const bool known = this->known() || !inbound;
    if (const std::uint64_t wait = context_.reader.delay(source, text, known, now_ns); wait > 0) {
        end.paused_until_ns = now_ns + wait;
        return false;
    }
    Message message{.connection = id_,
                    .direction = from,
                    .source = source,
                    .destination = destination,
                    .known = known,
                    .text = std::string(text)};
    end.in->consume(step.length);
    end.message_since_ns = 0;
    end.messages++;
    end.held += step.length;
    end.held_messages++;
    context_.counts.messages[from]++;
    context_.reader.read(std::move(message), now_ns);
    return true;
}

// The end's FIN goes on when all before it has.
void Connection::finish_stream(stem_direction from, std::uint64_t now_ns) {
    End& end = end_[from];
    if (end.fin && !end.fin_taken && end.in->next() == *end.fin) {
        if (const std::string_view rest = end.in->ready(); !rest.empty()) {
            if (end.framer->look(rest).kind == Step::Kind::more) {
                fail(from, STEM_TCP_CUT_SHORT, "FIN inside a message", now_ns);
            }
            return;
        }
        end.fin_taken = true;
        end.in->step_over_fin();
        end.ack_due = true;
    }
    if (end.fin_taken && end.held_messages == 0) {
        end_[other(from)].out->finish();
    }
}

void Connection::watch_progress(stem_direction from, std::uint64_t now_ns) {
    End& end = end_[from];
    const bool waits_for_us = end.paused_until_ns > now_ns || !has_room_to_read(from);
    if (end.in->ready().empty() || waits_for_us) {
        end.message_since_ns = 0;
    } else if (end.message_since_ns == 0) {
        end.message_since_ns = now_ns;
    }
    if (!end.in->has_gap()) {
        end.gap_since_ns = 0;
    } else if (end.gap_since_ns == 0 || end.gap_at != end.in->next()) {
        end.gap_since_ns = now_ns;
        end.gap_at = end.in->next();
    }
}

// Its headers have their time, and its body as long as the least rate gives it.
std::uint64_t Connection::message_deadline(const End& end) const noexcept {
    const auto& settings = context_.settings;
    std::uint64_t allowed = ns_of(settings.message_timeout);
    if (end.framer->knows_length()) {
        allowed += end.framer->length() * ns_per_second / std::max<std::size_t>(settings.least_rate, 1);
    }
    return end.message_since_ns + allowed;
}

void Connection::check_progress(stem_direction from, std::uint64_t now_ns) {
    const End& end = end_[from];
    if (end.message_since_ns != 0 && message_deadline(end) <= now_ns) {
        fail(from, STEM_TCP_SLOW, "a message that does not come to its end", now_ns);
    } else if (end.gap_since_ns != 0 &&
               end.gap_since_ns + ns_of(context_.settings.message_timeout) <= now_ns) {
        fail(from, STEM_TCP_SLOW, "octets are missing, and do not come", now_ns);
    }
}

} // namespace stem::tcp
