// SPDX-License-Identifier: Apache-2.0
// A packet into octets, innermost layer first, so that each outer one knows its payload.
#include "packet.h"

#include <stdexcept>

namespace stem::test {
namespace {

// What a layer must know of its neighbours.
struct Surroundings {
    const Layer* inner = nullptr;   // the next layer, if any
    const Layer* network = nullptr; // the innermost IP header outside of this layer
    const Bytes& payload;
};

struct ProtocolNumber {
    std::uint8_t operator()(const IPv4&) const { return 4; }
    std::uint8_t operator()(const IPv6&) const { return 41; }
    std::uint8_t operator()(const HopByHop&) const { return 0; }
    std::uint8_t operator()(const Routing&) const { return 43; }
    std::uint8_t operator()(const Fragment&) const { return 44; }
    std::uint8_t operator()(const Authentication&) const { return 51; }
    std::uint8_t operator()(const DestinationOptions&) const { return 60; }
    std::uint8_t operator()(const Udp&) const { return 17; }
    std::uint8_t operator()(const Tcp&) const { return 6; }
    std::uint8_t operator()(const Icmp&) const { return 1; }
    std::uint8_t operator()(const Icmpv6&) const { return 58; }
    std::uint8_t operator()(const auto&) const { return 253; } // for experiments (RFC 3692)
};

std::uint8_t protocol_of(const Layer* layer) {
    return layer ? std::visit(ProtocolNumber{}, *layer) : std::uint8_t{59}; // no next header
}

struct Ethertype {
    std::uint16_t operator()(const Vlan& vlan) const { return vlan.tpid; }
    std::uint16_t operator()(const Arp&) const { return 0x0806; }
    std::uint16_t operator()(const IPv4&) const { return 0x0800; }
    std::uint16_t operator()(const IPv6&) const { return 0x86dd; }
    std::uint16_t operator()(const auto&) const { return 0x88b5; } // for local experiments (IEEE 802)
};

std::uint16_t ethertype_of(const Layer* layer) {
    return layer ? std::visit(Ethertype{}, *layer) : std::uint16_t{0x88b5};
}

Bytes padded(Bytes octets, std::size_t unit, std::size_t used = 0) {
    while ((octets.size() + used) % unit != 0) {
        octets.push_back(0);
    }
    return octets;
}

std::uint32_t pseudo_header(const Layer* network, std::uint8_t protocol, std::size_t length) {
    Writer pseudo;
    if (const auto* v4 = network ? std::get_if<IPv4>(network) : nullptr) {
        pseudo.octets(v4->src.v4_octets()).octets(v4->dst.v4_octets());
    } else if (const auto* v6 = network ? std::get_if<IPv6>(network) : nullptr) {
        pseudo.octets(v6->src.octets()).octets(v6->dst.octets());
    }
    pseudo.u32(static_cast<std::uint32_t>(length)).u32(protocol);
    return checksum_add(0, pseudo.bytes());
}

struct Encoder {
    const Surroundings& about;

