// SPDX-License-Identifier: Apache-2.0
// The calls that real phones make, and what breaks the protocol: pairs of SIPp scenarios (lab/scenarios).
#pragma once

#include <span>
#include <string_view>

namespace stem::bench {

struct CallCase {
    std::string_view name;
    std::string_view uac; // scenarios
    std::string_view uas;
    // A call lives when both ends' scenarios came to their end, and media went both ways.
    bool media = true;
    // The scenario holds a message that breaks the protocol, for which the other end has no place: it came to
    // its end if somebody stopped that message.
    bool violating = false;
    bool tcp = false;
};

std::span<const CallCase> call_cases();

} // namespace stem::bench
