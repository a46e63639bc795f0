// SPDX-License-Identifier: Apache-2.0
// libbpf writes its reasons to stderr. While a LibbpfLog lives, they are kept here instead, for an Error.
#pragma once

#include <string>

namespace stem::kernel {

// One at a time in a process.
class LibbpfLog {
  public:
    LibbpfLog();
    ~LibbpfLog();
    LibbpfLog(const LibbpfLog&) = delete;
    LibbpfLog& operator=(const LibbpfLog&) = delete;

    // The last lines of what libbpf warned of: a verifier's verdict stands at the end.
    [[nodiscard]] std::string tail() const;
};

} // namespace stem::kernel
