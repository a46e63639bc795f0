// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/detach.h"

#include "ctl/kernel/bpffs.h"
#include "ctl/kernel/file_lock.h"

#include <stem/unique_fd.h>

#include <bpf/bpf.h>

#include <sys/stat.h>

#include <string>
#include <system_error>

namespace stem::kernel {
namespace {

constexpr auto patience = std::chrono::seconds(5);

// Detached in so many words and not only unpinned: whoever else holds the link cannot keep it on the port.
Result<> remove_link(const std::filesystem::path& pin) {
    const UniqueFd link(bpf_obj_get(pin.c_str()));
    if (!link) {
        if (errno == ENOENT) {
            return {};
        }
        return fail_errno("open link " + pin.string(), errno, "run as root");
    }
    if (bpf_link_detach(link.get()) != 0) {
        return fail_errno("detach link " + pin.string());
    }
    std::error_code status;
    std::filesystem::remove(pin, status);
    if (status) {
        return fail_errno("remove link " + pin.string(), status.value());
    }
    return {};
}

} // namespace

Result<> detach(const Locations& locations, std::string_view instance, bool force) {
    if (auto good = check_instance_name(instance); !good) {
        return good;
    }
    const std::string attempt = "detach instance '" + std::string(instance) + "'";
    const auto folder = locations.pins(instance);
    struct stat found{};
    if (stat(folder.c_str(), &found) != 0) {
        if (errno == EACCES) {
            return fail_errno(attempt, errno, "run as root");
        }
        return std::unexpected(Error{.attempt = attempt,
                                     .cause = "nothing is attached at " + folder.string(),
                                     .remedy = "name another with --instance or --bpffs",
                                     .code = ENOENT});
    }
    if (!is_bpffs(folder)) {
        return fail(attempt, folder.string() + " is not in a bpffs", "check --bpffs");
    }
    const auto lock = FileLock::acquire(locations.change_lock(instance), "detach", patience);
    if (!lock) {
        return std::unexpected(lock.error());
    }
    if (const auto pid = FileLock::holder(locations.controller_lock(instance)); pid && !force) {
        return fail(attempt, "stemd runs on it (process " + std::to_string(*pid) + ")",
                    "stop stemd first, or detach under it with --force");
    }
    for (const char* link : {"link_external", "link_internal"}) {
        if (auto removed = remove_link(folder / link); !removed) {
            return removed;
        }
    }
    std::error_code status;
    std::filesystem::remove_all(folder, status);
    if (status) {
        return fail_errno("remove the pins in " + folder.string(), status.value());
    }
    release_bpffs(locations);
    return {};
}

} // namespace stem::kernel
