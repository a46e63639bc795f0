// SPDX-License-Identifier: Apache-2.0
#include "ctl/call/pinholes.h"

#include <netinet/in.h>

#include <algorithm>
#include <optional>

#include "ctl/sdp/session.h"

namespace stem::call {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t ms_ns = 1'000'000;
// RTCP comes as single large packets seconds apart (RFC 3550 6.2): room for two of 1,500 octets at any rate.
constexpr std::uint64_t rtcp_burst_octets = 3000;
constexpr std::uint16_t rtcp_max_payload = 1472;
constexpr std::uint8_t rtp_component = 1; // RFC 8445 13; RTCP is 2

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
    flow.ns_per_kib = flow.offered_ns_per_kib = ns_per_kib(receiver.bytes_per_second);
    flow.packets_burst_ns = flow.bytes_burst_ns = receiver.burst_ms * ms_ns;
    std::ranges::copy(receiver.clock_hz, flow.clock_hz);
    std::ranges::copy(receiver.clock_of, flow.clock_of);
    if ((receiver.flags & STEM_MEDIA_SRTP) != 0) {
        flow.flags |= STEM_FLOW_SRTP;
    }
    flow.min_payload = receiver.min_payload;
    flow.max_payload = receiver.max_payload;
    return flow;
}

stem_flow rtcp_flow(const stem_media& receiver) {
    stem_flow flow{};
    flow.kind = STEM_FLOW_RTCP;
    flow.ns_per_packet = ns_per_packet(sdp::rtcp_packets_for(receiver.rtcp_bytes_per_second));
    flow.ns_per_kib = flow.offered_ns_per_kib = ns_per_kib(receiver.rtcp_bytes_per_second);
    flow.packets_burst_ns = second_ns;
    flow.bytes_burst_ns = rtcp_burst_octets * second_ns / std::max(receiver.rtcp_bytes_per_second, 1U);
    flow.min_payload = 8;
    flow.max_payload = rtcp_max_payload;
    return flow;
}

stem_flow fax_flow(const stem_media& receiver) {
    stem_flow flow{};
    flow.kind = STEM_FLOW_UDPTL;
    flow.ns_per_packet = ns_per_packet(receiver.packets_per_second);
    flow.ns_per_kib = flow.offered_ns_per_kib = ns_per_kib(receiver.bytes_per_second);
    flow.packets_burst_ns = flow.bytes_burst_ns = receiver.burst_ms * ms_ns;
    flow.max_payload = receiver.max_payload;
    return flow;
}

// What may share the line's port: checks where both speak ICE, and DTLS where both take their keys from it.
std::uint8_t beside(const stem_media& a, const stem_media& b) {
    unsigned flags = 0;
    if ((a.flags & b.flags & STEM_MEDIA_ICE) != 0) {
        flags |= STEM_FLOW_STUN;
    }
    if ((a.flags & b.flags & STEM_MEDIA_DTLS) != 0) {
        flags |= STEM_FLOW_DTLS;
    }
    return static_cast<std::uint8_t>(flags);
}

bool is_muxed(const stem_media& a, const stem_media& b) {
    return (a.flags & b.flags & STEM_MEDIA_RTCP_MUX) != 0;
}

stem_flow moulded(stem_flow flow, const stem_flow& mould) {
    flow.media_index = mould.media_index;
    flow.dialog = mould.dialog;
    flow.opened_ns = mould.opened_ns;
    flow.stream = mould.stream;
    return flow;
}

// What `sender` may send to `receiver`'s RTP port of one m= line. On hold what keeps the path alive goes on:
// RTCP that shares the port, checks of consent (RFC 7675), DTLS.
std::optional<stem_flow> flow_on_rtp_port(const stem_media& sender, const stem_media& receiver,
                                          const stem_flow& mould) {
    const bool mux = is_muxed(sender, receiver);
    const std::uint8_t shared = beside(sender, receiver);
    if ((receiver.flags & (STEM_MEDIA_ENDED | STEM_MEDIA_CUT)) != 0 || sender.kind != receiver.kind) {
        return std::nullopt;
    }
    if ((receiver.flags & STEM_MEDIA_RECEIVES) != 0 && (sender.flags & STEM_MEDIA_SENDS) != 0) {
        stem_flow flow = receiver.kind == STEM_MEDIA_UDPTL ? fax_flow(receiver) : rtp_flow(receiver);
        flow.flags |= shared;
        if (mux) {
            flow.flags |= STEM_FLOW_RTCP_MUX;
        }
        return moulded(flow, mould);
    }
    if (!mux && shared == 0) {
        return std::nullopt;
    }
    stem_flow flow = rtcp_flow(receiver);
    flow.flags |= shared;
    return moulded(flow, mould);
}

