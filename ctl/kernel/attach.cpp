// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/attach.h"

#include "ctl/kernel/bpffs.h"
#include "ctl/kernel/clock.h"
#include "ctl/kernel/data_plane.h"
#include "ctl/kernel/file_lock.h"
#include "ctl/kernel/host.h"
#include "ctl/kernel/version.h"
#include "ctl/kernel/xdp_link.h"

#include <stem/module.h>

#include <fstream>
#include <system_error>

namespace stem::kernel {
namespace {

constexpr auto patience = std::chrono::seconds(5);
constexpr std::size_t sip_ports_max = 64;

// The folder of an instance's pins: goes again with all that is in it, unless the attach came to its end.
class PinFolder {
  public:
    PinFolder(const Locations& locations, std::string_view instance)
        : locations_(locations), path_(locations.pins(instance)) {}
    ~PinFolder() {
        if (!kept_) {
            std::error_code ignored;
            if (made_) {
                std::filesystem::remove_all(path_, ignored);
            }
            release_bpffs(locations_);
        }
    }
    PinFolder(const PinFolder&) = delete;
    PinFolder& operator=(const PinFolder&) = delete;

    Result<> make(const std::string& instance) {
        std::error_code status;
        made_ = std::filesystem::create_directory(path_, status);
        if (status) {
            return fail_errno("make folder " + path_.string(), status.value());
        }
        if (!made_) {
            return fail("attach instance '" + instance + "'", "it is attached already, at " + path_.string(),
                        "detach it first (stemctl detach --instance " + instance +
                            "), or choose another name with --instance");
        }
        return {};
    }
    void keep() noexcept { kept_ = true; }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  private:
    const Locations& locations_;
    std::filesystem::path path_;
    bool made_ = false;
    bool kept_ = false;
};

Result<> check_request(const AttachRequest& request) {
    if (auto good = check_instance_name(request.instance); !good) {
        return good;
    }
    if (request.external == request.internal) {
        return fail("attach to '" + request.external + "' twice", "both sides name the same interface",
                    "give --external and --internal an interface each");
    }
    if (request.sip_ports.size() > sip_ports_max) {
        return fail("use " + std::to_string(request.sip_ports.size()) + " SIP ports",
                    "there is room for " + std::to_string(sip_ports_max));
    }
    if (request.max_flows == 0) {
        return fail("make room for 0 flows", "no call could have media", "give --max-flows at least 1");
    }
    return {};
}

Result<Ports> find_ports(const AttachRequest& request) {
    Ports ports;
    const std::array<std::string, STEM_PORTS> names = {request.external, request.internal};
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        auto found = Interface::find(names[port]);
        if (!found) {
            return std::unexpected(found.error());
        }
        if (found->xdp_program != 0) {
            return fail("attach to '" + found->name + "'",
                        "XDP program " + std::to_string(found->xdp_program) +
                            (found->xdp_program_name.empty() ? "" : " '" + found->xdp_program_name + "'") +
                            " is attached to it already",
                        "take it off first (ip link set " + found->name +
                            " xdp off, or stemctl detach if it is STEM's), or use another interface");
        }
        ports[port] = std::move(*found);
    }
    if (ports[STEM_PORT_EXTERNAL].index == ports[STEM_PORT_INTERNAL].index) {
        return fail("attach to '" + request.external + "' and '" + request.internal + "'",
                    "they are two names of one interface");
    }
    return ports;
}

// Whether the kernel forwards packets that come in here; `family`: "ipv4" or "ipv6".
bool forwards(const std::string& family, const std::string& interface) {
    std::ifstream file("/proc/sys/net/" + family + "/conf/" + interface + "/forwarding");
    char digit = '0';
    return (file >> digit) && digit == '1';
}

std::vector<std::string> warnings_for(const AttachRequest& request, const Ports& ports) {
    std::vector<std::string> warnings;
    for (const auto& port : ports) {
        const auto more = port_warnings(port, request.mode == STEM_MODE_BRIDGE);
        warnings.insert(warnings.end(), more.begin(), more.end());
        for (const std::string family : {"ipv4", "ipv6"}) {
            if (request.mode == STEM_MODE_ROUTER && !forwards(family, port.name)) {
                std::string warning = "router mode, but ";
                warning += family + " forwarding is off on " + port.name;
                warning += ": sysctl net." + family + ".conf." + port.name + ".forwarding=1";
                warnings.push_back(std::move(warning));
            }
        }
    }
    return warnings;
}

stem_meta describe(const AttachRequest& request, const Ports& ports, const DataPlane& plane,
                   stem_xdp_mode xdp_mode) {
    stem_meta meta{};
    meta.schema = STEM_SCHEMA_VERSION;
    meta.mode = request.mode;
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        meta.ifindex[port] = ports[port].index;
        meta.xdp_mode[port] = xdp_mode;
        ports[port].name.copy(meta.ifname[port], sizeof(meta.ifname[port]) - 1);
    }
    meta.attached_at = realtime_ns() / 1'000'000'000U;
    meta.modules = plane.modules();
    for (const auto& info : modules()) {
        meta.module_since[info.bit] = meta.attached_at;
    }
    meta.fallback_open = request.fallback_open ? 1 : 0;
    boot_id().copy(meta.boot_id, sizeof(meta.boot_id) - 1);
    version.copy(meta.version, sizeof(meta.version) - 1);
    return meta;
}

} // namespace

Result<AttachReport> attach(const Locations& locations, const AttachRequest& request) {
    const auto or_else = [](const auto& failed) { return std::unexpected(failed.error()); };
    if (auto good = check_request(request); !good) {
        return or_else(good);
    }
    if (auto allowed = require_privilege(); !allowed) {
        return or_else(allowed);
    }
    if (auto new_enough = require_kernel(); !new_enough) {
        return or_else(new_enough);
    }
    const auto lock = FileLock::acquire(locations.change_lock(request.instance), "attach", patience);
    if (!lock) {
        return or_else(lock);
    }
    // Attached already: said before what is wrong with ports that the same instance holds.
    if (std::error_code ignored; std::filesystem::exists(locations.pins(request.instance), ignored)) {
        return or_else(PinFolder(locations, request.instance).make(request.instance));
    }
    const auto ports = find_ports(request);
    if (!ports) {
        return or_else(ports);
    }
    const auto plane = DataPlane::load(request, *ports);
    if (!plane) {
        return or_else(plane);
    }
    if (auto mounted = ensure_bpffs(locations); !mounted) {
        return or_else(mounted);
    }
    PinFolder folder(locations, request.instance);
    if (auto made = folder.make(request.instance); !made) {
        return or_else(made);
    }
    if (auto pinned = plane->pin_maps(folder.path()); !pinned) {
        return or_else(pinned);
    }
    const auto links = link_ports(*plane, *ports, request.xdp);
    if (!links) {
        return or_else(links);
    }
    if (auto pinned = pin_links(*links, folder.path()); !pinned) {
        return or_else(pinned);
    }
    // The schema number in `meta` is what makes the instance one: so it comes last.
    AttachReport report{.meta = describe(request, *ports, *plane, links->mode),
                        .fell_back = links->fell_back,
                        .fall_back_cause = links->fall_back_cause,
                        .warnings = warnings_for(request, *ports)};
    if (auto written = plane->write_meta(report.meta); !written) {
        return or_else(written);
    }
    folder.keep();
    return report;
}

} // namespace stem::kernel
