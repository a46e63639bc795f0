// SPDX-License-Identifier: Apache-2.0
// Loads the data plane, fills its maps, attaches it to both ports and pins all of it; or does nothing.
#pragma once

#include "ctl/kernel/locations.h"
#include "ctl/kernel/rules.h"
#include "ctl/kernel/sip_proxy.h"

#include <stem/abi/meta.h>
#include <stem/address.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stem::kernel {

enum class XdpChoice {
    automatic, // native on both ports, else generic on both, and it is told
    native,    // in the driver, or not at all
    generic,   // after the kernel has made its packet: every interface can, but it is slow
};

// Management that no policy may cut: connections of clients on one side to a port behind STEM.
struct Failsafe {
    stem_direction direction = STEM_OUTBOUND; // of the client's packets
    std::uint8_t protocol = 6;                // IPPROTO_TCP or IPPROTO_UDP
    std::uint16_t port = 22;
    std::optional<Cidr> client; // nothing: any, of both families

    // "internal:tcp/22", "external:udp/161:192.0.2.0/24": the side of the client, the service, the clients.
    static Result<Failsafe> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
};

struct AttachRequest {
    std::string external;
    std::string internal;
    stem_mode mode = STEM_MODE_BRIDGE;
    XdpChoice xdp = XdpChoice::automatic;
    std::string instance = "default";
    std::vector<std::uint16_t> sip_ports = {5060};
    std::vector<Failsafe> failsafe = {Failsafe{}};
    std::uint32_t modules = STEM_MODULES_INITIAL; // enum stem_module: which are on
    bool fallback_open = false;
    std::uint32_t max_flows = 131072;
    std::uint32_t max_states = 65536; // kept connections; as many clients of the SIP proxy
    std::vector<SipProxy> proxies;    // one of a family at most
    std::uint32_t event_rate = 1000; // a second and CPU
    Rules rules; // the interfaces that they name are those of this request
};

struct AttachReport {
    stem_meta meta{};
    bool fell_back = false;      // generic, though native was tried first
    std::string fall_back_cause; // why
    std::vector<std::string> warnings;
};

Result<AttachReport> attach(const Locations& locations, const AttachRequest& request);

} // namespace stem::kernel