std::optional<stem_flow> flow_on_rtcp_port(const stem_media& sender, const stem_media& receiver,
                                           const stem_flow& mould) {
    if (is_muxed(sender, receiver) || sender.rtcp_port == 0 || receiver.rtcp_port == 0) {
        return std::nullopt;
    }
    stem_flow flow = rtcp_flow(receiver);
    flow.flags |= beside(sender, receiver);
    return moulded(flow, mould);
}

// Where a side's media are, as far as that is known: ports are 0 where it is not.
struct Ends {
    stem_addr address;
    std::uint16_t rtp_port;
    std::uint16_t rtcp_port;
};

Ends ends_of(const stem_media& media) {
    if ((media.flags & STEM_MEDIA_BEHIND_NAT) == 0) {
        return {media.address, media.rtp_port, media.rtcp_port};
    }
    const auto known = [&](unsigned flag, std::uint16_t port) {
        return (media.flags & flag) != 0 ? port : std::uint16_t{0};
    };
    return {media.learned, known(STEM_MEDIA_RTP_LEARNED, media.learned_rtp_port),
            known(STEM_MEDIA_RTCP_LEARNED, media.learned_rtcp_port)};
}

// Costs of what shares a pinhole add up: lines of a bundle (RFC 9143).
std::uint32_t joined_cost(std::uint32_t a, std::uint32_t b) {
    const std::uint64_t sum = std::uint64_t{a} + b;
    return sum == 0 ? 0 : std::max(1U, static_cast<std::uint32_t>(std::uint64_t{a} * b / sum));
}

// Clocks beyond those that there is room for are not measured.
void join_clocks(stem_flow& flow, const stem_flow& other) {
    constexpr unsigned unmeasured = 3;
    for (unsigned type = 0; type < 128; type++) {
        const unsigned shift = type % 4 * 2;
        const unsigned index = (other.clock_of[type / 4] >> shift) & 3U;
        if (index == unmeasured || ((other.payload_types[type / 64] >> (type % 64)) & 1) == 0) {
            continue;
        }
        const std::uint32_t hz = other.clock_hz[index];
        const auto slot = std::ranges::find_if(
            flow.clock_hz, [hz](std::uint32_t there) { return there == 0 || there == hz; });
        unsigned ours = unmeasured;
        if (slot != std::end(flow.clock_hz)) {
            *slot = hz;
            ours = static_cast<unsigned>(slot - std::begin(flow.clock_hz));
        }
        auto& quarter = flow.clock_of[type / 4];
        quarter = static_cast<std::uint8_t>((quarter & ~(3U << shift)) | (ours << shift));
    }
}

// Two lines of one session on one pinhole.
void join(stem_flow& flow, const stem_flow& other) {
    if (flow.kind != other.kind) {
        if (other.kind != STEM_FLOW_RTP) {
            return; // RTP has room for the RTCP of a line on hold
        }
        flow = other;
        return;
    }
    flow.payload_types[0] |= other.payload_types[0];
    flow.payload_types[1] |= other.payload_types[1];
    flow.ns_per_packet = joined_cost(flow.ns_per_packet, other.ns_per_packet);
    flow.ns_per_kib = flow.offered_ns_per_kib = joined_cost(flow.ns_per_kib, other.ns_per_kib);
    flow.packets_burst_ns = std::max(flow.packets_burst_ns, other.packets_burst_ns);
    flow.bytes_burst_ns = std::max(flow.bytes_burst_ns, other.bytes_burst_ns);
    flow.min_payload = std::min(flow.min_payload, other.min_payload);
    flow.max_payload = std::max(flow.max_payload, other.max_payload);
    flow.flags |= other.flags;
    join_clocks(flow, other);
}

