// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/own_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace stem::stemd {
namespace {

constexpr std::uint64_t fresh_ns = 10'000'000'000;

struct Free {
    void operator()(ifaddrs* list) const noexcept { ::freeifaddrs(list); }
};

} // namespace

void OwnAddresses::look(std::uint64_t now_ns) {
    looked_ns_ = now_ns;
    ifaddrs* raw = nullptr;
    if (::getifaddrs(&raw) != 0) {
        spdlog::error("list this host's addresses: {}", std::strerror(errno));
        return; // those of the last look still hold
    }
    const std::unique_ptr<ifaddrs, Free> list(raw);
    addresses_.clear();
    for (const ifaddrs* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) {
            continue;
        }
        stem_addr address{};
        if (entry->ifa_addr->sa_family == AF_INET) {
            sockaddr_in v4{};
            std::memcpy(&v4, entry->ifa_addr, sizeof(v4));
            address.octet[10] = address.octet[11] = 0xff; // IPv4-mapped (stem/abi/address.h)
            std::memcpy(&address.octet[12], &v4.sin_addr, sizeof(v4.sin_addr));
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 v6{};
            std::memcpy(&v6, entry->ifa_addr, sizeof(v6));
            std::memcpy(&address.octet, &v6.sin6_addr, sizeof(v6.sin6_addr));
        } else {
            continue;
        }
        addresses_.emplace_back(address);
    }
}

bool OwnAddresses::contains(const Address& address, std::uint64_t now_ns) {
    if (looked_ns_ == 0 || now_ns - looked_ns_ > fresh_ns) {
        look(now_ns);
    }
    return std::ranges::find(addresses_, address) != addresses_.end();
}

} // namespace stem::stemd
