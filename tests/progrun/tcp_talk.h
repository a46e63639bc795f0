// SPDX-License-Identifier: Apache-2.0
// The segments of a TCP connection, as its two ends would send them along a path.
#pragma once

#include "media.h"
#include "verdict.h"

#include <stem/abi/state.h>

namespace stem::test {

struct TcpTalk {
    Path path{}; // of the first SYN
    std::uint16_t sport = 40000;
    std::uint16_t dport = 443;
    std::uint32_t client = 1000; // next sequence number of each end
    std::uint32_t server = 9000;
    std::uint16_t client_window = 65535;
    std::uint16_t server_window = 65535;

    [[nodiscard]] Packet from_client(Tcp tcp, std::size_t octets = 0) const {
        tcp.sport = sport;
        tcp.dport = dport;
        return path / (tcp / Payload{Bytes(octets, 'c')});
    }
    [[nodiscard]] Packet from_server(Tcp tcp, std::size_t octets = 0) const {
        tcp.sport = dport;
        tcp.dport = sport;
        return path.back() / (tcp / Payload{Bytes(octets, 's')});
    }
    [[nodiscard]] Packet syn(const Bytes& options = {}) const {
        return from_client({.sequence = client, .syn = true, .window = client_window, .options = options});
    }
    [[nodiscard]] Packet syn_ack(const Bytes& options = {}) const {
        return from_server({.sequence = server,
                            .acknowledged = client + 1,
                            .syn = true,
                            .ack = true,
                            .window = server_window,
                            .options = options});
    }
    // Each direction's next, `ahead` of where it is.
    [[nodiscard]] Packet client_data(std::size_t octets, std::uint32_t ahead = 0) const {
        return from_client(
            {.sequence = client + ahead, .acknowledged = server, .ack = true, .window = client_window},
            octets);
    }
    [[nodiscard]] Packet server_data(std::size_t octets, std::uint32_t ahead = 0) const {
        return from_server(
            {.sequence = server + ahead, .acknowledged = client, .ack = true, .window = server_window},
            octets);
    }

    [[nodiscard]] stem_direction there() const { return path.direction; }
    [[nodiscard]] stem_direction back() const { return path.back().direction; }
    [[nodiscard]] stem_state_key key() const {
        const bool inbound = path.direction == STEM_INBOUND;
        stem_state_key key{};
        key.inside = path.inside().raw();
        key.outside = path.outside().raw();
        key.inside_port = inbound ? dport : sport;
        key.outside_port = inbound ? sport : dport;
        key.protocol = 6;
        return key;
    }

    // SYN, SYN-ACK and ACK go through a rule that keeps state; the sequence numbers then stand after them.
    void open(DataPlane& plane, const Bytes& syn_options = {}, const Bytes& answer_options = {}) {
        expect(plane, there(), syn(syn_options), forwarded(STEM_RULE_PASS));
        expect(plane, back(), syn_ack(answer_options), forwarded(STEM_STATE));
        client++;
        server++;
        expect(plane, there(), client_data(0), forwarded(STEM_STATE));
    }
};

} // namespace stem::test