void add_flow(Flows& flows, const stem_flow_key& key, const stem_flow& flow) {
    if (const auto [there, added] = flows.try_emplace(key, flow); !added) {
        join(there->second, flow);
    }
}

// No path leads from one family to the other.
bool can_meet(const stem_addr& a, const stem_addr& b) {
    return Address(a).is_v4() == Address(b).is_v4();
}

// What `sender` may send to `receiver` of one m= line, from and to the places that they say first.
void add_one_way(Flows& flows, const stem_media& sender, const stem_media& receiver, stem_direction direction,
                 const stem_flow& mould) {
    const Ends from = ends_of(sender);
    const Ends to = ends_of(receiver);
    if (!can_meet(from.address, to.address)) {
        return;
    }
    const auto add = [&](std::uint16_t sport, std::uint16_t dport, const std::optional<stem_flow>& flow) {
        if (flow && sport != 0 && dport != 0) {
            add_flow(flows, key_of(from.address, sport, to.address, dport, direction), *flow);
        }
    };
    add(from.rtp_port, to.rtp_port, flow_on_rtp_port(sender, receiver, mould));
    add(from.rtcp_port, to.rtcp_port, flow_on_rtcp_port(sender, receiver, mould));
}

// The same from and to each of their candidates (RFC 8445): checks first.
void add_pairs(Flows& flows, const stem_media& sender, const stem_media& receiver, stem_direction direction,
               const stem_flow& mould) {
    auto rtp = flow_on_rtp_port(sender, receiver, mould);
    auto rtcp = flow_on_rtcp_port(sender, receiver, mould);
    for (auto* flow : {&rtp, &rtcp}) {
        if (*flow) {
            (*flow)->flags |= STEM_FLOW_CANDIDATE;
        }
    }
    for (unsigned i = 0; i < sender.candidate_count; i++) {
        const stem_candidate& from = sender.candidate[i];
        for (unsigned j = 0; j < receiver.candidate_count; j++) {
            const stem_candidate& to = receiver.candidate[j];
            const auto& flow = from.component == rtp_component ? rtp : rtcp;
            if (flow && from.component == to.component && can_meet(from.address, to.address)) {
                const auto key = key_of(from.address, from.port, to.address, to.port, direction);
                if (const auto there = flows.find(key);
                    there == flows.end() || (there->second.flags & STEM_FLOW_CANDIDATE) != 0) {
                    add_flow(flows, key, *flow); // what is a pinhole without ICE needs no check
                }
            }
        }
    }
}

// One entry: what `peer` sends to a port of `local`, and what goes back.
stem_learning learning_of(const stem_media& peer, std::uint16_t signalled_port,
                          const std::optional<stem_flow>& in, const std::optional<stem_flow>& out,
                          std::span<const Cidr> networks) {
    stem_learning entry{};
    entry.signalled = peer.address;
    entry.signalled_port = signalled_port;
    entry.from = peer.learned;
    std::memset(&entry.from_mask, 0xff, sizeof(entry.from_mask));
    const Address source(peer.learned);
    const auto network =
        std::ranges::find_if(networks, [&](const Cidr& each) { return each.contains(source); });
    if (network != networks.end()) {
        entry.from = network->network().raw();
        for (unsigned i = 0; i < sizeof(entry.from_mask.octet); i++) {
            const unsigned bits =
                std::min(network->mapped_length() - std::min(network->mapped_length(), i * 8), 8U);
            entry.from_mask.octet[i] = static_cast<std::uint8_t>(0xff00U >> bits);
        }
    }
    if (in) {
        entry.in = *in;
        entry.opens |= STEM_LEARNING_IN;
    }
    if (out) {
        entry.out = *out;
        entry.opens |= STEM_LEARNING_OUT;
    }
    return entry;
}

// Two lines of a bundle, which its peer sends from one place.
void join(stem_learning& learning, const stem_learning& other) {
    join(learning.in, other.in); // also where it does not open: it tells the peer's packets
    if ((other.opens & STEM_LEARNING_OUT) != 0) {
        if ((learning.opens & STEM_LEARNING_OUT) != 0) {
            join(learning.out, other.out);
        } else {
            learning.out = other.out;
        }
    }
    learning.opens |= other.opens;
}

