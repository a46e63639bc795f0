// SPDX-License-Identifier: Apache-2.0
// Steer to proxy: what is marked for stemd, what is changed here and how, and what is left alone.
#include "network.h"
#include "rule_spec.h"
#include "tcp_talk.h"
#include "xdp_socket.h"

#include <algorithm>

namespace stem::test {
namespace {

constexpr Mac proxy_station = station(0x77);
constexpr std::uint16_t proxy_port = 5070;

class Proxy : public EveryPath {
  protected:
    static Address proxy_address() { return ip(path().is_v6() ? "2001:db8:2::50" : "198.51.100.50"); }
    static stem_proxy_family family() { return path().is_v6() ? STEM_PROXY_V6 : STEM_PROXY_V4; }
    static stem_proxy proxy(bool with_station = true, std::uint16_t port = proxy_port) {
        stem_proxy proxy{};
        proxy.address = proxy_address().raw();
        proxy.port = port;
        if (with_station) {
            proxy.flags = STEM_PROXY_MAC_FIXED;
            std::ranges::copy(proxy_station, proxy.mac);
        }
        return proxy;
    }
    static DataPlane& plane(const Settings& settings = {}) {
        DataPlane& plane = DataPlane::with(settings);
        plane.set_proxy(family(), proxy());
        return plane;
    }
    // The same packet to or from the proxy, its checksums computed anew.
    static Bytes to_proxy(Packet packet, bool tcp = false) {
        packet.get<Ethernet>().dst = proxy_station;
        set_destination(packet, proxy_address());
        (tcp ? packet.get<Tcp>().dport : packet.get<Udp>().dport) = proxy_port;
        return packet.bytes();
    }
    static void set_destination(Packet& packet, const Address& address) {
        (path().is_v6() ? packet.get<IPv6>().dst : packet.get<IPv4>().dst) = address;
    }
    static void set_source(Packet& packet, const Address& address) {
        (path().is_v6() ? packet.get<IPv6>().src : packet.get<IPv4>().src) = address;
    }
    static Packet from_proxy(Packet packet) {
        set_source(packet, proxy_address());
        return packet;
    }
    static Packet called(std::uint16_t sport = 5062) {
        return path() / (Udp{.sport = sport, .dport = 5060} / Sip{});
    }
    // Half of a datagram of two fragments.
    static Packet fragment_of(const Path& way, bool first, std::uint16_t sport = 0, std::uint16_t dport = 0) {
        const Packet body = first ? Udp{.sport = sport, .dport = dport, .length = 128} / Payload{Bytes(56)}
                                  : Packet(Payload{Bytes(64)});
        const std::uint16_t offset = first ? 0 : 8;
        Packet packet = way.network();
        if (way.is_v6()) {
            return packet / Fragment{.offset = offset, .more = first, .next = 17} / body;
        }
        packet.get<IPv4>().fragment_offset = offset;
        packet.get<IPv4>().more_fragments = first;
        packet.get<IPv4>().protocol = 17;
        return packet / body;
    }
    static stem_state_key alias(std::uint16_t client_port, std::uint8_t protocol) {
        stem_state_key key{};
        key.inside = proxy_address().raw();
        key.outside = path().outside().raw();
        key.inside_port = proxy_port;
        key.outside_port = client_port;
        key.protocol = protocol;
        return key;
    }
};
INSTANTIATE_TEST_SUITE_P(Paths, Proxy,
                         testing::Combine(testing::Values(Shape::v4, Shape::v4_options, Shape::v4_vlan,
                                                          Shape::v4_qinq, Shape::v6, Shape::v6_vlan,
                                                          Shape::v6_qinq, Shape::v6_extensions),
                                          testing::Values(STEM_INBOUND)),
                         name_of_path);

TEST_P(Proxy, MarksSipForStemd) {
    DataPlane& data_plane = plane();
    const XdpSocket in;
    const XdpSocket out;
    data_plane.set_socket(0, in.fd());
    data_plane.set_socket(STEM_QUEUES_MAX, out.fd());
    // As the client wrote it, but for the station that it leaves for.
    Packet expected = called();
    expected.get<Ethernet>().dst = proxy_station;
    expect(data_plane, STEM_INBOUND, called(),
           steered(STEM_STEER_SIP).for_proxy().with_output(expected.bytes()));
    const auto entry = data_plane.steered_of(alias(5062, 17));
    ASSERT_TRUE(entry);
    EXPECT_EQ(Address(entry->called), path().inside());
    EXPECT_EQ(entry->called_port, 5060);
    EXPECT_EQ(entry->answered, 0);
    EXPECT_EQ(data_plane.state_usage().steered, 1);
    expect(data_plane, STEM_INBOUND, called(),
           steered(STEM_STEER_SIP).for_proxy().with_output(expected.bytes()));
    EXPECT_EQ(data_plane.state_usage().steered, 1);
    // Back: untouched, and marked.
    const Packet answer = from_proxy(path().back() / (Udp{.sport = proxy_port, .dport = 5062} / Sip{}));
    data_plane.add_sip_port(proxy_port);
    expect(data_plane, STEM_OUTBOUND, answer, steered(STEM_STEER_SIP).for_proxy());
    EXPECT_EQ(data_plane.steered_of(alias(5062, 17))->answered, 1);
    // What the proxy says to others is marked, too: stemd knows which call it is of.
    expect(data_plane, STEM_OUTBOUND,
           from_proxy(path().back() / (Udp{.sport = proxy_port, .dport = 5099} / Sip{})),
           steered(STEM_STEER_SIP).for_proxy());
    // So is what it says to a client on another protocol's port.
    data_plane.add_sip_port(2427, 2);
    expect(data_plane, STEM_OUTBOUND,
           from_proxy(path().back() / (Udp{.sport = proxy_port, .dport = 2427} / Sip{})),
           steered(STEM_STEER_SIP).for_proxy());
    // An inside phone's own is not.
    expect(data_plane, STEM_OUTBOUND, path().back() / (Udp{.sport = 5060, .dport = 5062} / Sip{}),
           steered(STEM_STEER_SIP));
}

// A first fragment shows whose it is; stemd has the whole when it changes addresses.
TEST_P(Proxy, MarksTheFirstFragmentForStemd) {
    DataPlane& data_plane = plane();
    const XdpSocket in;
    const XdpSocket out;
    data_plane.set_socket(0, in.fd());
    data_plane.set_socket(STEM_QUEUES_MAX, out.fd());
    Packet expected = fragment_of(path(), true, 5062, 5060);
    expected.get<Ethernet>().dst = proxy_station;
    expect(data_plane, STEM_INBOUND, fragment_of(path(), true, 5062, 5060),
           steered(STEM_STEER_SIP).for_proxy().with_output(expected.bytes()));
    EXPECT_TRUE(data_plane.steered_of(alias(5062, 17)));
    expect(data_plane, STEM_INBOUND, fragment_of(path(), false), steered(STEM_STEER_SIP));
    data_plane.add_sip_port(proxy_port);
    expect(data_plane, STEM_OUTBOUND, from_proxy(fragment_of(path().back(), true, proxy_port, 5062)),
           steered(STEM_STEER_SIP).for_proxy());
    // To the proxy itself.
    Packet direct = fragment_of(path(), true, 5063, 5060);
    set_destination(direct, proxy_address());
    expect(data_plane, STEM_INBOUND, direct, steered(STEM_STEER_SIP));
}

// Nobody puts them together while stemd is away, so that they cannot be sent to the proxy: nor do they go
// around it.
TEST_P(Proxy, FragmentsDoNotGoAroundTheProxy) {
    DataPlane& data_plane = plane({.fallback_open = true});
    expect(data_plane, STEM_INBOUND, fragment_of(path(), true, 5062, 5060), dropped(STEM_PROXY_REFUSED));
    expect(data_plane, STEM_INBOUND, fragment_of(path(), false), dropped(STEM_FRAGMENT_ORPHAN));
    Packet direct = fragment_of(path(), true, 5063, 5060);
    set_destination(direct, proxy_address());
    expect(data_plane, STEM_INBOUND, direct, forwarded(STEM_FALLBACK_OPEN));
    // No proxy: to whom they name, as ever.
    DataPlane& bare = plane({.fallback_open = true});
    bare.set_proxy(family(), {});
    expect(bare, STEM_INBOUND, fragment_of(path(), true, 5062, 5060), forwarded(STEM_FALLBACK_OPEN));
    expect(bare, STEM_INBOUND, fragment_of(path(), false), forwarded(STEM_FALLBACK_OPEN));
}

TEST_P(Proxy, LeavesTheProxysOwnAlone) {
    DataPlane& data_plane = plane();
    const XdpSocket in;
    data_plane.set_socket(0, in.fd());
    Packet direct = called();
    set_destination(direct, proxy_address());
    expect(data_plane, STEM_INBOUND, direct, steered(STEM_STEER_SIP));
    Packet loop = called(); // what the proxy sent out, come back
    set_source(loop, proxy_address());
    expect(data_plane, STEM_INBOUND, loop, steered(STEM_STEER_SIP));
    Packet group = called();
    set_destination(group, ip(path().is_v6() ? "ff0e::1" : "224.0.1.75"));
    expect(data_plane, STEM_INBOUND, group, steered(STEM_STEER_SIP));
    EXPECT_EQ(data_plane.state_usage().steered, 0);
    // No proxy, and one of the other family only.
    data_plane.set_proxy(family(), {});
    data_plane.set_proxy(path().is_v6() ? STEM_PROXY_V4 : STEM_PROXY_V6, proxy());
    expect(data_plane, STEM_INBOUND, called(), steered(STEM_STEER_SIP));
}

TEST_P(Proxy, ChangesAddressesWhereStemdIsPassedBy) {
    DataPlane& data_plane = plane({.fallback_open = true});
    data_plane.add_sip_port(proxy_port);
    expect(data_plane, STEM_INBOUND, called(), forwarded(STEM_FALLBACK_OPEN).with_output(to_proxy(called())));
    // Odd lengths, and payloads that bring the checksum to its edges.
    for (std::size_t size = 5; size < 70; size++) {
        const Packet odd = path() / (Udp{.sport = 5062, .dport = 5060} / Payload{Bytes(size, 0xff)});
        expect(data_plane, STEM_INBOUND, odd, forwarded(STEM_FALLBACK_OPEN).with_output(to_proxy(odd)));
    }
    const Packet alive = path() / (Udp{.sport = 5062, .dport = 5060} / Payload{{'\r', '\n', '\r', '\n'}});
    expect(data_plane, STEM_INBOUND, alive, forwarded(STEM_KEEPALIVE_CRLF).with_output(to_proxy(alive)));
    const Packet stun = path() / (Udp{.sport = 5062, .dport = 5060} / Stun{});
    expect(data_plane, STEM_INBOUND, stun, forwarded(STEM_KEEPALIVE_STUN).with_output(to_proxy(stun)));
    // Back as from the called address.
    Packet answer = path().back() / (Udp{.sport = 5060, .dport = 5062} / Sip{});
    const Bytes expected = answer.bytes();
    answer.get<Udp>().sport = proxy_port;
    expect(data_plane, STEM_OUTBOUND, from_proxy(answer),
           forwarded(STEM_FALLBACK_OPEN).with_output(expected));
    if (!path().is_v6()) { // no checksum stays none (RFC 768)
        Packet bare = path() / (Udp{.sport = 5062, .dport = 5060, .checksum = 0} / Sip{});
        expect(data_plane, STEM_INBOUND, bare, forwarded(STEM_FALLBACK_OPEN).with_output(to_proxy(bare)));
    }
    // Nobody was steered there: the proxy's own.
    Packet own = path().back() / (Udp{.sport = proxy_port, .dport = 5099} / Sip{});
    expect(data_plane, STEM_OUTBOUND, from_proxy(own), forwarded(STEM_FALLBACK_OPEN));
}

// All checksums that a datagram can come with: none may come out as 0, or wrong.
TEST(ProxyChecksum, StaysRight) {
    DataPlane& data_plane = DataPlane::with({.fallback_open = true});
    stem_proxy proxy{};
    proxy.address = ip("198.51.100.50").raw();
    proxy.port = 5060;
    proxy.flags = STEM_PROXY_MAC_FIXED;
    std::ranges::copy(proxy_station, proxy.mac);
    data_plane.set_proxy(STEM_PROXY_V4, proxy);
    data_plane.set_peer(Path{}.src(), {.expires_ns = 0, .phones = 10'000, .kinds = STEM_PEER_TRUNK});
    for (unsigned value = 0; value < 65536; value += 1) {
        Packet packet = Path{} / (Udp{.sport = 5062, .dport = 5060} /
                                  Payload{{'O', 'P', 'T', 'I', static_cast<std::uint8_t>(value >> 8U),
                                           static_cast<std::uint8_t>(value)}});
        const Outcome outcome = data_plane.run(STEM_INBOUND, packet.bytes());
        packet.get<Ethernet>().dst = proxy_station;
        packet.get<IPv4>().dst = ip("198.51.100.50");
        ASSERT_EQ(to_hex(outcome.output), to_hex(packet.bytes())) << value;
    }
}

// To stemd, which talks to both ends: marked, with the proxy's link address, and as the client wrote it.
TEST_P(Proxy, MarksTcpForTheController) {
    DataPlane& data_plane = plane();
    data_plane.add_sip_port(proxy_port);
    const XdpSocket in;
    const XdpSocket out;
    data_plane.set_socket(0, in.fd());
    data_plane.set_socket(STEM_QUEUES_MAX, out.fd());
    const TcpTalk talk{.path = path(), .sport = 33000, .dport = 5060};
    for (const Packet& packet : {talk.syn(), talk.client_data(100)}) {
        Packet marked = packet;
        marked.get<Ethernet>().dst = proxy_station;
        expect(data_plane, STEM_INBOUND, packet,
               steered(STEM_STEER_SIP).for_proxy().with_output(marked.bytes()));
    }
    Packet answer = talk.syn_ack();
    answer.get<Tcp>().sport = proxy_port;
    expect(data_plane, STEM_OUTBOUND, from_proxy(answer), steered(STEM_STEER_SIP));
    Packet direct = talk.syn();
    set_destination(direct, proxy_address());
    expect(data_plane, STEM_INBOUND, direct, steered(STEM_STEER_SIP));
    EXPECT_EQ(data_plane.state_usage().states, 0); // who talks with whom is stemd's to know
    EXPECT_EQ(data_plane.state_usage().steered, 0);
    data_plane.set_proxy(family(), proxy(false));
    expect(data_plane, STEM_INBOUND, talk.syn(), dropped(STEM_PROXY_REFUSED));
}

// While stemd is away, and the fallback is open.
TEST_P(Proxy, CarriesTcpBothWays) {
    DataPlane& data_plane = plane({.fallback_open = true});
    TcpTalk talk{.path = path(), .sport = 33000, .dport = 5060};
    const auto in = [&](const Packet& packet) {
        expect(data_plane, STEM_INBOUND, packet, forwarded(STEM_PROXY).with_output(to_proxy(packet, true)));
    };
    const auto out = [&](Packet packet, stem_reason reason = STEM_PROXY) {
        const Bytes expected = packet.bytes();
        packet.get<Tcp>().sport = proxy_port;
        packet = from_proxy(packet);
        expect(data_plane, STEM_OUTBOUND, packet,
               reason == STEM_PROXY ? forwarded(reason).with_output(expected) : dropped(reason));
    };
    in(talk.syn());
    ASSERT_TRUE(data_plane.state_of(talk.key()));
    ASSERT_TRUE(data_plane.steered_of(alias(33000, 6)));
    in(talk.syn()); // once more
    out(talk.syn_ack());
    talk.client++;
    talk.server++;
    in(talk.client_data(0));
    in(talk.client_data(333));
    talk.client += 333;
    out(talk.server_data(501));
    out(talk.server_data(1, 70000), STEM_STATE_WINDOW);
    expect(data_plane, STEM_INBOUND, talk.client_data(1, 70000), dropped(STEM_STATE_WINDOW));
    // Another proxy by now: what is up goes on to the old one.
    stem_proxy other = proxy();
    other.address = ip(path().is_v6() ? "2001:db8:2::51" : "198.51.100.51").raw();
    std::ranges::copy(station(0x78), other.mac);
    data_plane.set_proxy(family(), other);
    in(talk.client_data(10));
    out(talk.server_data(10));
    data_plane.set_proxy(family(), {});
    in(talk.client_data(10));
    out(talk.server_data(10));
    // Its end takes the second entry with it.
    EXPECT_EQ(data_plane.sweep(true), 1U);
    EXPECT_EQ(data_plane.state_usage().states, 0);
    EXPECT_EQ(data_plane.state_usage().steered, 0);
    out(talk.server_data(10), STEM_POLICY_DROP);
}

TEST_P(Proxy, BeginsTcpWithASynToASipPortFromOutside) {
    DataPlane& data_plane = plane({.fallback_open = true});
    const TcpTalk talk{.path = path(), .sport = 33000, .dport = 5060};
    expect(data_plane, STEM_INBOUND, talk.client_data(10), dropped(STEM_STATE_WINDOW));
    expect(data_plane, STEM_INBOUND, TcpTalk{.path = path(), .dport = 5061}.syn(), dropped(STEM_POLICY_DROP));
    expect(data_plane, STEM_OUTBOUND, TcpTalk{.path = path().back(), .dport = 5060}.syn(),
           forwarded(STEM_FALLBACK_OPEN));
    Packet direct = talk.syn(); // to the proxy itself: as it is
    set_destination(direct, proxy_address());
    expect(data_plane, STEM_INBOUND, direct, forwarded(STEM_FALLBACK_OPEN));
    expect(data_plane, STEM_INBOUND, talk.syn(),
           forwarded(STEM_PROXY).with_output(to_proxy(talk.syn(), true)));
    // The same port to another inside address: two that the proxy could not tell apart.
    Packet second = talk.syn();
    set_destination(second, ip(path().is_v6() ? "2001:db8:2::20" : "198.51.100.20"));
    expect(data_plane, STEM_INBOUND, second, dropped(STEM_PROXY_REFUSED));
    EXPECT_EQ(data_plane.state_usage().states, 1);
}

TEST_P(Proxy, FollowsARuleThatSteers) {
    DataPlane& data_plane = plane({.fallback_open = true});
    data_plane.set_rules({to_rule({.action = STEM_ACTION_STEER, .dport = PortRange{5080, 5080}})});
    const Packet datagram = path() / (Udp{.sport = 5062, .dport = 5080} / Sip{});
    expect(data_plane, STEM_INBOUND, datagram, forwarded(STEM_FALLBACK_OPEN).with_output(to_proxy(datagram)));
    const Packet syn = TcpTalk{.path = path(), .dport = 5080}.syn();
    expect(data_plane, STEM_INBOUND, syn, forwarded(STEM_PROXY).with_output(to_proxy(syn, true)));
}

TEST_P(Proxy, LearnsTheProxysStation) {
    DataPlane& data_plane = plane({.fallback_open = true});
    data_plane.set_proxy(family(), proxy(false));
    expect(data_plane, STEM_INBOUND, called(), dropped(STEM_PROXY_REFUSED));
    expect(data_plane, STEM_INBOUND, TcpTalk{.path = path(), .dport = 5060}.syn(),
           dropped(STEM_PROXY_REFUSED));
    EXPECT_EQ(data_plane.state_usage().steered, 0);
    // Not from outside, nor from another inside host.
    Packet forged = path() / Packet(Udp{});
    set_source(forged, proxy_address());
    (void)data_plane.run(STEM_INBOUND, forged.bytes());
    (void)data_plane.run(STEM_OUTBOUND, (path().back() / Packet(Udp{})).bytes());
    EXPECT_EQ(data_plane.proxy_of(family()).flags, 0);
    (void)data_plane.take_events();
    // From what it sends to a place that is none of STEM's business.
    Packet any = path().back() / Packet(Udp{});
    any.get<Ethernet>().src = proxy_station;
    expect(data_plane, STEM_OUTBOUND, from_proxy(any), dropped(STEM_NO_PINHOLE));
    EXPECT_EQ(data_plane.proxy_of(family()).flags, STEM_PROXY_MAC_LEARNED);
    expect(data_plane, STEM_INBOUND, called(), forwarded(STEM_FALLBACK_OPEN).with_output(to_proxy(called())));
    // From its ARP, or its neighbour discovery: it has moved.
    Packet moved = path().back().link();
    if (path().is_v6()) {
        moved = moved / IPv6{.src = proxy_address(), .dst = ip("ff02::1"), .hop_limit = 255} /
                Icmpv6{.type = 136} / discovery_body(proxy_address(), station(0x79));
    } else {
        moved = moved / Arp{.operation = 2, .sender_station = station(0x79), .sender = proxy_address()};
    }
    moved.get<Ethernet>().src = station(0x79);
    expect(data_plane, STEM_OUTBOUND, moved, forwarded(STEM_NEIGHBOUR));
    EXPECT_TRUE(std::ranges::equal(data_plane.proxy_of(family()).mac, station(0x79)));
    // What the operator has said stands.
    data_plane.set_proxy(family(), proxy());
    expect(data_plane, STEM_OUTBOUND, moved, forwarded(STEM_NEIGHBOUR));
    EXPECT_TRUE(std::ranges::equal(data_plane.proxy_of(family()).mac, proxy_station));
}

TEST_P(Proxy, RefusesStrangersWhenFullAndKeepsWhoIsThere) {
    DataPlane& data_plane = plane({.fallback_open = true, .states_max = 64});
    const auto sent = [&](std::uint16_t sport) {
        return forwarded(STEM_FALLBACK_OPEN).with_output(to_proxy(called(sport)));
    };
    for (std::uint16_t i = 0; i < 48; i++) {
        expect(data_plane, STEM_INBOUND, called(1000 + i), sent(1000 + i));
    }
    expect(data_plane, STEM_INBOUND, called(2000), dropped(STEM_PROXY_REFUSED));
    expect(data_plane, STEM_INBOUND, called(1000), sent(1000));
    data_plane.set_peer(path().src(), {.expires_ns = 0, .phones = 1, .kinds = STEM_PEER_REGISTERED});
    expect(data_plane, STEM_INBOUND, called(2000), sent(2000));
    // Not answered: over sooner than what was.
    Packet answer = path().back() / (Udp{.sport = 5060, .dport = 2000} / Sip{});
    const Bytes expected = answer.bytes();
    answer.get<Udp>().sport = proxy_port;
    data_plane.add_sip_port(proxy_port);
    expect(data_plane, STEM_OUTBOUND, from_proxy(answer),
           forwarded(STEM_FALLBACK_OPEN).with_output(expected));
    data_plane.advance(30 * seconds);
    EXPECT_EQ(data_plane.sweep(), 48U);
    EXPECT_EQ(data_plane.state_usage().steered, 1);
    data_plane.advance(150 * seconds);
    EXPECT_EQ(data_plane.sweep(), 1U);
}

// Router mode: the FIB finds the proxy's station; one hop less.
TEST(ProxyRouter, RoutesToTheProxy) {
    for (const Shape shape : {Shape::v4, Shape::v6}) {
        DataPlane& data_plane = DataPlane::with({.mode = STEM_MODE_ROUTER, .fallback_open = true});
        const Path path{.shape = shape};
        const Address address = ip(path.is_v6() ? "2001:db8:4::10" : "203.0.113.130"); // behind the gateway
        stem_proxy proxy{};
        proxy.address = address.raw();
        proxy.port = 5060;
        data_plane.set_proxy(path.is_v6() ? STEM_PROXY_V6 : STEM_PROXY_V4, proxy);
        const auto routed = [&](Packet packet) {
            packet.get<Ethernet>().src = TestNetwork::internal_station;
            packet.get<Ethernet>().dst = TestNetwork::inside_station;
            if (path.is_v6()) {
                packet.get<IPv6>().hop_limit--;
                packet.get<IPv6>().dst = address;
            } else {
                packet.get<IPv4>().ttl--;
                packet.get<IPv4>().dst = address;
            }
            return packet.bytes();
        };
        const Packet datagram = path / (Udp{.sport = 5062, .dport = 5060} / Sip{});
        expect(data_plane, STEM_INBOUND, datagram,
               forwarded(STEM_FALLBACK_OPEN).with_output(routed(datagram)));
        const Packet syn = TcpTalk{.path = path, .dport = 5060}.syn();
        expect(data_plane, STEM_INBOUND, syn, forwarded(STEM_PROXY).with_output(routed(syn)));
        // To stemd: routed to the proxy's next hop, with the address that was called still in it.
        const XdpSocket in;
        data_plane.set_socket(0, in.fd());
        Packet marked = datagram;
        marked.get<Ethernet>().src = TestNetwork::internal_station;
        marked.get<Ethernet>().dst = TestNetwork::inside_station;
        if (path.is_v6()) {
            marked.get<IPv6>().hop_limit--;
        } else {
            marked.get<IPv4>().ttl--;
        }
        expect(data_plane, STEM_INBOUND, datagram,
               steered(STEM_STEER_SIP).for_proxy().with_output(marked.bytes()));
    }
}

} // namespace
} // namespace stem::test
