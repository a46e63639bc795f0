// SPDX-License-Identifier: Apache-2.0
// The parser runs twice over mutated packets, compiled for user space and as the kernel runs it; both must
// see the same faults and, through the event of the drop, the same addresses, ports, protocol and VLAN.
#include "media.h"
#include "user_parser.h"
#include "verdict.h"

#include <stem/reason.h>

#include <linux/bpf.h>

#include <cstring>
#include <random>

namespace stem::test {
namespace {

constexpr unsigned mutations = 20'000;

std::vector<Bytes> seeds() {
    std::vector<Bytes> frames;
    for (const Shape shape : {Shape::v4, Shape::v4_options, Shape::v4_vlan, Shape::v4_qinq, Shape::v6,
                              Shape::v6_vlan, Shape::v6_qinq, Shape::v6_extensions}) {
        const Path path{.shape = shape};
        for (const Packet& transport :
             {Udp{} / Rtp{.payload = 20}, Udp{.dport = 5060} / Sip{}, Udp{.dport = 5060} / Stun{},
              Tcp{.ack = true, .options = Bytes(8)} / Payload{Bytes(10)}, Packet(Payload{Bytes(8)})}) {
            frames.push_back((path / transport).bytes());
        }
        frames.push_back(path.icmp(8).bytes());
    }
    for (const std::size_t length : {2U, 4U, 6U}) { // ICMP with padding where more of it would be
        frames.push_back((Ethernet{} / IPv4{.protocol = 1} / Payload{Bytes(length)}).padded_to(60).bytes());
        frames.push_back((Ethernet{} / IPv6{.next = 58} / Payload{Bytes(length)}).padded_to(90).bytes());
    }
    frames.push_back((Ethernet{} / Arp{}).padded_to(60).bytes());
    frames.push_back((Ethernet{} / Vlan{} / Arp{}).bytes());
    frames.push_back((Ethernet{} / IPv4{.more_fragments = true} / Udp{} / Rtp{}).bytes());
    frames.push_back((Ethernet{} / IPv6{} / HopByHop{} / Fragment{.offset = 4} / Udp{} / Rtp{}).bytes());
    frames.push_back((Ethernet{} / IPv6{.hop_limit = 255} / Icmpv6{.type = 135, .rest = 0} /
                      discovery_body(ip("2001:db8:2::10"), station(2)))
                         .bytes());
    return frames;
}

class Mutator {
  public:
    // Fixed, so that a failure comes again.
    explicit Mutator(std::vector<Bytes> seeds) : seeds_(std::move(seeds)), random_(20021002) {}

    Bytes next() {
        Bytes frame = seeds_[below(seeds_.size())];
        for (std::size_t changes = 1 + below(3); changes > 0; changes--) {
            change(frame);
        }
        frame.resize(std::max<std::size_t>(frame.size(), 14)); // what the kernel runs at least
        return frame;
    }

  private:
    std::size_t below(std::size_t bound) {
        return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
    }

    void change(Bytes& frame) {
        // Headers are where faults are: half of the changes go to the first 80 octets.
        const std::size_t reach = below(2) == 0 ? std::min<std::size_t>(frame.size(), 80) : frame.size();
        const std::size_t at = 12 + below(std::max<std::size_t>(reach, 13) - 12);
        if (at >= frame.size()) {
            return;
        }
        constexpr std::array<std::uint8_t, 14> edges = {0,  1,  4,  5,  6,    17,   43,
                                                        44, 51, 58, 60, 0x7f, 0x81, 0xff};
        switch (below(6)) {
        case 0:
            frame[at] ^= static_cast<std::uint8_t>(1U << below(8));
            break;
        case 1:
            frame[at] = static_cast<std::uint8_t>(below(256));
            break;
        case 2:
            frame[at] = edges[below(edges.size())];
            break;
        case 3:
            frame.resize(std::max<std::size_t>(14, at)); // cut
            break;
        case 4:
            frame.resize(frame.size() + below(40)); // padding
            break;
        default: // an octet too many, or too few
            if (below(2) == 0) {
                frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(at),
                             static_cast<std::uint8_t>(below(256)));
            } else {
                frame.erase(frame.begin() + static_cast<std::ptrdiff_t>(at));
            }
        }
    }

