// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rule_tree.h"

#include <algorithm>
#include <limits>
#include <span>

namespace stem::kernel {
namespace {

constexpr std::size_t width = std::extent_v<decltype(stem_node::next)>;
constexpr std::uint64_t ones = std::numeric_limits<std::uint64_t>::max();

stem_node node_of(std::span<const Interval> children) noexcept {
    stem_node node{};
    for (std::size_t i = 0; i < width; i++) {
        const bool there = i < children.size();
        node.next[i] = children[std::min(i, children.size() - 1)].index;
        if (i > 0) {
            node.key[i - 1] = there ? stem_boundary{children[i].first.high, children[i].first.low}
                                    : stem_boundary{ones, ones};
        }
    }
    return node;
}

} // namespace

// From the leaves up: what is behind eight children becomes one child of the next level.
Result<stem_tree> RuleTrees::add(const std::vector<Interval>& intervals) {
    std::vector<Interval> children = intervals;
    std::uint16_t levels = 0;
    while (children.size() > 1) {
        std::vector<Interval> parents;
        for (std::size_t at = 0; at < children.size(); at += width) {
            if (used_ == STEM_NODES_MAX) {
                return fail("compile the rules",
                            "their networks need more than " + std::to_string(STEM_NODES_MAX) + " tree nodes",
                            "join neighbouring networks");
            }
            const auto group = std::span(children).subspan(at, std::min(width, children.size() - at));
            out_->nodes[used_] = node_of(group);
            parents.push_back({.first = group.front().first, .index = static_cast<std::uint16_t>(used_++)});
        }
        children = std::move(parents);
        levels++;
    }
    if (levels > STEM_TREE_LEVELS_MAX) {
        return fail("compile the rules",
                    "their networks need a tree of " + std::to_string(levels) + " levels");
    }
    return stem_tree{.root = children.front().index, .levels = levels};
}

} // namespace stem::kernel
