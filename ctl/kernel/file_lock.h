// SPDX-License-Identifier: Apache-2.0
// A lock file (flock): gone with the process that holds it, however that ends. It names its holder.
#pragma once

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <chrono>
#include <filesystem>
#include <optional>

namespace stem::kernel {

class FileLock {
  public:
    // Makes the file and its folder if need be, and waits at most `patience` (never none: holder() takes the
    // lock for a moment). Held by another: an error with code EWOULDBLOCK that names `purpose` and the
    // holder's process id.
    static Result<FileLock> acquire(const std::filesystem::path& path, const std::string& purpose,
                                    std::chrono::milliseconds patience = std::chrono::milliseconds(200));

    // Process id of who holds the lock; nothing if it is free. 0: held, but by whom cannot be read.
    static std::optional<int> holder(const std::filesystem::path& path);

  private:
    explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

} // namespace stem::kernel
