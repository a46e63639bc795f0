// SPDX-License-Identifier: Apache-2.0
// Static rules and default policies as an operator wrote them, before they are compiled.
#pragma once

#include <stem/abi/rule.h>
#include <stem/error.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stem::kernel {

// Where a rule stands in its file. Lines count from 1; 0 where there is no file.
struct RulePlace {
    std::uint32_t line = 0;
    std::string interface; // as written; empty if the rule names none
    std::uint32_t interface_line = 0;
};

struct Rules {
    std::string file; // for errors
    std::array<std::uint8_t, STEM_DIRECTIONS> policy = {STEM_ACTION_DROP, STEM_ACTION_DROP};
    std::vector<stem_rule> rules;  // in order: the first that matches decides
    std::vector<RulePlace> places; // as many as rules
};

// Turns the interfaces that rules name into the direction of packets that come in by them. `ports`: names of
// the interfaces, by enum stem_port. An unknown name is an error that names file, line and key.
Result<> resolve_interfaces(Rules& rules, const std::array<std::string, STEM_PORTS>& ports);
// Whether there is an interface to resolve.
bool names_interfaces(const Rules& rules) noexcept;

} // namespace stem::kernel
