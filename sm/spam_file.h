// SPDX-License-Identifier: Apache-2.0
// Lists of spam callers as people exchange them: a caller pattern on each line, with a note behind it where
// there is one. `#` begins a comment; a pattern or note with a comma, a blank or a quote in it may stand in
// double quotes, as in CSV (RFC 4180). A first line that names the columns ("caller,note") is passed over.
//
//     *@spam.example
//     +881*, satellite phones
//     "regex:sip:[0-9]{3,5}@.*","short numbers, of anybody"
#pragma once

#include "sm/model.h"

#include <string_view>
#include <vector>

namespace stem::sm {

struct SpamLine {
    std::size_t number = 0; // from 1
    SpamEntry entry;
};

// Fails on the first line that cannot be read, naming file and line.
Result<std::vector<SpamLine>> read_spam_file(std::string_view file, std::string_view text,
                                             std::int64_t deny_seconds);

} // namespace stem::sm
