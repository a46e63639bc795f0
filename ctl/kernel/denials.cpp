// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/denials.h"

#include "ctl/kernel/clock.h"

#include <algorithm>
#include <atomic>

namespace stem::kernel {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

std::uint64_t end_of(const DenialRequest& request, std::uint64_t now_ns) {
    return request.lifetime ? now_ns + static_cast<std::uint64_t>(request.lifetime->count()) : STEM_FOR_EVER;
}

stem_deny_table table_of(const DenyTarget& target) {
    switch (kind_of(target)) {
    case DenyKind::address:
        return STEM_DENY_TABLE_ADDRESSES;
    case DenyKind::network:
        return STEM_DENY_TABLE_NETWORKS;
    default:
        return STEM_DENY_TABLE_STREAMS;
    }
}

Denial described(const DenyEntry& entry) {
    const stem_deny& value = entry.value;
    return {.target = entry.source,
            .by = static_cast<stem_deny_origin>(value.origin),
            .added_ns = value.added_ns,
            .until_ns = value.expires_ns == 0 ? STEM_FOR_EVER : value.expires_ns,
            .packets = value.packets,
            .bytes = value.bytes,
            .strikes = 0,
            .note = value.note};
}

Denial described(const stem_sip_blocked& entry) {
    const bool by_monitor = entry.origin == STEM_DENY_SIGNALLING_MONITOR;
    return {.target = target_of(entry),
            .by = static_cast<stem_deny_origin>(entry.origin),
            .added_ns = entry.since_ns,
            .until_ns = entry.until_ns,
            .packets = entry.packets,
            .bytes = {},
            .strikes = by_monitor ? entry.strikes : 0,
            .note = entry.note};
}

Denial described(const BlockedSource& entry) {
    return {.target = entry.source,
            .by = STEM_DENY_SIGNALLING_MONITOR,
            .added_ns = entry.block.since_ns,
            .until_ns = entry.block.until_ns,
            .packets = entry.block.packets,
            .bytes = {},
            .strikes = entry.block.strikes,
            .note = {}};
}

Denial described(const BlockedSynSource& entry) {
    return {.target = entry.source,
            .by = STEM_DENY_SYN_MONITOR,
            .added_ns = entry.block.since_ns,
            .until_ns = entry.block.until_ns,
            .packets = entry.block.packets,
            .bytes = {},
            .strikes = entry.block.strikes,
            .note = {}};
}

Denial described(const FlowEntry& entry) {
    return {.target = FlowTarget{.source = entry.source(), .destination = entry.destination()},
            .by = static_cast<stem_deny_origin>(entry.value.denied_by),
            .added_ns = 0,
            .until_ns = entry.value.denied_until_ns,
            .packets = entry.value.faults[STEM_FAULT_DENIED],
            .bytes = {},
            .strikes = 0,
            .note = entry.value.denied_note};
}

// Adds those of `entries` that are in force.
template<typename Entry>
void take(std::vector<Denial>& all, const std::vector<Entry>& entries, std::uint64_t now_ns) {
    for (const auto& entry : entries) {
        if (Denial denial = described(entry); !denial.expired(now_ns)) {
            all.push_back(std::move(denial));
        }
    }
}

bool is_full(const Error& error) {
    return error.code == E2BIG || error.code == ENOSPC;
}

// The first error of results, in order.
template<typename... Results>
std::optional<Error> first_error(const Results&... results) {
    std::optional<Error> error;
    ((!error&& !results ? error = results.error() : error), ...);
    return error;
}

} // namespace

std::string Denial::reason() const {
    if (by == STEM_DENY_SYN_MONITOR) {
        return "flood of SYNs, strike " + std::to_string(strikes);
    }
    if (by == STEM_DENY_SIGNALLING_MONITOR) {
        return std::string(kind_of(target) == DenyKind::stream ? "flood of INVITEs" : "flood of signalling") +
               ", strike " + std::to_string(strikes);
    }
    return note;
}

std::string_view Denial::where() const {
    const auto kind = kind_of(target);
    if (kind == DenyKind::flow) {
        return "flows";
    }
    if (kind == DenyKind::stream) {
        return label_of(STEM_DENY_TABLE_STREAMS);
    }
    switch (by) {
    case STEM_DENY_SYN_MONITOR:
        return label_of(STEM_DENY_TABLE_SYN_SOURCES);
    case STEM_DENY_SIGNALLING_MONITOR:
        return label_of(STEM_DENY_TABLE_SIGNALLING_SOURCES);
    default:
        return label_of(kind == DenyKind::address ? STEM_DENY_TABLE_ADDRESSES : STEM_DENY_TABLE_NETWORKS);
    }
}

