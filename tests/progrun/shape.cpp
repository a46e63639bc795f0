// SPDX-License-Identifier: Apache-2.0
#include "shape.h"

#include "network.h"

#include <stem/reason.h>

namespace stem::test {

std::uint16_t Path::vlan() const {
    switch (shape) {
    case Shape::v4_vlan:
    case Shape::v6_vlan:
        return 100;
    case Shape::v4_qinq:
    case Shape::v6_qinq:
        return 200;
    default:
        return 0;
    }
}

std::size_t Path::link_length() const {
    return link().bytes().size();
}

Packet Path::link() const {
    const bool inbound = direction == STEM_INBOUND;
    Packet ethernet = Ethernet{.dst = inbound ? TestNetwork::external_station : TestNetwork::internal_station,
                               .src = inbound ? TestNetwork::outside_station : TestNetwork::inside_station};
    switch (shape) {
    case Shape::v4_vlan:
    case Shape::v6_vlan:
        return ethernet / Vlan{.id = 100, .priority = 5};
    case Shape::v4_qinq:
    case Shape::v6_qinq:
        return ethernet / Vlan{.id = 200, .tpid = 0x88a8} / Vlan{.id = 100};
    default:
        return ethernet;
    }
}

Packet Path::network(const Address& from, const Address& to) const {
    if (!is_v6()) {
        IPv4 header{.src = from, .dst = to};
        if (shape == Shape::v4_options) {
            header.options = {0x94, 0x04, 0x00, 0x00, 0x01}; // router alert (RFC 2113), no operation
        }
        return link() / header;
    }
    Packet header = link() / IPv6{.src = from, .dst = to};
    if (shape == Shape::v6_extensions) {
        return header / HopByHop{} / DestinationOptions{.options = Bytes(9, 0)} / Routing{} /
               Authentication{};
    }
    return header;
}

Packet Path::icmp(std::uint8_t type) const {
    return is_v6() ? network() / Icmpv6{.type = type} : network() / Icmp{.type = type};
}

std::string name_of(Shape shape) {
    switch (shape) {
    case Shape::v4:
        return "v4";
    case Shape::v4_options:
        return "v4_options";
    case Shape::v4_vlan:
        return "v4_vlan";
    case Shape::v4_qinq:
        return "v4_qinq";
    case Shape::v6:
        return "v6";
    case Shape::v6_vlan:
        return "v6_vlan";
    case Shape::v6_qinq:
        return "v6_qinq";
    case Shape::v6_extensions:
        return "v6_extensions";
    }
    return "?";
}

std::string name_of_path(const testing::TestParamInfo<EveryPath::ParamType>& info) {
    return name_of(std::get<0>(info.param)) + "_" + std::string(label_of(std::get<1>(info.param)));
}

} // namespace stem::test
