// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rule_compiler.h"

#include "ctl/kernel/rule_fields.h"
#include "ctl/kernel/rule_intervals.h"
#include "ctl/kernel/rule_tree.h"
#include "ctl/kernel/rule_vectors.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <span>

namespace stem::kernel {
namespace {

// How much two parts share is tried out: less in common vectors, which are few, the later.
constexpr auto heavy_tries = std::to_array<std::size_t>({256, 2048, 16384});

constexpr auto icmp_kinds = std::to_array<std::pair<std::uint8_t, std::uint32_t>>(
    {{IPPROTO_ICMP, STEM_KIND_ICMP_BASE}, {IPPROTO_ICMPV6, STEM_KIND_ICMPV6_BASE}});

Point point_of(const __u64 (&network_order)[2]) noexcept {
    static_assert(std::endian::native == std::endian::little);
    return {.high = __builtin_bswap64(network_order[0]), .low = __builtin_bswap64(network_order[1])};
}

// One field of all rules on its way to intervals.
struct Field {
    RuleSetBits any;
    std::vector<Accepts> accepts;
};

class Compiler {
  public:
    Compiler(std::span<const stem_rule> rules, stem_ruleset& out, std::size_t heavy) noexcept
        : rules_(rules), out_(&out), heavy_(heavy), vectors_(out), trees_(out) {}

    Result<> run() {
        for (const auto family : {STEM_FAMILY_V4, STEM_FAMILY_V6}) {
            for (const auto field : {STEM_FIELD_DESTINATION, STEM_FIELD_SOURCE}) {
                if (auto good = addresses(family, field); !good) {
                    return good;
                }
            }
        }
        for (const bool source : {false, true}) {
            if (auto good = ports(source); !good) {
                return good;
            }
        }
        for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
            if (auto good = kinds(direction); !good) {
                return good;
            }
        }
        if (auto good = vlans(); !good) {
            return good;
        }
        vectors_.finish();
        trees_.finish();
        return {};
    }

  private:
    // Calls each(rule, its number).
    template<typename Each>
    void for_rules(Each each) const {
        for (std::size_t i = 0; i < rules_.size(); i++) {
            each(rules_[i], static_cast<std::uint16_t>(i));
        }
    }

    [[nodiscard]] Result<std::vector<Interval>> cut(Field field) {
        return cut_intervals(vectors_, field.any, std::move(field.accepts), heavy_);
    }

    Result<> addresses(stem_family family, stem_field which) {
        const bool source = which == STEM_FIELD_SOURCE;
        Field field;
        for_rules([&](const stem_rule& rule, std::uint16_t number) {
            if (!accepts_family(rule, family)) {
                return; // it matches no packet of this family
            }
            if ((rule.match & (source ? STEM_MATCH_SOURCE : STEM_MATCH_DESTINATION)) == 0) {
                field.any.set(number);
                return;
            }
            const Point first = point_of(source ? rule.source : rule.destination);
            const Point mask = point_of(source ? rule.source_mask : rule.destination_mask);
            field.accepts.push_back({.first = first,
                                     .last = {.high = first.high | ~mask.high, .low = first.low | ~mask.low},
                                     .rule = number});
        });
        const auto intervals = cut(std::move(field));
        if (!intervals) {
            return std::unexpected(intervals.error());
        }
        const auto tree = trees_.add(*intervals);
        if (!tree) {
            return std::unexpected(tree.error());
        }
        out_->tree[family][which] = *tree;
        return {};
    }

    // Spreads intervals over a table.
    static void spread(const std::vector<Interval>& intervals, std::span<std::uint16_t> table) {
        for (std::size_t i = 0; i < intervals.size(); i++) {
            const std::size_t end = i + 1 < intervals.size() ? intervals[i + 1].first.low : table.size();
            const std::size_t from = std::min<std::size_t>(intervals[i].first.low, table.size());
            std::ranges::fill(table.subspan(from, std::min(end, table.size()) - from), intervals[i].index);
        }
    }

