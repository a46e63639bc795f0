// SPDX-License-Identifier: Apache-2.0
// Many patterns at once, for spam lists: a search costs a few hash lookups, however long the list is.
// Expressions (regex:) are tried one after the other, and so are few.
#pragma once

#include "sm/pattern.h"
#include "sm/string_map.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace stem::sm {

class PatternSet {
  public:
    static constexpr std::size_t max_regexes = 100;

    [[nodiscard]] std::size_t regexes() const noexcept { return regexes_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return patterns_.size(); } // with them

    // False if it was there already. `deny_seconds`: SpamEntry.
    bool insert(const Pattern& pattern, std::int64_t deny_seconds = 0);
    // False if it was not there.
    bool erase(const Pattern& pattern);
    [[nodiscard]] bool contains(const Pattern& pattern) const;
    struct Match {
        Pattern pattern;
        std::int64_t deny_seconds = 0;
    };
    // A pattern of the set that matches, the most exact one first.
    [[nodiscard]] std::optional<Match> match(const Caller& caller) const;

  private:
    // Patterns by their spelling: one set, since the spellings of the kinds do not meet.
    StringMap<Match> patterns_;
    std::vector<Match> regexes_; // in the order of adding
};

} // namespace stem::sm
