// SPDX-License-Identifier: Apache-2.0
// Alone in its file: the kernel's headers and the C library's disagree about <netinet/in.h>.
#include "rule_samples.h"

#include <bpf/classify.h>

namespace stem::test {
namespace {

packet packet_of(const kernel::PacketFields& fields) {
    packet packet{};
    packet.key.src = fields.source.raw();
    packet.key.dst = fields.destination.raw();
    packet.key.direction = static_cast<std::uint8_t>(fields.direction);
    packet.key.protocol = fields.protocol;
    packet.ip_version = fields.is_v6() ? 6 : 4;
    packet.vlan = fields.vlan;
    packet.fragment = fields.fragment ? 1 : 0;
    // As the parser leaves it: what is not there is 0.
    packet.l4_offset = fields.has_ports() || fields.has_icmp_type() ? 34 : 0;
    if (fields.has_ports()) {
        packet.key.sport = fields.source_port;
        packet.key.dport = fields.destination_port;
    }
    if (fields.has_icmp_type()) {
        packet.icmp_type = fields.icmp_type;
    }
    return packet;
}

} // namespace

kernel::RuleHits walk_rules(const stem_ruleset& set, const kernel::PacketFields& fields) {
    kernel::RuleHits hits;
    const packet packet = packet_of(fields);
    classified found{};
    if (set.count == 0 || classify(&set, &packet, &found) == 0) {
        return hits;
    }
    for (auto word = next_word(&found); word < STEM_RULE_WORDS; word = next_word(&found)) {
        for (auto matches = matches_in(&set, &found, word); matches != 0; matches &= matches - 1) {
            const std::size_t rule = word * 64 + first_bit(matches);
            if ((set.verdict[rule].flags & STEM_RULE_LOG) != 0) {
                hits.logged.push_back(rule);
            }
            if (set.verdict[rule].action != STEM_ACTION_LOG) {
                hits.decided = rule;
                return hits;
            }
        }
    }
    return hits;
}

} // namespace stem::test
