// SPDX-License-Identifier: Apache-2.0
// Random rules and packets that meet them more often than chance would, and the kernel's walk in user space.
#pragma once

#include <ctl/kernel/rule_match.h>
#include <stem/abi/ruleset.h>

#include <random>
#include <string>
#include <vector>

namespace stem::test {

// The n-th host of a documentation network of 2^32 or 2^17 addresses.
[[nodiscard]] Address host(bool v6, std::uint32_t number);

class RuleSamples {
  public:
    // The same seed makes the same samples.
    explicit RuleSamples(std::uint32_t seed) : random_(seed) {}

    std::size_t below(std::size_t bound);
    std::vector<stem_rule> rules(std::size_t count);
    // Mostly near one of the rules: at an edge of its networks and ranges, or just beyond.
    kernel::PacketFields packet(const std::vector<stem_rule>& rules);

  private:
    stem_rule rule();
    Address address(bool v6);
    std::uint16_t port();
    Address near(const __u64 (&network)[2], const __u64 (&mask)[2]);

    std::mt19937 random_;
};

// bpf/classify.h and the steps of bpf/rule.h.
[[nodiscard]] kernel::RuleHits walk_rules(const stem_ruleset& set, const kernel::PacketFields& fields);
[[nodiscard]] std::string text_of(const kernel::PacketFields& packet);

} // namespace stem::test
