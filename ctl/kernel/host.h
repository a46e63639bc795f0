// SPDX-License-Identifier: Apache-2.0
// What the machine must offer: kernel version and privilege. And the versions that a bug report needs.
#pragma once

#include <stem/error.h>

#include <string>

namespace stem::kernel {

// Linux 6.1 or later: what STEM is tested on.
Result<> require_kernel();
// `release`: as uname -r tells it; for tests.
Result<> require_kernel(const std::string& release);

// CAP_NET_ADMIN and CAP_BPF, or CAP_SYS_ADMIN in its place: loading and attaching.
Result<> require_privilege();

std::string kernel_release();
std::string libbpf_version(); // "1.1"
std::string boot_id();        // empty if it cannot be read

} // namespace stem::kernel
