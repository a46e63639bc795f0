// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/bpffs.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <fstream>
#include <string>
#include <system_error>

namespace stem::kernel {
namespace {

// Where it cannot be told (no /proc), the mount itself decides.
bool in_first_mount_namespace() noexcept {
    struct stat own{};
    struct stat first{};
    return stat("/proc/self/ns/mnt", &own) != 0 || stat("/proc/1/ns/mnt", &first) != 0 ||
           (own.st_ino == first.st_ino && own.st_dev == first.st_dev);
}

// The kernel keeps files of its own in every bpffs (maps.debug); instances are folders.
bool holds_folder(const std::filesystem::path& bpffs) noexcept {
    std::error_code status;
    for (std::filesystem::directory_iterator entry(bpffs, status), end; !status && entry != end;
         entry.increment(status)) {
        if (entry->is_directory(status)) {
            return true;
        }
    }
    return static_cast<bool>(status);
}

} // namespace

bool is_bpffs(const std::filesystem::path& path) noexcept {
    struct statfs info{};
    return statfs(path.c_str(), &info) == 0 && static_cast<unsigned long>(info.f_type) == BPF_FS_MAGIC;
}

Result<> ensure_bpffs(const Locations& locations) {
    if (is_bpffs(locations.bpffs)) {
        return {};
    }
    const std::string attempt = "mount a bpffs at " + locations.bpffs.string();
    if (!in_first_mount_namespace()) {
        return fail(attempt,
                    "this process is in a mount namespace of its own (`ip netns exec` makes one), and the "
                    "mount would vanish with it",
                    "enter the network namespace alone: nsenter --net=/run/netns/NAME stemctl attach …; or "
                    "mount a bpffs there first");
    }
    std::error_code status;
    std::filesystem::create_directories(locations.bpffs, status);
    if (status) {
        return fail_errno("make folder " + locations.bpffs.string(), status.value());
    }
    if (mount("bpf", locations.bpffs.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
        return fail_errno(attempt, errno, "mounting needs CAP_SYS_ADMIN");
    }
    std::filesystem::create_directories(locations.run_dir, status);
    std::ofstream(locations.mount_mark()) << locations.bpffs.string() << '\n';
    return {};
}

void release_bpffs(const Locations& locations) noexcept {
    std::error_code status;
    if (!is_bpffs(locations.bpffs) || holds_folder(locations.bpffs)) {
        return;
    }
    std::string marked;
    std::getline(std::ifstream(locations.mount_mark()) >> std::ws, marked);
    if (marked == locations.bpffs.string() && umount(locations.bpffs.c_str()) == 0) {
        std::filesystem::remove(locations.mount_mark(), status);
    }
}

} // namespace stem::kernel
