// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/event_rule.h"

namespace stem::stemctl {

bool EventRules::is_current(const stem_event& event) const noexcept {
    return in_force_ && static_cast<std::uint32_t>((*in_force_)[0].generation) == event.generation;
}

std::optional<std::string> EventRules::name_of(const stem_event& event) {
    if (event.rule == 0) {
        return std::nullopt;
    }
    if (!is_current(event)) {
        auto now = kernel::rules_in_force(*instance_);
        if (!now) {
            return std::nullopt;
        }
        in_force_ = std::move(*now);
    }
    const auto rules = kernel::rules_of((*in_force_)[0]);
    if (!is_current(event) || event.rule > rules.size()) {
        return std::nullopt;
    }
    return rules[event.rule - 1U].name;
}

} // namespace stem::stemctl
