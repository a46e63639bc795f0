// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/xdp_link.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>

namespace stem::kernel {
namespace {

constexpr std::array<const char*, STEM_PORTS> link_names = {"link_external", "link_internal"};

Result<UniqueFd> link_port(int program, const Interface& port, stem_xdp_mode mode) {
    LIBBPF_OPTS(bpf_link_create_opts, options);
    options.flags = mode == STEM_XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    UniqueFd link(bpf_link_create(program, static_cast<int>(port.index), BPF_XDP, &options));
    if (link) {
        return link;
    }
    const int code = errno;
    const bool native = mode == STEM_XDP_NATIVE;
    std::string remedy;
    if (code == EBUSY || code == EEXIST) {
        remedy = "it has an XDP program: see ip link show " + port.name;
    } else if (native) {
        remedy = (port.driver.empty() ? "it" : "its driver '" + port.driver + "'") +
                 " cannot, or not with this MTU or these offloads: use --xdp auto or --xdp generic";
    }
    return fail_errno(std::string("attach to ") + port.name + " in " + (native ? "native" : "generic") +
                          " XDP mode",
                      code, remedy);
}

Result<XdpLinks> link_both(const DataPlane& plane, const Ports& ports, stem_xdp_mode mode) {
    XdpLinks links;
    links.mode = mode;
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        auto link = link_port(plane.program(port), ports[port], mode);
        if (!link) {
            return std::unexpected(link.error());
        }
        links.link[port] = std::move(*link);
    }
    return links;
}

} // namespace

Result<XdpLinks> link_ports(const DataPlane& plane, const Ports& ports, XdpChoice choice) {
    auto links = link_both(plane, ports, choice == XdpChoice::generic ? STEM_XDP_GENERIC : STEM_XDP_NATIVE);
    if (links || choice != XdpChoice::automatic) {
        return links;
    }
    const std::string cause = links.error().attempt + ": " + links.error().cause;
    links = link_both(plane, ports, STEM_XDP_GENERIC);
    if (links) {
        links->fell_back = true;
        links->fall_back_cause = cause;
    }
    return links;
}

Result<> pin_links(const XdpLinks& links, const std::filesystem::path& folder) {
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        const auto pin = folder / link_names[port];
        if (bpf_obj_pin(links.link[port].get(), pin.c_str()) != 0) {
            return fail_errno("pin link " + pin.string());
        }
    }
    return {};
}

Result<std::uint32_t> linked_interface(const Instance& instance, std::size_t port) {
    const auto pin = instance.pin(link_names[port]);
    const UniqueFd link(bpf_obj_get(pin.c_str()));
    if (!link) {
        return fail_errno("open link " + pin.string(), errno, errno == EPERM ? "run as root" : "");
    }
    bpf_link_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(link.get(), &info, &length) != 0) {
        return fail_errno("ask link " + pin.string() + " for its interface");
    }
    return info.xdp.ifindex;
}

} // namespace stem::kernel
