// SPDX-License-Identifier: Apache-2.0
#include "lab/enclosure.h"

#include "lab/interrupt.h"
#include "lab/running.h"

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace stem::lab {
namespace {

int refuse(const Error& error, int status) {
    fmt::print(stderr, "No enclosure: {}\n", error.message());
    return status;
}

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

// Waits until `child` has ended and passes SIGINT and SIGTERM on to it meanwhile; reaps all other children
// too.
int tend(pid_t child) {
    sigset_t awaited = stop_signals();
    sigaddset(&awaited, SIGCHLD);
    for (;;) {
        int status = 0;
        for (pid_t ended = 0; (ended = waitpid(-1, &status, WNOHANG)) != 0;) {
            if (ended == child) {
                return shell_status(status);
            }
            if (ended < 0) {
                return 1;
            }
        }
        const int signal = sigwaitinfo(&awaited, nullptr);
        if (signal == SIGINT || signal == SIGTERM) {
            kill(child, signal);
        }
    }
}

Result<> mount_at(const char* type, const char* target, unsigned long flags, const char* data = "") {
    if (mount(type, target, type, flags, data) != 0) {
        return fail_errno(fmt::format("mount {} at {}", type, target));
    }
    return {};
}

Result<> furnish() {
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) {
        return fail_errno("make mount and network namespaces", errno, "run as root, with CAP_SYS_ADMIN");
    }
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        return fail_errno("make the mounts private");
    }
    constexpr unsigned long plain = MS_NOSUID | MS_NODEV;
    if (auto mounted = mount_at("proc", "/proc", plain | MS_NOEXEC); !mounted) {
        return mounted;
    }
    if (auto mounted = mount_at("tmpfs", "/run", plain, "mode=0755"); !mounted) {
        return mounted;
    }
    for (const auto& directory : {scratch(), bpffs()}) {
        if (mkdir(directory.c_str(), 0755) != 0) {
            return fail_errno("make directory " + directory.string());
        }
    }
    if (auto mounted = mount_at("bpf", bpffs().c_str(), plain, "mode=0700"); !mounted) {
        return mounted;
    }
    setenv("TMPDIR", scratch().c_str(), 1);
    setenv("HOME", scratch().c_str(), 1);
    return {};
}

[[noreturn]] void be_the_body(const std::function<int()>& body) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int status = 0;
    {
        const InterruptWatch watch;
        status = body();
    }
    std::fflush(nullptr);
    std::exit(status); // NOLINT(concurrency-mt-unsafe)
}

// `outer`: the reading end of a pipe that only the outer process holds open for writing.
[[noreturn]] void be_the_first(const UniqueFd& outer, const std::function<int()>& body,
                               int unavailable_status) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pollfd hangup{.fd = outer.get(), .events = 0, .revents = 0};
    if (poll(&hangup, 1, 0) != 0) {
        _exit(1); // The outer process was killed before the line above took effect.
    }
    if (auto furnished = furnish(); !furnished) {
        _exit(refuse(furnished.error(), unavailable_status));
    }
    const pid_t child = fork();
    if (child == 0) {
        be_the_body(body);
    }
    if (child < 0) {
        _exit(refuse(fail_errno("fork").error(), unavailable_status));
    }
    _exit(tend(child));
}

} // namespace

std::filesystem::path scratch() {
    return scratch_path;
}
std::filesystem::path bpffs() {
    return scratch() / "bpf";
}

int run_enclosed(const std::function<int()>& body, int unavailable_status) {
    if (geteuid() != 0) {
        return refuse(fail("make namespaces", "not root", "run it with sudo").error(), unavailable_status);
    }
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        return refuse(fail_errno("make a pipe").error(), unavailable_status);
    }
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);

    // Blocked from here on: they arrive by sigwaitinfo, and pid 1 would not even see them otherwise.
    sigset_t blocked = stop_signals();
    sigaddset(&blocked, SIGCHLD);
    sigset_t before;
    sigprocmask(SIG_BLOCK, &blocked, &before);
    std::fflush(nullptr);

    int status = unavailable_status;
    if (unshare(CLONE_NEWPID) != 0) {
        refuse(fail_errno("make a PID namespace", errno, "run as root, with CAP_SYS_ADMIN").error(), status);
    } else if (const pid_t first = fork(); first == 0) {
        write_end.reset();
        be_the_first(read_end, body, unavailable_status);
    } else if (first < 0) {
        refuse(fail_errno("fork into the PID namespace").error(), status);
    } else {
        status = tend(first);
    }
    sigprocmask(SIG_SETMASK, &before, nullptr);
    return status;
}

} // namespace stem::lab