void add_learnings(Learnings& learnings, const stem_media& peer, const stem_media& local,
                   stem_direction direction, const stem_flow& mould, std::uint64_t until_ns,
                   std::span<const Cidr> networks) {
    const auto add = [&](std::uint16_t port, stem_learning entry, bool learned, std::uint16_t learned_port) {
        stem_learning_key key{};
        key.local = local.address;
        key.port = port;
        key.direction = static_cast<std::uint8_t>(direction);
        entry.dialog = mould.dialog;
        entry.until_ns = until_ns;
        if (learned) {
            entry.locked_ns = mould.opened_ns;
            entry.candidate = peer.learned;
            entry.candidate_port = learned_port;
        }
        if (const auto [there, added] = learnings.try_emplace(key, entry); !added) {
            join(there->second, entry);
        }
    };
    auto rtp = learning_of(peer, peer.rtp_port, flow_on_rtp_port(peer, local, mould),
                           flow_on_rtp_port(local, peer, mould), networks);
    if ((rtp.opens & STEM_LEARNING_IN) == 0) { // still what tells the peer's packets
        rtp.in = moulded(local.kind == STEM_MEDIA_UDPTL ? fax_flow(local) : rtp_flow(local), mould);
    }
    add(local.rtp_port, rtp, (peer.flags & STEM_MEDIA_RTP_LEARNED) != 0, peer.learned_rtp_port);
    if (const auto in = flow_on_rtcp_port(peer, local, mould); in) {
        auto rtcp = learning_of(peer, peer.rtcp_port, in, flow_on_rtcp_port(local, peer, mould), networks);
        rtcp.beside_port = local.rtp_port;
        add(local.rtcp_port, rtcp, (peer.flags & STEM_MEDIA_RTCP_LEARNED) != 0, peer.learned_rtcp_port);
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
    flow.offered_ns_per_kib = std::min(flow.offered_ns_per_kib, other.offered_ns_per_kib);
    flow.ns_per_kib = flow.offered_ns_per_kib;
    flow.packets_burst_ns = std::max(flow.packets_burst_ns, other.packets_burst_ns);
    flow.bytes_burst_ns = std::max(flow.bytes_burst_ns, other.bytes_burst_ns);
    flow.min_payload = std::min(flow.min_payload, other.min_payload);
    flow.max_payload = std::max(flow.max_payload, other.max_payload);
    const unsigned candidate = flow.flags & other.flags & STEM_FLOW_CANDIDATE; // of both, or of none
    flow.flags =
        static_cast<std::uint8_t>(((flow.flags | other.flags) & ~unsigned{STEM_FLOW_CANDIDATE}) | candidate);
}

// The flow that is there, with what the new description says of it: what the data plane keeps goes on, but
// for the stream's state and whose sequence it is: a call that negotiates anew begins anew.
stem_flow described_anew(stem_flow flow, const stem_flow& wanted) {
    flow.payload_types[0] = wanted.payload_types[0];
    flow.payload_types[1] = wanted.payload_types[1];
    flow.ns_per_packet = wanted.ns_per_packet;
    flow.ns_per_kib = wanted.ns_per_kib;
    flow.offered_ns_per_kib = wanted.offered_ns_per_kib;
    flow.bytes_burst_ns = wanted.bytes_burst_ns;
    flow.packets_burst_ns = wanted.packets_burst_ns;
    flow.min_payload = wanted.min_payload;
    flow.max_payload = wanted.max_payload;
    flow.kind = wanted.kind;
    flow.flags = wanted.flags;
    flow.media_index = wanted.media_index;
    std::ranges::copy(wanted.clock_hz, flow.clock_hz);
    std::ranges::copy(wanted.clock_of, flow.clock_of);
    flow.state &=
        STEM_STREAM_CHECKED; // a new round of checks may never come (RFC 8445 has none without a restart)
    flow.excess_seconds = 0;
    flow.restarts_full_at_ns = 0;
    flow.jitter_state = STEM_JITTER_NONE;
    flow.stream = wanted.stream != 0 ? wanted.stream : flow.stream;
    return flow;
}

bool describes_the_same(const stem_flow& a, const stem_flow& b) {
    return a.payload_types[0] == b.payload_types[0] && a.payload_types[1] == b.payload_types[1] &&
           a.ns_per_packet == b.ns_per_packet && a.offered_ns_per_kib == b.offered_ns_per_kib &&
           a.bytes_burst_ns == b.bytes_burst_ns && a.packets_burst_ns == b.packets_burst_ns &&
           a.min_payload == b.min_payload && a.max_payload == b.max_payload && a.kind == b.kind &&
           a.flags == b.flags && ((a.state ^ b.state) & ~unsigned{STEM_STREAM_CHECKED}) == 0 &&
           a.stream == b.stream && std::ranges::equal(a.clock_hz, b.clock_hz) &&
           std::ranges::equal(a.clock_of, b.clock_of);
}

} // namespace

