// SPDX-License-Identifier: Apache-2.0
#include "ctl/call/pinholes.h"

#include <netinet/in.h>

#include <algorithm>

namespace stem::call {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
// Burst: VAD resume, a jitter buffer upstream letting go, a phone catching up. The field's advice is 250 ms
// or more.
constexpr std::uint64_t rtp_burst_ns = 300'000'000;
// RTCP comes as single large packets seconds apart (RFC 3550 6.2): room for two of 1,500 octets at any rate.
constexpr std::uint64_t rtcp_burst_octets = 3000;
constexpr std::uint32_t rtcp_packets_per_second = 20;
constexpr std::uint16_t rtcp_max_payload = 1472;

std::uint32_t ns_per_packet(std::uint32_t packets_per_second) {
    return static_cast<std::uint32_t>(second_ns / std::max(packets_per_second, 1U));
}

std::uint32_t ns_per_kib(std::uint32_t bytes_per_second) {
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(1024 * second_ns / std::max(bytes_per_second, 1U), UINT32_MAX));
}

stem_flow_key key_of(const stem_addr& src, std::uint16_t sport, const stem_addr& dst, std::uint16_t dport,
                     stem_direction direction) {
    stem_flow_key key{};
    key.src = src;
    key.dst = dst;
    key.sport = sport;
    key.dport = dport;
    key.direction = static_cast<std::uint8_t>(direction);
    key.protocol = IPPROTO_UDP;
    return key;
}

stem_flow rtp_flow(const stem_media& receiver) {
    stem_flow flow{};
    flow.kind = STEM_FLOW_RTP;
    flow.payload_types[0] = receiver.payload_types[0];
    flow.payload_types[1] = receiver.payload_types[1];
    flow.ns_per_packet = ns_per_packet(receiver.packets_per_second);
    flow.ns_per_kib = ns_per_kib(receiver.bytes_per_second);
    flow.packets_burst_ns = rtp_burst_ns;
    flow.bytes_burst_ns = rtp_burst_ns;
    flow.min_payload = receiver.min_payload;
    flow.max_payload = receiver.max_payload;
    return flow;
}

stem_flow rtcp_flow(const stem_media& receiver) {
    stem_flow flow{};
    flow.kind = STEM_FLOW_RTCP;
    flow.ns_per_packet = ns_per_packet(rtcp_packets_per_second);
    flow.ns_per_kib = ns_per_kib(receiver.rtcp_bytes_per_second);
    flow.packets_burst_ns = second_ns;
    flow.bytes_burst_ns = rtcp_burst_octets * second_ns / std::max(receiver.rtcp_bytes_per_second, 1U);
    flow.min_payload = 8;
    flow.max_payload = rtcp_max_payload;
    return flow;
}

// What `sender` may send to `receiver` of one m= line.
void add_one_way(Flows& flows, const stem_media& sender, const stem_media& receiver, stem_direction direction,
                 stem_flow mould) {
    const bool mux = (sender.flags & STEM_MEDIA_RTCP_MUX) != 0 && (receiver.flags & STEM_MEDIA_RTCP_MUX) != 0;
    const bool receives = (receiver.flags & STEM_MEDIA_RECEIVES) != 0;
    const auto add = [&](std::uint16_t sport, std::uint16_t dport, stem_flow flow) {
        flow.media_index = mould.media_index;
        flow.dialog = mould.dialog;
        flow.opened_ns = mould.opened_ns;
        flows.insert_or_assign(key_of(sender.address, sport, receiver.address, dport, direction), flow);
    };
    if (receives) {
        stem_flow flow = rtp_flow(receiver);
        if (mux) {
            flow.flags = STEM_FLOW_RTCP_MUX;
        }
        add(sender.rtp_port, receiver.rtp_port, flow);
    } else if (mux) {
        add(sender.rtp_port, receiver.rtp_port, rtcp_flow(receiver));
    }
    if (!mux && sender.rtcp_port != 0 && receiver.rtcp_port != 0) {
        add(sender.rtcp_port, receiver.rtcp_port, rtcp_flow(receiver));
    }
}

bool has_address(const stem_media& media) {
    return !Address(media.address).is_unspecified();
}

// What two calls on one pinhole may send: the payload types of both, and the larger of the rates.
void widen(stem_flow& flow, const stem_flow& other) {
    flow.payload_types[0] |= other.payload_types[0];
    flow.payload_types[1] |= other.payload_types[1];
    flow.ns_per_packet = std::min(flow.ns_per_packet, other.ns_per_packet);
    flow.ns_per_kib = std::min(flow.ns_per_kib, other.ns_per_kib);
    flow.packets_burst_ns = std::max(flow.packets_burst_ns, other.packets_burst_ns);
    flow.bytes_burst_ns = std::max(flow.bytes_burst_ns, other.bytes_burst_ns);
    flow.min_payload = std::min(flow.min_payload, other.min_payload);
    flow.max_payload = std::max(flow.max_payload, other.max_payload);
    flow.flags |= other.flags;
}

// The new description with the counters of the flow that is there.
stem_flow carried_over(stem_flow flow, const stem_flow& there) {
    flow.bytes_full_at_ns = there.bytes_full_at_ns;
    flow.packets_full_at_ns = there.packets_full_at_ns;
    flow.last_seen_ns = there.last_seen_ns;
    flow.packets = there.packets;
    flow.bytes = there.bytes;
    flow.dropped_packets = there.dropped_packets;
    flow.dropped_bytes = there.dropped_bytes;
    flow.opened_ns = there.opened_ns;
    flow.dialog = there.dialog;
    flow.stream = flow.stream != 0 ? flow.stream : there.stream;
    return flow;
}

