// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/mtu.h"

#include <stem/unique_fd.h>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace stem::stemd {

Result<std::size_t> read_mtu(const std::string& interface) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    interface.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
    if (!socket || ::ioctl(socket.get(), SIOCGIFMTU, &request) != 0) {
        return fail_errno("read the MTU of " + interface);
    }
    return static_cast<std::size_t>(request.ifr_mtu);
}

} // namespace stem::stemd