std::string_view label_of(stem_deny_table table) {
    switch (table) {
#define STEM_DENY_TABLE_LABEL(name, number, map, label, what)                                                \
    case number:                                                                                             \
        return label;
        STEM_DENY_TABLES(STEM_DENY_TABLE_LABEL)
#undef STEM_DENY_TABLE_LABEL
    default:
        return "unknown";
    }
}

std::string_view text_of(stem_deny_table table) {
    switch (table) {
#define STEM_DENY_TABLE_TEXT(name, number, map, label, what)                                                 \
    case number:                                                                                             \
        return what;
        STEM_DENY_TABLES(STEM_DENY_TABLE_TEXT)
#undef STEM_DENY_TABLE_TEXT
    default:
        return "unknown";
    }
}

Result<Denials> Denials::open(const Instance& instance) {
    auto list = DenyList::open(instance);
    auto streams = BlockedStreams::open(instance);
    auto sources = BlockedSources::open(instance);
    auto syn = SynMonitor::open(instance);
    auto flows = FlowDenial::open(instance);
    auto counts = SignallingCounters::open(instance);
    auto thresholds = instance.thresholds();
    auto refused = MappedArray<stem_deny_refused>::open(instance.pin("deny_refused"));
    if (auto error = first_error(list, streams, sources, syn, flows, counts, thresholds, refused); error) {
        return std::unexpected(std::move(*error));
    }
    return Denials({.instance = instance,
                    .list = std::move(*list),
                    .streams = std::move(*streams),
                    .sources = std::move(*sources),
                    .syn = std::move(*syn),
                    .flows = std::move(*flows),
                    .counts = std::move(*counts),
                    .thresholds = std::move(*thresholds),
                    .refused = std::move(*refused)});
}

Result<bool> Denials::add(const DenialRequest& request) {
    const std::size_t room =
        (kind_of(request.target) == DenyKind::flow ? STEM_DENY_FLOW_NOTE_MAX : STEM_DENY_NOTE_MAX) - 1;
    if (request.note.size() > room) {
        return fail("deny " + to_string(request.target),
                    "the note has " + std::to_string(request.note.size()) +
                        " octets, and there is room for " + std::to_string(room),
                    "shorten it");
    }
    auto added = std::visit([&](const auto& target) { return add_of_kind(request, target); }, request.target);
    if (!added && is_full(added.error())) {
        const auto table = table_of(request.target);
        count_refused(table);
        return std::unexpected(Error{.attempt = "deny " + to_string(request.target),
                                     .cause = "the table of " + std::string(text_of(table)) + " is full",
                                     .remedy = "delete some (stemctl deny list), or deny networks in the "
                                               "place of their addresses",
                                     .code = E2BIG});
    }
    return added;
}

Result<bool> Denials::add_of_kind(const DenialRequest& request, const Cidr& source) {
    return parts_.list.add(
        {.source = source, .lifetime = request.lifetime, .origin = request.origin, .note = request.note});
}

Result<bool> Denials::add_of_kind(const DenialRequest& request, const StreamTarget& stream) {
    const auto lock = parts_.instance.lock_for_change("deny add");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    const std::uint64_t now = monotonic_ns();
    const auto add = [&] {
        return parts_.streams.add(stream, end_of(request, now), request.origin, request.note, now);
    };
    auto added = add();
    if (!added && is_full(added.error())) {
        // Blocks that are over and only remembered give way to what somebody asks for.
        const auto swept = parts_.streams.sweep(now, 0);
        if (!swept) {
            return std::unexpected(swept.error());
        }
        added = *swept > 0 ? add() : std::move(added);
    }
    return added;
}

Result<bool> Denials::add_of_kind(const DenialRequest& request, const FlowTarget& flow) {
    const auto lock = parts_.instance.lock_for_change("deny add");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    const std::uint64_t now = monotonic_ns();
    return parts_.flows.add(flow, end_of(request, now), request.origin, request.note, now);
}

Result<bool> Denials::remove(const DenyTarget& target) {
    return std::visit([&](const auto& of_kind) { return remove_of_kind(of_kind); }, target);
}

Result<bool> Denials::remove_of_kind(const Cidr& source) {
    const auto listed = parts_.list.remove(source);
    if (!listed) {
        return listed;
    }
    const auto lock = parts_.instance.lock_for_change("deny del");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    const std::uint64_t now = monotonic_ns();
    const auto by_syn = parts_.syn.remove(source, now);
    const auto by_signalling = parts_.sources.remove(source, now);
    if (auto error = first_error(by_syn, by_signalling); error) {
        return std::unexpected(std::move(*error));
    }
    return *listed || *by_syn || *by_signalling;
}

Result<bool> Denials::remove_of_kind(const StreamTarget& stream) {
    const auto lock = parts_.instance.lock_for_change("deny del");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    return parts_.streams.remove(stream, monotonic_ns());
}

