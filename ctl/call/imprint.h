// SPDX-License-Identifier: Apache-2.0
// By what a repeated request is known to be the one that was judged. A repetition passes unread: so all that
// was read of the first must be in it once more, or whoever knows a branch sends what he likes under it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "ctl/sip/message.h"

namespace stem::call {

struct Imprint {
    std::string sent_by;                    // of the topmost Via: a part of the transaction (RFC 3261 17.2.3)
    std::array<std::uint8_t, 32> content{}; // SHA-256: nobody can make another message with the same one

    friend bool operator==(const Imprint&, const Imprint&) = default;
};

// A client repeats the same octets (17.1.1.2), but a stateless proxy on the way writes its part of the
// headers anew (16.11): Via below the topmost, Record-Route, Max-Forwards and what we do not read are left
// out.
Imprint imprint_of(const sip::Message& request, std::string_view datagram);
std::string sent_by_of(const sip::Message& message);

} // namespace stem::call
