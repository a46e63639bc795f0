// SPDX-License-Identifier: Apache-2.0
// Whether a rule accepts a packet, field by field, as docs/rules.md says it: the slow and plain reading that
// the compiled one must agree with. Also what `stemctl rules test` explains.
#pragma once

#include <stem/abi/rule.h>
#include <stem/address.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stem::kernel {

// What rules look at in a packet. Source and destination are of one family.
struct PacketFields {
    stem_direction direction = STEM_INBOUND;
    Address source;
    Address destination;
    std::uint8_t protocol = 0;
    bool fragment = false; // any fragment: neither ports nor ICMP type are looked at
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint8_t icmp_type = 0;
    std::uint16_t vlan = 0; // outer; 0 = untagged

    [[nodiscard]] bool is_v6() const noexcept { return !source.is_v4(); }
    [[nodiscard]] bool has_ports() const noexcept;
    [[nodiscard]] bool has_icmp_type() const noexcept;
};

// One field that a rule names.
struct FieldCheck {
    std::string_view field; // its key in the file
    std::string wanted;     // by the rule
    std::string found;      // in the packet
    bool matches = false;
};

bool rule_accepts(const stem_rule& rule, const PacketFields& packet) noexcept;
std::vector<FieldCheck> explain_rule(const stem_rule& rule, const PacketFields& packet);

// The rules that a packet meets, in order: those that only log, and the one that decides.
struct RuleHits {
    std::vector<std::size_t> logged; // index of each, the one that decides too if it logs
    std::optional<std::size_t> decided;
};
RuleHits first_match(std::span<const stem_rule> rules, const PacketFields& packet);

} // namespace stem::kernel