Result<bool> Denials::remove_of_kind(const FlowTarget& flow) {
    const auto lock = parts_.instance.lock_for_change("deny del");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    return parts_.flows.remove(flow, monotonic_ns());
}

Result<std::vector<Denial>> Denials::list() const {
    const std::uint64_t now = monotonic_ns();
    const auto listed = parts_.list.list();
    const auto streams = parts_.streams.list();
    const auto sources = parts_.sources.list();
    const auto syn = parts_.syn.blocked();
    const auto flows = parts_.flows.list(now);
    if (auto error = first_error(listed, streams, sources, syn, flows); error) {
        return std::unexpected(std::move(*error));
    }
    std::vector<Denial> all;
    for (const auto& entry : *listed) {
        all.push_back(described(entry));
    }
    take(all, *streams, now);
    take(all, *sources, now);
    take(all, *syn, now);
    take(all, *flows, now);
    std::ranges::sort(all, {}, [](const Denial& denial) {
        return std::tuple(kind_of(denial.target), denial.target, denial.by);
    });
    return all;
}

Result<std::vector<Denial>> Denials::covering(const Cidr& source, std::uint64_t now_ns) const {
    auto all = list();
    if (!all) {
        return all;
    }
    std::erase_if(*all, [&](const Denial& denial) {
        const auto* network = std::get_if<Cidr>(&denial.target);
        return network == nullptr || *network == source || denial.expired(now_ns) ||
               network->mapped_length() > source.mapped_length() || !network->contains(source.network());
    });
    return all;
}

Result<std::uint64_t> Denials::memory_ns() const {
    const auto thresholds = parts_.thresholds.get(0);
    if (!thresholds) {
        return std::unexpected(thresholds.error());
    }
    return *thresholds ? (*thresholds)->sip_block_max * second_ns : 0;
}

Result<std::size_t> Denials::sweep() {
    const auto memory = memory_ns();
    if (!memory) {
        return std::unexpected(memory.error());
    }
    const auto listed = parts_.list.sweep();
    if (!listed) {
        return listed;
    }
    const auto lock = parts_.instance.lock_for_change("deny sweep");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    const std::uint64_t now = monotonic_ns();
    const auto streams = parts_.streams.sweep(now, *memory);
    const auto sources = parts_.sources.sweep(now, *memory);
    const auto syn = parts_.syn.sweep(now);
    if (auto error = first_error(streams, sources, syn); error) {
        return std::unexpected(std::move(*error));
    }
    return *listed + *streams + *sources + *syn;
}

void Denials::count_refused(stem_deny_table table) const {
    std::atomic_ref(parts_.refused[0].by_table[table]).fetch_add(1, std::memory_order_relaxed);
}

Result<DenyUse> Denials::use() const {
    const auto addresses = parts_.list.count_addresses();
    const auto networks = parts_.list.count_networks();
    const auto streams = parts_.streams.count();
    const auto syn = parts_.syn.count();
    const auto sources = parts_.sources.count();
    const auto signalling = parts_.counts.read();
    const auto syn_counts = parts_.syn.counts();
    if (auto error = first_error(addresses, networks, streams, syn, sources, signalling, syn_counts); error) {
        return std::unexpected(std::move(*error));
    }
    std::uint64_t streams_not_blocked = 0;
    std::uint64_t sources_not_kept = 0;
    for (const auto& count : signalling->by_kind) {
        streams_not_blocked += count.streams_not_blocked;
        sources_not_kept += count.sources_not_kept;
    }
    DenyUse use{};
    const auto set = [&](stem_deny_table table, std::uint32_t used, std::uint32_t capacity,
                         std::uint64_t by_data_plane) {
        const std::uint64_t asked =
            std::atomic_ref(parts_.refused[0].by_table[table]).load(std::memory_order_relaxed);
        use[table] = {.table = table, .used = used, .capacity = capacity, .refused = asked + by_data_plane};
    };
    set(STEM_DENY_TABLE_ADDRESSES, *addresses, parts_.list.address_capacity(), 0);
    set(STEM_DENY_TABLE_NETWORKS, *networks, parts_.list.network_capacity(), 0);
    set(STEM_DENY_TABLE_STREAMS, *streams, parts_.streams.capacity(), streams_not_blocked);
    set(STEM_DENY_TABLE_SYN_SOURCES, *syn, parts_.syn.capacity(), (*syn_counts)[STEM_SYN_COUNT_UNBLOCKED]);
    set(STEM_DENY_TABLE_SIGNALLING_SOURCES, *sources, parts_.sources.capacity(), sources_not_kept);
    return use;
}

} // namespace stem::kernel