    Bytes operator()(const Ethernet& layer) const {
        return Writer{}
            .octets(layer.dst)
            .octets(layer.src)
            .u16(layer.type.value_or(ethertype_of(about.inner)))
            .take();
    }
    Bytes operator()(const Vlan& layer) const {
        return Writer{}
            .u16((unsigned{layer.priority} << 13) | layer.id)
            .u16(layer.type.value_or(ethertype_of(about.inner)))
            .take();
    }
    Bytes operator()(const Arp& layer) const {
        return Writer{}
            .u16(layer.hardware)
            .u16(layer.protocol)
            .u8(layer.hardware_length)
            .u8(layer.protocol_length)
            .u16(layer.operation)
            .octets(layer.sender_station)
            .octets(layer.sender.v4_octets())
            .octets(layer.target_station)
            .octets(layer.target.v4_octets())
            .take();
    }
    Bytes operator()(const IPv4& layer) const {
        const Bytes options = padded(layer.options, 4);
        const std::size_t header = 20 + options.size();
        const unsigned flags = (layer.dont_fragment ? 0x4000U : 0U) | (layer.more_fragments ? 0x2000U : 0U);
        Writer out;
        out.u8((unsigned{layer.version} << 4) |
               layer.header_words.value_or(static_cast<std::uint8_t>(header / 4)))
            .u8(layer.tos)
            .u16(layer.length.value_or(static_cast<std::uint16_t>(header + about.payload.size())))
            .u16(layer.id)
            .u16(flags | layer.fragment_offset)
            .u8(layer.ttl)
            .u8(layer.protocol.value_or(protocol_of(about.inner)))
            .u16(0)
            .octets(layer.src.v4_octets())
            .octets(layer.dst.v4_octets())
            .octets(options);
        out.put_u16(10, layer.checksum.value_or(checksum_finish(checksum_add(0, out.bytes()))));
        return out.take();
    }
    Bytes operator()(const IPv6& layer) const {
        return Writer{}
            .u32((std::uint32_t{layer.version} << 28) | (std::uint32_t{layer.traffic_class} << 20) |
                 layer.flow_label)
            .u16(layer.payload_length.value_or(static_cast<std::uint16_t>(about.payload.size())))
            .u8(layer.next.value_or(protocol_of(about.inner)))
            .u8(layer.hop_limit)
            .octets(layer.src.octets())
            .octets(layer.dst.octets())
            .take();
    }
    Bytes operator()(const HopByHop& layer) const { return options_header(layer); }
    Bytes operator()(const DestinationOptions& layer) const { return options_header(layer); }
    Bytes operator()(const Routing& layer) const {
        const Bytes data = padded(layer.data, 8, 4);
        return Writer{}
            .u8(layer.next.value_or(protocol_of(about.inner)))
            .u8(layer.length.value_or(static_cast<std::uint8_t>((data.size() + 4) / 8 - 1)))
            .u8(layer.type)
            .u8(layer.segments_left)
            .octets(data)
            .take();
    }
    Bytes operator()(const Fragment& layer) const {
        return Writer{}
            .u8(layer.next.value_or(protocol_of(about.inner)))
            .u8(layer.reserved)
            .u16((unsigned{layer.offset} << 3) | (layer.more ? 1U : 0U))
            .u32(layer.id)
            .take();
    }
    Bytes operator()(const Authentication& layer) const {
        const Bytes value = padded(layer.check_value, 4);
        return Writer{}
            .u8(layer.next.value_or(protocol_of(about.inner)))
            .u8(layer.length.value_or(static_cast<std::uint8_t>((value.size() + 12) / 4 - 2)))
            .u16(0)
            .u32(layer.spi)
            .u32(layer.sequence)
            .octets(value)
            .take();
    }
    Bytes operator()(const Udp& layer) const {
        Writer out;
        out.u16(layer.sport)
            .u16(layer.dport)
            .u16(layer.length.value_or(static_cast<std::uint16_t>(8 + about.payload.size())))
            .u16(0);
        const std::uint16_t computed = transport_checksum(17, out.bytes());
        out.put_u16(6, layer.checksum.value_or(computed == 0 ? std::uint16_t{0xffff} : computed));
        return out.take();
    }
    Bytes operator()(const Tcp& layer) const {
        const Bytes options = padded(layer.options, 4);
        const auto words = static_cast<std::uint8_t>((20 + options.size()) / 4);
        const unsigned flags =
            (layer.fin ? 1U : 0U) | (layer.syn ? 2U : 0U) | (layer.rst ? 4U : 0U) | (layer.ack ? 16U : 0U);
        Writer out;
        out.u16(layer.sport)
            .u16(layer.dport)
            .u32(layer.sequence)
            .u32(layer.acknowledged)
            .u8(unsigned{layer.header_words.value_or(words)} << 4)
            .u8(flags)
            .u16(layer.window)
            .u16(0)
            .u16(0)
            .octets(options);
        out.put_u16(16, layer.checksum.value_or(transport_checksum(6, out.bytes())));
        return out.take();
    }
    Bytes operator()(const Icmp& layer) const {
        Writer out;
        out.u8(layer.type).u8(layer.code).u16(0).u32(layer.rest);
        const std::uint32_t sum = checksum_add(checksum_add(0, out.bytes()), about.payload);
        out.put_u16(2, layer.checksum.value_or(checksum_finish(sum)));
        return out.take();
    }
    Bytes operator()(const Icmpv6& layer) const {
        Writer out;
        out.u8(layer.type).u8(layer.code).u16(0).u32(layer.rest);
        out.put_u16(2, layer.checksum.value_or(transport_checksum(58, out.bytes())));
        return out.take();
    }
    Bytes operator()(const Rtp& layer) const {
        return Writer{}
            .u8(unsigned{layer.version} << 6)
            .u8((layer.marker ? 0x80U : 0U) | layer.payload_type)
            .u16(layer.sequence)
            .u32(layer.timestamp)
            .u32(layer.source)
            .octets(Bytes(layer.payload, 0xd5)) // silence in A-law
            .take();
    }
    Bytes operator()(const Rtcp& layer) const {
        return Writer{}
            .u8((unsigned{layer.version} << 6) | layer.count)
            .u8(layer.type)
            .u16(layer.length.value_or(static_cast<std::uint16_t>((8 + layer.body) / 4 - 1)))
            .u32(layer.source)
            .octets(Bytes(layer.body))
            .take();
    }
    Bytes operator()(const Stun& layer) const {
        return Writer{}
            .u16(layer.type)
            .u16(layer.length.value_or(static_cast<std::uint16_t>(layer.attributes.size())))
            .u32(layer.cookie)
            .octets(layer.transaction)
            .octets(layer.attributes)
            .take();
    }
    Bytes operator()(const Sip& layer) const {
        Writer out;
        out.text(layer.start_line).text("\r\n");
        for (const std::string& header : layer.headers) {
            out.text(header).text("\r\n");
        }
        const auto length = layer.content_length.value_or(static_cast<std::uint32_t>(layer.body.size()));
        return out.text("Content-Length: " + std::to_string(length) + "\r\n\r\n").text(layer.body).take();
    }
    Bytes operator()(const Payload& layer) const { return layer.octets; }

