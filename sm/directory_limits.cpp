// SPDX-License-Identifier: Apache-2.0
#include "sm/directory.h"

#include "sm/failure.h"

#include <fmt/format.h>

namespace stem::sm {
namespace {

constexpr std::size_t max_limits = 1000; // each is looked at for each outgoing call

} // namespace

Result<> Directory::put_limit(const Limit& limit) {
    if (auto good = limit.check(); !good) {
        return good;
    }
    if (!limit.user.empty() && !users_.contains(limit.user)) {
        return not_found("write limit " + limit.name, fmt::format("no user '{}'", limit.user),
                         "add the user first");
    }
    if (!limits_.contains(limit.name) && limits_.size() >= max_limits) {
        return invalid("write limit " + limit.name,
                       fmt::format("there are {} already, which is the most", max_limits));
    }
    if (auto written = store_.put_limit(limit); !written) {
        return written;
    }
    limits_.insert_or_assign(limit.name, limit);
    return {};
}

Result<> Directory::remove_limit(std::string_view name) {
    const auto found = limits_.find(name);
    if (found == limits_.end()) {
        return not_found(fmt::format("remove limit {}", name), fmt::format("no limit '{}'", name),
                         "list the limits to see their names");
    }
    if (auto written = store_.remove_limit(name); !written) {
        return written;
    }
    limits_.erase(found);
    return {};
}

Result<> Directory::block(const Block& block) {
    auto written = store_.put_block(block);
    if (!written && written.error().code == ESTALE) {
        return written;
    }
    blocks_.insert_or_assign(block.user, block); // it holds here, though a restart may lift it
    waiting_blocks_.erase(block.user);
    if (!written && written.error().code == EAGAIN && store_.shared()) {
        waiting_blocks_.emplace(block.user, block);
    }
    return written;
}

Result<> Directory::unblock(std::string_view user) {
    const auto found = blocks_.find(user);
    if (found == blocks_.end()) {
        return not_found(fmt::format("unblock user {}", user), "his outgoing calls are not blocked",
                         "list the blocks to see whose are");
    }
    if (auto written = store_.remove_block(user); !written) {
        return written;
    }
    blocks_.erase(found);
    if (const auto waiting = waiting_blocks_.find(user); waiting != waiting_blocks_.end()) {
        waiting_blocks_.erase(waiting);
    }
    return {};
}

} // namespace stem::sm
