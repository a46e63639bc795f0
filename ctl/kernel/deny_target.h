// SPDX-License-Identifier: Apache-2.0
// What can be denied, and how people write it:
//   198.51.100.7, 2001:db8::/48                                    an address, a network
//   stream:udp:198.51.100.7:5060-203.0.113.5:5060                  a signalling stream, from source to server
//   flow:[2001:db8::7]:4000-[2001:db8::5]:10000                    a media flow, one way
#pragma once

#include <stem/address.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace stem::kernel {

struct StreamTarget {
    std::uint8_t protocol = 0; // IPPROTO_UDP, IPPROTO_TCP
    Endpoint source;
    Endpoint destination;
    auto operator<=>(const StreamTarget&) const = default;
};

struct FlowTarget {
    Endpoint source;
    Endpoint destination;
    auto operator<=>(const FlowTarget&) const = default;
};

using DenyTarget = std::variant<Cidr, StreamTarget, FlowTarget>;

// By kind, then by value: the order of lists.
enum class DenyKind : std::uint8_t { address, network, stream, flow };

DenyKind kind_of(const DenyTarget& target);
std::string_view name_of(DenyKind kind); // "address"
std::optional<DenyKind> deny_kind_from(std::string_view name);

// An error names the text, what is wrong with which part, and how to write it.
Result<DenyTarget> parse_deny_target(std::string_view text);
std::string to_string(const DenyTarget& target); // as parse_deny_target() reads it

} // namespace stem::kernel
