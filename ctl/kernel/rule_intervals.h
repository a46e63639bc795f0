// SPDX-License-Identifier: Apache-2.0
// One field of all rules, cut into elementary intervals: stretches of values that the same rules accept.
#pragma once

#include "ctl/kernel/rule_vectors.h"

#include <stem/abi/ruleset.h>

#include <compare>
#include <cstdint>
#include <vector>

namespace stem::kernel {

// A value of a field: an address in host byte order, or a small number in `low`.
struct Point {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    auto operator<=>(const Point&) const = default;
};

// `rule` accepts from `first` to `last`, both included.
struct Accepts {
    Point first;
    Point last;
    std::uint16_t rule = 0;
};

struct Interval {
    Point first;             // up to the next one's
    std::uint16_t index = 0; // of the class
};

// The intervals of a field, from 0 up; neighbours have different classes. `any`: the rules that do not name
// the field. What a rule accepts may come in several pieces, which must not touch each other.
// `heavy`: what many rules accept over many intervals goes into the common vectors from this product on.
Result<std::vector<Interval>> cut_intervals(RuleVectors& vectors, const RuleSetBits& any,
                                            std::vector<Accepts> accepts, std::size_t heavy);

} // namespace stem::kernel
