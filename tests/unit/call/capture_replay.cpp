// SPDX-License-Identifier: Apache-2.0
#include "capture_replay.h"

#include <stem/reason.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <ranges>
#include <string_view>

namespace stem::call {
namespace {

std::uint16_t port_in(std::string_view text) {
    std::uint16_t port = 0;
    std::from_chars(text.data(), text.data() + text.size(), port);
    return port;
}

// A call within one machine's loopback, as if its parties were two hosts: media at a loopback address are
// refused, by design. The addresses put in its place are as long, so that no length in a message changes.
class Loopback {
  public:
    explicit Loopback(const Sides& sides) : sides_(sides) {}

    void move(Passing& one) const {
        if (!one.source.address.is_loopback() || !one.destination.address.is_loopback()) {
            return;
        }
        const std::string sender = place_of(one.source);
        if (one.is_sip()) {
            move_text(one, sender);
        }
        one.destination.address = Address::parse(place_of(one.destination)).value();
        one.source.address = Address::parse(sender).value();
    }

  private:
    [[nodiscard]] std::string place_of(const Endpoint& end) const {
        return sides_.names(end) ? "10.10.0.1" : "10.10.0.2";
    }
    // With a port it is who has that; in a line of a description it is who sends it. All else, such as a
    // Call-ID, stays as it is.
    void move_text(Passing& one, const std::string& sender) const {
        for (const std::string_view loopback : {"127.0.0.1", "127.0.1.1"}) {
            for (auto at = one.payload.find(loopback); at != std::string::npos;
                 at = one.payload.find(loopback, at + 1)) {
                const std::string_view text = one.payload;
                const std::string_view behind = text.substr(at + loopback.size());
                const std::string_view line = text.substr(text.rfind('\n', at) + 1);
                if (behind.starts_with(':')) {
                    const Endpoint named{.address = one.source.address, .port = port_in(behind.substr(1))};
                    one.payload.replace(at, loopback.size(), place_of(named));
                } else if (line.starts_with("c=") || line.starts_with("o=")) {
                    one.payload.replace(at, loopback.size(), sender);
                }
            }
        }
    }

