// SPDX-License-Identifier: Apache-2.0
#include "plane/port.h"

#include "lab/text_file.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <sstream>

namespace stem::bench {

Result<> Port::identify() {
    return netns->run([this]() -> Result<> {
        const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ifreq request{};
        std::ranges::copy(name, request.ifr_name);
        if (ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) {
            return fail_errno("read the link address of " + name);
        }
        std::copy_n(request.ifr_hwaddr.sa_data, station.size(), station.begin());
        index = if_nametoindex(name.c_str());
        return {};
    });
}

Result<std::uint64_t> Port::received() const {
    return netns->run([this]() -> Result<std::uint64_t> {
        auto text = lab::read_text("/proc/thread-self/net/dev");
        if (!text) {
            return std::unexpected(text.error());
        }
        std::istringstream lines(*text);
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            std::string label;
            std::uint64_t octets = 0;
            std::uint64_t packets = 0;
            if (words >> label >> octets >> packets && label == name + ":") {
                return packets;
            }
        }
        return fail("read the frame count of " + name, "no such port in /proc/net/dev");
    });
}

Result<UniqueFd> Port::attach(int program) const {
    return netns->run([&]() -> Result<UniqueFd> {
        LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
        UniqueFd link(bpf_link_create(program, static_cast<int>(index), BPF_XDP, &options));
        if (!link) {
            return fail_errno("attach an XDP program to " + name);
        }
        return link;
    });
}

Result<> Port::enter_devmap(int map, std::uint32_t slot) const {
    return netns->run([&]() -> Result<> {
        if (bpf_map_update_elem(map, &slot, &index, BPF_ANY) != 0) {
            return fail_errno("enter " + name + " into a devmap");
        }
        return {};
    });
}

} // namespace stem::bench
