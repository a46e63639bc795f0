// SPDX-License-Identifier: Apache-2.0
// Where an instance lives: its pins in a bpffs, its locks and sockets in a run directory.
#pragma once

#include <stem/error.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace stem::kernel {

struct Locations {
    std::filesystem::path bpffs = "/run/stem/bpf";
    std::filesystem::path run_dir = "/run/stem";

    // An option that is not empty wins, then STEM_BPFFS and STEM_RUN_DIR, then the defaults above.
    static Locations resolve(const std::string& bpffs_option, const std::string& run_dir_option);

    [[nodiscard]] std::filesystem::path pins(std::string_view instance) const { return bpffs / instance; }
    // Held while somebody changes what an instance is: attach, detach, deny list, rules.
    [[nodiscard]] std::filesystem::path change_lock(std::string_view instance) const;
    // Held by stemd for its whole life: one stemd an instance.
    [[nodiscard]] std::filesystem::path controller_lock(std::string_view instance) const;
    // Held by the one reader that the event ring can have.
    [[nodiscard]] std::filesystem::path events_lock(std::string_view instance) const;
    // Says that attach mounted the bpffs, so that the last detach unmounts it.
    [[nodiscard]] std::filesystem::path mount_mark() const { return run_dir / "bpffs.mounted"; }
};

// 1 to 32 letters, digits, '-' and '_': it becomes a file name.
Result<> check_instance_name(std::string_view name);

} // namespace stem::kernel
