// SPDX-License-Identifier: Apache-2.0
// Packets that read like packets: Ethernet{} / Vlan{.id = 7} / IPv4{} / Udp{.dport = 5060} / Sip{}.
#pragma once

#include "layers.h"

#include <concepts>
#include <cstddef>
#include <string>
#include <vector>

namespace stem::test {

class Packet {
  public:
    Packet() = default;
    template<typename L>
        requires std::constructible_from<Layer, L>
    Packet(L layer) { // NOLINT(google-explicit-constructor): a layer is a packet
        layers_.emplace_back(std::move(layer));
    }

    // The frame: lengths, next headers and checksums computed where the test left them open. A transport's
    // checksum takes the addresses of the innermost IP header, as they stand there (RFC 8200 8.1 would take a
    // routing header's last address; none here has segments left).
    [[nodiscard]] Bytes bytes() const;
    // For a person with scapy at hand: the same packet, with only what was set by the test.
    [[nodiscard]] std::string scapy() const;

    // Ethernet padding behind the packet: the frame has at least `size` octets.
    [[nodiscard]] Packet padded_to(std::size_t size) const {
        Packet padded = *this;
        padded.at_least_ = size;
        return padded;
    }
    [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }
    // The first layer of this kind; the packet must have one.
    template<typename L>
    [[nodiscard]] L& get() {
        for (Layer& layer : layers_) {
            if (L* found = std::get_if<L>(&layer)) {
                return *found;
            }
        }
        std::abort();
    }

    friend Packet operator/(Packet outer, const Packet& inner) {
        outer.layers_.insert(outer.layers_.end(), inner.layers_.begin(), inner.layers_.end());
        return outer;
    }

  private:
    std::vector<Layer> layers_;
    std::size_t at_least_ = 0;
};

// Two bare layers: neither is a Packet yet, and ADL alone would not convert them.
template<typename A, typename B>
    requires std::constructible_from<Layer, A> && std::constructible_from<Layer, B>
Packet operator/(A outer, B inner) {
    return Packet(std::move(outer)) / Packet(std::move(inner));
}

} // namespace stem::test
