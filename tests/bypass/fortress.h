// SPDX-License-Identifier: Apache-2.0
// The configuration that the bypass suite attacks, as an operator would have it.
#pragma once

#include <tests/progrun/media.h>
#include <tests/progrun/rule_spec.h>
#include <tests/progrun/verdict.h>

namespace stem::test {

/*
 * Inbound nothing but: TCP to port 443 of the inside host, from anybody who is not denied; one call's media,
 * as a pinhole; SIP on 5060, for stemd, which is away; management by fail-safe from one outside network.
 * Outbound all passes. Both families alike.
 */
class Fortress : public testing::TestWithParam<bool> {
  protected:
    static constexpr std::uint16_t web_port = 443;
    static constexpr std::uint16_t failsafe_port = 22;

    static DataPlane& plane();

    [[nodiscard]] static bool is_v6() { return GetParam(); }
    [[nodiscard]] static Path in() { return {.shape = is_v6() ? Shape::v6 : Shape::v4}; }
    [[nodiscard]] static Path out() { return in().back(); }
    // The attacker, one who is denied, the host with the service, and one that has none.
    [[nodiscard]] static Address attacker() { return in().outside(); }
    [[nodiscard]] static Address denied() { return ip(is_v6() ? "2001:db8:1::66" : "192.0.2.66"); }
    [[nodiscard]] static Address server() { return in().inside(); }
    [[nodiscard]] static Address bystander() { return ip(is_v6() ? "2001:db8:2::20" : "198.51.100.20"); }

    // The network header from the attacker, or whom a test names, without what is inside.
    [[nodiscard]] static Packet to(const Address& dst) { return in().network(attacker(), dst); }
    [[nodiscard]] static Packet fragment_to(const Address& dst, std::uint16_t offset, bool more,
                                            std::uint32_t id, std::uint8_t protocol);

    static void expect_in(DataPlane& plane, const Packet& packet, const Verdict& verdict) {
        plane.advance(20 * milliseconds); // one event each
        expect(plane, STEM_INBOUND, packet, verdict);
    }
};

[[nodiscard]] inline std::string family_name(const testing::TestParamInfo<bool>& info) {
    return info.param ? "v6" : "v4";
}

// What every test of the suite begins with.
inline const Tcp open_service{.sport = 40000, .dport = 443, .syn = true};
inline const Tcp closed_service{.sport = 40000, .dport = 8443, .syn = true};

} // namespace stem::test
