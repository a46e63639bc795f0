// SPDX-License-Identifier: Apache-2.0
// A network namespace of the test process's own: two ports and a third interface (veth pairs), routes and
// neighbours of both families. It goes when the process goes.
#pragma once

#include <packet/layers.h>

#include <cstdint>
#include <string>

namespace stem::test {

/*
 *   outside                    this host                       inside
 *   192.0.2.10  ──── stem-ext 192.0.2.1     stem-int 198.51.100.1 ──── 198.51.100.10
 *   2001:db8:1::10   2001:db8:1::1          2001:db8:2::1              2001:db8:2::10
 *                    stem-oth 203.0.113.1/25, 2001:db8:3::1/64: a port that STEM does not hold
 *   203.0.113.128/26, 2001:db8:4::/64: behind 198.51.100.10, 2001:db8:2::10
 *   203.0.113.192/28, .208/28, .224/28, 2001:db8:5:{1,2,3}::/64: black hole, unreachable, prohibited
 *   203.0.113.250, 2001:db8:6::1: no route
 *   Unknown neighbours: 198.51.100.99, 2001:db8:2::99.
 */
class TestNetwork {
  public:
    static constexpr Mac external_station = station(0x01);
    static constexpr Mac outside_station = station(0x02);
    static constexpr Mac internal_station = station(0x11);
    static constexpr Mac inside_station = station(0x12);
    static constexpr std::uint32_t internal_mtu = 1400;
    static constexpr std::uint32_t queues = 2;

    // Leaves the namespaces that the process came with, and builds the above on first use.
    static const TestNetwork& get();

    [[nodiscard]] std::uint32_t external() const { return external_; } // interface index
    [[nodiscard]] std::uint32_t internal() const { return internal_; }

    // /proc/sys/net/<path>, of this namespace.
    static void set_sysctl(const std::string& path, const std::string& value);

  private:
    TestNetwork();
    std::uint32_t external_ = 0;
    std::uint32_t internal_ = 0;
};

} // namespace stem::test
