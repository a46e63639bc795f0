// SPDX-License-Identifier: Apache-2.0
// Passwords from a terminal, without an echo, or from the standard input: never from the command line, where
// everybody on the machine can read them.
#pragma once

#include <stem/error.h>

#include <string>

namespace stem::stemctl {

// From the terminal, twice; `from_stdin`: the first line of the standard input.
Result<std::string> read_password(const std::string& of, bool from_stdin);

} // namespace stem::stemctl
