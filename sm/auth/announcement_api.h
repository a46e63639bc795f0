// SPDX-License-Identifier: Apache-2.0
// /v1/announcements: calls that are announced before they are placed (docs/api-sm.md).
#pragma once

#include "sm/api.h"
#include "sm/auth/authenticator.h"

#include <optional>
#include <string>
#include <string_view>

namespace stem::auth {

inline constexpr std::string_view announcements_path = "/v1/announcements";

struct AnnouncementRequest {
    std::string_view method;
    std::string_view target;
    std::string_view body;
    std::string user;              // for whom it speaks; "" = an administrator, who names the user
    std::optional<Address> source; // where it comes from, if that is known
};

// Does it serve that target?
bool serves_announcements(std::string_view target);
sm::ApiReply handle_announcements(const sm::Directory& directory, Announcements& announcements,
                                  const AnnouncementRequest& request, sm::TimePoint now);

} // namespace stem::auth
