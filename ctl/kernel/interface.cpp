// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/interface.h"

#include <stem/unique_fd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

namespace stem::kernel {
namespace {

class Query {
  public:
    explicit Query(const std::string& name) : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        name.copy(request_.ifr_name, sizeof(request_.ifr_name) - 1);
    }
    ifreq* ask(unsigned long what) {
        return ioctl(socket_.get(), what, &request_) == 0 ? &request_ : nullptr;
    }
    // `Argument`: a struct of linux/ethtool.h.
    template<typename Argument>
    bool ask_ethtool(Argument& argument) {
        request_.ifr_data = reinterpret_cast<char*>(&argument);
        return ask(SIOCETHTOOL) != nullptr;
    }

  private:
    UniqueFd socket_;
    ifreq request_{};
};

std::string program_name(std::uint32_t id) {
    const UniqueFd fd(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    std::uint32_t length = sizeof(info);
    if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &length) != 0) {
        return {};
    }
    return info.name;
}

bool is_virtual_pair(const Interface& port) {
    return port.driver == "veth";
}

} // namespace

Result<Interface> Interface::find(std::string_view name) {
    Interface found;
    found.name = std::string(name);
    const std::string attempt = "use interface '" + found.name + "'";
    if (name.empty() || name.size() >= IF_NAMESIZE) {
        return fail(attempt, "not an interface name", "see ip link");
    }
    found.index = if_nametoindex(found.name.c_str());
    if (found.index == 0) {
        return std::unexpected(Error{.attempt = attempt,
                                     .cause = "no such interface in this network namespace",
                                     .remedy = "see ip link; enter another namespace with nsenter --net=…",
                                     .code = ENODEV});
    }
    Query query(found.name);
    if (const auto* reply = query.ask(SIOCGIFHWADDR)) {
        std::copy_n(reinterpret_cast<const std::uint8_t*>(reply->ifr_hwaddr.sa_data), found.mac.size(),
                    found.mac.begin());
    }
    if (const auto* reply = query.ask(SIOCGIFFLAGS)) {
        found.up = (reply->ifr_flags & IFF_UP) != 0;
        found.promiscuous = (reply->ifr_flags & IFF_PROMISC) != 0;
    }
    ethtool_drvinfo driver{};
    driver.cmd = ETHTOOL_GDRVINFO;
    if (query.ask_ethtool(driver)) {
        found.driver = driver.driver;
    }
    ethtool_value flags{.cmd = ETHTOOL_GFLAGS, .data = 0};
    found.strips_vlan = query.ask_ethtool(flags) && (flags.data & ETH_FLAG_RXVLAN) != 0;

    LIBBPF_OPTS(bpf_xdp_query_opts, xdp);
    if (const int status = bpf_xdp_query(static_cast<int>(found.index), 0, &xdp); status != 0) {
        return fail_errno("ask interface '" + found.name + "' for its XDP program", -status);
    }
    found.xdp_program =
        std::max({xdp.prog_id, xdp.drv_prog_id, xdp.skb_prog_id, xdp.hw_prog_id}); // zero where there is none
    if (found.xdp_program != 0) {
        found.xdp_program_name = program_name(found.xdp_program);
    }
    return found;
}

std::vector<std::string> port_warnings(const Interface& port, bool bridge) {
    std::vector<std::string> warnings;
    if (!port.up) {
        warnings.push_back(port.name + " is down: ip link set " + port.name + " up");
    }
    // A veth has no card that would filter or strip anything.
    if (bridge && !port.promiscuous && !is_virtual_pair(port)) {
        warnings.push_back(port.name +
                           " is not promiscuous: its card may keep frames for other stations from STEM: ip "
                           "link set " +
                           port.name + " promisc on");
    }
    if (port.strips_vlan && !is_virtual_pair(port)) {
        warnings.push_back(port.name + " strips VLAN tags before STEM sees them: ethtool -K " + port.name +
                           " rxvlan off");
    }
    return warnings;
}

} // namespace stem::kernel
