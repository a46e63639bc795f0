// SPDX-License-Identifier: Apache-2.0
// SIP to the controller's sockets, what happens without them, and keep-alives.
#include "media.h"
#include "rule_spec.h"
#include "verdict.h"
#include "xdp_socket.h"

#include <linux/bpf.h>
#include <unistd.h>

namespace stem::test {
namespace {

using SteerEveryPath = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, SteerEveryPath, every_path(), name_of_path);

std::uint32_t slot_of(stem_direction direction, std::uint32_t queue) {
    return static_cast<std::uint32_t>(direction) * STEM_QUEUES_MAX + queue;
}

Packet sip(const Path& path) {
    return path / (Udp{.sport = 5062, .dport = 5060} / Sip{});
}

Payload octets(std::string_view text) {
    return {Bytes(text.begin(), text.end())};
}

TEST_P(SteerEveryPath, GivesSipToTheQueuesSocket) {
    DataPlane& plane = DataPlane::with();
    const XdpSocket socket;
    plane.set_socket(slot_of(path().direction, 0), socket.fd());
    expect(plane, path().direction, sip(path()), steered(STEM_STEER_SIP));
    expect(plane, path().direction, path() / (Udp{.sport = 5060, .dport = 5062} / Sip{}),
           steered(STEM_STEER_SIP));
    expect(plane, path().direction, path() / (Udp{.sport = 5060, .dport = 5060} / Sip{}),
           steered(STEM_STEER_SIP));
    expect(plane, path().direction, sip(path()).padded_to(1000), steered(STEM_STEER_SIP));
    // Another port is not SIP.
    expect(plane, path().direction, path() / (Udp{.sport = 5062, .dport = 5061} / Sip{}),
           dropped(STEM_NO_PINHOLE));
    // Nobody listens on the next queue, nor on the other port.
    expect(plane, path().direction, sip(path()), dropped(STEM_CONTROLLER_AWAY), 1);
    expect(plane, path().back().direction, sip(path().back()), dropped(STEM_CONTROLLER_AWAY));
    plane.set_socket(slot_of(path().direction, 1), socket.fd());
    expect(plane, path().direction, sip(path()), steered(STEM_STEER_SIP), 1);
    plane.remove_socket(slot_of(path().direction, 0));
    expect(plane, path().direction, sip(path()), dropped(STEM_CONTROLLER_AWAY));
}

// Each segment of a connection to a SIP port, both ways.
TEST_P(SteerEveryPath, GivesConnectionsToTheController) {
    DataPlane& plane = DataPlane::with();
    const XdpSocket socket;
    plane.set_socket(slot_of(path().direction, 0), socket.fd());
    const auto segment = [&](Tcp tcp, std::string_view payload = "") {
        return path() / (tcp / octets(payload));
    };
    const Tcp to_server{.sport = 40000, .dport = 5060};
    const Tcp to_client{.sport = 5060, .dport = 40000};
    const auto with = [](Tcp tcp, bool syn, bool ack, bool fin = false, bool rst = false) {
        tcp.syn = syn;
        tcp.ack = ack;
        tcp.fin = fin;
        tcp.rst = rst;
        return tcp;
    };
    for (const auto& packet :
         {segment(with(to_server, true, false)), segment(with(to_client, true, true)),
          segment(with(to_server, false, true)), segment(with(to_server, false, true), "INVITE sip:a"),
          segment(with(to_client, false, true), "SIP/2.0 2"),
          segment(with(to_server, false, true), "\r\n\r\n"), segment(with(to_client, false, true), "x"),
          segment(with(to_server, false, true, true)), segment(with(to_client, false, false, false, true))}) {
        SCOPED_TRACE(packet.scapy());
        expect(plane, path().direction, packet, steered(STEM_STEER_SIP));
    }
    // Who begins a connection from a SIP port to another port does not talk SIP.
    expect(plane, path().direction, segment(with(to_client, true, false)), dropped(STEM_POLICY_DROP));
    expect(plane, path().direction, segment(with({.sport = 40000, .dport = 5061}, false, true)),
           dropped(STEM_POLICY_DROP));
    plane.remove_socket(slot_of(path().direction, 0));
    expect(plane, path().direction, segment(with(to_server, false, true)), dropped(STEM_CONTROLLER_AWAY));
    // An open policy opens no SIP.
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    expect(plane, path().direction, segment(with(to_server, false, true)), dropped(STEM_CONTROLLER_AWAY));
    expect(plane, path().direction, segment(with({.sport = 40000, .dport = 443}, false, true)),
           forwarded(STEM_POLICY_PASS));
    // Rules come before.
    plane.set_socket(slot_of(path().direction, 0), socket.fd());
    plane.set_rules({to_rule({.action = STEM_ACTION_PASS, .protocol = 6, .dport = PortRange{5060, 5060}})});
    expect(plane, path().direction, segment(with(to_server, true, false)), forwarded(STEM_RULE_PASS));
}

// A port of another protocol parser's: its datagrams both ways, keep-alives or not, and no TCP.
TEST_P(SteerEveryPath, GivesOtherParsersTheirs) {
    DataPlane& plane = DataPlane::with();
    const XdpSocket socket;
    plane.set_socket(slot_of(path().direction, 0), socket.fd());
    plane.add_sip_port(2427, 2);
    const Payload command = octets("CRCX 1 aaln/1@gateway MGCP 1.0\r\n");
    const Verdict to_stemd = steered(STEM_STEER_SIP);
    expect(plane, path().direction, path() / (Udp{.sport = 2727, .dport = 2427} / command), to_stemd);
    expect(plane, path().direction, path() / (Udp{.sport = 2427, .dport = 2727} / command), to_stemd);
    expect(plane, path().direction, path() / (Udp{.sport = 2727, .dport = 2427} / octets("\r\n\r\n")),
           to_stemd);
    expect(plane, path().direction, path() / (Tcp{.sport = 2727, .dport = 2427} / command),
           dropped(STEM_POLICY_DROP));
    // A SIP port at either end goes first: a client of SIP's may send from any port. So it has keep-alives.
    const Packet crlf_from = path() / (Udp{.sport = 5060, .dport = 2427} / octets("\r\n\r\n"));
    const Packet crlf_to = path() / (Udp{.sport = 2427, .dport = 5060} / octets("\r\n\r\n"));
    const bool in = path().direction == STEM_INBOUND;
    expect(plane, path().direction, crlf_to, forwarded(STEM_KEEPALIVE_CRLF));
    expect(plane, path().direction, crlf_from,
           in ? dropped(STEM_NO_PINHOLE) : forwarded(STEM_KEEPALIVE_CRLF));
    expect(plane, path().direction, path() / (Udp{.sport = 5060, .dport = 2427} / Sip{}), to_stemd);
    expect(plane, path().direction, path() / (Udp{.sport = 2427, .dport = 5060} / Sip{}), to_stemd);
    plane.remove_sip_port(2427);
    expect(plane, path().direction, path() / (Udp{.sport = 2727, .dport = 2427} / command),
           dropped(STEM_NO_PINHOLE));
}

TEST_P(SteerEveryPath, FallsBackWhenTheControllerDies) {
    for (const bool open : {false, true}) {
        DataPlane& plane = DataPlane::with({.fallback_open = open});
        const Verdict away = open ? forwarded(STEM_FALLBACK_OPEN) : dropped(STEM_CONTROLLER_AWAY);
        expect(plane, path().direction, sip(path()), away);
        {
            const XdpSocket socket;
            plane.set_socket(slot_of(path().direction, 0), socket.fd());
            expect(plane, path().direction, sip(path()), steered(STEM_STEER_SIP));
        } // the kernel empties the slot of a closed socket, a moment later
        for (int i = 0;
             i < 100 && plane.run(path().direction, sip(path()).bytes()).action == XDP_REDIRECT && !open;
             i++) {
            usleep(10'000);
        }
        if (open) {
            usleep(50'000);
        }
        (void)plane.take_events();
        expect(plane, path().direction, sip(path()), away);
    }
}

TEST_P(SteerEveryPath, TakesTheConfiguredPorts) {
    DataPlane& plane = DataPlane::with();
    const Packet other = path() / (Udp{.sport = 40000, .dport = 5080} / Sip{});
    expect(plane, path().direction, other, dropped(STEM_NO_PINHOLE));
    plane.add_sip_port(5080);
    expect(plane, path().direction, other, dropped(STEM_CONTROLLER_AWAY));
    plane.remove_sip_port(5060);
    expect(plane, path().direction, sip(path()), dropped(STEM_NO_PINHOLE));
    // 5060 with its octets swapped
    plane.remove_sip_port(5080);
    plane.add_sip_port(50195);
    expect(plane, path().direction, sip(path()), dropped(STEM_NO_PINHOLE));
}

TEST_P(SteerEveryPath, ForwardsKeepAlives) {
    DataPlane& plane = DataPlane::with();
    const auto to_sip_port = [&](const Packet& payload) {
        return path() / (Udp{.sport = 5062, .dport = 5060} / payload);
    };
    for (const std::string_view text :
         {std::string_view(""), std::string_view("\r\n\r\n"), std::string_view("\r\n"),
          std::string_view("\n"), std::string_view("\r"), std::string_view("\0", 1),
          std::string_view("\0\0", 2), std::string_view("\0\0\0\0", 4), std::string_view("\r\n\0", 3)}) {
        expect(plane, path().direction, to_sip_port(octets(text)), forwarded(STEM_KEEPALIVE_CRLF));
        expect(plane, path().direction, to_sip_port(octets(text)).padded_to(200),
               forwarded(STEM_KEEPALIVE_CRLF));
    }
    for (const Stun& stun : {Stun{}, Stun{.type = 0x0101}, Stun{.type = 0x0011}, Stun{.attributes = Bytes(8)},
                             Stun{.type = 0x0111, .attributes = Bytes(108)}}) {
        expect(plane, path().direction, to_sip_port(stun), forwarded(STEM_KEEPALIVE_STUN));
    }
    // The answer to one comes from the port of SIP to whoever asked.
    expect(plane, path().back().direction, path().back() / (Udp{.sport = 5062, .dport = 5060} / Stun{}),
           forwarded(STEM_KEEPALIVE_STUN));
    expect(plane, path().direction, path() / (Udp{.sport = 5060, .dport = 5062} / Stun{.type = 0x0101}),
           forwarded(STEM_KEEPALIVE_STUN));
}

TEST_P(SteerEveryPath, TakesNothingElseForAKeepAlive) {
    DataPlane& plane = DataPlane::with();
    for (const Packet& payload :
         {Packet(octets("\r\n\r\n\r")), Packet(octets("\r\n\r ")), Packet(octets("a")),
          Packet(octets("\r\nab")), Packet(octets(std::string_view("\0\0\0\0\0", 5))),
          Packet(Stun{.cookie = 0x42a41221}), Packet(Stun{.cookie = 0}), Packet(Stun{.type = 0x4001}),
          Packet(Stun{.type = 0x8001}), Packet(Stun{.type = 0x0003}), Packet(Stun{.type = 0x3fff}),
          Packet(Stun{.attributes = Bytes(112)}), Packet(Stun{.length = 4}),
          Packet(Stun{.attributes = Bytes(8), .length = 4}), Packet(Stun{.attributes = Bytes(3)}),
          Packet(Payload{Bytes(19)}), Packet(Sip{})}) {
        expect(plane, path().direction, path() / (Udp{.sport = 5062, .dport = 5060} / payload),
               dropped(STEM_CONTROLLER_AWAY));
    }
    // On a port that is not SIP's it is UDP like any other.
    expect(plane, path().direction, path() / (Udp{.dport = 5090} / octets("\r\n\r\n")),
           dropped(STEM_NO_PINHOLE));
    expect(plane, path().direction, path() / (Udp{.dport = 3478} / Stun{}), dropped(STEM_NO_PINHOLE));
}

TEST_P(SteerEveryPath, HoldsKeepAlivesToTheirRate) {
    DataPlane& plane = DataPlane::with();
    stem_thresholds thresholds = DataPlane::default_thresholds();
    thresholds.keepalive_rate = 10;
    plane.set_thresholds(thresholds);
    const Packet crlf = path() / (Udp{.dport = 5060} / octets("\r\n\r\n"));
    const Packet stun = path() / (Udp{.dport = 5060} / Stun{});
    for (int i = 0; i < 10; i++) { // a second's worth at once, of either kind
        expect(plane, path().direction, i % 2 == 0 ? crlf : stun,
               forwarded(i % 2 == 0 ? STEM_KEEPALIVE_CRLF : STEM_KEEPALIVE_STUN));
    }
    expect(plane, path().direction, crlf, dropped(STEM_KEEPALIVE_RATE));
    expect(plane, path().direction, stun, dropped(STEM_KEEPALIVE_RATE));
    // Others have a budget of their own, and SIP is no keep-alive.
    const Address other = ip(path().is_v6() ? "2001:db8:1::11" : "192.0.2.11");
    expect(plane, path().direction, path().network(other, path().dst()) / Udp{.dport = 5060} / octets("\r\n"),
           forwarded(STEM_KEEPALIVE_CRLF));
    expect(plane, path().direction, sip(path()), dropped(STEM_CONTROLLER_AWAY));
    plane.advance(100 * milliseconds - 1);
    expect(plane, path().direction, crlf, dropped(STEM_KEEPALIVE_RATE));
    plane.advance(1);
    expect(plane, path().direction, crlf, forwarded(STEM_KEEPALIVE_CRLF));
    expect(plane, path().direction, crlf, dropped(STEM_KEEPALIVE_RATE));
}

TEST_P(SteerEveryPath, SteersByRule) {
    for (const bool open : {false, true}) {
        DataPlane& plane = DataPlane::with({.fallback_open = open});
        plane.set_rules(
            {to_rule({.action = STEM_ACTION_STEER, .protocol = 6, .dport = PortRange{5060, 5060}})});
        const Packet packet = path() / Packet(Tcp{.dport = 5060, .syn = true});
        expect(plane, path().direction, packet,
               open ? forwarded(STEM_FALLBACK_OPEN) : dropped(STEM_CONTROLLER_AWAY));
        const XdpSocket socket;
        plane.set_socket(slot_of(path().direction, 0), socket.fd());
        expect(plane, path().direction, packet, steered(STEM_RULE_STEER));
        EXPECT_EQ(plane.hits(0).packets, 2U);
    }
}

// Rules come before steering, and a pinhole before both.
TEST_P(SteerEveryPath, ComesAfterRules) {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({to_rule({.action = STEM_ACTION_DROP, .source = Cidr::host(path().src())})},
                    STEM_ACTION_PASS, STEM_ACTION_PASS);
    expect(plane, path().direction, sip(path()), dropped(STEM_RULE_DROP));
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    expect(plane, path().direction, sip(path()),
           dropped(STEM_CONTROLLER_AWAY)); // an open policy opens no SIP
}

TEST(SteerModule, SwitchedOffLeavesSipToPolicy) {
    DataPlane& plane = DataPlane::with({.modules = 0});
    expect(plane, STEM_INBOUND, sip({}), dropped(STEM_NO_PINHOLE));
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    expect(plane, STEM_INBOUND, sip({}), forwarded(STEM_POLICY_PASS));
}

} // namespace
} // namespace stem::test