Flows flows_between(std::span<const stem_media> caller, std::span<const stem_media> callee,
                    stem_direction direction, std::uint64_t dialog, std::uint64_t now_ns) {
    const stem_direction back = direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
    Flows flows;
    for (std::size_t i = 0; i < std::min(caller.size(), callee.size()); i++) {
        const stem_media& a = caller[i];
        const stem_media& b = callee[i];
        if (a.rtp_port == 0 || b.rtp_port == 0) {
            continue; // refused by one side (RFC 3264 6)
        }
        stem_flow mould{};
        mould.media_index = static_cast<std::uint16_t>(i);
        mould.dialog = dialog;
        mould.opened_ns = now_ns;
        if (has_address(a) && has_address(b)) { // else on hold, the old way; or ICE has not gathered yet
            add_one_way(flows, a, b, direction, mould);
            add_one_way(flows, b, a, back, mould);
        }
    }
    for (std::size_t i = 0; i < std::min(caller.size(), callee.size()); i++) {
        const stem_media& a = caller[i];
        const stem_media& b = callee[i];
        if (a.rtp_port == 0 || b.rtp_port == 0 || (a.flags & b.flags & STEM_MEDIA_ICE) == 0) {
            continue;
        }
        stem_flow mould{};
        mould.media_index = static_cast<std::uint16_t>(i);
        mould.dialog = dialog;
        mould.opened_ns = now_ns;
        add_pairs(flows, a, b, direction, mould);
        add_pairs(flows, b, a, back, mould);
    }
    return flows;
}

Learnings learnings_between(std::span<const stem_media> caller, std::span<const stem_media> callee,
                            stem_direction direction, std::uint64_t dialog, std::uint64_t now_ns,
                            std::uint64_t window_ns, std::span<const Cidr> networks) {
    const stem_direction back = direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
    Learnings learnings;
    for (std::size_t i = 0; i < std::min(caller.size(), callee.size()); i++) {
        const stem_media& a = caller[i];
        const stem_media& b = callee[i];
        if (a.rtp_port == 0 || b.rtp_port == 0 || !has_address(a) || !has_address(b)) {
            continue;
        }
        stem_flow mould{};
        mould.media_index = static_cast<std::uint16_t>(i);
        mould.dialog = dialog;
        mould.opened_ns = now_ns;
        if ((a.flags & STEM_MEDIA_BEHIND_NAT) != 0) {
            add_learnings(learnings, a, b, direction, mould, now_ns + window_ns, networks);
        } else if ((b.flags & STEM_MEDIA_BEHIND_NAT) != 0) {
            add_learnings(learnings, b, a, back, mould, now_ns + window_ns, networks);
        }
    }
    return learnings;
}

Pinholes::Denial::Denial(std::uint64_t of_dialog, const stem_flow& flow)
    : dialog(of_dialog), until_ns(flow.denied_until_ns), by(flow.denied_by) {
    std::ranges::copy(flow.denied_note, note.begin());
}

void Pinholes::Denial::put_on(stem_flow& flow) const {
    flow.denied_until_ns = until_ns;
    flow.denied_by = by;
    std::ranges::copy(note, flow.denied_note);
}

void Pinholes::announce(Pinhole& pinhole, const stem_flow_key& key, const stem_flow& flow) {
    // Of all pairs of candidates one is used: the one that is said first is counted.
    const bool counted = flow.kind != STEM_FLOW_RTCP && (flow.flags & STEM_FLOW_CANDIDATE) == 0;
    const std::uint64_t rate =
        !counted || flow.offered_ns_per_kib == 0 ? 0 : 1024 * second_ns / flow.offered_ns_per_kib;
    announced_[key.direction] += rate - pinhole.announced;
    pinhole.announced = rate;
}