    std::vector<Bytes> seeds_;
    std::mt19937 random_;
};

stem_reason fault_of(const Parsed& parsed) {
    return parsed.fault != STEM_CONTINUE ? parsed.fault : parsed.form;
}

// What the guard of ARP and discovery says, by what it has heard before: not for this test to know.
bool is_of_neighbours(stem_reason reason) {
    return reason == STEM_ARP_HEADER || reason == STEM_ICMP_HEADER || reason == STEM_NEIGHBOUR_SPOOF ||
           reason == STEM_NEIGHBOUR_RATE || reason == STEM_ROUTER_GUARD;
}

void expect_agreement(const Parsed& parsed, const stem_event& event) {
    const auto reason = static_cast<stem_reason>(event.reason);
    const stem_reason fault = fault_of(parsed);
    if (fault != STEM_CONTINUE) {
        EXPECT_EQ(reason, fault) << label_of(reason) << ", but " << label_of(fault);
    } else if (parsed.neighbour) {
        EXPECT_TRUE(is_of_neighbours(reason)) << label_of(reason);
    } else if (parsed.fragment) {
        EXPECT_EQ(reason, parsed.later ? STEM_FRAGMENT_ORPHAN : STEM_FRAGMENT) << label_of(reason);
    } else {
        EXPECT_TRUE(reason == STEM_NO_PINHOLE || reason == STEM_POLICY_DROP) << label_of(reason);
    }
    EXPECT_EQ(std::memcmp(&event.src, &parsed.key.src, sizeof(event.src)), 0);
    EXPECT_EQ(std::memcmp(&event.dst, &parsed.key.dst, sizeof(event.dst)), 0);
    EXPECT_EQ(event.sport, parsed.key.sport);
    EXPECT_EQ(event.dport, parsed.key.dport);
    EXPECT_EQ(event.protocol, parsed.key.protocol);
    EXPECT_EQ(event.vlan, parsed.vlan);
    EXPECT_EQ(event.ip_version, parsed.ip_version);
}

TEST(Differential, KernelAndUserSpaceReadAlike) {
    DataPlane& plane = DataPlane::with();
    plane.remove_sip_port(5060); // then only discovery is forwarded, and all else leaves an event
    Mutator mutator(seeds());
    std::array<unsigned, STEM_REASON_SLOTS> by_fault{};
    const Counters before = plane.counters();
    for (unsigned i = 0; i < mutations; i++) {
        const Bytes frame = mutator.next();
        const stem_direction direction = i % 2 == 0 ? STEM_INBOUND : STEM_OUTBOUND;
        const Parsed parsed = parse_in_user_space(frame, direction);
        plane.advance(milliseconds);
        const Outcome outcome = plane.run(direction, frame);
        const auto events = plane.take_events();
        by_fault[fault_of(parsed)]++;
        SCOPED_TRACE("mutation " + std::to_string(i) + ": " + to_hex(frame));
        if (outcome.action == XDP_REDIRECT) {
            EXPECT_TRUE(parsed.neighbour);
            EXPECT_EQ(fault_of(parsed), STEM_CONTINUE);
            EXPECT_TRUE(events.empty());
        } else {
            EXPECT_EQ(outcome.action, XDP_DROP);
            ASSERT_EQ(events.size(), 1U);
            expect_agreement(parsed, events[0]);
        }
        EXPECT_EQ(outcome.output, frame);
        ASSERT_FALSE(HasFailure());
    }
    // The counters tell the same story, and the mutations reach each fault that the runner lets through.
    const Counters after = plane.counters();
    for (unsigned fault = STEM_VLAN_DEPTH; fault <= STEM_ARP_HEADER; fault++) {
        std::uint64_t counted = 0;
        for (unsigned direction = 0; direction < STEM_DIRECTIONS; direction++) {
            const std::size_t slot = fault * STEM_DIRECTIONS + direction;
            counted += after[slot].packets - before[slot].packets;
        }
        if (!is_of_neighbours(static_cast<stem_reason>(fault))) {
            EXPECT_EQ(counted, by_fault[fault]) << label_of(fault);
        }
        EXPECT_GT(by_fault[fault], 20U) << label_of(fault);
    }
    EXPECT_GT(by_fault[STEM_CONTINUE], mutations / 10);
}

// What the kernel's runner does not take: frames shorter than an Ethernet header.
TEST(Differential, UserSpaceReadsTheShortest) {
    const Bytes whole = (Ethernet{} / IPv4{} / Udp{}).bytes();
    for (std::size_t length = 0; length < 14; length++) {
        EXPECT_EQ(parse_in_user_space(std::span(whole).first(length), STEM_INBOUND).fault,
                  STEM_ETHERNET_SHORT);
    }
}

} // namespace
} // namespace stem::test
