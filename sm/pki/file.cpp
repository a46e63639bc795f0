// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/file.h"

#include <stem/unique_fd.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include <array>
#include <cstdio>

namespace stem::pki {
namespace {

// Keys, certificates and lists of them are small; snapshots of users are the largest.
constexpr std::size_t longest_file = 512U << 20U;

Result<> write_all(int fd, std::string_view content, const std::string& attempt) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return fail_errno(attempt, errno, "is the disk full?");
        }
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<std::string> read_all(int fd, const std::string& attempt) {
    std::string content;
    std::array<char, 65536> part; // NOLINT(cppcoreguidelines-pro-type-member-init)
    while (true) {
        const ssize_t count = ::read(fd, part.data(), part.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return fail_errno(attempt);
        }
        if (count == 0) {
            return content;
        }
        content.append(part.data(), static_cast<std::size_t>(count));
        if (content.size() > longest_file) {
            return fail(attempt, fmt::format("longer than {} octets", longest_file), "name another file");
        }
    }
}

Result<std::string> read_checked(const std::filesystem::path& file, bool secret) {
    const std::string attempt = "read " + file.string();
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return fail_errno(attempt);
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) {
        return fail_errno(attempt);
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(attempt, "not a regular file");
    }
    if (secret && (status.st_mode & 077U) != 0) {
        return fail(attempt,
                    fmt::format("a secret that others may reach (mode {:04o})", status.st_mode & 07777U),
                    "chmod 600 " + file.string());
    }
    return read_all(fd.get(), attempt);
}

void sync_folder(const std::filesystem::path& file) {
    const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd) {
        ::fsync(fd.get());
    }
}

} // namespace

Result<> write_file(const std::filesystem::path& file, std::string_view content, mode_t mode) {
    const std::string attempt = "write " + file.string();
    std::string fresh = file.string() + ".XXXXXX";
    const UniqueFd fd(::mkostemp(fresh.data(), O_CLOEXEC)); // mode 0600
    if (!fd) {
        return fail_errno(attempt, errno, "does the folder exist, and may this user write to it?");
    }
    auto done = write_all(fd.get(), content, attempt);
    if (done && (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0 ||
                 std::rename(fresh.c_str(), file.c_str()) != 0)) {
        done = fail_errno(attempt);
    }
    if (!done) {
        ::unlink(fresh.c_str());
        return done;
    }
    sync_folder(file);
    return {};
}

Result<std::string> read_file(const std::filesystem::path& file) {
    return read_checked(file, false);
}

Result<std::string> read_secret_file(const std::filesystem::path& file) {
    return read_checked(file, true);
}

} // namespace stem::pki
