// SPDX-License-Identifier: Apache-2.0
// Option --deny of profiles' actions and spam callers.
#pragma once

#include "ctl/stemctl/quantity.h"

namespace stem::stemctl {

inline constexpr const char* deny_help =
    "And deny the source of such a call for so long: 90s, 10m, 2h, 7d; known peers, the proxy and inside "
    "addresses are spared";

inline Result<std::int64_t> deny_seconds(std::string_view text) {
    const auto duration = parse_duration(text);
    if (!duration) {
        return std::unexpected(duration.error());
    }
    return std::chrono::duration_cast<std::chrono::seconds>(*duration).count();
}

} // namespace stem::stemctl
