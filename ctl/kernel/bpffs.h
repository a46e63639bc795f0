// SPDX-License-Identifier: Apache-2.0
// The BPF file system, where what is pinned outlives the process that made it.
#pragma once

#include "ctl/kernel/locations.h"

namespace stem::kernel {

bool is_bpffs(const std::filesystem::path& path) noexcept;

// Mounts a bpffs at locations.bpffs unless there is one, and leaves locations.mount_mark() if it did. Refuses
// in a mount namespace other than that of process 1 (`ip netns exec` makes one): the mount, and every pin in
// it, would die with the caller.
Result<> ensure_bpffs(const Locations& locations);

// Unmounts what ensure_bpffs() mounted, once no instance is left in it. Else does nothing.
void release_bpffs(const Locations& locations) noexcept;

} // namespace stem::kernel