void Pinholes::open(std::uint64_t dialog, const stem_flow_key& key, const stem_flow& flow) {
    Pinhole& pinhole = holders_[key];
    auto& holders = pinhole.holders;
    stem_flow wanted = flow;
    // Held by a call; or opened by the data plane itself, for a peer that it learned.
    if (const auto there = store_.get(key); there) {
        if (holders.size() > 1 || (!holders.empty() && !holders.contains(dialog))) {
            widen(wanted, *there);
        }
        if (describes_the_same(wanted, *there)) {
            opened_ += holders.empty() ? 1U : 0U;
            announce(pinhole, key, wanted);
            holders.insert(dialog);
            return;
        }
        wanted = described_anew(*there, wanted);
    } else if (const auto denied = denied_.find(key); denied != denied_.end()) {
        denied->second.put_on(wanted);
        denied_.erase(denied);
    }
    if (!store_.put(key, wanted)) {
        if (holders.empty()) {
            holders_.erase(key);
        }
        egress_.count(STEM_PINHOLE_LIMIT, static_cast<stem_direction>(key.direction));
        return;
    }
    opened_ += holders.empty() ? 1U : 0U;
    announce(pinhole, key, wanted);
    holders.insert(dialog);
}

void Pinholes::let_go(std::uint64_t dialog, const stem_flow_key& key, bool may_come_back) {
    const auto found = holders_.find(key);
    if (found == holders_.end() || found->second.holders.erase(dialog) == 0 ||
        !found->second.holders.empty()) {
        return;
    }
    announced_[key.direction] -= found->second.announced;
    holders_.erase(found);
    if (may_come_back) {
        if (const auto flow = store_.get(key); flow && flow->denied_until_ns != 0) {
            denied_.insert_or_assign(key, Denial(dialog, *flow));
        }
    }
    store_.erase(key);
    closed_++;
}

void Pinholes::forget_learnings(std::uint64_t dialog, const Learnings& but) {
    const auto mine = learning_for_.find(dialog);
    if (mine == learning_for_.end()) {
        return;
    }
    for (const auto& key : mine->second) {
        if (but.contains(key)) {
            continue;
        }
        if (const auto there = store_.get_learning(key); there && there->dialog == dialog) {
            store_.erase_learning(key);
        }
    }
    learning_for_.erase(mine);
}

void Pinholes::replace(std::uint64_t dialog, const Learnings& wanted) {
    forget_learnings(dialog, wanted);
    if (wanted.empty()) {
        return;
    }
    auto& mine = learning_for_[dialog];
    for (const auto& [key, entry] : wanted) {
        mine.push_back(key);
        const auto there = store_.get_learning(key);
        const bool as_before = there && there->dialog == dialog &&
                               Address(there->signalled) == Address(entry.signalled) &&
                               there->signalled_port == entry.signalled_port;
        if (as_before && there->locked_ns != 0) {
            continue;
        }
        if (!store_.put_learning(key, entry)) {
            egress_.count(STEM_PINHOLE_LIMIT, static_cast<stem_direction>(key.direction));
        }
    }
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
    forget_learnings(dialog, {});
    std::erase_if(denied_, [&](const auto& denied) { return denied.second.dialog == dialog; });
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
                let_go(due.dialog, key, held != held_by_.end());
            }
        }
    }
}

void Pinholes::adopt(std::uint64_t dialog, const Flows& flows) {
    Keys& held = held_by_[dialog];
    for (const auto& [key, flow] : flows) {
        if (const auto there = store_.get(key); there) {
            Pinhole& pinhole = holders_[key];
            announce(pinhole, key, *there);
            pinhole.holders.insert(dialog);
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
    return std::max(last_seen_ns(dialog, STEM_INBOUND), last_seen_ns(dialog, STEM_OUTBOUND));
}

std::uint64_t Pinholes::last_seen_ns(std::uint64_t dialog, stem_direction direction) {
    std::uint64_t last = 0;
    for (const auto& key : keys_of(dialog)) {
        if (key.direction != direction) {
            continue;
        }
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
