// SPDX-License-Identifier: Apache-2.0
// The policies that hold where no user's profile decides.
#pragma once

#include <stem/address.h>
#include <stem/error.h>

#include <string>
#include <vector>

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

    // Calls from inside. challenge: the caller must show who he is (sm/auth), and may call only in his own
    // name; but for those from `unchallenged`: proxies and trunks, which vouch for their users.
    enum class Outgoing { accept, reject, challenge };
    Outgoing outgoing = Outgoing::accept;
    int outgoing_status = 403; // of reject: 400..699
    std::vector<Cidr> unchallenged;

    // The realm in which users' passwords hold. Hashes are made with it: another realm needs other hashes.
    std::string realm = "stem";

    // A call to a user who has as many as User::max_calls or Profile::max_calls allow already: 400..699.
    int busy_status = 486;

    [[nodiscard]] Result<> check() const;
};

} // namespace stem::sm
