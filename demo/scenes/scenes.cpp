// SPDX-License-Identifier: Apache-2.0
#include "demo/scenes.h"

#include <array>

namespace stem::demo {

std::span<const Scene> scenes() {
    static constexpr std::array<Scene, 8> all = {{
        {"talk", "a call is accepted, talked and closed", talk},
        {"forward", "a profile forwards a call", forward},
        {"spam", "a spam caller is dropped", spam},
        {"unnegotiated", "RTP that no call negotiated is dropped", unnegotiated},
        {"overrate", "RTP at ten times its codec's rate is cut", overrate},
        {"hundred", "100 calls on one 5-tuple, all with media", hundred},
        {"same_port", "two calls on one media port stay apart", same_port},
        {"kill_stemd", "kill -9 of stemd loses no RTP", kill_stemd},
    }};
    return all;
}

} // namespace stem::demo
