// SPDX-License-Identifier: Apache-2.0
// What a write to a shared store has changed, so that the other Security Managers read that again and nothing
// else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stem::sm {

// X(KIND, what is read again; `name` says of whom)
#define STEM_STORE_CHANGES(X)                                                                                \
    X(user, "a user with URIs, locations, credentials and spam list")                                        \
    X(removed_user, "the same, and all limits and blocks: those of the user went with him")                  \
    X(locations, "a user's locations")                                                                       \
    X(profile, "a profile with its rules")                                                                   \
    X(spam, "a user's spam list; without a name that of all users")                                          \
    X(thresholds, "all thresholds, and groups of firewalls")                                                 \
    X(limits, "all limits of outgoing calls, and whom they have blocked")                                    \
    X(administrators, "administrators with passwords")                                                       \
    X(everything, "all there is")

struct StoreChange {
    enum class Kind : std::uint8_t {
#define STEM_STORE_CHANGE(kind, what) kind,
        STEM_STORE_CHANGES(STEM_STORE_CHANGE)
#undef STEM_STORE_CHANGE
    };
    Kind kind = Kind::everything;
    std::string name = {};
};

std::string_view name_of(StoreChange::Kind kind);
// A kind that a newer build has written: everything is read again.
StoreChange::Kind change_kind_from(std::string_view name);

} // namespace stem::sm