bool describes_the_same(const stem_flow& a, const stem_flow& b) {
    return a.payload_types[0] == b.payload_types[0] && a.payload_types[1] == b.payload_types[1] &&
           a.ns_per_packet == b.ns_per_packet && a.ns_per_kib == b.ns_per_kib &&
           a.bytes_burst_ns == b.bytes_burst_ns && a.packets_burst_ns == b.packets_burst_ns &&
           a.min_payload == b.min_payload && a.max_payload == b.max_payload && a.kind == b.kind &&
           a.flags == b.flags && a.stream == b.stream;
}

} // namespace

Flows flows_between(std::span<const stem_media> caller, std::span<const stem_media> callee,
                    stem_direction direction, std::uint64_t dialog, std::uint64_t now_ns) {
    const stem_direction back = direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
    Flows flows;
    for (std::size_t i = 0; i < std::min(caller.size(), callee.size()); i++) {
        const stem_media& a = caller[i];
        const stem_media& b = callee[i];
        if (a.rtp_port == 0 || b.rtp_port == 0 || !has_address(a) || !has_address(b)) {
            continue; // refused by one side (RFC 3264 6), or held with no address at all
        }
        stem_flow mould{};
        mould.media_index = static_cast<std::uint16_t>(i);
        mould.dialog = dialog;
        mould.opened_ns = now_ns;
        add_one_way(flows, a, b, direction, mould);
        add_one_way(flows, b, a, back, mould);
    }
    return flows;
}

void Pinholes::open(std::uint64_t dialog, const stem_flow_key& key, const stem_flow& flow) {
    auto& holders = holders_[key];
    stem_flow wanted = flow;
    if (!holders.empty()) {
        const auto there = store_.get(key);
        if (there) {
            if (holders.size() > 1 || !holders.contains(dialog)) {
                widen(wanted, *there);
            }
            if (describes_the_same(wanted, *there)) {
                holders.insert(dialog);
                return;
            }
            wanted = carried_over(wanted, *there);
        }
    }
    if (!store_.put(key, wanted)) {
        if (holders.empty()) {
            holders_.erase(key);
        }
        egress_.count(STEM_PINHOLE_LIMIT, static_cast<stem_direction>(key.direction));
        return;
    }
    if (holders.empty()) {
        opened_++;
    }
    holders.insert(dialog);
}

void Pinholes::let_go(std::uint64_t dialog, const stem_flow_key& key) {
    const auto found = holders_.find(key);
    if (found == holders_.end() || found->second.erase(dialog) == 0 || !found->second.empty()) {
        return;
    }
    holders_.erase(found);
    store_.erase(key);
    closed_++;
}

void Pinholes::replace(std::uint64_t dialog, const Flows& wanted, std::uint64_t close_at_ns) {
    for (const auto& [key, flow] : wanted) {
        open(dialog, key, flow);
    }
    Keys& held = held_by_[dialog];
    Keys stale;
    std::ranges::copy_if(held, std::back_inserter(stale),
                         [&](const stem_flow_key& key) { return !wanted.contains(key); });
    held.clear();
    for (const auto& [key, flow] : wanted) {
        held.push_back(key);
    }
    if (!stale.empty()) {
        closing_.emplace(close_at_ns, Closing{.dialog = dialog, .keys = std::move(stale)});
    }
}

void Pinholes::close(std::uint64_t dialog, std::uint64_t at_ns) {
    const auto held = held_by_.find(dialog);
    if (held == held_by_.end()) {
        return;
    }
    closing_.emplace(at_ns, Closing{.dialog = dialog, .keys = std::move(held->second)});
    held_by_.erase(held);
}

void Pinholes::run(std::uint64_t now_ns) {
    while (!closing_.empty() && closing_.begin()->first <= now_ns) {
        const Closing due = std::move(closing_.begin()->second);
        closing_.erase(closing_.begin());
        const auto held = held_by_.find(due.dialog);
        for (const auto& key : due.keys) {
            // A later answer may have brought the pinhole back.
            const bool wanted_again =
                held != held_by_.end() && std::ranges::any_of(held->second, [&](const stem_flow_key& other) {
                    return FlowKeyEqual{}(key, other);
                });
            if (!wanted_again) {
                let_go(due.dialog, key);
            }
        }
    }
}

void Pinholes::adopt(std::uint64_t dialog, const Flows& flows) {
    Keys& held = held_by_[dialog];
    for (const auto& [key, flow] : flows) {
        if (store_.get(key)) {
            holders_[key].insert(dialog);
        } else {
            open(dialog, key, flow);
        }
        held.push_back(key);
    }
}

std::size_t Pinholes::sweep_orphans() {
    Keys orphans;
    store_.for_each([&](const stem_flow_key& key, const stem_flow&) {
        if (!holders_.contains(key)) {
            orphans.push_back(key);
        }
    });
    for (const auto& key : orphans) {
        store_.erase(key);
    }
    return orphans.size();
}

std::uint64_t Pinholes::last_seen_ns(std::uint64_t dialog) {
    std::uint64_t last = 0;
    for (const auto& key : keys_of(dialog)) {
        if (const auto flow = store_.get(key); flow) {
            last = std::max<std::uint64_t>(last, flow->last_seen_ns);
        }
    }
    return last;
}

std::vector<stem_flow_key> Pinholes::keys_of(std::uint64_t dialog) const {
    const auto held = held_by_.find(dialog);
    return held == held_by_.end() ? Keys{} : held->second;
}

} // namespace stem::call
