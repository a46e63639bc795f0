// SPDX-License-Identifier: Apache-2.0
// The same transport in every shape that the data plane must treat alike, in both directions.
#pragma once

#include "data_plane.h"

#include <packet/packet.h>

#include <gtest/gtest.h>

#include <string>
#include <tuple>

namespace stem::test {

enum class Shape {
    v4,
    v4_options,
    v4_vlan,
    v4_qinq,
    v6,
    v6_vlan,
    v6_qinq,
    v6_extensions, // hop-by-hop, destination options, routing, authentication
};

// Around which addresses a packet goes; direction and family follow from them.
struct Path {
    Shape shape = Shape::v4;
    stem_direction direction = STEM_INBOUND;

    [[nodiscard]] bool is_v6() const { return shape >= Shape::v6; }
    [[nodiscard]] Address src() const { return direction == STEM_INBOUND ? outside() : inside(); }
    [[nodiscard]] Address dst() const { return direction == STEM_INBOUND ? inside() : outside(); }
    [[nodiscard]] Address outside() const { return ip(is_v6() ? "2001:db8:1::10" : "192.0.2.10"); }
    [[nodiscard]] Address inside() const { return ip(is_v6() ? "2001:db8:2::10" : "198.51.100.10"); }
    [[nodiscard]] Path back() const {
        return {.shape = shape, .direction = direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND};
    }
    // The outer tag's id; 0 = untagged.
    [[nodiscard]] std::uint16_t vlan() const;
    // Octets ahead of the IP header.
    [[nodiscard]] std::size_t link_length() const;

    // Link and network layers, without what is inside; `src` and `dst` default to the path's.
    [[nodiscard]] Packet link() const;
    [[nodiscard]] Packet network() const { return network(src(), dst()); }
    [[nodiscard]] Packet network(const Address& from, const Address& to) const;
    // ICMP of the family: `type` is the family's own number.
    [[nodiscard]] Packet icmp(std::uint8_t type) const;
};

// The whole frame of a transport.
[[nodiscard]] inline Packet operator/(const Path& path, const Packet& transport) {
    return path.network() / transport;
}

[[nodiscard]] std::string name_of(Shape shape);

class EveryPath : public testing::TestWithParam<std::tuple<Shape, stem_direction>> {
  protected:
    [[nodiscard]] static Path path() {
        return {.shape = std::get<0>(GetParam()), .direction = std::get<1>(GetParam())};
    }
};

[[nodiscard]] std::string name_of_path(const testing::TestParamInfo<EveryPath::ParamType>& info);

[[nodiscard]] inline auto every_path() {
    return testing::Combine(testing::Values(Shape::v4, Shape::v4_options, Shape::v4_vlan, Shape::v4_qinq,
                                            Shape::v6, Shape::v6_vlan, Shape::v6_qinq, Shape::v6_extensions),
                            testing::Values(STEM_INBOUND, STEM_OUTBOUND));
}

} // namespace stem::test
