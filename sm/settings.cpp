// SPDX-License-Identifier: Apache-2.0
#include "sm/settings.h"

#include "sm/auth/digest.h"
#include "sm/failure.h"

#include <fmt/format.h>

namespace stem::sm {
namespace {

Result<> check_status(const char* name, int status) {
    if (status < 400 || status > 699) {
        return invalid(fmt::format("read setting {}", name), fmt::format("{} is not in 400..699", status),
                       "take a SIP failure status, as 404 or 480");
    }
    return {};
}

} // namespace

Result<> Settings::check() const {
    if (auto good = check_status("unknown_user_status", unknown_user_status); !good) {
        return good;
    }
    if (auto good = check_status("busy_status", busy_status); !good) {
        return good;
    }
    if (!auth::is_realm(realm)) {
        return invalid(std::string("read setting realm"), "not a realm",
                       "take 1 to 64 printable ASCII characters without quote and backslash");
    }
    return check_status("outgoing_status", outgoing_status);
}

} // namespace stem::sm
