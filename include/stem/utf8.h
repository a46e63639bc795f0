// SPDX-License-Identifier: Apache-2.0
// UTF-8, as strictly as RFC 3629 4 has it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stem {

// Length of the sequence that `text`, which is not empty, begins with; 0 = not one.
std::size_t utf8_sequence_length(std::string_view text);

// With U+FFFD for each octet that belongs to no sequence.
std::string valid_utf8(std::string_view text);
bool is_utf8(std::string_view text);

} // namespace stem
