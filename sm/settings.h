// SPDX-License-Identifier: Apache-2.0
// The policies that hold where no user's profile decides.
#pragma once

#include <stem/error.h>

namespace stem::sm {

struct Settings {
    // An inbound call to a URI that no user has.
    enum class UnknownUser { accept, reject, drop };
    UnknownUser unknown_user = UnknownUser::reject;
    int unknown_user_status = 404; // of reject: 400..699

    // A call that a profile accepts, to a user of whom no terminal is known: let in without a bound on the
    // terminal's address, or rejected with 480.
    enum class Unlocated { accept, reject };
    Unlocated unlocated = Unlocated::accept;

    // Calls from inside.
    enum class Outgoing { accept, reject };
    Outgoing outgoing = Outgoing::accept;
    int outgoing_status = 403; // of reject: 400..699

    // A call to a user who has as many as User::max_calls or Profile::max_calls allow already: 400..699.
    int busy_status = 486;

    [[nodiscard]] Result<> check() const;
};

} // namespace stem::sm