  private:
    Bytes options_header(const auto& layer) const {
        // An empty header holds PadN (RFC 8200 4.2); so does what is left of the last eight octets.
        Bytes options = layer.options;
        const std::size_t rest = (8 - (options.size() + 2) % 8) % 8;
        if (rest == 1) {
            options.push_back(0);
        } else if (rest > 1) {
            options.push_back(1);
            options.push_back(static_cast<std::uint8_t>(rest - 2));
            options.resize(options.size() + rest - 2);
        }
        return Writer{}
            .u8(layer.next.value_or(protocol_of(about.inner)))
            .u8(layer.length.value_or(static_cast<std::uint8_t>((options.size() + 2) / 8 - 1)))
            .octets(options)
            .take();
    }
    std::uint16_t transport_checksum(std::uint8_t protocol, const Bytes& header) const {
        const std::uint32_t pseudo =
            pseudo_header(about.network, protocol, header.size() + about.payload.size());
        return checksum_finish(checksum_add(checksum_add(pseudo, header), about.payload));
    }
};

} // namespace

Address ip(std::string_view text) {
    const auto address = Address::parse(text);
    if (!address) {
        throw std::invalid_argument(address.error().message());
    }
    return *address;
}

Payload discovery_body(const Address& target, const Mac& source_station) {
    // The option is the source link-layer address (RFC 4861 4.6.1).
    return {Writer{}.octets(target.octets()).u8(1).u8(1).octets(source_station).take()};
}

Bytes Packet::bytes() const {
    Bytes frame;
    for (std::size_t i = layers_.size(); i-- > 0;) {
        const Layer* network = nullptr;
        for (std::size_t outer = 0; outer < i; outer++) {
            if (std::holds_alternative<IPv4>(layers_[outer]) ||
                std::holds_alternative<IPv6>(layers_[outer])) {
                network = &layers_[outer];
            }
        }
        const Surroundings about{.inner = i + 1 < layers_.size() ? &layers_[i + 1] : nullptr,
                                 .network = network,
                                 .payload = frame};
        Bytes outer = std::visit(Encoder{about}, layers_[i]);
        outer.insert(outer.end(), frame.begin(), frame.end());
        frame = std::move(outer);
    }
    if (frame.size() < at_least_) {
        frame.resize(at_least_);
    }
    return frame;
}

} // namespace stem::test
