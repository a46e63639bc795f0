// SPDX-License-Identifier: Apache-2.0
// A pipe with a name, for a program that reads a file where we have something to say to it while it runs.
#pragma once

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <filesystem>

namespace stem::lab {

// Makes the pipe and opens it for reading and writing, so that its reader never waits for a writer and never
// sees its end. Writes do not block: what does not fit is refused (EAGAIN).
Result<UniqueFd> make_fifo(const std::filesystem::path& path);

} // namespace stem::lab
