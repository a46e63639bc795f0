// SPDX-License-Identifier: Apache-2.0
// The ways out for frames: by a port, as they are; or, in router mode where the data plane had no next hop,
// as IP packets through the kernel's stack.
#pragma once

#include <stem/abi/meta.h>

#include <ctl/frame/inject.h>
#include <ctl/xsk/ports.h>

#include <array>
#include <optional>
#include <string_view>

namespace stem::stemd {

class Links {
  public:
    struct Setup {
        stem_mode mode = STEM_MODE_BRIDGE;
        std::array<std::size_t, STEM_PORTS> mtu{};  // octets of an IP packet, of each port
        std::optional<frame::RawInjector> injector; // router mode
    };
    // Nothing: it has left. Else why not.
    using Failure = std::optional<std::string_view>;

    // `ports` must outlive it.
    Links(Setup setup, xsk::Ports& ports) : setup_(std::move(setup)), ports_(ports) {}

    Failure transmit(xsk::Frame& frame, stem_port port) noexcept;
    Failure route(xsk::Frame& frame) noexcept; // takes one off its TTL
    [[nodiscard]] xsk::Frame allocate() noexcept { return ports_.allocate(); }
    [[nodiscard]] std::size_t mtu(stem_port port) const noexcept { return setup_.mtu[port]; }
    [[nodiscard]] bool routes() const noexcept { return setup_.mode == STEM_MODE_ROUTER; }

  private:
    Setup setup_;
    xsk::Ports& ports_;
};

constexpr stem_port other_port(stem_port port) noexcept {
    return port == STEM_PORT_EXTERNAL ? STEM_PORT_INTERNAL : STEM_PORT_EXTERNAL;
}

} // namespace stem::stemd
