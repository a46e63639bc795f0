// SPDX-License-Identifier: Apache-2.0
#include "lab/fifo.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace stem::lab {

Result<UniqueFd> make_fifo(const std::filesystem::path& path) {
    if (mkfifo(path.c_str(), 0600) != 0) {
        return fail_errno("make pipe " + path.string());
    }
    UniqueFd pipe(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!pipe) {
        return fail_errno("open pipe " + path.string());
    }
    return pipe;
}

} // namespace stem::lab
