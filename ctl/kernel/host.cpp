// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/host.h"

#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <sys/utsname.h>

#include <cstdint>
#include <cstdio>
#include <fstream>

namespace stem::kernel {
namespace {

constexpr int oldest_major = 6;
constexpr int oldest_minor = 1;

std::uint64_t effective_capabilities() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("CapEff:")) {
            return std::stoull(line.substr(7), nullptr, 16);
        }
    }
    return 0;
}

} // namespace

std::string kernel_release() {
    utsname name{};
    return uname(&name) == 0 ? name.release : "";
}

std::string libbpf_version() {
    return std::to_string(libbpf_major_version()) + "." + std::to_string(libbpf_minor_version());
}

std::string boot_id() {
    std::string id;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
    return id;
}

Result<> require_kernel() {
    return require_kernel(kernel_release());
}

Result<> require_kernel(const std::string& release) {
    int major = 0;
    int minor = 0;
    // NOLINTNEXTLINE(bugprone-unchecked-string-to-number-conversion,cert-err34-c): zero is refused
    std::sscanf(release.c_str(), "%d.%d", &major, &minor);
    if (major > oldest_major || (major == oldest_major && minor >= oldest_minor)) {
        return {};
    }
    return fail("run on Linux " + release, "STEM needs 6.1 or later",
                "Debian 12, Ubuntu 24.04 and later have it");
}

Result<> require_privilege() {
    const std::uint64_t effective = effective_capabilities();
    const auto has = [effective](unsigned capability) { return (effective >> capability & 1U) != 0; };
    std::string missing;
    if (!has(CAP_NET_ADMIN)) {
        missing += " CAP_NET_ADMIN";
    }
    if (!has(CAP_BPF) && !has(CAP_SYS_ADMIN)) {
        missing += " CAP_BPF";
    }
    if (missing.empty()) {
        return {};
    }
    return std::unexpected(Error{.attempt = "load and attach BPF programs",
                                 .cause = "this process lacks" + missing,
                                 .remedy = "run as root",
                                 .code = EPERM});
}

} // namespace stem::kernel
