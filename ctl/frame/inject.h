// SPDX-License-Identifier: Apache-2.0
// IP packets handed to the kernel's stack to route: in router mode, where the data plane had no next hop yet.
// The stack resolves the neighbour and sends; its output hooks see the packet as local.
#pragma once

#include <ctl/frame/view.h>
#include <stem/error.h>
#include <stem/unique_fd.h>

#include <cstdint>
#include <expected>
#include <optional>

namespace stem::frame {

struct InjectError {
    enum class Kind : std::uint8_t {
        not_ip,      // shorter than its header, or its length field disagrees
        ttl_expired, // TTL or hop limit 1 or 0: dropped, as a router does
        too_big,     // for the MTU of the route
        no_route,
        system, // anything else; see `code`
    };
    Kind kind = Kind::system;
    int code = 0; // errno, or 0
};

std::string_view to_string(InjectError::Kind kind) noexcept;

class RawInjector {
  public:
    // `mark`: SO_MARK of what is sent, for policy routing. Needs CAP_NET_RAW, and CAP_NET_ADMIN for a mark.
    static Result<RawInjector> open(std::optional<std::uint32_t> mark = std::nullopt);

    // `packet`: exactly one IP packet from its IP header on. Takes one off its TTL or hop limit, in place,
    // and sends it; the kernel computes the IPv4 header checksum, and an id where it is 0. The transport
    // checksum must be right. Never blocks: a full socket buffer is an error (EAGAIN).
    std::expected<void, InjectError> send(MutableBytes packet) noexcept;

  private:
    RawInjector(UniqueFd v4, UniqueFd v6) noexcept : v4_(std::move(v4)), v6_(std::move(v6)) {}

    UniqueFd v4_;
    UniqueFd v6_;
};

} // namespace stem::frame
