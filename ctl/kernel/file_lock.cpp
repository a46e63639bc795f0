// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <thread>

namespace stem::kernel {
namespace {

constexpr auto retry_interval = std::chrono::milliseconds(10);

int written_pid(int fd) {
    std::array<char, 16> text{};
    const ssize_t length = pread(fd, text.data(), text.size(), 0);
    int pid = 0;
    if (length > 0) {
        std::from_chars(text.data(), text.data() + length, pid);
    }
    return pid;
}

} // namespace

Result<FileLock> FileLock::acquire(const std::filesystem::path& path, const std::string& purpose,
                                   std::chrono::milliseconds patience) {
    std::error_code status;
    std::filesystem::create_directories(path.parent_path(), status);
    if (status) {
        return fail_errno("make folder " + path.parent_path().string(), status.value(), "run as root");
    }
    UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return fail_errno("open lock file " + path.string(), errno, "run as root");
    }
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail_errno("lock " + path.string());
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return std::unexpected(
                Error{.attempt = "lock " + path.string() + " for " + purpose,
                      .cause = "process " + std::to_string(written_pid(fd.get())) + " holds it",
                      .remedy = "wait for it, or end it",
                      .code = EWOULDBLOCK});
        }
        std::this_thread::sleep_for(retry_interval);
    }
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(fd.get(), 0) != 0 ||
        pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
        return fail_errno("write the process id to " + path.string());
    }
    return FileLock(std::move(fd));
}

std::optional<int> FileLock::holder(const std::filesystem::path& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd || flock(fd.get(), LOCK_SH | LOCK_NB) == 0) {
        return std::nullopt;
    }
    return written_pid(fd.get());
}

} // namespace stem::kernel
