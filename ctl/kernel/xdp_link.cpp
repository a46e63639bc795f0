// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/xdp_link.h"

#include "ctl/kernel/map_reuse.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>

namespace stem::kernel {
namespace {

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

Result<> replace_program(std::size_t port, const UniqueFd& link, int before, int after) {
    LIBBPF_OPTS(bpf_link_update_opts, options);
    options.flags = BPF_F_REPLACE;
    options.old_prog_fd = static_cast<std::uint32_t>(before);
    if (bpf_link_update(link.get(), after, &options) != 0) {
        const int code = errno;
        return fail_errno(std::string("put a fresh program on ") + link_names[port], code,
                          code == ENOLINK ? "its interface is gone: detach and attach again"
                          : code == EPERM ? "another program came between: try again"
                                          : "");
    }
    return {};
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

Result<LinkedPrograms> linked_programs(const Instance& instance) {
    LinkedPrograms found;
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        const auto pin = instance.pin(link_names[port]);
        UniqueFd link(bpf_obj_get(pin.c_str()));
        if (!link) {
            return fail_errno("open link " + pin.string(), errno,
                              errno == EPERM || errno == EACCES ? "run as root" : "detach and attach again");
        }
        bpf_link_info info{};
        std::uint32_t length = sizeof(info);
        if (bpf_obj_get_info_by_fd(link.get(), &info, &length) != 0) {
            return fail_errno("ask link " + pin.string() + " for its program");
        }
        UniqueFd program(bpf_prog_get_fd_by_id(info.prog_id));
        if (!program) {
            return fail_errno("open the program of link " + pin.string(), errno,
                              errno == EPERM ? "run as root" : "");
        }
        found.link[port] = std::move(link);
        found.program[port] = std::move(program);
    }
    return found;
}

Result<> replace_programs(const LinkedPrograms& running, const DataPlane& plane) {
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        auto replaced =
            replace_program(port, running.link[port], running.program[port].get(), plane.program(port));
        if (replaced) {
            continue;
        }
        while (port-- > 0) {
            if (auto back = replace_program(port, running.link[port], plane.program(port),
                                            running.program[port].get());
                !back) {
                replaced.error().cause +=
                    "; and the other port kept the fresh one: " + back.error().message();
            }
        }
        return replaced;
    }
    return {};
}

Result<> restore_programs(const LinkedPrograms& running, const DataPlane& plane) {
    Result<> outcome;
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        if (auto back =
                replace_program(port, running.link[port], plane.program(port), running.program[port].get());
            !back && outcome) {
            outcome = back;
        }
    }
    return outcome;
}

} // namespace stem::kernel
