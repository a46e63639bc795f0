// SPDX-License-Identifier: Apache-2.0
// SIP messages by their kind, and a plane that steers them.
#pragma once

#include "media.h"
#include "verdict.h"
#include "xdp_socket.h"

#include <packet/packet.h>

#include <linux/bpf.h>

#include <string>

namespace stem::test {

constexpr std::uint16_t phone_port = 5062;
constexpr std::uint16_t sip_port = 5060;

[[nodiscard]] inline Packet sip_of(const std::string& method) {
    return Sip{.start_line = method + " sip:bob@example.net SIP/2.0"};
}
[[nodiscard]] inline Packet sip_response() {
    return Sip{.start_line = "SIP/2.0 200 OK"};
}

// `message` from the path's source to its SIP port.
[[nodiscard]] inline Packet from_phone(const Path& path, const Packet& message,
                                       std::uint16_t sport = phone_port) {
    return path / (Udp{.sport = sport, .dport = sip_port} / message);
}
[[nodiscard]] inline Packet from_address(const Path& path, const Address& source, const Packet& message) {
    return path.network(source, path.dst()) / (Udp{.sport = phone_port, .dport = sip_port} / message);
}

// Another of many addresses outside.
[[nodiscard]] inline Address another(const Path& path, unsigned number) {
    return path.is_v6() ? ip("2001:db8:9:" + std::to_string(number) + "::10")
                        : Address::v4({10, 1, static_cast<std::uint8_t>(number >> 8U),
                                       static_cast<std::uint8_t>(number)});
}

[[nodiscard]] inline std::uint64_t stream_of(const Path& path, std::uint16_t sport = phone_port,
                                             std::uint64_t seed = 0) {
    const stem_addr src = path.src().raw();
    const stem_addr dst = path.dst().raw();
    return stem_stream_id(seed, &src, sport, &dst, sip_port, 17);
}

// Budgets small enough to be used up, and a burst of ten seconds.
[[nodiscard]] inline stem_thresholds small_budgets() {
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.sip_interval = 10'000;
    limits.sip_stream_invites = 1;
    limits.sip_invites = 2;
    limits.sip_registers = 3;
    limits.sip_options = 1;
    limits.sip_requests = 2;
    limits.sip_responses = 1;
    limits.sip_noise = 1;
    limits.sip_segments = 2;
    limits.sip_known_factor = 4;
    limits.sip_trunk_factor = 200;
    return limits;
}

// The plane with these thresholds, and a socket for each port.
class SteeringPlane {
  public:
    explicit SteeringPlane(const stem_thresholds& limits = small_budgets()) : plane_(DataPlane::with()) {
        plane_.set_thresholds(limits);
        plane_.set_socket(0, socket_.fd());
        plane_.set_socket(STEM_QUEUES_MAX, socket_.fd());
    }
    [[nodiscard]] DataPlane& operator*() const { return plane_; }
    [[nodiscard]] DataPlane* operator->() const { return &plane_; }

    // How many of `count` equal packets went to stemd; the rest must have one reason, which is given back.
    struct Passed {
        int passed = 0;
        stem_reason reason = STEM_CONTINUE; // of the others
    };
    [[nodiscard]] Passed send(const Path& path, const Packet& packet, int count) const {
        const Bytes frame = packet.bytes();
        Passed result;
        const Counters before = plane_.counters();
        for (int i = 0; i < count; i++) {
            result.passed += plane_.run(path.direction, frame).action == XDP_REDIRECT ? 1 : 0;
        }
        const Counters after = plane_.counters();
        for (std::uint32_t slot = 0; slot < STEM_COUNTER_SLOTS; slot++) {
            const auto reason = static_cast<stem_reason>(slot / STEM_DIRECTIONS);
            if (after[slot].packets != before[slot].packets && reason != STEM_STEER_SIP) {
                EXPECT_EQ(result.reason, STEM_CONTINUE) << "and " << reason;
                result.reason = reason;
            }
        }
        (void)plane_.take_events();
        plane_.refill_event_budget();
        return result;
    }

  private:
    DataPlane& plane_;
    XdpSocket socket_;
};

} // namespace stem::test
