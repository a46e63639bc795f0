// SPDX-License-Identifier: Apache-2.0
#include "network.h"

#include "map_access.h"

#include <net/if.h>
#include <sched.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace stem::test {
namespace {

// Both ends' offloads do not matter: nothing is ever sent. A neighbour is permanent, so nothing is asked.
constexpr const char* topology = R"(
link set lo up
link add stem-ext address 00:00:5e:00:53:01 numrxqueues 2 numtxqueues 2 type veth peer name stem-out numrxqueues 2 numtxqueues 2
link add stem-int address 00:00:5e:00:53:11 numrxqueues 2 numtxqueues 2 type veth peer name stem-in numrxqueues 2 numtxqueues 2
link add stem-oth type veth peer name stem-far
link set stem-ext up
link set stem-out up
link set stem-int mtu 1400 up
link set stem-in up
link set stem-oth up
link set stem-far up
addr add 192.0.2.1/24 dev stem-ext
addr add 2001:db8:1::1/64 dev stem-ext nodad
addr add 198.51.100.1/24 dev stem-int
addr add 2001:db8:2::1/64 dev stem-int nodad
addr add 203.0.113.1/25 dev stem-oth
addr add 2001:db8:3::1/64 dev stem-oth nodad
neigh add 192.0.2.10 lladdr 00:00:5e:00:53:02 dev stem-ext nud permanent
neigh add 2001:db8:1::10 lladdr 00:00:5e:00:53:02 dev stem-ext nud permanent
neigh add 198.51.100.10 lladdr 00:00:5e:00:53:12 dev stem-int nud permanent
neigh add 2001:db8:2::10 lladdr 00:00:5e:00:53:12 dev stem-int nud permanent
neigh add 203.0.113.10 lladdr 00:00:5e:00:53:22 dev stem-oth nud permanent
neigh add 2001:db8:3::10 lladdr 00:00:5e:00:53:22 dev stem-oth nud permanent
route add 203.0.113.128/26 via 198.51.100.10 dev stem-int
route add 2001:db8:4::/64 via 2001:db8:2::10 dev stem-int
route add blackhole 203.0.113.192/28
route add unreachable 203.0.113.208/28
route add prohibit 203.0.113.224/28
route add blackhole 2001:db8:5:1::/64
route add unreachable 2001:db8:5:2::/64
route add prohibit 2001:db8:5:3::/64
)";

void configure(const char* batch) {
    std::FILE* ip = popen("ip -batch -", "w");
    const bool written = ip && std::fputs(batch, ip) >= 0;
    if (!ip || pclose(ip) != 0 || !written) {
        throw std::runtime_error("ip(8) could not make the test's interfaces: install iproute2");
    }
}

std::uint32_t index_of(const char* name) {
    const unsigned index = if_nametoindex(name);
    if (index == 0) {
        refuse(errno, std::string("find interface ") + name);
    }
    return index;
}

} // namespace

TestNetwork::TestNetwork() {
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
        refuse(errno, "enter a network namespace");
    }
    set_sysctl("ipv6/conf/default/accept_dad", "0");
    set_sysctl("ipv6/conf/default/accept_ra", "0");
    configure(topology);
    set_sysctl("ipv4/ip_forward", "1");
    set_sysctl("ipv6/conf/all/forwarding", "1");
    external_ = index_of("stem-ext");
    internal_ = index_of("stem-int");
}

const TestNetwork& TestNetwork::get() {
    static const TestNetwork network;
    return network;
}

void TestNetwork::set_sysctl(const std::string& path, const std::string& value) {
    std::ofstream file("/proc/sys/net/" + path);
    file << value << std::flush;
    if (!file) {
        throw std::runtime_error("cannot write /proc/sys/net/" + path);
    }
}

} // namespace stem::test
