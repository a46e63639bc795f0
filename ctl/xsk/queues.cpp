// SPDX-License-Identifier: Apache-2.0
#include <ctl/xsk/queues.h>

#include <stem/unique_fd.h>

#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <optional>

namespace stem::xsk {
namespace {

// `command` is one of ethtool's structs, whose first member says which.
template<typename Command>
bool ethtool(const UniqueFd& socket, const std::string& name, Command& command) {
    ifreq request{};
    name.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
    request.ifr_data = reinterpret_cast<char*>(&command);
    return ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
}

struct QueueCounts {
    std::uint32_t rx = 0;
    std::uint32_t tx = 0;
};

std::optional<QueueCounts> counts_in(const nlmsghdr& header) {
    const auto* octets = reinterpret_cast<const char*>(&header);
    std::size_t at = NLMSG_LENGTH(0) + NLMSG_ALIGN(sizeof(ifinfomsg));
    QueueCounts counts;
    while (at + sizeof(rtattr) <= header.nlmsg_len) {
        rtattr attribute{};
        std::memcpy(&attribute, octets + at, sizeof(attribute));
        if (attribute.rta_len < sizeof(rtattr) || at + attribute.rta_len > header.nlmsg_len) {
            break;
        }
        if (attribute.rta_len >= sizeof(rtattr) + sizeof(std::uint32_t)) {
            std::uint32_t value = 0;
            std::memcpy(&value, octets + at + sizeof(rtattr), sizeof(value));
            if (attribute.rta_type == IFLA_NUM_RX_QUEUES) {
                counts.rx = value;
            } else if (attribute.rta_type == IFLA_NUM_TX_QUEUES) {
                counts.tx = value;
            }
        }
        at += RTA_ALIGN(attribute.rta_len);
    }
    return counts.rx > 0 ? std::optional(counts) : std::nullopt;
}

std::optional<QueueCounts> counts_by_netlink(unsigned index) {
    const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    struct {
        nlmsghdr header;
        ifinfomsg link;
    } request{};
    request.header.nlmsg_len = sizeof(request);
    request.header.nlmsg_type = RTM_GETLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.link.ifi_family = AF_UNSPEC;
    request.link.ifi_index = static_cast<int>(index);
    if (!socket || ::send(socket.get(), &request, sizeof(request), 0) < 0) {
        return std::nullopt;
    }
    alignas(nlmsghdr) std::array<char, 16384> answer{};
    const ssize_t size = ::recv(socket.get(), answer.data(), answer.size(), 0);
    const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
    if (size < static_cast<ssize_t>(sizeof(nlmsghdr)) || header->nlmsg_len > static_cast<std::size_t>(size) ||
        header->nlmsg_type != RTM_NEWLINK) {
        return std::nullopt;
    }
    return counts_in(*header);
}

} // namespace

Result<Interface> read_interface(unsigned index) {
    const std::string attempt = "read the queues of interface " + std::to_string(index);
    std::array<char, IF_NAMESIZE> name{};
    if (::if_indextoname(index, name.data()) == nullptr) {
        return fail_errno(attempt, errno, "the interface is gone, or in another network namespace");
    }
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return fail_errno(attempt + " (" + name.data() + ")");
    }
    Interface interface{.name = name.data(), .index = index};
    ethtool_drvinfo driver{};
    driver.cmd = ETHTOOL_GDRVINFO;
    interface.is_virtual = !ethtool(socket, interface.name, driver) || driver.bus_info[0] == '\0' ||
                           std::strcmp(driver.driver, "tun") == 0;

    ethtool_channels channels{};
    channels.cmd = ETHTOOL_GCHANNELS;
    if (ethtool(socket, interface.name, channels) && channels.rx_count + channels.combined_count > 0) {
        interface.rx_queues = channels.rx_count + channels.combined_count;
        interface.tx_queues = channels.tx_count + channels.combined_count;
    } else if (const auto counts = counts_by_netlink(index)) {
        interface.rx_queues = counts->rx;
        interface.tx_queues = counts->tx;
    } else {
        return fail(attempt + " (" + interface.name + ")", "neither ethtool nor rtnetlink tells their number",
                    "use an Ethernet interface");
    }
    return interface;
}

} // namespace stem::xsk
