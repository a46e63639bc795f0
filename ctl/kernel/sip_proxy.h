// SPDX-License-Identifier: Apache-2.0
// The SIP proxy that calls from outside are steered to: one of each family, in a pinned map that the data
// plane reads with each packet.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/abi/proxy.h>
#include <stem/address.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::kernel {

using ProxyMap = Map<std::uint32_t, stem_proxy>;
using Station = std::array<std::uint8_t, 6>; // a link address

struct SipProxy {
    Endpoint endpoint;
    std::optional<Station> station; // nothing: not given (when set), or not learned yet (when shown)
    bool station_given = false;     // by the operator, not learned

    // "198.51.100.5", "198.51.100.5:5070", "2001:db8::5", "[2001:db8::5]:5070"; port 5060 if left out.
    static Result<Endpoint> parse_endpoint(std::string_view text);
    // "00:00:5e:00:53:01"
    static Result<Station> parse_station(std::string_view text);
    [[nodiscard]] stem_proxy raw() const noexcept;
};

std::string station_text(const Station& station);
stem_proxy_family family_of(const Address& address) noexcept;

// Takes effect with the next packet; what is steered already stays with the proxy that it has.
Result<> set_proxy(const Instance& instance, const SipProxy& proxy);
// False: there was none.
Result<bool> clear_proxy(const Instance& instance, stem_proxy_family family);
Result<std::vector<SipProxy>> list_proxies(const Instance& instance);

} // namespace stem::kernel
