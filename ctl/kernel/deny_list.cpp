// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/deny_list.h"

#include "ctl/kernel/clock.h"
#include "ctl/kernel/deny_filter.h"
#include "ctl/kernel/network.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace stem::kernel {
namespace {

stem_deny_cidr_key network_key(const Cidr& source) {
    stem_deny_cidr_key key{.prefix_length = source.mapped_length(), .source = {}};
    std::ranges::copy(source.network().octets(), key.source);
    return key;
}

} // namespace

Result<DenyList> DenyList::open(const Instance& instance) {
    auto exact = DenyMap::open(instance.pin("deny"));
    if (!exact) {
        return std::unexpected(exact.error());
    }
    auto networks = DenyCidrMap::open(instance.pin("deny_cidr"));
    if (!networks) {
        return std::unexpected(networks.error());
    }
    auto filter = MappedArray<stem_deny_filter>::open(instance.pin("deny_filter"));
    if (!filter) {
        return std::unexpected(filter.error());
    }
    return DenyList(instance, std::move(*exact), std::move(*networks), std::move(*filter));
}

Result<std::optional<stem_deny>> DenyList::get(const Cidr& source) const {
    if (source.is_host()) {
        return exact_.get({source.network().raw()});
    }
    // A trie's look-up gives the longest match, which may be another entry.
    std::optional<stem_deny> found;
    const auto wanted = network_key(source);
    const auto walked = networks_.for_each([&](const stem_deny_cidr_key& key, const stem_deny& value) {
        if (std::memcmp(&key, &wanted, sizeof(key)) == 0) {
            found = value;
        }
        return !found;
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return found;
}

Result<> DenyList::put(const Cidr& source, const stem_deny& value) const {
    return source.is_host() ? exact_.put({source.network().raw()}, value)
                            : networks_.put(network_key(source), value);
}

Result<bool> DenyList::erase(const Cidr& source) const {
    return source.is_host() ? exact_.erase({source.network().raw()}) : networks_.erase(network_key(source));
}

Result<bool> DenyList::add(const DenyRequest& request) {
    if (auto good = require_one_family(request.source); !good) {
        return std::unexpected(good.error());
    }
    const auto lock = instance_.lock_for_change("deny add");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    const auto before = get(request.source);
    if (!before) {
        return std::unexpected(before.error());
    }
    stem_deny value = before->value_or(stem_deny{});
    const std::uint64_t now = monotonic_ns();
    if (!*before) {
        value.added_ns = now;
    }
    value.expires_ns =
        request.lifetime ? now + static_cast<std::uint64_t>(request.lifetime->count()) : std::uint64_t{0};
    value.origin = request.origin;
    std::ranges::fill(value.note, '\0');
    request.note.copy(value.note, sizeof(value.note) - 1);

    // The bits first: between the two a look-up is made in vain, and nothing slips through.
    const auto bits = std::make_unique<stem_deny_filter>();
    request.source.is_host() ? set_exact(*bits, request.source.network()) : set_cidr(*bits, request.source);
    merge(filter_[0], *bits);
    auto written = put(request.source, value);
    if (!written && (written.error().code == E2BIG || written.error().code == ENOSPC)) {
        const auto swept = sweep_locked();
        if (!swept) {
            return std::unexpected(swept.error());
        }
        merge(filter_[0], *bits);
        written = put(request.source, value);
    }
    if (!written) {
        return std::unexpected(written.error());
    }
    return !before->has_value();
}

Result<bool> DenyList::remove(const Cidr& source) {
    const auto lock = instance_.lock_for_change("deny del");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    const auto there = erase(source);
    if (!there || !*there) {
        return there;
    }
    if (auto rebuilt = rebuild_filter_locked(); !rebuilt) {
        return std::unexpected(rebuilt.error());
    }
    return true;
}

Result<std::size_t> DenyList::sweep() {
    const auto lock = instance_.lock_for_change("deny sweep");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    return sweep_locked();
}

Result<std::size_t> DenyList::sweep_locked() {
    const auto entries = list();
    if (!entries) {
        return std::unexpected(entries.error());
    }
    const std::uint64_t now = monotonic_ns();
    std::size_t gone = 0;
    for (const auto& entry : *entries) {
        if (!entry.expired(now)) {
            continue;
        }
        if (const auto erased = erase(entry.source); !erased) {
            return std::unexpected(erased.error());
        }
        gone++;
    }
    if (gone > 0) {
        if (auto rebuilt = rebuild_filter_locked(); !rebuilt) {
            return std::unexpected(rebuilt.error());
        }
    }
    return gone;
}

Result<> DenyList::rebuild_filter_locked() {
    const auto entries = list();
    if (!entries) {
        return std::unexpected(entries.error());
    }
    const auto fresh = std::make_unique<stem_deny_filter>();
    for (const auto& entry : *entries) {
        entry.source.is_host() ? set_exact(*fresh, entry.source.network()) : set_cidr(*fresh, entry.source);
    }
    replace(filter_[0], *fresh);
    return {};
}

Result<std::vector<DenyEntry>> DenyList::list() const {
    std::vector<DenyEntry> entries;
    auto walked = exact_.for_each([&](const stem_deny_key& key, const stem_deny& value) {
        entries.push_back({.source = Cidr::host(Address(key.source)), .value = value});
    });
    if (walked) {
        walked = networks_.for_each([&](const stem_deny_cidr_key& key, const stem_deny& value) {
            stem_addr raw{};
            std::ranges::copy(key.source, raw.octet);
            entries.push_back({.source = network_of(Address(raw), key.prefix_length), .value = value});
        });
    }
    if (!walked) {
        return std::unexpected(walked.error());
    }
    std::ranges::sort(entries, {}, &DenyEntry::source);
    return entries;
}

} // namespace stem::kernel
