// SPDX-License-Identifier: Apache-2.0
// Failures that the asker can mend, told apart by Error::code, so that the API can answer with the right
// status. Besides these a shared database gives ESTALE (others have changed it meanwhile) and EAGAIN (it is
// away).
#pragma once

#include <stem/error.h>

namespace stem::sm {

// What was named does not exist: ENOENT.
[[nodiscard]] inline std::unexpected<Error> not_found(std::string attempt, std::string cause,
                                                      std::string remedy = {}) {
    return std::unexpected(Error{std::move(attempt), std::move(cause), std::move(remedy), ENOENT});
}

// It exists already, or is in use: EEXIST.
[[nodiscard]] inline std::unexpected<Error> conflict(std::string attempt, std::string cause,
                                                     std::string remedy = {}) {
    return std::unexpected(Error{std::move(attempt), std::move(cause), std::move(remedy), EEXIST});
}

// It cannot be read, or is out of range: EINVAL.
[[nodiscard]] inline std::unexpected<Error> invalid(std::string attempt, std::string cause,
                                                    std::string remedy = {}) {
    return std::unexpected(Error{std::move(attempt), std::move(cause), std::move(remedy), EINVAL});
}

} // namespace stem::sm
