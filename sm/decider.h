// SPDX-License-Identifier: Apache-2.0
// The decision for one new call, from the Directory and the Settings. Reads memory only.
//
// Inbound: the spam list of all users; then the user whose URI is called (none: Settings::unknown_user); that
// user's spam list; the rules of the user's profile, the first that matches; the profile's default. A forward
// to a URI of another user is decided by that user's own list and profile in turn, at most `max_hops` times;
// a loop, or more hops, is rejected with 482. Outbound: Settings::outgoing; a Challenge of it has no values,
// which the Authenticator (sm/auth) makes.
#pragma once

#include "sm/decision.h"
#include "sm/directory.h"
#include "sm/settings.h"

namespace stem::sm {

// What was looked at on the way to a decision.
struct Step {
    std::string what; // "spam list of user alice", "profile office rule 2"
    bool decided = false;
    std::string why; // that it did, or did not
};
using Steps = std::vector<Step>;

class Decider {
  public:
    static constexpr int max_hops = 4;

    // `directory` must outlive the decider.
    Decider(const Directory& directory, const Settings& settings)
        : directory_(&directory), settings_(settings) {}

    // Decision::user is the last user whose list or profile was asked: of a chain of forwards, its end.
    // `steps`: what was looked at is put there; nullptr: nobody asks.
    [[nodiscard]] Decision decide(const Query& query, Steps* steps = nullptr) const;
    [[nodiscard]] const Settings& settings() const noexcept { return settings_; }

  private:
    [[nodiscard]] Decision inbound(const Query& query, Steps* steps) const;
    [[nodiscard]] Decision challenged(const Query& query) const;
    [[nodiscard]] Decision unknown_callee(const Query& query, Steps* steps) const;

    const Directory* directory_;
    Settings settings_;
};

} // namespace stem::sm
