// SPDX-License-Identifier: Apache-2.0
// Errors are values. An Error says what was tried, on what, why it failed and what a person can do about it.
#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace stem {

struct Error {
    std::string attempt;     // what was tried, on what: "open map /run/stem/bpf/default/flows"
    std::string cause;       // why it failed: the system's words, or ours
    std::string remedy = {}; // what to do; may be empty
    int code = 0;            // errno, where the system gave one

    [[nodiscard]] std::string message() const {
        std::string text = attempt;
        if (!cause.empty()) {
            text += ": " + cause;
        }
        if (!remedy.empty()) {
            text += " (" + remedy + ")";
        }
        return text;
    }
};

template<typename T = void>
using Result = std::expected<T, Error>;

// An error of our own finding.
[[nodiscard]] inline std::unexpected<Error> fail(std::string attempt, std::string cause,
                                                 std::string remedy = {}) {
    return std::unexpected(
        Error{.attempt = std::move(attempt), .cause = std::move(cause), .remedy = std::move(remedy)});
}

// An error that the system reported; `code` is a positive errno.
[[nodiscard]] inline std::unexpected<Error> fail_errno(std::string attempt, int code = errno,
                                                       std::string remedy = {}) {
    return std::unexpected(Error{.attempt = std::move(attempt),
                                 .cause = std::strerror(code),
                                 .remedy = std::move(remedy),
                                 .code = code});
}

} // namespace stem
