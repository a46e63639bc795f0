// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/sip_proxy.h"

#include <algorithm>
#include <charconv>

namespace stem::kernel {
namespace {

constexpr std::uint16_t sip_port = 5060;
constexpr unsigned port_max = 65535;
constexpr std::string_view how = "write 198.51.100.5, 198.51.100.5:5070 or [2001:db8::5]:5070";

Error bad_endpoint(std::string_view text, std::string cause) {
    return {.attempt = "read proxy '" + std::string(text) + "'",
            .cause = std::move(cause),
            .remedy = std::string(how)};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    unsigned port = 0;
    const auto [end, status] = std::from_chars(text.begin(), text.end(), port);
    if (status != std::errc() || end != text.end() || port == 0 || port > port_max) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(port);
}

// Where the port's colon is: a bare IPv6 address has several, and none of them is.
std::size_t colon_of(std::string_view text) {
    const std::size_t last = text.rfind(':');
    if (last == std::string_view::npos) {
        return last;
    }
    const bool bracketed = text.starts_with('[') && last > 0 && text[last - 1] == ']';
    return bracketed || text.find(':') == last ? last : std::string_view::npos;
}

Result<ProxyMap> open_map(const Instance& instance) {
    return ProxyMap::open(instance.pin("proxies"));
}

} // namespace

Result<Endpoint> SipProxy::parse_endpoint(std::string_view text) {
    const std::size_t colon = colon_of(text);
    std::uint16_t port = sip_port;
    if (colon != std::string_view::npos) {
        const auto given = parse_port(text.substr(colon + 1));
        if (!given) {
            return std::unexpected(bad_endpoint(text, "the port is not a number from 1 to 65535"));
        }
        port = *given;
    }
    const auto address = Address::parse(text.substr(0, colon));
    if (!address) {
        return std::unexpected(bad_endpoint(text, "neither an IPv4 nor an IPv6 address"));
    }
    if (address->is_unspecified() || address->is_multicast() || address->is_broadcast() ||
        address->is_loopback()) {
        return std::unexpected(bad_endpoint(text, "not the address of a host on the inside"));
    }
    return Endpoint{.address = *address, .port = port};
}

Result<Station> SipProxy::parse_station(std::string_view text) {
    Station station{};
    constexpr std::size_t step = 3;
    bool good = text.size() == station.size() * step - 1;
    for (std::size_t i = 0; good && i < station.size(); i++) {
        const std::string_view octet = text.substr(i * step, 2);
        const auto [end, status] = std::from_chars(octet.begin(), octet.end(), station[i], 16);
        good = status == std::errc() && end == octet.end() && (i == 0 || text[i * step - 1] == ':');
    }
    const bool group = (station[0] & 1U) != 0;
    if (!good || group || station == Station{}) {
        return fail("read link address '" + std::string(text) + "'",
                    good ? "not the address of one station" : "not six octets in hexadecimal",
                    "write 00:00:5e:00:53:01");
    }
    return station;
}

stem_proxy SipProxy::raw() const noexcept {
    stem_proxy raw{};
    raw.address = endpoint.address.raw();
    raw.port = endpoint.port;
    if (station) {
        raw.flags = STEM_PROXY_MAC_FIXED;
        std::ranges::copy(*station, raw.mac);
    }
    return raw;
}

std::string station_text(const Station& station) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t octet : station) {
        text += text.empty() ? "" : ":";
        text += digits[octet >> 4U];
        text += digits[octet & 0xfU];
    }
    return text;
}

stem_proxy_family family_of(const Address& address) noexcept {
    return address.is_v4() ? STEM_PROXY_V4 : STEM_PROXY_V6;
}

Result<> set_proxy(const Instance& instance, const SipProxy& proxy) {
    const auto map = open_map(instance);
    if (!map) {
        return std::unexpected(map.error());
    }
    const std::uint32_t family = family_of(proxy.endpoint.address);
    const auto before = map->get(family);
    if (!before) {
        return std::unexpected(before.error());
    }
    // An array's value is overwritten in place: first out of force, so that no packet meets half of each.
    if (*before && (*before)->port != 0) {
        if (auto cleared = map->put(family, stem_proxy{}); !cleared) {
            return cleared;
        }
    }
    stem_proxy raw = proxy.raw();
    const std::uint16_t port = raw.port;
    raw.port = 0;
    if (auto written = map->put(family, raw); !written) {
        return written;
    }
    raw.port = port;
    return map->put(family, raw);
}

Result<bool> clear_proxy(const Instance& instance, stem_proxy_family family) {
    const auto map = open_map(instance);
    if (!map) {
        return std::unexpected(map.error());
    }
    const auto before = map->get(family);
    if (!before) {
        return std::unexpected(before.error());
    }
    if (auto written = map->put(family, stem_proxy{}); !written) {
        return std::unexpected(written.error());
    }
    return *before && (*before)->port != 0;
}

Result<std::vector<SipProxy>> list_proxies(const Instance& instance) {
    const auto map = open_map(instance);
    if (!map) {
        return std::unexpected(map.error());
    }
    std::vector<SipProxy> proxies;
    for (std::uint32_t family = 0; family < STEM_PROXIES; family++) {
        const auto entry = map->get(family);
        if (!entry) {
            return std::unexpected(entry.error());
        }
        if (!*entry || (*entry)->port == 0) {
            continue;
        }
        SipProxy proxy{.endpoint = {Address((*entry)->address), (*entry)->port},
                       .station = {},
                       .station_given = ((*entry)->flags & STEM_PROXY_MAC_FIXED) != 0};
        if (((*entry)->flags & (STEM_PROXY_MAC_FIXED | STEM_PROXY_MAC_LEARNED)) != 0) {
            proxy.station.emplace();
            std::ranges::copy((*entry)->mac, proxy.station->begin());
        }
        proxies.push_back(proxy);
    }
    return proxies;
}

} // namespace stem::kernel
