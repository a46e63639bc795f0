// SPDX-License-Identifier: Apache-2.0
// A packet as scapy text, to look at and to send again when a test fails.
#include "packet.h"

#include <fmt/format.h>

namespace stem::test {
namespace {

std::string text_of(const Mac& mac) {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", mac[0], mac[1], mac[2], mac[3], mac[4],
                       mac[5]);
}

std::string hex(const Bytes& octets) {
    return fmt::format("bytes.fromhex('{}')", to_hex(octets));
}

// ",name=value" where the test set the field, else nothing: scapy computes what is left out.
template<typename T>
std::string set(const char* name, const std::optional<T>& value) {
    return value ? fmt::format(",{}={}", name, unsigned{*value}) : std::string{};
}

struct Scapy {
    std::string operator()(const Ethernet& l) const {
        return fmt::format("Ether(dst='{}',src='{}'{})", text_of(l.dst), text_of(l.src), set("type", l.type));
    }
    std::string operator()(const Vlan& l) const {
        return fmt::format("{}(vlan={},prio={}{})", l.tpid == 0x88a8 ? "Dot1AD" : "Dot1Q", l.id, l.priority,
                           set("type", l.type));
    }
    std::string operator()(const Arp& l) const {
        return fmt::format(
            "ARP(hwtype={},ptype={},hwlen={},plen={},op={},hwsrc='{}',psrc='{}',hwdst='{}',pdst='{}')",
            l.hardware, l.protocol, l.hardware_length, l.protocol_length, l.operation,
            text_of(l.sender_station), l.sender.to_string(), text_of(l.target_station), l.target.to_string());
    }
    std::string operator()(const IPv4& l) const {
        return fmt::format("IP(src='{}',dst='{}',ttl={},tos={},id={},version={},flags={},frag={}{}{}{}{}{})",
                           l.src.to_string(), l.dst.to_string(), l.ttl, l.tos, l.id, l.version,
                           (l.dont_fragment ? 2 : 0) + (l.more_fragments ? 1 : 0), l.fragment_offset,
                           l.options.empty() ? "" : fmt::format(",options=IPOption({})", hex(l.options)),
                           set("ihl", l.header_words), set("len", l.length), set("proto", l.protocol),
                           set("chksum", l.checksum));
    }
    std::string operator()(const IPv6& l) const {
        return fmt::format("IPv6(src='{}',dst='{}',hlim={},tc={},fl={},version={}{}{})", l.src.to_string(),
                           l.dst.to_string(), l.hop_limit, l.traffic_class, l.flow_label, l.version,
                           set("plen", l.payload_length), set("nh", l.next));
    }
    std::string operator()(const HopByHop& l) const {
        return fmt::format("IPv6ExtHdrHopByHop(options=[Raw({})]{}{})", hex(l.options), set("len", l.length),
                           set("nh", l.next));
    }
    std::string operator()(const DestinationOptions& l) const {
        return fmt::format("IPv6ExtHdrDestOpt(options=[Raw({})]{}{})", hex(l.options), set("len", l.length),
                           set("nh", l.next));
    }
    std::string operator()(const Routing& l) const {
        return fmt::format("IPv6ExtHdrRouting(type={},segleft={}{}{})/Raw({})", l.type, l.segments_left,
                           set("len", l.length), set("nh", l.next), hex(l.data));
    }
    std::string operator()(const Fragment& l) const {
        return fmt::format("IPv6ExtHdrFragment(offset={},m={},res1={},id={}{})", l.offset, l.more ? 1 : 0,
                           l.reserved, l.id, set("nh", l.next));
    }
    std::string operator()(const Authentication& l) const {
        return fmt::format("AH(spi={},seq={},icv={}{}{})", l.spi, l.sequence, hex(l.check_value),
                           set("payloadlen", l.length), set("nh", l.next));
    }
    std::string operator()(const Udp& l) const {
        return fmt::format("UDP(sport={},dport={}{}{})", l.sport, l.dport, set("len", l.length),
                           set("chksum", l.checksum));
    }
    std::string operator()(const Tcp& l) const {
        return fmt::format("TCP(sport={},dport={},seq={},ack={},flags='{}{}{}{}',window={},options={}{}{})",
                           l.sport, l.dport, l.sequence, l.acknowledged, l.fin ? "F" : "", l.syn ? "S" : "",
                           l.rst ? "R" : "", l.ack ? "A" : "", l.window, hex(l.options),
                           set("dataofs", l.header_words), set("chksum", l.checksum));
    }
    std::string operator()(const Icmp& l) const {
        return fmt::format("ICMP(type={},code={},unused={}{})", l.type, l.code, l.rest,
                           set("chksum", l.checksum));
    }
    std::string operator()(const Icmpv6& l) const {
        return fmt::format("ICMPv6Unknown(type={},code={}{})/Raw({})", l.type, l.code,
                           set("cksum", l.checksum), hex(Writer{}.u32(l.rest).take()));
    }
    std::string operator()(const Rtp& l) const {
        return fmt::format("RTP(version={},marker={},payload_type={},sequence={},timestamp={},sourcesync={})/"
                           "Raw(b'\\xd5'*{})",
                           l.version, l.marker ? 1 : 0, l.payload_type, l.sequence, l.timestamp, l.source,
                           l.payload);
    }
    std::string operator()(const Payload& l) const { return fmt::format("Raw({})", hex(l.octets)); }
    std::string operator()(const auto& l) const { return fmt::format("Raw({})", hex(Packet(l).bytes())); }
};

} // namespace

std::string Packet::scapy() const {
    std::string text;
    for (const Layer& layer : layers_) {
        text += text.empty() ? "" : "/";
        text += std::visit(Scapy{}, layer);
    }
    return at_least_ != 0 ? fmt::format("{} # padded to {} octets", text, at_least_) : text;
}

} // namespace stem::test