    const Sides& sides_;
};

bool may_come_from(const stem_learning& entry, const Address& source) {
    const Address from(entry.from);
    const Address mask(entry.from_mask);
    for (std::size_t i = 0; i < source.octets().size(); ++i) {
        if (((source.octets().at(i) ^ from.octets().at(i)) & mask.octets().at(i)) != 0) {
            return false;
        }
    }
    return true;
}

// By its first octets (RFC 3550, and 5761 4 for RTCP), and not DNS, NetBIOS or LLMNR, of which some look so.
bool looks_like_rtp(const Passing& one) {
    constexpr std::size_t header = 12;
    constexpr unsigned version = 2;
    constexpr std::uint16_t unprivileged = 1024;
    if (one.tcp || one.source.port < unprivileged || one.destination.port < unprivileged ||
        one.destination.address.is_multicast() || one.payload.size() < header) {
        return false;
    }
    const auto octet = [&](std::size_t at) { return static_cast<std::uint8_t>(one.payload[at]); };
    return octet(0) >> 6U == version && (octet(1) < 192 || octet(1) > 223);
}

} // namespace

std::ostream& operator<<(std::ostream& out, const Counts& counts) {
    return out << counts.calls << " calls, " << counts.dialogs << " dialogs, " << counts.streams
               << " streams, " << counts.packets << " packets";
}

Sides::Sides(std::string_view outside, bool swapped) : swapped_(swapped) {
    for (const auto part : std::views::split(outside, ' ')) {
        const std::string_view text(part.begin(), part.end());
        const auto colon = text.rfind(':');
        if (const auto host = Address::parse(text); host) {
            hosts_.insert(*host);
        } else if (colon != std::string_view::npos) {
            ends_.insert({.address = Address::parse(text.substr(0, colon)).value(),
                          .port = port_in(text.substr(colon + 1))});
        }
    }
}

void Sides::see(const Passing& one) {
    if (hosts_.empty() && ends_.empty() && one.is_sip()) {
        hosts_.insert(one.source.address);
    }
}

bool Sides::names(const Endpoint& end) const {
    return hosts_.contains(end.address) || ends_.contains(end);
}

std::optional<stem_direction> Sides::of(const Passing& one) const {
    const bool outside = names(one.source);
    if (outside == names(one.destination)) {
        return std::nullopt;
    }
    return outside != swapped_ ? STEM_INBOUND : STEM_OUTBOUND;
}

void CaptureReplay::replay(const CaptureFile& file, Sides sides, Restarts restarts) {
    for (const stem_reason reason : file.broken) {
        refused_[std::string(label_of(reason))]++;
    }
    const Loopback loopback(sides);
    for (Passing one : file.passing) {
        sides.see(one);
        now = one.time_ns;
        monitor->tick(now);
        if (const auto direction = sides.of(one); direction) {
            if (restarts == Restarts::before_requests && one.is_sip() && !one.payload.starts_with("SIP/")) {
                restart();
                monitor->adopt(now);
            }
            loopback.move(one);
            one.is_sip() ? signal(one, *direction) : pass(one, *direction);
        }
    }
}

// Hours later, whatever was not ended is over.
void CaptureReplay::expect_nothing_left() {
    constexpr std::uint64_t hours = 3600 * second;
    for (const std::uint64_t end = now + 5 * hours; now < end;) {
        pass_time(10 * second);
    }
    const Totals totals = monitor->totals();
    EXPECT_EQ(totals.calls, 0U);
    EXPECT_EQ(totals.held, 0U);
    EXPECT_EQ(totals.transactions, 0U);
    EXPECT_EQ(totals.pinholes, 0U);
    EXPECT_EQ(monitor->dialogs().size(), 0U);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_TRUE(flows.learnings.empty());
    EXPECT_TRUE(records.map.empty());
}

Counts CaptureReplay::counted() const {
    Counts counts{.calls = call_ids_.size(), .dialogs = dialogs_.size(), .streams = streams_.size()};
    for (const auto& [stream, packets] : streams_) {
        counts.packets += packets;
    }
    return counts;
}

std::string CaptureReplay::refused() const {
    std::string all;
    for (const auto& [reason, times] : refused_) {
        all += fmt::format("{}{}:{}", all.empty() ? "" : " ", reason, times);
    }
    return all;
}

void CaptureReplay::refuse(stem_reason reason, const Passing& one, const std::string& what) {
    refused_[std::string(label_of(reason))]++;
    told_ += fmt::format("{} {} > {} {}\n", label_of(reason), one.source.to_string(),
                         one.destination.to_string(), what);
}

void CaptureReplay::signal(const Passing& one, stem_direction direction) {
    auto carrier = std::make_unique<TextCarrier>(one.payload);
    Packet packet;
    packet.direction = direction;
    packet.source = one.source;
    packet.destination = one.destination;
    packet.payload = carrier->text();
    packet.carrier = std::move(carrier);
    packet.transport = one.tcp ? Transport::tcp : Transport::udp;
    monitor->receive(std::move(packet), now);
    for (const Sent& each : egress.take()) {
        if (each.how == Sent::How::dropped) {
            const auto message = sip::parse(each.text, {});
            const std::string line = each.text.substr(0, each.text.find('\r'));
            refuse(each.reason, one, message ? line : line + ": " + message.error().what);
        }
    }
    note_calls();
}

void CaptureReplay::note_calls() {
    for (const DialogInfo& dialog : monitor->dialogs()) {
        call_ids_.insert(dialog.call_id);
    }
    for (const auto& [id, dialog] : records.map) {
        if (dialog.answered_ns != 0) {
            dialogs_.insert({dialog.call_id, dialog.tag[STEM_CALLER], dialog.tag[STEM_CALLEE]});
        }
    }
}

void CaptureReplay::pass(const Passing& one, stem_direction direction) {
    if (!looks_like_rtp(one)) {
        return;
    }
    stem_flow_key key{};
    key.src = one.source.address.raw();
    key.dst = one.destination.address.raw();
    key.sport = one.source.port;
    key.dport = one.destination.port;
    key.direction = static_cast<std::uint8_t>(direction);
    key.protocol = 17;
    if (const auto reason = judge(key, one); reason) {
        refuse(*reason, one);
    } else {
        streams_[{one.source, one.destination, one.payload.substr(8, 4)}]++;
    }
}

// As the data plane does. Nothing: it passes.
std::optional<stem_reason> CaptureReplay::judge(const stem_flow_key& key, const Passing& one) {
    const auto found = flows.map.find(key);
    if (found == flows.map.end()) {
        const auto learned = learn(key, one);
        return !learned   ? std::optional(STEM_NO_PINHOLE)
               : *learned ? std::nullopt
                          : std::optional(STEM_RTP_UNLEARNED);
    }
    stem_flow& flow = found->second;
    const unsigned type = static_cast<std::uint8_t>(one.payload[1]) & 0x7fU;
    if (flow.kind != STEM_FLOW_RTP) {
        return STEM_NO_PINHOLE;
    }
    if (((flow.payload_types[type / 64] >> (type % 64)) & 1) == 0) {
        return STEM_RTP_PAYLOAD_TYPE;
    }
    if (one.payload.size() < flow.min_payload || one.payload.size() > flow.max_payload) {
        return STEM_RTP_SIZE;
    }
    flow.packets++;
    flow.last_seen_ns = now;
    return std::nullopt;
}

// As bpf/learning.h does: where the media of a peer behind NAT come from is known by three packets in a row,
// of which the third passes, or by one from where it was signalled. Nothing: there is nothing to learn here.
std::optional<bool> CaptureReplay::learn(const stem_flow_key& key, const Passing& one) {
    stem_learning_key place{};
    place.local = key.dst;
    place.port = key.dport;
    place.direction = key.direction;
    const auto found = flows.learnings.find(place);
    if (found == flows.learnings.end() || found->second.in.kind != STEM_FLOW_RTP) {
        return std::nullopt;
    }
    stem_learning& entry = found->second;
    const bool signalled =
        one.source == Endpoint{.address = Address(entry.signalled), .port = entry.signalled_port};
    if (entry.locked_ns != 0 || entry.until_ns <= now ||
        !(signalled || may_come_from(entry, one.source.address))) {
        return false;
    }
    const bool follows =
        one.source == Endpoint{.address = Address(entry.candidate), .port = entry.candidate_port};
    entry.candidate = key.src;
    entry.candidate_port = key.sport;
    entry.candidate_packets = follows ? entry.candidate_packets + 1 : 1;
    if (!signalled && entry.candidate_packets < 3) {
        return false;
    }
    lock(entry, key);
    return (entry.opens & STEM_LEARNING_IN) != 0;
}

void CaptureReplay::lock(stem_learning& entry, const stem_flow_key& key) {
    entry.locked_ns = now;
    if ((entry.opens & STEM_LEARNING_OUT) != 0) {
        stem_flow_key back = key;
        std::swap(back.src, back.dst);
        std::swap(back.sport, back.dport);
        back.direction = key.direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
        flows.map.try_emplace(back, entry.out);
    }
    if ((entry.opens & STEM_LEARNING_IN) != 0) {
        flows.map.try_emplace(key, entry.in);
    }
    stem_notice notice{};
    notice.kind = STEM_NOTICE_LEARNED;
    notice.dialog = entry.dialog;
    notice.key = key;
    monitor->heed(notice, now);
}

} // namespace stem::call
