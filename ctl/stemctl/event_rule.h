// SPDX-License-Identifier: Apache-2.0
// The names of the static rules that events speak of.
#pragma once

#include "ctl/kernel/ruleset_map.h"

#include <stem/abi/event.h>

#include <optional>
#include <string>

namespace stem::stemctl {

class EventRules {
  public:
    explicit EventRules(const kernel::Instance& instance) noexcept : instance_(&instance) {}

    // Nothing if no rule is meant, or if its generation is not in force any more.
    [[nodiscard]] std::optional<std::string> name_of(const stem_event& event);

  private:
    [[nodiscard]] bool is_current(const stem_event& event) const noexcept;

    const kernel::Instance* instance_;
    std::optional<kernel::MappedRuleset> in_force_; // as of the last look
};

} // namespace stem::stemctl