    Result<> ports(bool source) {
        Field field;
        for_rules([&](const stem_rule& rule, std::uint16_t number) {
            if ((rule.match & (source ? STEM_MATCH_SOURCE_PORT : STEM_MATCH_DESTINATION_PORT)) == 0) {
                field.any.set(number);
                return;
            }
            field.accepts.push_back(
                {.first = {.low = source ? rule.source_port_low : rule.destination_port_low},
                 .last = {.low = source ? rule.source_port_high : rule.destination_port_high},
                 .rule = number});
        });
        // What has no ports meets the rules that name none.
        const auto none = vectors_.add_common(field.any);
        if (!none) {
            return fail("compile the rules", "there is no room for a field's common vector");
        }
        const auto without = vectors_.add_class(*none, {});
        if (!without) {
            return std::unexpected(without.error());
        }
        out_->no_port_class[source ? 1 : 0] = *without;
        const auto intervals = cut(std::move(field));
        if (!intervals) {
            return std::unexpected(intervals.error());
        }
        spread(*intervals, out_->port_class[source ? 1 : 0]);
        return {};
    }

    Result<> kinds(stem_direction direction) {
        Field field;
        const auto accept = [&](std::uint32_t first, std::uint32_t last, std::uint16_t number) {
            field.accepts.push_back({.first = {.low = first}, .last = {.low = last}, .rule = number});
        };
        for_rules([&](const stem_rule& rule, std::uint16_t number) {
            if ((rule.match & (direction == STEM_INBOUND ? STEM_MATCH_INBOUND : STEM_MATCH_OUTBOUND)) == 0) {
                return;
            }
            const bool protocol = (rule.match & STEM_MATCH_PROTOCOL) != 0;
            const bool type = (rule.match & STEM_MATCH_ICMP_TYPE) != 0;
            if (!protocol && !type) {
                field.any.set(number);
                return;
            }
            if (protocol && !type) {
                accept(rule.protocol, rule.protocol, number);
            }
            for (const auto& [icmp, first] : icmp_kinds) {
                if (protocol && rule.protocol != icmp) {
                    continue;
                }
                type ? accept(first + rule.icmp_type, first + rule.icmp_type, number)
                     : accept(first, first + 255, number);
            }
        });
        const auto intervals = cut(std::move(field));
        if (!intervals) {
            return std::unexpected(intervals.error());
        }
        spread(*intervals, out_->kind_class[direction]);
        return {};
    }

    Result<> vlans() {
        Field field;
        for_rules([&](const stem_rule& rule, std::uint16_t number) {
            if ((rule.match & STEM_MATCH_VLAN) == 0) {
                field.any.set(number);
                return;
            }
            field.accepts.push_back(
                {.first = {.low = rule.vlan}, .last = {.low = rule.vlan}, .rule = number});
        });
        const auto intervals = cut(std::move(field));
        if (!intervals) {
            return std::unexpected(intervals.error());
        }
        spread(*intervals, out_->vlan_class);
        return {};
    }

    std::span<const stem_rule> rules_;
    stem_ruleset* out_;
    std::size_t heavy_;
    RuleVectors vectors_;
    RuleTrees trees_;
};

} // namespace

Result<> compile_rules(const Rules& rules, stem_ruleset& out) {
    if (rules.rules.size() > STEM_RULES_MAX) {
        return fail("compile the rules", "more than " + std::to_string(STEM_RULES_MAX) + " rules",
                    "join rules by networks and port ranges");
    }
    out.count = static_cast<std::uint32_t>(rules.rules.size());
    std::ranges::copy(rules.policy, out.policy);
    for (std::size_t i = 0; i < rules.rules.size(); i++) {
        out.rule[i] = rules.rules[i];
        out.verdict[i] = {.action = rules.rules[i].action, .flags = rules.rules[i].flags};
        for (auto& stripe : out.hits) {
            stripe[i] = {};
        }
    }
    Result<> last;
    for (const std::size_t heavy : heavy_tries) {
        last = Compiler(rules.rules, out, heavy).run();
        if (last) {
            return {};
        }
    }
    last.error().attempt += rules.file.empty() ? "" : " of " + rules.file;
    return last;
}

Result<> check_rules_fit(const Rules& rules) {
    const auto scratch = std::make_unique<stem_ruleset>();
    return compile_rules(rules, *scratch);
}

} // namespace stem::kernel
