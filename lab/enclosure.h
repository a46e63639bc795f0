// SPDX-License-Identifier: Apache-2.0
// An enclosure is a process tree with mount, network and PID namespaces of its own, and a private file system
// in memory under /run. All that is made inside (namespaces, interfaces, BPF pins, files, daemons) belongs to
// it alone: when its first process ends, in whatever way, SIGKILL included, the kernel removes everything.
//
//   the program ── pid 1 (reaps, passes signals on) ── body() and all that it starts
//
// It is what `unshare --mount --net --pid --fork --mount-proc --kill-child` does, without the second program.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

namespace stem::lab {

// A test runner takes this status as "skipped" (CTest: SKIP_RETURN_CODE).
inline constexpr int skipped_status = 77;

// Where the files of the enclosure live: logs, captures, configurations. Exists only inside, gone afterwards.
// TMPDIR and HOME of all started programs point here too.
inline constexpr std::string_view scratch_path = "/run/stem-lab";
[[nodiscard]] std::filesystem::path scratch();

// A bpffs that belongs to the enclosure. Namespaces made inside (lab/netns.h) all see it, unlike those of
// `ip netns exec`, which hides what is under /sys.
[[nodiscard]] std::filesystem::path bpffs();

// Runs `body` in a new enclosure and returns its status. Call it once in a process, from main(), before any
// thread is started. Where no enclosure can be had (not root, no namespaces), the reason is printed and
// `unavailable_status` returned. A body that a signal ended gives 128 + its number.
// SIGINT and SIGTERM, sent to the program or typed at the terminal, stop all processes of lab/process.h,
// print which they were, and give 130 or 143.
[[nodiscard]] int run_enclosed(const std::function<int()>& body, int unavailable_status = 1);

} // namespace stem::lab
